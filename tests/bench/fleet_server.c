/* A raw Modbus server for benchmarks: many devices, almost no CPU of its own.
 *
 * usage: fleet_server JOURNAL [CHANGED_PERMILLE]. Prints its port, serves every loopback address: 127.0.1.1 is device
 * 0, 127.0.1.250 device 249, 127.0.2.1 device 250; unit 2 is the device after unit 1. Answers reads of input and
 * holding registers. Device and address give a register's value; a read of address 0 begins a sweep, before which
 * CHANGED_PERMILLE of the registers change. Commands come on standard input, a line each: `changed PERMILLE`, and
 * `silent DEVICE`, which from then on takes requests and answers none (-1: all answer). At its end it stops.
 *
 * JOURNAL is a file that the server maps: four 64-bit words (sweeps begun, requests, registers served, CPU in ns), then
 * a ring of sweeps, 16 bytes each: device, sweep, CLOCK_MONOTONIC in ns. It says when every device was polled.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 65536, DEVICES = 65536, REQUEST = 12, AT_ONCE = 32, MOST = 9 + 250, RING = 1 << 20 };

struct client {
    uint8_t waiting[REQUEST * AT_ONCE];
    int have;
    int device;
};

struct sweep {
    uint32_t device, number;
    uint64_t at_ns;
};

struct journal {
    uint64_t sweeps, requests, registers, cpu_ns;
    struct sweep ring[RING];
};

static struct client *clients[MAX_FDS];
static uint32_t sweeps[DEVICES], permille = 1000;
static int silent = -1;
static struct journal *journal;

static uint64_t ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint16_t word(uint16_t address, uint32_t sweep) {
    uint32_t moved = (uint32_t)address * 7919u % 1000u < permille ? sweep % 60000u : 0;
    return (uint16_t)((address * 31u + moved) % 60000u + 1u);
}

static void begin_sweep(int device) {
    struct sweep *booked = &journal->ring[journal->sweeps % RING];
    *booked = (struct sweep){(uint32_t)device, ++sweeps[device], ns(CLOCK_MONOTONIC)};
    __atomic_store_n(&journal->sweeps, journal->sweeps + 1, __ATOMIC_RELEASE);
}

/* Write the reply to one request and return its size: 0 where the device is silent, -1 where it asks for nonsense. */
static int answer(const uint8_t *in, int host, uint8_t *out) {
    uint16_t address = (uint16_t)(in[8] << 8 | in[9]), count = (uint16_t)(in[10] << 8 | in[11]);
    int device = host + in[6] - 1;
    if (count == 0 || count > 125 || device < 0 || device >= DEVICES)
        return -1;
    if (device == silent)
        return 0;
    if (address == 0)
        begin_sweep(device);
    journal->requests++;
    journal->registers += count;
    memcpy(out, in, 8);
    out[4] = 0;
    out[5] = (uint8_t)(3 + 2 * count);
    out[8] = (uint8_t)(2 * count);
    for (int at = 0; at < count; at++) {
        uint16_t value = word((uint16_t)(address + at), sweeps[device]);
        out[9 + 2 * at] = (uint8_t)(value >> 8);
        out[10 + 2 * at] = (uint8_t)value;
    }
    return 9 + 2 * count;
}

/* Answer all that waits; return -1 where the client is gone. */
static int serve(int fd, struct client *client) {
    static uint8_t out[MOST * AT_ONCE];
    ssize_t got = recv(fd, client->waiting + client->have, sizeof client->waiting - (size_t)client->have, MSG_DONTWAIT);
    if (got <= 0)
        return -1;
    client->have += (int)got;
    int taken = 0, size = 0;
    for (; client->have - taken >= REQUEST; taken += REQUEST) {
        int more = answer(client->waiting + taken, client->device, out + size);
        if (more < 0)
            return -1;
        size += more;
    }
    client->have -= taken;
    memmove(client->waiting, client->waiting + taken, (size_t)client->have);
    return size == 0 || send(fd, out, (size_t)size, MSG_NOSIGNAL) == size ? 0 : -1;
}

static int device_of(int fd) {
    struct sockaddr_in here;
    socklen_t length = sizeof here;
    getsockname(fd, (struct sockaddr *)&here, &length);
    uint32_t host = ntohl(here.sin_addr.s_addr);
    return (int)((host >> 8 & 255u) - 1u) * 250 + (int)(host & 255u) - 1;
}

static void welcome(int poll, int listening) {
    int made = accept(listening, NULL, NULL), one = 1;
    if (made < 0 || made >= MAX_FDS)
        return;
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    clients[made] = calloc(1, sizeof(struct client));
    clients[made]->device = device_of(made);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = made};
    epoll_ctl(poll, EPOLL_CTL_ADD, made, &event);
}

static void part(int fd) {
    close(fd);
    free(clients[fd]);
    clients[fd] = NULL;
}

static int obey(void) {
    char line[64];
    ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
    if (got <= 0)
        return -1;
    line[got] = 0;
    for (char *word = strtok(line, "\n"); word != NULL; word = strtok(NULL, "\n")) {
        sscanf(word, "changed %u", &permille);
        sscanf(word, "silent %d", &silent);
    }
    return 0;
}

static int mapped(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    if (fd < 0 || ftruncate(fd, sizeof *journal))
        return -1;
    journal = mmap(NULL, sizeof *journal, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return journal == MAP_FAILED ? -1 : 0;
}

static int listening_on_any(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t length = sizeof where;
    if (bind(fd, (struct sockaddr *)&where, sizeof where) || listen(fd, 4096))
        return -1;
    getsockname(fd, (struct sockaddr *)&where, &length);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    struct rlimit files = {MAX_FDS, MAX_FDS};
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc < 2 || mapped(argv[1]))
        return 2;
    if (argc > 2)
        permille = (uint32_t)atoi(argv[2]);
    int listening = listening_on_any(), poll = epoll_create1(0);
    if (listening < 0)
        return 1;
    struct epoll_event ready[256];
    for (int each = 0; each < 2; each++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = each ? listening : STDIN_FILENO};
        epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
    }
    for (;;) {
        int count = epoll_wait(poll, ready, 256, -1);
        for (int at = 0; at < count; at++) {
            int fd = ready[at].data.fd;
            if (fd == listening)
                welcome(poll, listening);
            else if (fd == STDIN_FILENO) {
                if (obey())
                    return 0;
            } else if (serve(fd, clients[fd]))
                part(fd);
        }
        journal->cpu_ns = ns(CLOCK_PROCESS_CPUTIME_ID);
    }
}
