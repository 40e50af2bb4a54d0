/* The floor under any gateway: one loop that polls Modbus devices and publishes what they say, unchecked.
 *
 * usage: fleet_floor MODBUS_PORT BROKER_PORT DEVICES REGISTERS SECONDS. Polls 127.0.1.1 and on, once a second
 * each, reads 125 registers at a time, prints one JSON message a device and sends it at QoS 1. No policy, no
 * quality, no spool, no reconnect. Prints the samples that were acknowledged and its CPU seconds.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024, TEXT = 1 << 17 };

static int dialled(const char *host, int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &where.sin_addr);
    if (connect(fd, (struct sockaddr *)&where, sizeof where)) {
        perror(host);
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void exactly(int fd, uint8_t *into, size_t size) {
    while (size) {
        ssize_t got = recv(fd, into, size, 0);
        if (got <= 0)
            exit(1);
        into += got;
        size -= (size_t)got;
    }
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_registers(int fd, uint16_t first, uint16_t count, uint16_t *words) {
    uint8_t ask[12] = {0, 1, 0, 0, 0, 6, 1, 4, (uint8_t)(first >> 8), (uint8_t)first, 0, (uint8_t)count}, got[259];
    send(fd, ask, sizeof ask, 0);
    exactly(fd, got, 9 + 2 * (size_t)count);
    for (int at = 0; at < count; at++)
        words[at] = (uint16_t)(got[9 + 2 * at] << 8 | got[10 + 2 * at]);
}

static void publish(int fd, uint16_t id, const char *topic, const char *text, size_t size) {
    static uint8_t packet[TEXT + 64];
    size_t topic_size = strlen(topic), left = 2 + topic_size + 2 + size, at = 0;
    packet[at++] = 0x32; /* PUBLISH, QoS 1: MQTT 3.1.1, 3.3.1 */
    do {
        packet[at] = (uint8_t)(left % 128);
        left /= 128;
        packet[at++] |= left ? 128 : 0;
    } while (left);
    packet[at++] = 0;
    packet[at++] = (uint8_t)topic_size;
    memcpy(packet + at, topic, topic_size);
    at += topic_size;
    packet[at++] = (uint8_t)(id >> 8);
    packet[at++] = (uint8_t)id;
    memcpy(packet + at, text, size);
    send(fd, packet, at + size, 0);
    uint8_t ack[4];
    exactly(fd, ack, sizeof ack);
}

int main(int argc, char **argv) {
    if (argc < 6)
        return 2;
    int modbus = atoi(argv[1]), devices = atoi(argv[3]), registers = atoi(argv[4]), seconds = atoi(argv[5]);
    static int fds[MOST];
    static char text[TEXT];
    static uint16_t words[65536];
    char host[32], topic[64];
    for (int at = 0; at < devices; at++) {
        snprintf(host, sizeof host, "127.0.%d.%d", 1 + at / 250, 1 + at % 250);
        fds[at] = dialled(host, modbus);
    }
    int broker = dialled("127.0.0.1", atoi(argv[2]));
    const uint8_t hello[] = {0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 5, 'f', 'l', 'o', 'o', 'r'};
    send(broker, hello, sizeof hello, 0);
    uint8_t connack[4];
    exactly(broker, connack, sizeof connack);
    long samples = 0;
    uint16_t id = 0;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double start = now_s();
    for (int round = 0; round < seconds; round++) {
        for (int device = 0; device < devices; device++) {
            for (int first = 0; first < registers; first += 125)
                read_registers(fds[device], (uint16_t)first, (uint16_t)(registers - first < 125 ? registers - first : 125), words + first);
            size_t size = (size_t)snprintf(text, sizeof text, "{\"device\":\"d%d\",\"points\":[", device);
            for (int at = 0; at < registers; at++)
                size += (size_t)snprintf(text + size, sizeof text - size, "%s{\"id\":\"p%d\",\"v\":%d}", at ? "," : "", at, words[at]);
            size += (size_t)snprintf(text + size, sizeof text - size, "]}");
            snprintf(topic, sizeof topic, "floor/d%d", device);
            id = (uint16_t)(id % 65535 + 1);
            publish(broker, id, topic, text, size);
            samples += registers;
        }
        double due = start + round + 1 - now_s();
        if (due > 0)
            usleep((useconds_t)(due * 1e6));
    }
    getrusage(RUSAGE_SELF, &after);
    double cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                 (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("%ld %.6f\n", samples, cpu);
    return 0;
}
