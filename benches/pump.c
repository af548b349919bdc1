/* Streams that are written as fast as the other side reads. */
#include "stream.h"

enum { CHUNK = 32768, SMALL = 11 };

static uv_loop_t loop;
static struct place place;

/* --- The server, which throws everything away ---------------------------------------------- */

static void ignore(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) buf;
  if (size < 0) uv_close((uv_handle_t*) stream, (uv_close_cb) free);
}

static void on_connection(uv_stream_t* listener, int status) {
  union stream* peer = malloc(sizeof(*peer));
  OK(status);
  stream_init(&loop, peer, &place);
  OK(uv_accept(listener, &peer->stream));
  OK(uv_read_start(&peer->stream, bench_alloc, ignore));
}

static void serve(long argument) {
  static union stream listener;
  (void) argument;
  OK(uv_loop_init(&loop));
  stream_listen(&loop, &listener, &place, on_connection);
  bench_ready(place.port);
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- Clients that keep one write under way ------------------------------------------------- */

struct client {
  union stream stream;
  uv_connect_t connect;
  uv_write_t write;
};

static char data[CHUNK];

static void after_write(uv_write_t* write, int status);

static void write_chunk(struct client* client) {
  uv_buf_t out = uv_buf_init(data, CHUNK);
  OK(uv_write(&client->write, &client->stream.stream, &out, 1, after_write));
}

static void after_write(uv_write_t* write, int status) {
  OK(status);
  if (bench_more(1))
    write_chunk(CONTAINER(write, struct client, write));
  else
    uv_stop(&loop);
}

static void on_connect(uv_connect_t* connect, int status) {
  OK(status);
  write_chunk(CONTAINER(connect, struct client, connect));
}

static void pump(const struct bench* bench) {
  place = new_place((int) bench->m);
  bench_count_cpu_of(bench_child(serve, 0, &place.port));
  struct client* clients = calloc((size_t) bench->n, sizeof(*clients));
  OK(uv_loop_init(&loop));
  bench_start();
  for (long i = 0; i < bench->n; i++)
    stream_connect(&loop, &clients[i].stream, &clients[i].connect, &place, on_connect);
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- Many small writes at once ------------------------------------------------------------- */

static long left;

static void after_small(uv_write_t* write, int status) {
  (void) write;
  OK(status);
  left--;
}

static void on_connect_batch(uv_connect_t* connect, int status) {
  (void) connect;
  OK(status);
}

static void write_batch(const struct bench* bench) {
  struct client client;
  long number = bench_scaled(bench->n);
  uv_write_t* writes = calloc((size_t) number, sizeof(*writes));
  CHECK(writes != NULL);
  place = new_place((int) bench->m);
  bench_count_cpu_of(bench_child(serve, 0, &place.port));
  OK(uv_loop_init(&loop));
  stream_connect(&loop, &client.stream, &client.connect, &place, on_connect_batch);
  uv_run(&loop, UV_RUN_DEFAULT);
  do {
    uv_buf_t out = uv_buf_init(data, SMALL);
    left = number;
    bench_resume();
    for (long i = 0; i < number; i++)
      OK(uv_write(&writes[i], &client.stream.stream, &out, 1, after_small));
    while (left > 0) uv_run(&loop, UV_RUN_ONCE);
    bench_pause((uint64_t) number);
  } while (bench_round());
}

#define PUMP(name_, number, pipe)                                                                  \
  {.name = name_ "_pump_" #number,                                                                 \
   .text = "one write of 32 KiB that the other side reads, " #number " connections, " name_,       \
   .run = pump,                                                                                    \
   .n = number,                                                                                    \
   .m = pipe}

const struct bench benches[] = {
    PUMP("tcp", 1, 0),
    PUMP("tcp", 100, 0),
    PUMP("pipe", 1, 1),
    PUMP("pipe", 100, 1),
    {.name = "tcp_write_batch",
     .text = "one write of 11 bytes, of 100,000 made at once",
     .run = write_batch,
     .n = 100000},
    {.name = "pipe_write_batch",
     .text = "the same over a Unix socket",
     .run = write_batch,
     .n = 100000,
     .m = 1},
    {.name = NULL},
};
