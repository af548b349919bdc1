/* The server: answers in proportion to what it got, some of it after a pause. */
#include "soak.h"

enum { longest_delay_ms = 50 };

static uv_tcp_t listeners[addresses];
static uv_pipe_t pipe_listener;

/* How much is to be sent by now. */
static uint64_t due(const struct peer* peer) {
  const struct plan* plan = &peer->plan;
  int is_last = peer->has_end || (plan->end == SERVER_SHUTS_FIRST && peer->received > plan->end_at);
  if (is_last) return plan->to_client;
  return plan->to_client * peer->received / plan->to_server;
}

static void answer(struct peer* peer) {
  uint64_t size = due(peer) - peer->sent;
  if (peer->is_closing || peer->has_shut) return;
  if (peer->plan.end == SERVER_RESETS && peer->received > peer->plan.end_at) {
    reset_peer(peer);
    return;
  }
  if (peer->writes > 0) {
    /* The client is to take its data before it sends more. */
    if (!peer->is_stopped && !peer->has_end) stop_reading(peer);
    return;
  }
  if (size > 0 && !send_part(peer, size)) return;
  if (peer->sent < peer->plan.to_client) return;
  if (peer->has_end || peer->plan.end == SERVER_SHUTS_FIRST) shut(peer);
}

static void on_data(struct peer* peer) {
  if (!peer->has_end && peer->seed % 3 == 0)
    pause_peer(peer, (unsigned) (peer->received % longest_delay_ms));
  else
    answer(peer);
}

static void on_sent(struct peer* peer) {
  if (peer->is_stopped) read_peer(peer);
  answer(peer);
}

static void on_gone(void) {}

const struct side server_side = {on_data, on_sent, answer, on_gone};

static void on_connection(uv_stream_t* listener, int status) {
  struct peer* peer;
  EXPECT(status == 0, "a connection was not accepted: %s", uv_err_name(status));
  peer = new_peer(1, listener == (uv_stream_t*) &pipe_listener);
  MUST(uv_accept(listener, &peer->handle.stream));
  read_peer(peer);
}

static void listen_on(uv_stream_t* listener) {
  MUST(uv_listen(listener, 4096, on_connection));
}

/* The first address gets a free port; the others have the same. */
static int listen_on_tcp(void) {
  struct sockaddr_in address;
  int size = sizeof(address);
  int port = 0;
  int i;
  for (i = 0; i < addresses; i++) {
    char name[20];
    snprintf(name, sizeof(name), "127.0.0.%d", i + 1);
    MUST(uv_ip4_addr(name, port, &address));
    MUST(uv_tcp_init(&loop, &listeners[i]));
    MUST(uv_tcp_bind(&listeners[i], (const struct sockaddr*) &address, 0));
    listen_on((uv_stream_t*) &listeners[i]);
    MUST(uv_tcp_getsockname(&listeners[i], (struct sockaddr*) &address, &size));
    port = ntohs(address.sin_port);
  }
  return port;
}

void start_server(void) {
  char path[300];
  int port = listen_on_tcp();
  MUST(uv_pipe_init(&loop, &pipe_listener, 0));
  snprintf(path, sizeof(path), "%s/socket", settings.folder);
  MUST(uv_pipe_bind2(&pipe_listener, path, strlen(path), 0));
  listen_on((uv_stream_t*) &pipe_listener);
  printf("port %d\n", port);
  fflush(stdout);
}

void stop_server(void) {
  int i;
  for (i = 0; i < addresses; i++) uv_close((uv_handle_t*) &listeners[i], NULL);
  uv_close((uv_handle_t*) &pipe_listener, NULL);
}
