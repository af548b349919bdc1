/* A few bytes to a server process and back, one at a time. */
#include "stream.h"

enum { PING_SIZE = 5 };

static struct place place;

/* --- The server: echoes on as many connections as come ------------------------------------- */

static uv_loop_t loop;

struct reply {
  uv_write_t write;
  char data[PING_SIZE];
};

static void after_reply(uv_write_t* write, int status) {
  OK(status);
  free(CONTAINER(write, struct reply, write));
}

static void echo(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  if (size <= 0) return;
  CHECK(size == PING_SIZE);
  struct reply* reply = malloc(sizeof(*reply));
  memcpy(reply->data, buf->base, PING_SIZE);
  uv_buf_t out = uv_buf_init(reply->data, PING_SIZE);
  OK(uv_write(&reply->write, stream, &out, 1, after_reply));
}

static void on_connection(uv_stream_t* listener, int status) {
  union stream* peer = malloc(sizeof(*peer));
  OK(status);
  stream_init(&loop, peer, &place);
  OK(uv_accept(listener, &peer->stream));
  stream_no_delay(peer);
  OK(uv_read_start(&peer->stream, bench_alloc, echo));
}

static void serve(long argument) {
  static union stream listener;
  (void) argument;
  OK(uv_loop_init(&loop));
  stream_listen(&loop, &listener, &place, on_connection);
  bench_ready(place.port);
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- The client ---------------------------------------------------------------------------- */

struct client {
  union stream stream;
  uv_connect_t connect;
  uint64_t sent;
};

static void send_ping(struct client* client) {
  struct reply* ping = malloc(sizeof(*ping));
  memcpy(ping->data, "PING\n", PING_SIZE);
  uv_buf_t out = uv_buf_init(ping->data, PING_SIZE);
  client->sent = bench_now();
  OK(uv_write(&ping->write, &client->stream.stream, &out, 1, after_reply));
}

static void on_pong(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  struct client* client = CONTAINER(stream, struct client, stream);
  (void) buf;
  if (size == 0) return;
  CHECK(size == PING_SIZE);
  bench_latency(bench_now() - client->sent);
  if (bench_more(1))
    send_ping(client);
  else
    uv_stop(&loop);
}

static void on_connect(uv_connect_t* connect, int status) {
  OK(status);
  struct client* client = CONTAINER(connect, struct client, connect);
  stream_no_delay(&client->stream);
  OK(uv_read_start(&client->stream.stream, bench_alloc, on_pong));
  send_ping(client);
}

static void ping_pong(const struct bench* bench) {
  place = new_place((int) bench->m);
  bench_count_cpu_of(bench_child(serve, 0, &place.port));
  struct client* clients = calloc((size_t) bench->n, sizeof(*clients));
  OK(uv_loop_init(&loop));
  bench_start();
  for (long i = 0; i < bench->n; i++)
    stream_connect(&loop, &clients[i].stream, &clients[i].connect, &place, on_connect);
  uv_run(&loop, UV_RUN_DEFAULT);
}

#define PAIR(number)                                                                               \
  {.name = "tcp_" #number,                                                                         \
   .text = "5 bytes to a server and back over TCP, " #number " at a time",                         \
   .run = ping_pong,                                                                               \
   .n = number,                                                                                    \
   .bare = "ping_pong::tcp_" #number},                                                             \
  {                                                                                                \
    .name = "pipe_" #number, .text = "the same over a Unix socket, " #number " at a time",         \
    .run = ping_pong, .n = number, .m = 1, .bare = "ping_pong::pipe_" #number                      \
  }

const struct bench benches[] = {
    PAIR(1),
    PAIR(10),
    {.name = NULL},
};
