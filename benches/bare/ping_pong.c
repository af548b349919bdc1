/* Ping-pong between two processes on epoll. */
#include "../bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PING_SIZE = 5 };

static int is_pipe;

static socklen_t address_of(struct sockaddr_storage* storage, long argument) {
  memset(storage, 0, sizeof(*storage));
  if (is_pipe) {
    struct sockaddr_un* address = (struct sockaddr_un*) storage;
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, (const char*) argument);
    return sizeof(*address);
  }
  struct sockaddr_in* address = (struct sockaddr_in*) storage;
  address->sin_family = AF_INET;
  address->sin_port = htons((uint16_t) argument);
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return sizeof(*address);
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void no_delay(int fd) {
  int on = 1;
  if (!is_pipe) CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
}

static void serve(long argument) {
  struct sockaddr_storage address;
  socklen_t size = address_of(&address, argument);
  int listener = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK(bind(listener, (struct sockaddr*) &address, size) == 0);
  CHECK(listen(listener, 128) == 0);
  CHECK(getsockname(listener, (struct sockaddr*) &address, &size) == 0);
  int epoll = epoll_create1(0);
  watch(epoll, listener);
  bench_ready(ntohs(((struct sockaddr_in*) &address)->sin_port));
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      char data[65536];
      int fd = events[i].data.fd;
      if (fd == listener) {
        int peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (peer < 0) continue;
        no_delay(peer);
        watch(epoll, peer);
        continue;
      }
      if (read(fd, data, sizeof(data)) != PING_SIZE) _exit(0);
      CHECK(write(fd, data, PING_SIZE) == PING_SIZE);
    }
  }
}

static void ping_pong(const struct bench* bench) {
  static char path[256];
  struct sockaddr_storage address;
  uint64_t sent[64];
  long port;
  is_pipe = (int) bench->m;
  if (is_pipe) strcpy(path, bench_path("socket"));
  bench_count_cpu_of(bench_child(serve, is_pipe ? (long) (intptr_t) path : 0, &port));
  socklen_t size = address_of(&address, is_pipe ? (long) (intptr_t) path : port);
  int epoll = epoll_create1(0);
  int fds[64];
  for (long i = 0; i < bench->n; i++) {
    fds[i] = socket(address.ss_family, SOCK_STREAM, 0);
    CHECK(connect(fds[i], (struct sockaddr*) &address, size) == 0);
    no_delay(fds[i]);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t) i};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) == 0);
  }
  bench_start();
  for (long i = 0; i < bench->n; i++) {
    sent[i] = bench_now();
    CHECK(write(fds[i], "PING\n", PING_SIZE) == PING_SIZE);
  }
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      char data[65536];
      uint32_t which = events[i].data.u32;
      CHECK(read(fds[which], data, sizeof(data)) == PING_SIZE);
      uint64_t now = bench_now();
      bench_latency(now - sent[which]);
      sent[which] = now;
      if (!bench_more(1)) return;
      CHECK(write(fds[which], "PING\n", PING_SIZE) == PING_SIZE);
    }
  }
}

#define ROW(name_, number, pipe)                                                                   \
  {.name = name_, .text = "5 bytes to a server and back", .run = ping_pong, .n = number, .m = pipe}

const struct bench benches[] = {
    ROW("tcp_1", 1, 0),
    ROW("tcp_10", 10, 0),
    ROW("pipe_1", 1, 1),
    ROW("pipe_10", 10, 1),
    {.name = NULL},
};
