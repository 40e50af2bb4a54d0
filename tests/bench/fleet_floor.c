/* The least that a gateway can be: libmodbus reads, printf writes JSON, libmosquitto publishes.
 *
 * usage: fleet_floor MODBUS_PORT BROKER_PORT DEVICES REGISTERS SECONDS. Polls 127.0.1.1 and on, once a second
 * each, 125 input registers at a time, and sends one JSON message a device at QoS 1. No policy, no quality, no
 * spool, no reconnect; what fails ends it. Prints the points that the broker acknowledged and its CPU seconds.
 */
#include <modbus/modbus.h>
#include <mosquitto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { MOST = 1000, TEXT = 1 << 17 }; /* libmodbus waits by select(2): no socket above 1023 */

static long acknowledged;

static void on_publish(struct mosquitto *broker, void *context, int id) {
    (void)broker, (void)context, (void)id;
    acknowledged++;
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void need(int holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "fleet_floor: %s\n", what);
    exit(1);
}

static struct mosquitto *dialled(int port) {
    mosquitto_lib_init();
    struct mosquitto *broker = mosquitto_new("floor", true, NULL);
    need(broker != NULL, "no MQTT client");
    mosquitto_publish_callback_set(broker, on_publish);
    mosquitto_int_option(broker, MOSQ_OPT_TCP_NODELAY, 1);
    need(mosquitto_connect(broker, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS, "no broker");
    return broker;
}

static modbus_t *connected(int device, int port) {
    char host[32];
    snprintf(host, sizeof host, "127.0.%d.%d", 1 + device / 250, 1 + device % 250);
    modbus_t *link = modbus_new_tcp(host, port);
    need(link != NULL && modbus_set_slave(link, 1) == 0 && modbus_connect(link) == 0, "no device");
    return link;
}

static int message(char *text, int device, const uint16_t *words, int registers) {
    int size = snprintf(text, TEXT, "{\"device\":\"d%d\",\"points\":[", device);
    for (int at = 0; at < registers; at++)
        size += snprintf(text + size, (size_t)(TEXT - size), "%s{\"id\":\"p%d\",\"v\":%d}", at ? "," : "", at, words[at]);
    return size + snprintf(text + size, (size_t)(TEXT - size), "]}");
}

static void relay(modbus_t *link, struct mosquitto *broker, int device, int registers) {
    static char text[TEXT], topic[64];
    static uint16_t words[4096];
    for (int first = 0; first < registers; first += 125) {
        int count = registers - first < 125 ? registers - first : 125;
        need(modbus_read_input_registers(link, first, count, words + first) == count, "a read failed");
    }
    int size = message(text, device, words, registers);
    snprintf(topic, sizeof topic, "floor/d%d", device);
    need(mosquitto_publish(broker, NULL, topic, size, text, 1, false) == MOSQ_ERR_SUCCESS, "a publish failed");
    need(mosquitto_loop(broker, 0, 1) == MOSQ_ERR_SUCCESS, "the broker is lost");
}

int main(int argc, char **argv) {
    static modbus_t *links[MOST];
    need(argc == 6, "usage: fleet_floor MODBUS_PORT BROKER_PORT DEVICES REGISTERS SECONDS");
    int devices = atoi(argv[3]), registers = atoi(argv[4]), rounds = atoi(argv[5]);
    need(devices > 0 && devices <= MOST && registers > 0 && registers <= 4096, "1 to 1000 devices, 1 to 4096 registers");
    struct mosquitto *broker = dialled(atoi(argv[2]));
    for (int device = 0; device < devices; device++)
        links[device] = connected(device, atoi(argv[1]));
    double spent = seconds(CLOCK_PROCESS_CPUTIME_ID), start = seconds(CLOCK_MONOTONIC);
    for (int round = 1; round <= rounds; round++) {
        for (int device = 0; device < devices; device++)
            relay(links[device], broker, device, registers);
        for (double left; (left = start + round - seconds(CLOCK_MONOTONIC)) > 0;)
            need(mosquitto_loop(broker, 1 + (int)(left * 1e3), 1) == MOSQ_ERR_SUCCESS, "the broker is lost");
    }
    printf("%ld %.6f\n", acknowledged * registers, seconds(CLOCK_PROCESS_CPUTIME_ID) - spent);
    return 0;
}
