/* Connections that live for one exchange: connect, write, read the echo, close. */
#include "stream.h"

static uv_loop_t loop;
static struct place place;
static int is_over;

/* --- The server ---------------------------------------------------------------------------- */

struct peer {
  union stream stream;
  uv_write_t write;
  char data[64];
};

static void free_peer(uv_handle_t* handle) { free(CONTAINER(handle, struct peer, stream)); }

static void after_echo(uv_write_t* write, int status) {
  (void) write;
  (void) status;
}

static void echo(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  struct peer* peer = CONTAINER(stream, struct peer, stream);
  if (size < 0) {
    uv_close((uv_handle_t*) stream, free_peer);
    return;
  }
  if (size == 0 || size > (ssize_t) sizeof(peer->data)) return;
  memcpy(peer->data, buf->base, (size_t) size);
  uv_buf_t out = uv_buf_init(peer->data, (unsigned) size);
  OK(uv_write(&peer->write, stream, &out, 1, after_echo));
}

static void on_connection(uv_stream_t* listener, int status) {
  if (status != 0) return;
  struct peer* peer = malloc(sizeof(*peer));
  stream_init(&loop, &peer->stream, &place);
  OK(uv_accept(listener, &peer->stream.stream));
  OK(uv_read_start(&peer->stream.stream, bench_alloc, echo));
}

static void serve(long argument) {
  static union stream listener;
  (void) argument;
  bench_need_descriptors(4096);
  OK(uv_loop_init(&loop));
  stream_listen(&loop, &listener, &place, on_connection);
  bench_ready(place.port);
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- The clients --------------------------------------------------------------------------- */

struct client {
  union stream stream;
  uv_connect_t connect;
  uv_write_t write;
  uint64_t began;
};

static void begin(struct client* client);

static void on_closed(uv_handle_t* handle) {
  struct client* client = CONTAINER(handle, struct client, stream);
  bench_latency(bench_now() - client->began);
  if (bench_more(1) && !is_over)
    begin(client);
  else
    is_over = 1;
}

static void on_echo(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) buf;
  if (size == 0) return;
  if (is_over) {
    uv_stop(&loop);
    return;
  }
  /* A reset leaves no port waiting, of which there would be too few soon. */
  if (stream->type == UV_TCP)
    OK(uv_tcp_close_reset((uv_tcp_t*) stream, on_closed));
  else
    uv_close((uv_handle_t*) stream, on_closed);
}

static void on_connect(uv_connect_t* connect, int status) {
  struct client* client = CONTAINER(connect, struct client, connect);
  static char data[] = "PING";
  /* The backlog of a Unix socket may be full: the next try finds room. */
  if (status == UV_EAGAIN || status == UV_ECONNREFUSED) {
    uv_close((uv_handle_t*) &client->stream, on_closed);
    return;
  }
  OK(status);
  uv_buf_t out = uv_buf_init(data, 4);
  OK(uv_write(&client->write, &client->stream.stream, &out, 1, after_echo));
  OK(uv_read_start(&client->stream.stream, bench_alloc, on_echo));
}

static void begin(struct client* client) {
  client->began = bench_now();
  stream_connect(&loop, &client->stream, &client->connect, &place, on_connect);
}

static void pound(const struct bench* bench) {
  bench_need_descriptors(bench->n + 64);
  place = new_place((int) bench->m);
  bench_count_cpu_of(bench_child(serve, 0, &place.port));
  struct client* clients = calloc((size_t) bench->n, sizeof(*clients));
  OK(uv_loop_init(&loop));
  bench_start();
  for (long i = 0; i < bench->n; i++) begin(&clients[i]);
  while (!is_over) uv_run(&loop, UV_RUN_ONCE);
}

#define POUND(name_, number, pipe)                                                                 \
  {.name = name_ "_pound_" #number,                                                                \
   .text = "a connection for one exchange, " #number " at a time, " name_,                         \
   .run = pound,                                                                                   \
   .n = number,                                                                                    \
   .m = pipe}

const struct bench benches[] = {
    POUND("tcp", 100, 0),
    POUND("tcp", 1000, 0),
    POUND("pipe", 100, 1),
    POUND("pipe", 1000, 1),
    {.name = NULL},
};
