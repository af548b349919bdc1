/* Common parts of the benchmarks on libuv. */
#ifndef OXUV_UV_BENCH_H
#define OXUV_UV_BENCH_H

#include <uv.h>

#include "bench.h"

/* Zero; an error code ends the benchmark and is shown by its name. */
#define OK(result)                                                                                 \
  do {                                                                                             \
    int result__ = (int) (result);                                                                 \
    if (result__ != 0) bench_fail(__FILE__, __LINE__, "%s: %s", #result, uv_strerror(result__));  \
  } while (0)

#define CONTAINER(pointer, type, member) ((type*) ((char*) (pointer) - offsetof(type, member)))

static inline struct sockaddr_in bench_loopback(long port) {
  struct sockaddr_in address;
  OK(uv_ip4_addr("127.0.0.1", (int) port, &address));
  return address;
}

static inline long bench_port_of(const uv_tcp_t* handle) {
  struct sockaddr_in address;
  int size = sizeof(address);
  OK(uv_tcp_getsockname(handle, (struct sockaddr*) &address, &size));
  return ntohs(address.sin_port);
}

/* Hands out always the same memory: for readers that are done with it in the callback. */
static inline void bench_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  static char memory[65536];
  (void) handle;
  (void) suggested;
  *buf = uv_buf_init(memory, sizeof(memory));
}

#endif
