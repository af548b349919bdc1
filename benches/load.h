/* A load generator on plain system calls, equal for every server. Each connection sends a
 * message, waits until it came back, and sends the next. */
#ifndef OXUV_BENCH_LOAD_H
#define OXUV_BENCH_LOAD_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench.h"

enum { LOAD_MESSAGE = 64, LOAD_PORTS = 20000 };

struct load_connection {
  int fd;
  int received;
  uint64_t sent;
};

/* From further addresses of the loopback network where one has too few ports. */
static inline int load_connect(long port, long number) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
  struct sockaddr_in from = {.sin_family = AF_INET};
  struct linger reset = {1, 0};
  int on = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t) (number / LOAD_PORTS));
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  CHECK(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == 0);
  CHECK(bind(fd, (struct sockaddr*) &from, sizeof(from)) == 0);
  CHECK(connect(fd, (struct sockaddr*) &to, sizeof(to)) == 0);
  CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
  /* No port is left waiting when the benchmark ends. */
  CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0);
  return fd;
}

static inline void load_send(struct load_connection* connection) {
  static char message[LOAD_MESSAGE];
  connection->received = 0;
  connection->sent = bench_now();
  CHECK(write(connection->fd, message, LOAD_MESSAGE) == LOAD_MESSAGE);
}

static inline void load_run(long port, long number) {
  struct load_connection* connections = calloc((size_t) number, sizeof(*connections));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  bench_need_descriptors(number + 64);
  for (long i = 0; i < number; i++) {
    connections[i].fd = load_connect(port, i);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) == 0);
  }
  bench_start();
  for (long i = 0; i < number; i++) load_send(&connections[i]);
  for (;;) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct load_connection* connection = events[i].data.ptr;
      char memory[LOAD_MESSAGE];
      ssize_t size = read(connection->fd, memory, sizeof(memory));
      CHECK(size > 0);
      connection->received += (int) size;
      if (connection->received < LOAD_MESSAGE) continue;
      bench_latency(bench_now() - connection->sent);
      if (!bench_more(1)) return;
      load_send(connection);
    }
  }
}

/* One connection whose client never blocks, and pauses between the answer and the next message:
 * what is measured is how fast a server wakes up. */
static inline void load_with_pauses(long port, uint64_t pause) {
  struct load_connection connection = {.fd = load_connect(port, 0)};
  char memory[LOAD_MESSAGE];
  bench_start();
  do {
    load_send(&connection);
    while (connection.received < LOAD_MESSAGE) {
      ssize_t size = recv(connection.fd, memory, sizeof(memory), MSG_DONTWAIT);
      CHECK(size > 0 || errno == EAGAIN);
      if (size > 0) connection.received += (int) size;
    }
    bench_latency(bench_now() - connection.sent);
    if (pause > 0) bench_spin(pause);
  } while (bench_more(1));
}

#endif
