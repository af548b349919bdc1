/* Datagrams: there and back, and as fast as they go. */
#include "uv_bench.h"

static uv_loop_t loop;
static char data[] = "PING";

/* --- Ping: an echo server in another process ----------------------------------------------- */

struct reply {
  uv_udp_send_t send;
  char data[16];
};

static void after_reply(uv_udp_send_t* send, int status) {
  (void) status;
  free(CONTAINER(send, struct reply, send));
}

static void echo(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf, const struct sockaddr* from,
                 unsigned flags) {
  (void) flags;
  if (size <= 0 || from == NULL) return;
  struct reply* reply = malloc(sizeof(*reply));
  memcpy(reply->data, buf->base, (size_t) size);
  uv_buf_t out = uv_buf_init(reply->data, (unsigned) size);
  OK(uv_udp_send(&reply->send, handle, &out, 1, from, after_reply));
}

static long bind_udp(uv_udp_t* handle) {
  struct sockaddr_in address = bench_loopback(0);
  int size = sizeof(address);
  OK(uv_udp_init(&loop, handle));
  OK(uv_udp_bind(handle, (const struct sockaddr*) &address, 0));
  OK(uv_udp_getsockname(handle, (struct sockaddr*) &address, &size));
  return ntohs(address.sin_port);
}

static void serve(long argument) {
  static uv_udp_t handle;
  (void) argument;
  OK(uv_loop_init(&loop));
  long port = bind_udp(&handle);
  OK(uv_udp_recv_start(&handle, bench_alloc, echo));
  bench_ready(port);
  uv_run(&loop, UV_RUN_DEFAULT);
}

struct client {
  uv_udp_t handle;
  struct sockaddr_in to;
  uint64_t sent;
};

/* The answer may be here before the callback of the send, so each takes a request of its own. */
static void send_ping(struct client* client) {
  struct reply* ping = malloc(sizeof(*ping));
  uv_buf_t out = uv_buf_init(data, 4);
  client->sent = bench_now();
  OK(uv_udp_send(&ping->send, &client->handle, &out, 1, (const struct sockaddr*) &client->to,
                 after_reply));
}

static void on_pong(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                    const struct sockaddr* from, unsigned flags) {
  struct client* client = CONTAINER(handle, struct client, handle);
  (void) buf;
  (void) from;
  (void) flags;
  if (size <= 0) return;
  bench_latency(bench_now() - client->sent);
  if (bench_more(1))
    send_ping(client);
  else
    uv_stop(&loop);
}

static void ping(const struct bench* bench) {
  long port;
  bench_count_cpu_of(bench_child(serve, 0, &port));
  struct client* clients = calloc((size_t) bench->n, sizeof(*clients));
  OK(uv_loop_init(&loop));
  bench_start();
  for (long i = 0; i < bench->n; i++) {
    bind_udp(&clients[i].handle);
    clients[i].to = bench_loopback(port);
    OK(uv_udp_recv_start(&clients[i].handle, bench_alloc, on_pong));
    send_ping(&clients[i]);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- Pummel: senders and receivers in one loop --------------------------------------------- */

struct sender {
  uv_udp_t handle;
  uv_udp_send_t send;
  struct sockaddr_in to;
};

static void send_more(uv_udp_send_t* send, int status) {
  struct sender* sender = CONTAINER(send, struct sender, send);
  uv_buf_t out = uv_buf_init(data, 4);
  OK(status);
  OK(uv_udp_send(send, &sender->handle, &out, 1, (const struct sockaddr*) &sender->to, send_more));
}

static void on_datagram(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                        const struct sockaddr* from, unsigned flags) {
  (void) handle;
  (void) buf;
  (void) from;
  (void) flags;
  if (size > 0 && !bench_more(1)) uv_stop(&loop);
}

static void pummel(const struct bench* bench) {
  long senders = bench->n;
  long receivers = bench->m;
  bench_need_descriptors(senders + receivers + 64);
  uv_udp_t* targets = calloc((size_t) receivers, sizeof(*targets));
  long* ports = calloc((size_t) receivers, sizeof(*ports));
  struct sender* sources = calloc((size_t) senders, sizeof(*sources));
  OK(uv_loop_init(&loop));
  for (long i = 0; i < receivers; i++) {
    ports[i] = bind_udp(&targets[i]);
    OK(uv_udp_recv_start(&targets[i], bench_alloc, on_datagram));
  }
  bench_start();
  for (long i = 0; i < senders; i++) {
    OK(uv_udp_init(&loop, &sources[i].handle));
    sources[i].to = bench_loopback(ports[i % receivers]);
    send_more(&sources[i].send, 0);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
}

#define PING(number)                                                                               \
  {.name = "ping_udp" #number,                                                                     \
   .text = "a datagram to a server and back, " #number " at a time",                               \
   .run = ping,                                                                                    \
   .n = number}
#define PUMMEL(receivers, senders)                                                                 \
  {.name = "udp_pummel_" #receivers "v" #senders,                                                  \
   .text = "a datagram received, " #senders " senders to " #receivers " receivers",                \
   .run = pummel,                                                                                  \
   .n = senders,                                                                                   \
   .m = receivers}

const struct bench benches[] = {
    PING(1),
    PING(10),
    PING(100),
    PUMMEL(1, 1),
    PUMMEL(1, 10),
    PUMMEL(1, 100),
    PUMMEL(1, 1000),
    PUMMEL(10, 10),
    PUMMEL(10, 100),
    PUMMEL(10, 1000),
    PUMMEL(100, 100),
    PUMMEL(100, 1000),
    PUMMEL(1000, 1000),
    {.name = NULL},
};
