/* A Modbus server of libmodbus, which is not ours: `tcp PORT` or `rtu DEVICE BAUD UNIT`.
   1000 addresses a table: coils that divide by 3, odd discrete inputs, registers that hold their
   address, input registers that hold 65535 less it. It says where it listens and serves one client
   at a time until it is ended. */
#include <arpa/inet.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 1000

static modbus_mapping_t *filled(void)
{
    modbus_mapping_t *map = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
    for (int at = 0; map && at < SIZE; at++) {
        map->tab_bits[at] = at % 3 == 0;
        map->tab_input_bits[at] = at % 2;
        map->tab_registers[at] = at;
        map->tab_input_registers[at] = 65535 - at;
    }
    return map;
}

static void serve(modbus_t *ctx, modbus_mapping_t *map)
{
    uint8_t query[MODBUS_MAX_ADU_LENGTH];
    int size;
    while ((size = modbus_receive(ctx, query)) != -1)
        if (size > 0 && modbus_reply(ctx, query, size, map) == -1)
            break;
}

static int over_tcp(int port, modbus_mapping_t *map)
{
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", port);
    int listening = modbus_tcp_listen(ctx, 4);
    struct sockaddr_in here;
    socklen_t size = sizeof here;
    if (listening == -1 || getsockname(listening, (struct sockaddr *)&here, &size))
        return 1;
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    while (modbus_tcp_accept(ctx, &listening) != -1) {
        serve(ctx, map);
        modbus_close(ctx);
    }
    return 1;
}

static int on_a_line(const char *device, int baud, int unit, modbus_mapping_t *map)
{
    modbus_t *ctx = modbus_new_rtu(device, baud, 'N', 8, 1);
    modbus_set_slave(ctx, unit);
    if (modbus_connect(ctx))
        return 1;
    printf("%s\n", device);
    fflush(stdout);
    while (1)
        serve(ctx, map); /* noise ends a request, not the server */
}

int main(int count, char **arguments)
{
    modbus_mapping_t *map = filled();
    if (map && count == 3 && !strcmp(arguments[1], "tcp"))
        return over_tcp(atoi(arguments[2]), map);
    if (map && count == 5 && !strcmp(arguments[1], "rtu"))
        return on_a_line(arguments[2], atoi(arguments[3]), atoi(arguments[4]), map);
    fprintf(stderr, "usage: %s tcp PORT | rtu DEVICE BAUD UNIT\n", arguments[0]);
    return 2;
}
