/* A Modbus TCP server that costs next to nothing: one epoll loop for any number of clients.
 *
 * usage: fleet_server PERMILLE. Prints its port. Answers functions 3 and 4 for any unit and address; of the
 * registers of one client PERMILLE in a thousand change before each sweep, which begins at address 0.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FDS = 65536, REQUEST = 12 };

struct client {
    uint8_t request[REQUEST];
    int have;
    uint16_t sweep;
};

static struct client *clients[MAX_FDS];
static uint32_t permille;

static uint16_t word(uint16_t address, uint16_t sweep) {
    uint16_t moved = (uint32_t)address * 7919u % 1000u < permille ? sweep : 0;
    return (uint16_t)(address * 31u + moved) % 60000u + 1u;
}

static int answer(int fd, struct client *client) {
    uint8_t *in = client->request, out[9 + 250];
    uint16_t address = (uint16_t)(in[8] << 8 | in[9]), count = (uint16_t)(in[10] << 8 | in[11]);
    if (count == 0 || count > 125)
        return -1;
    if (address == 0)
        client->sweep++;
    memcpy(out, in, 8);
    out[4] = 0;
    out[5] = (uint8_t)(3 + 2 * count);
    out[8] = (uint8_t)(2 * count);
    for (int at = 0; at < count; at++) {
        uint16_t value = word((uint16_t)(address + at), client->sweep);
        out[9 + 2 * at] = (uint8_t)(value >> 8);
        out[10 + 2 * at] = (uint8_t)value;
    }
    ssize_t size = 9 + 2 * count;
    return send(fd, out, (size_t)size, MSG_NOSIGNAL) == size ? 0 : -1;
}

static int serve(int fd, struct client *client) {
    for (;;) {
        ssize_t got = recv(fd, client->request + client->have, REQUEST - (size_t)client->have, MSG_DONTWAIT);
        if (got == 0)
            return -1;
        if (got < 0)
            return 0;
        client->have += (int)got;
        if (client->have == REQUEST) {
            client->have = 0;
            if (answer(fd, client) < 0)
                return -1;
        }
    }
}

int main(int argc, char **argv) {
    permille = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000;
    int listening = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), one = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t length = sizeof where;
    if (bind(listening, (struct sockaddr *)&where, sizeof where) || listen(listening, 4096))
        return 1;
    getsockname(listening, (struct sockaddr *)&where, &length);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listening}, ready[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int count = epoll_wait(poll, ready, 256, -1);
        for (int at = 0; at < count; at++) {
            int fd = ready[at].data.fd;
            if (fd == listening) {
                int made = accept(listening, NULL, NULL);
                if (made < 0 || made >= MAX_FDS)
                    continue;
                setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                clients[made] = calloc(1, sizeof(struct client));
                event.events = EPOLLIN;
                event.data.fd = made;
                epoll_ctl(poll, EPOLL_CTL_ADD, made, &event);
            } else if (serve(fd, clients[fd]) < 0) {
                close(fd);
                free(clients[fd]);
                clients[fd] = NULL;
            }
        }
    }
}
