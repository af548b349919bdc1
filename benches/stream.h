/* Streams over TCP or over a Unix socket, whichever the benchmark is about. */
#ifndef OXUV_BENCH_STREAM_H
#define OXUV_BENCH_STREAM_H

#include "uv_bench.h"

union stream {
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
};

/* Where a server listens: on a path, or on a port of the loopback address. */
struct place {
  const char* path;
  long port;
};

static inline struct place new_place(int is_pipe) {
  struct place place = {is_pipe ? strdup(bench_path("socket")) : NULL, 0};
  return place;
}

static inline void stream_init(uv_loop_t* loop, union stream* stream, const struct place* place) {
  if (place->path != NULL)
    OK(uv_pipe_init(loop, &stream->pipe, 0));
  else
    OK(uv_tcp_init(loop, &stream->tcp));
}

static inline void stream_no_delay(union stream* stream) {
  if (stream->stream.type == UV_TCP) OK(uv_tcp_nodelay(&stream->tcp, 1));
}

/* Notes the port in place. */
static inline void stream_listen(uv_loop_t* loop, union stream* listener, struct place* place,
                                 uv_connection_cb on_connection) {
  stream_init(loop, listener, place);
  if (place->path != NULL) {
    OK(uv_pipe_bind(&listener->pipe, place->path));
  } else {
    struct sockaddr_in address = bench_loopback(0);
    OK(uv_tcp_bind(&listener->tcp, (const struct sockaddr*) &address, 0));
    place->port = bench_port_of(&listener->tcp);
  }
  OK(uv_listen(&listener->stream, 4096, on_connection));
}

/* The stream is initialised here. */
static inline void stream_connect(uv_loop_t* loop, union stream* stream, uv_connect_t* request,
                                  const struct place* place, uv_connect_cb on_connect) {
  stream_init(loop, stream, place);
  if (place->path != NULL) {
    uv_pipe_connect(request, &stream->pipe, place->path, on_connect);
    return;
  }
  struct sockaddr_in address = bench_loopback(place->port);
  OK(uv_tcp_connect(request, &stream->tcp, (const struct sockaddr*) &address, on_connect));
}

#endif
