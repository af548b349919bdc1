/* One thread on epoll that accepts and closes. */
#include "../bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void serve(long argument) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof(address);
  (void) argument;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  CHECK(bind(fd, (struct sockaddr*) &address, size) == 0);
  CHECK(listen(fd, 4096) == 0);
  CHECK(getsockname(fd, (struct sockaddr*) &address, &size) == 0);
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
  bench_ready(ntohs(address.sin_port));
  for (;;) {
    if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
    for (int peer; (peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
      close(peer);
  }
}

static void accept_all(const struct bench* bench) {
  enum { AT_ONCE = 16 };
  int fds[AT_ONCE];
  long port;
  (void) bench;
  bench_count_cpu_only_of(bench_child(serve, 0, &port));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct linger reset = {1, 0};
  bench_start();
  do {
    for (int i = 0; i < AT_ONCE; i++) {
      fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      CHECK(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0);
      CHECK(connect(fds[i], (struct sockaddr*) &address, sizeof(address)) == 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
      char byte;
      CHECK(read(fds[i], &byte, 1) == 0);
      close(fds[i]);
    }
  } while (bench_more(AT_ONCE));
}

const struct bench benches[] = {
    {.name = "accept", .text = "a connection accepted and closed", .run = accept_all},
    {.name = NULL},
};
