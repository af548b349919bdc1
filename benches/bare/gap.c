/* The echo server on epoll, with pauses between messages. */
#include "echo_server.h"

static void socket_pauses(const struct bench* bench) {
  long port;
  bench_count_cpu_only_of(bench_child(bare_echo_serve, 1, &port));
  load_with_pauses(port, (uint64_t) bench->n * 1000);
  bench_value_is_latency();
}

#define ROW(microseconds)                                                                          \
  {.name = "tcp_" #microseconds "us",                                                              \
   .text = "an echo on epoll",                                                                     \
   .run = socket_pauses,                                                                           \
   .n = microseconds,                                                                              \
   .kind = BENCH_NANOSECONDS}

const struct bench benches[] = {
    ROW(1), ROW(2), ROW(5), ROW(10), ROW(20), ROW(50), ROW(100), ROW(200), ROW(1000), {.name = NULL},
};
