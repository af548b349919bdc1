/* What both sides of a connection do: send and verify what its plan says, and end as it says. */
#include "soak.h"

/* Mostly small, now and then a megabyte. */
static uint64_t random_size(uint64_t* state) {
  unsigned bits = draw_below(state, 50) == 0 ? 20 : 4 + draw_below(state, 11);
  return 1 + draw(state) % (1u << bits);
}

struct plan plan_of(uint64_t seed) {
  static const enum end ends[] = {CLIENT_RESETS, SERVER_RESETS, CLIENT_CLOSES, SERVER_SHUTS_FIRST,
                                  SERVER_SHUTS_FIRST, SERVER_SHUTS_FIRST};
  uint64_t state = seed;
  struct plan plan;
  unsigned end = draw_below(&state, 16);
  plan.end = end < COUNT(ends) ? ends[end] : BOTH_SHUT;
  plan.to_server = greeting_size + random_size(&state);
  plan.to_client = random_size(&state);
  plan.end_at = greeting_size + draw(&state) % (plan.to_server - greeting_size);
  plan.messages = 1 + draw_below(&state, 20);
  return plan;
}

uint64_t own_total(const struct peer* peer) {
  return peer->is_server ? peer->plan.to_client : peer->plan.to_server;
}

static const struct side* side_of(const struct peer* peer) {
  return peer->is_server ? &server_side : &client_side;
}

/* A server knows nothing of a connection until its greeting is there. */
static int is_known(const struct peer* peer) {
  return !peer->is_server || peer->received >= greeting_size;
}

/* Whether the other side may break the connection. */
static int may_break(const struct peer* peer) {
  if (!peer->is_server) return peer->plan.end == SERVER_RESETS;
  return !is_known(peer) || peer->plan.end == CLIENT_RESETS || peer->plan.end == CLIENT_CLOSES;
}

/* Peers are used again: else the program's own memory would grow by fragments. */
static struct peer* unused;

static struct peer* take_peer(void) {
  struct peer* peer = unused;
  if (peer == NULL)
    peer = malloc(sizeof(*peer));
  else
    unused = peer->next;
  EXPECT(peer != NULL, "no memory");
  memset(peer, 0, sizeof(*peer));
  return peer;
}

/* Whoever uses it from here on gets nonsense. */
static void give_back(struct peer* peer) {
  memset(peer, 0xee, sizeof(*peer));
  peer->next = unused;
  unused = peer;
}

static void on_closed(uv_handle_t* handle) {
  struct peer* peer = handle->data;
  const struct side* side = side_of(peer);
  EXPECT(peer->handles > 0, "twice: a close callback");
  if (--peer->handles > 0) return;
  EXPECT(peer->writes == 0, "lost: %u callbacks of writes", peer->writes);
  EXPECT(!peer->has_shut || peer->is_shut_done, "lost: the callback of a shutdown");
  give_back(peer);
  totals.open--;
  side->on_gone();
}

struct peer* new_peer(int is_server, int is_pipe) {
  struct peer* peer = take_peer();
  peer->is_server = (char) is_server;
  peer->is_pipe = (char) is_pipe;
  peer->handle.stream.data = peer;
  peer->timer.data = peer;
  peer->last_tick = ticks;
  peer->handles = 2;
  MUST(uv_timer_init(&loop, &peer->timer));
  if (is_pipe)
    MUST(uv_pipe_init(&loop, &peer->handle.pipe, 0));
  else
    MUST(uv_tcp_init(&loop, &peer->handle.tcp));
  totals.open++;
  totals.made++;
  return peer;
}

void close_peer(struct peer* peer) {
  if (peer->is_closing) return;
  peer->is_closing = 1;
  uv_close((uv_handle_t*) &peer->handle, on_closed);
  uv_close((uv_handle_t*) &peer->timer, on_closed);
}

void reset_peer(struct peer* peer) {
  /* A connection that is being shut cannot be reset any more. */
  if (peer->is_pipe || peer->has_shut) {
    close_peer(peer);
    return;
  }
  peer->is_closing = 1;
  totals.resets++;
  MUST(uv_tcp_close_reset(&peer->handle.tcp, on_closed));
  uv_close((uv_handle_t*) &peer->timer, on_closed);
}

/* The connection is broken: by the other side, or by a mistake. */
static void on_break(struct peer* peer, int64_t code, const char* call) {
  if (peer->is_closing) return;
  EXPECT(may_break(peer), "%s: %s of the %s, seed %llu, plan %d", call, uv_err_name((int) code),
         peer->is_server ? "server" : "client", (unsigned long long) peer->seed, peer->plan.end);
  close_peer(peer);
}

/* --- Sending ----------------------------------------------------------------------------------- */

struct message {
  uv_write_t write;
  struct peer* peer;
  char data[];
};

static void on_written(uv_write_t* write, int status) {
  struct message* message = (struct message*) write;
  struct peer* peer = message->peer;
  free(message);
  EXPECT(peer->writes > 0, "twice: the callback of a write");
  peer->writes--;
  peer->last_tick = ticks;
  if (status != 0) {
    on_break(peer, status, "uv_write");
    return;
  }
  if (peer->writes == 0 && !peer->is_closing) side_of(peer)->on_sent(peer);
}

