/* A few bytes to a server process and back, one at a time. */
#include "uv_bench.h"

enum { PING_SIZE = 5 };

static int is_pipe;

/* --- The server: echoes on as many connections as come ------------------------------------- */

static uv_loop_t loop;

union stream {
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
};

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
  if (is_pipe)
    OK(uv_pipe_init(&loop, &peer->pipe, 0));
  else
    OK(uv_tcp_init(&loop, &peer->tcp));
  OK(uv_accept(listener, &peer->stream));
  if (!is_pipe) OK(uv_tcp_nodelay(&peer->tcp, 1));
  OK(uv_read_start(&peer->stream, bench_alloc, echo));
}

static void serve(long argument) {
  static union stream listener;
  OK(uv_loop_init(&loop));
  if (is_pipe) {
    OK(uv_pipe_init(&loop, &listener.pipe, 0));
    OK(uv_pipe_bind(&listener.pipe, (const char*) argument));
  } else {
    struct sockaddr_in address = bench_loopback(0);
    OK(uv_tcp_init(&loop, &listener.tcp));
    OK(uv_tcp_bind(&listener.tcp, (const struct sockaddr*) &address, 0));
  }
  OK(uv_listen(&listener.stream, 128, on_connection));
  bench_ready(is_pipe ? 0 : bench_port_of(&listener.tcp));
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
  if (!is_pipe) OK(uv_tcp_nodelay(&client->stream.tcp, 1));
  OK(uv_read_start(&client->stream.stream, bench_alloc, on_pong));
  send_ping(client);
}

static void ping_pong(const struct bench* bench) {
  long port;
  static char path[256];
  is_pipe = (int) bench->m;
  if (is_pipe) strcpy(path, bench_path("socket"));
  bench_count_cpu_of(bench_child(serve, (long) (intptr_t) path, &port));
  struct client* clients = calloc((size_t) bench->n, sizeof(*clients));
  OK(uv_loop_init(&loop));
  bench_start();
  for (long i = 0; i < bench->n; i++) {
    if (is_pipe) {
      OK(uv_pipe_init(&loop, &clients[i].stream.pipe, 0));
      uv_pipe_connect(&clients[i].connect, &clients[i].stream.pipe, path, on_connect);
    } else {
      struct sockaddr_in address = bench_loopback(port);
      OK(uv_tcp_init(&loop, &clients[i].stream.tcp));
      OK(uv_tcp_connect(&clients[i].connect, &clients[i].stream.tcp,
                        (const struct sockaddr*) &address, on_connect));
    }
  }
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
