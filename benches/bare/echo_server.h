/* The least that an echo server on epoll has to do. */
#ifndef OXUV_BENCH_BARE_ECHO_SERVER_H
#define OXUV_BENCH_BARE_ECHO_SERVER_H

#include "../load.h"

static inline void bare_echo_serve(long connections) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof(address);
  struct epoll_event event = {.events = EPOLLIN};
  int on = 1;
  bench_need_descriptors(connections + 64);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  CHECK(bind(listener, (struct sockaddr*) &address, size) == 0);
  CHECK(listen(listener, 4096) == 0);
  CHECK(getsockname(listener, (struct sockaddr*) &address, &size) == 0);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  event.data.fd = listener;
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0);
  bench_ready(ntohs(address.sin_port));
  for (;;) {
    struct epoll_event events[1024];
    int count = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      char data[256];
      if (fd == listener) {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) continue;
        CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
        event.data.fd = fd;
        CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
        continue;
      }
      ssize_t got = read(fd, data, sizeof(data));
      if (got <= 0)
        close(fd);
      else
        CHECK(write(fd, data, (size_t) got) == got);
    }
  }
}

#endif
