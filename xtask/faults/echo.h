/* Two clients send to a server, which sends everything back. The same for TCP and for pipes, which
 * differ in how they listen and connect. */
#ifndef FAULTS_ECHO_H
#define FAULTS_ECHO_H

#include "program.h"

enum { clients = 2, part = 50000, parts = 4, total = part * parts };

union stream {
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
};

/* What is on its way back. */
struct answer {
  uv_write_t write;
  char data[65536];
  int is_used;
};

struct peer {
  union stream handle; /* first: a stream's address is its peer's */
  uv_connect_t connect;
  uv_shutdown_t shutdown;
  uv_write_t writes[parts];
  size_t received;
  int has_end;
  /* The server stops reading while all are in use. */
  struct answer answers[8];
  int is_paused;
};

static union stream server;
static struct peer client[clients];
static struct peer served[clients];
static int served_count;
static int ends;
static char sent[total];

/* By the program: makes a stream, and what a new connection is set to. */
static int make_stream(union stream* handle);
static void set_up(union stream* handle);

static void on_shutdown(uv_shutdown_t* request, int status) {
  ended(request);
  fails(status, "uv_shutdown_cb");
}

static void on_written(uv_write_t* request, int status) {
  ended(request);
  fails(status, "uv_write_cb");
}

static void on_server_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf);

static struct answer* unused_answer(struct peer* peer) {
  size_t i;
  for (i = 0; i < COUNT(peer->answers); i++)
    if (!peer->answers[i].is_used) return &peer->answers[i];
  return NULL;
}

static void on_echoed(uv_write_t* request, int status) {
  struct answer* answer = (struct answer*) request;
  struct peer* peer = (struct peer*) request->handle;
  answer->is_used = 0;
  on_written(request, status);
  if (!peer->is_paused || is_ending()) return;
  peer->is_paused = 0;
  MUST(uv_read_start(&peer->handle.stream, give_buffer, on_server_read));
}

static void on_end(struct peer* peer, int64_t code, const char* who) {
  EXPECT(!peer->has_end, "twice: the end of the %s's stream", who);
  peer->has_end = 1;
  if (code != UV_EOF) {
    fails(code, "uv_read_cb");
    return;
  }
  EXPECT_UNLESS_TOLD(peer->received == total, "lost: the %s got %zu bytes of %d", who,
                     peer->received, total);
  if (++ends == 2 * clients) finish();
}

static void receive(struct peer* peer, const uv_buf_t* buf, int64_t size, const char* who) {
  EXPECT(!uv_is_closing((uv_handle_t*) peer), "a read callback after uv_close");
  EXPECT(!peer->has_end, "data after the end");
  check(buf->base, peer->received, (size_t) size, who);
  peer->received += (size_t) size;
}

static void on_server_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  struct peer* peer = (struct peer*) stream;
  struct answer* answer;
  uv_buf_t data[2];
  if (size == 0) return;
  if (size < 0) {
    on_end(peer, size, "server");
    if (size == UV_EOF && !is_ending())
      BEGIN(&peer->shutdown, uv_shutdown(&peer->shutdown, stream, on_shutdown));
    return;
  }
  receive(peer, buf, size, "server");
  answer = unused_answer(peer);
  memcpy(answer->data, buf->base, (size_t) size);
  data[0] = uv_buf_init(answer->data, (unsigned) size / 2);
  data[1] = uv_buf_init(answer->data + size / 2, (unsigned) (size - size / 2));
  BEGIN(answer, uv_write(&answer->write, stream, data, 2, on_echoed));
  answer->is_used = 1;
  if (unused_answer(peer) != NULL) return;
  uv_read_stop(stream);
  peer->is_paused = 1;
}

static void on_client_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  struct peer* peer = (struct peer*) stream;
  if (size < 0) on_end(peer, size, "client");
  if (size > 0) receive(peer, buf, size, "client");
}

static void on_connect(uv_connect_t* request, int status) {
  struct peer* peer = (struct peer*) ((char*) request - offsetof(struct peer, connect));
  uv_buf_t data;
  int64_t at = 0;
  int i;
  ended(request);
  if (fails(status, "uv_connect_cb") || is_ending()) return;
  MUST(uv_read_start(&peer->handle.stream, give_buffer, on_client_read));
  data = uv_buf_init(sent, 1000);
  at = uv_try_write(&peer->handle.stream, &data, 1);
  if (at == UV_EAGAIN) at = 0;
  MUST(at);
  for (i = 0; i < parts; i++) {
    int64_t end = (int64_t) (i + 1) * part;
    data = uv_buf_init(sent + at, (unsigned) (end - at));
    BEGIN(&peer->writes[i], uv_write(&peer->writes[i], &peer->handle.stream, &data, 1, on_written));
    at = end;
  }
  BEGIN(&peer->shutdown, uv_shutdown(&peer->shutdown, &peer->handle.stream, on_shutdown));
}

static void on_connection(uv_stream_t* listener, int status) {
  struct peer* peer = &served[served_count];
  EXPECT(!uv_is_closing((uv_handle_t*) listener), "a connection callback after uv_close");
  MUST(status);
  EXPECT(served_count < clients, "twice: a connection that nobody made");
  MUST(make_stream(&peer->handle));
  served_count++;
  MUST(uv_accept(listener, &peer->handle.stream));
  set_up(&peer->handle);
  MUST(uv_read_start(&peer->handle.stream, give_buffer, on_server_read));
}

#endif
