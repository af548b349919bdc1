/* The echo server of several benchmarks, as people write one on libuv. */
#ifndef OXUV_BENCH_ECHO_SERVER_H
#define OXUV_BENCH_ECHO_SERVER_H

#include "uv_bench.h"

/* Each piece has a request of its own: where many connections are ready at once, the next one may
 * come before the callback of the write before. */
struct echo_piece {
  uv_write_t write;
  char data[256];
};

static inline void echo_free(uv_handle_t* handle) { free(handle); }

static inline void echo_written(uv_write_t* write, int status) {
  uv_handle_t* peer = (uv_handle_t*) write->handle;
  free(CONTAINER(write, struct echo_piece, write));
  if (status != 0 && !uv_is_closing(peer)) uv_close(peer, echo_free);
}

static inline void echo_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  struct echo_piece* piece = malloc(sizeof(*piece));
  (void) handle;
  (void) suggested;
  CHECK(piece != NULL);
  *buf = uv_buf_init(piece->data, sizeof(piece->data));
}

static inline void echo_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  struct echo_piece* piece = CONTAINER(buf->base, struct echo_piece, data);
  if (size > 0) {
    uv_buf_t out = uv_buf_init(piece->data, (unsigned) size);
    OK(uv_write(&piece->write, stream, &out, 1, echo_written));
    return;
  }
  free(piece);
  if (size < 0) uv_close((uv_handle_t*) stream, echo_free);
}

static inline void echo_accept(uv_stream_t* listener, int status) {
  uv_tcp_t* peer = malloc(sizeof(*peer));
  OK(status);
  OK(uv_tcp_init(listener->loop, peer));
  OK(uv_accept(listener, (uv_stream_t*) peer));
  OK(uv_tcp_nodelay(peer, 1));
  OK(uv_read_start((uv_stream_t*) peer, echo_alloc, echo_read));
}

/* For bench_child(), with how many connections to expect. */
static inline void echo_serve(long connections) {
  uv_loop_t loop;
  uv_tcp_t listener;
  struct sockaddr_in address = bench_loopback(0);
  bench_need_descriptors(connections + 64);
  OK(uv_loop_init(&loop));
  OK(uv_tcp_init(&loop, &listener));
  OK(uv_tcp_bind(&listener, (const struct sockaddr*) &address, 0));
  OK(uv_listen((uv_stream_t*) &listener, 4096, echo_accept));
  bench_ready(bench_port_of(&listener));
  uv_run(&loop, UV_RUN_DEFAULT);
}

#endif