static void fill_message(struct peer* peer, char* data, uint64_t size) {
  fill(data, peer->seed + (uint64_t) peer->is_server, peer->sent, size);
  if (peer->is_server || peer->sent >= greeting_size) return;
  /* The client sends a greeting with its first message. */
  memcpy(data, &peer->seed, greeting_size);
}

int send_part(struct peer* peer, uint64_t size) {
  struct message* message = malloc(sizeof(*message) + size);
  uint64_t half = size / 2;
  uv_buf_t bufs[2];
  int done = 0;
  EXPECT(message != NULL, "no memory");
  message->peer = peer;
  fill_message(peer, message->data, size);
  peer->sent += size;
  bufs[0] = uv_buf_init(message->data, (unsigned) half);
  bufs[1] = uv_buf_init(message->data + half, (unsigned) (size - half));
  /* Some are tried first. */
  if (peer->writes == 0 && (peer->seed + peer->sent) % 4 == 0) {
    done = uv_try_write(&peer->handle.stream, bufs, 2);
    if (done < 0 && done != UV_EAGAIN) {
      free(message);
      on_break(peer, done, "uv_try_write");
      return 0;
    }
    if (done < 0) done = 0;
    bufs[0] = uv_buf_init(message->data + done, (unsigned) (size - (uint64_t) done));
    bufs[1].len = 0;
  }
  peer->writes++;
  MUST(uv_write(&message->write, &peer->handle.stream, bufs, bufs[1].len > 0 ? 2 : 1, on_written));
  return 1;
}

static void on_shut(uv_shutdown_t* request, int status) {
  struct peer* peer = (struct peer*) ((char*) request - offsetof(struct peer, shutdown));
  EXPECT(!peer->is_shut_done, "twice: the callback of a shutdown");
  peer->is_shut_done = 1;
  peer->last_tick = ticks;
  if (status != 0)
    on_break(peer, status, "uv_shutdown");
  else if (peer->has_end)
    close_peer(peer);
}

void shut(struct peer* peer) {
  peer->has_shut = 1;
  EXPECT(peer->sent == own_total(peer), "the soak itself shuts too early");
  MUST(uv_shutdown(&peer->shutdown, &peer->handle.stream, on_shut));
}

/* --- Receiving --------------------------------------------------------------------------------- */

static void give_buffer(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  static char memory[65536];
  (void) handle, (void) size;
  *buf = uv_buf_init(memory, sizeof(memory));
}

/* Takes what belongs to the greeting; how many bytes that is. */
static size_t greet(struct peer* peer, const char* data, size_t size) {
  size_t taken = 0;
  if (!peer->is_server) return 0;
  while (peer->received < greeting_size && taken < size)
    peer->greeting[peer->received++] = (unsigned char) data[taken++];
  if (taken == 0 || peer->received < greeting_size) return taken;
  memcpy(&peer->seed, peer->greeting, greeting_size);
  peer->plan = plan_of(peer->seed);
  return taken;
}

static void receive(struct peer* peer, const char* data, size_t size) {
  uint64_t total = peer->is_server ? peer->plan.to_server : peer->plan.to_client;
  if (size == 0) return;
  EXPECT(peer->received + size <= total, "twice: more data than were sent, seed %llu",
         (unsigned long long) peer->seed);
  check(data, peer->seed + !peer->is_server, peer->received, size,
        peer->is_server ? "the server's input" : "the client's input");
  peer->received += size;
}

static void on_end(struct peer* peer) {
  uint64_t total = peer->is_server ? peer->plan.to_server : peer->plan.to_client;
  EXPECT(!peer->has_end, "twice: the end of a stream");
  peer->has_end = 1;
  if (peer->received != total || !is_known(peer)) {
    on_break(peer, UV_EOF, "lost: uv_read");
    return;
  }
  side_of(peer)->on_data(peer);
  if (peer->is_shut_done) close_peer(peer);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  struct peer* peer = stream->data;
  size_t taken;
  EXPECT(!peer->is_closing, "a read callback after uv_close");
  EXPECT(!peer->has_end, "data after the end");
  if (size == 0) return;
  peer->last_tick = ticks;
  if (size == UV_EOF) {
    on_end(peer);
    return;
  }
  if (size < 0) {
    on_break(peer, size, "uv_read");
    return;
  }
  taken = greet(peer, buf->base, (size_t) size);
  receive(peer, buf->base + taken, (size_t) size - taken);
  if (is_known(peer)) side_of(peer)->on_data(peer);
}

void read_peer(struct peer* peer) {
  peer->is_stopped = 0;
  MUST(uv_read_start(&peer->handle.stream, give_buffer, on_read));
}

void stop_reading(struct peer* peer) {
  peer->is_stopped = 1;
  MUST(uv_read_stop(&peer->handle.stream));
}

/* --- Pauses ------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t* timer) {
  struct peer* peer = timer->data;
  EXPECT(!peer->is_closing, "a timer's callback after uv_close");
  EXPECT(uv_now(&loop) >= peer->timer_due, "a timer is early");
  totals.timers++;
  peer->last_tick = ticks;
  side_of(peer)->on_pause(peer);
}

void pause_peer(struct peer* peer, unsigned ms) {
  peer->timer_due = uv_now(&loop) + ms;
  MUST(uv_timer_start(&peer->timer, on_timer, ms, 0));
}
