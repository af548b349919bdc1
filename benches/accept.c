/* Several loops, each on a thread of its own, that accept from one listening socket. */
#include "stream.h"

#include <stdatomic.h>
#include <sys/socket.h>

struct acceptor {
  uv_loop_t loop;
  union stream listener;
  uv_thread_t thread;
  int fd;
};

static void on_connection(uv_stream_t* listener, int status) {
  if (status != 0) return;
  union stream* peer = malloc(sizeof(*peer));
  OK(uv_tcp_init(listener->loop, &peer->tcp));
  /* Another loop may have been faster. */
  (void) uv_accept(listener, &peer->stream);
  uv_close((uv_handle_t*) peer, (uv_close_cb) free);
}

static void run_acceptor(void* argument) {
  struct acceptor* acceptor = argument;
  OK(uv_loop_init(&acceptor->loop));
  OK(uv_tcp_init(&acceptor->loop, &acceptor->listener.tcp));
  OK(uv_tcp_open(&acceptor->listener.tcp, acceptor->fd));
  OK(uv_listen(&acceptor->listener.stream, 4096, on_connection));
  uv_run(&acceptor->loop, UV_RUN_DEFAULT);
}

static void serve(long number) {
  struct acceptor* acceptors = calloc((size_t) number, sizeof(*acceptors));
  struct sockaddr_in address = bench_loopback(0);
  socklen_t size = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(bind(fd, (struct sockaddr*) &address, size) == 0);
  CHECK(listen(fd, 4096) == 0);
  CHECK(getsockname(fd, (struct sockaddr*) &address, &size) == 0);
  for (long i = 0; i < number; i++) {
    acceptors[i].fd = i == 0 ? fd : dup(fd);
    OK(uv_thread_create(&acceptors[i].thread, run_acceptor, &acceptors[i]));
  }
  bench_ready(ntohs(address.sin_port));
  for (long i = 0; i < number; i++) OK(uv_thread_join(&acceptors[i].thread));
}

/* Plain blocking sockets, equal for every library. 16 connections are under way at a time. */
static void multi_accept(const struct bench* bench) {
  enum { AT_ONCE = 16 };
  int fds[AT_ONCE];
  long port;
  bench_count_cpu_only_of(bench_child(serve, bench->n, &port));
  struct sockaddr_in address = bench_loopback(port);
  struct linger reset = {1, 0};
  bench_start();
  do {
    for (int i = 0; i < AT_ONCE; i++) {
      fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      CHECK(fds[i] >= 0);
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

#define ACCEPT(number)                                                                             \
  {.name = "tcp_multi_accept" #number,                                                             \
   .text = "a connection accepted and closed by one of " #number " loops",                         \
   .run = multi_accept,                                                                            \
   .n = number,                                                                                    \
   .bare = "accept::accept"}

const struct bench benches[] = {
    ACCEPT(1),
    ACCEPT(2),
    ACCEPT(4),
    ACCEPT(8),
    {.name = NULL},
};
