/* An echo server under load. Processor time is that of the server. */
#include "echo_server.h"
#include "load.h"

static void echo(const struct bench* bench) {
  long port;
  long number = bench_scaled(bench->n);
  bench_need_descriptors(number + 64);
  bench_count_cpu_only_of(bench_child(echo_serve, number, &port));
  load_run(port, number);
}

#define ROW(number)                                                                               \
  {.name = "tcp_" #number,                                                                         \
   .text = "64 bytes there and back, " #number " connections",                                     \
   .run = echo,                                                                                    \
   .n = number,                                                                                    \
   .bare = "echo::tcp_" #number,                                                                   \
   .series = "connections"}

const struct bench benches[] = {
    ROW(1), ROW(10), ROW(100), ROW(1000), ROW(10000), ROW(100000), {.name = NULL},
};
