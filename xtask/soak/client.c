/* The client: keeps connections open. Each says what its plan says, message by message. */
#include "soak.h"

/* The server's backlogs take them in any case. */
enum { most_connecting = 1000 };

static const char* server_folder;
static int server_port;
static unsigned connecting;
static uint64_t random_state;

static void open_more(void);

static void on_connect(uv_connect_t* request, int status) {
  struct peer* peer = (struct peer*) ((char*) request - offsetof(struct peer, connect));
  connecting--;
  peer->last_tick = ticks;
  /* The kernel does not wait where a Unix socket's backlog is full. */
  peer->is_refused = peer->is_pipe && status == UV_EAGAIN;
  EXPECT(status == 0 || peer->is_refused, "a connection failed: %s", uv_err_name(status));
  if (!peer->is_refused) read_peer(peer);
  pause_peer(peer, draw_below(&random_state, settings.longest_pause_ms + 1));
  open_more();
}

static void open_one(void) {
  struct peer* peer;
  uint64_t seed = draw(&random_state);
  char path[300];
  struct sockaddr_in address;
  peer = new_peer(0, seed % 4 == 0);
  peer->seed = seed;
  peer->plan = plan_of(seed);
  connecting++;
  if (peer->is_pipe) {
    snprintf(path, sizeof(path), "%s/socket", server_folder);
    MUST(uv_pipe_connect2(&peer->connect, &peer->handle.pipe, path, strlen(path), 0, on_connect));
    return;
  }
  snprintf(path, sizeof(path), "127.0.0.%u", 1 + draw_below(&random_state, addresses));
  MUST(uv_ip4_addr(path, server_port, &address));
  MUST(uv_tcp_connect(&peer->connect, &peer->handle.tcp, (const struct sockaddr*) &address,
                      on_connect));
}

static void open_more(void) {
  while (!is_ending && totals.open < settings.connections && connecting < most_connecting)
    open_one();
}

static void send_message(struct peer* peer) {
  uint64_t left = peer->plan.to_server - peer->sent;
  uint64_t size = 1 + draw(&random_state) % (2 * (peer->plan.to_server / peer->plan.messages + 1));
  if (peer->sent == 0) size += greeting_size;
  if (!send_part(peer, size < left ? size : left)) return;
  if (peer->plan.end == CLIENT_CLOSES && peer->sent > peer->plan.end_at) close_peer(peer);
}

static void on_pause(struct peer* peer) {
  if (peer->is_refused)
    close_peer(peer);
  else
    send_message(peer);
}

static void on_sent(struct peer* peer) {
  if (peer->plan.end == CLIENT_RESETS && peer->sent > peer->plan.end_at)
    reset_peer(peer);
  else if (peer->sent == peer->plan.to_server)
    shut(peer);
  else
    pause_peer(peer, is_ending ? 0 : draw_below(&random_state, settings.longest_pause_ms + 1));
}

static void on_data(struct peer* peer) {
  (void) peer;
}

const struct side client_side = {on_data, on_sent, on_pause, open_more};

void start_client(const char* folder, int port) {
  server_folder = folder;
  server_port = port;
  random_state = settings.seed;
  open_more();
}
