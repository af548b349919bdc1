/* Connections that are refused, given up, or reset. */
#include "program.h"

static uv_tcp_t server, served, refused, given_up, resetting;
static uv_connect_t requests[3];
static int ends;
static int is_connected;
static int is_accepted;

static void one_end(void) {
  if (++ends == 4) finish();
}

static void on_refused(uv_connect_t* request, int status) {
  ended(request);
  EXPECT_UNLESS_TOLD(status < 0, "connected to a port where nobody listens");
  if (status == UV_ECONNREFUSED)
    one_end();
  else
    fails(status, "uv_connect_cb");
}

static void on_given_up(uv_connect_t* request, int status) {
  ended(request);
  EXPECT(uv_is_closing((uv_handle_t*) &given_up), "the callback came before uv_close");
  if (status == UV_ECANCELED)
    one_end();
  else if (!fails(status, "uv_connect_cb"))
    fault("a closed handle connected");
}

static void on_closed_by_reset(uv_handle_t* handle) {
  (void) handle;
  one_end();
}

static void reset_when_both_know(void) {
  if (is_connected && is_accepted && !is_ending())
    MUST(uv_tcp_close_reset(&resetting, on_closed_by_reset));
}

/* A server that lacks descriptors closes the connection, which only its client notices. */
static void on_client_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) stream;
  (void) buf;
  EXPECT(size <= 0, "data from nowhere");
  if (size < 0) fails(size, "uv_read_cb");
}

static void on_connect(uv_connect_t* request, int status) {
  ended(request);
  if (fails(status, "uv_connect_cb") || is_ending()) return;
  MUST(uv_read_start((uv_stream_t*) &resetting, give_buffer, on_client_read));
  is_connected = 1;
  reset_when_both_know();
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) buf;
  if (size == 0) return;
  EXPECT(size < 0, "data from nowhere");
  EXPECT_UNLESS_TOLD(size != UV_EOF, "a reset connection ended as if it were closed");
  if (size != UV_ECONNRESET) fails(size, "uv_read_cb");
  uv_read_stop(stream);
  one_end();
}

static void on_connection(uv_stream_t* listener, int status) {
  MUST(status);
  EXPECT(!is_accepted, "twice: a connection that nobody made");
  is_accepted = 1;
  MUST(uv_tcp_init(&loop, &served));
  MUST(uv_accept(listener, (uv_stream_t*) &served));
  MUST(uv_read_start((uv_stream_t*) &served, give_buffer, on_read));
  reset_when_both_know();
}

static void listen_and_find(struct sockaddr_in* address) {
  int size = sizeof(*address);
  uv_ip4_addr("127.0.0.1", 0, address);
  MUST(uv_tcp_init(&loop, &server));
  MUST(uv_tcp_bind(&server, (struct sockaddr*) address, 0));
  MUST(uv_listen((uv_stream_t*) &server, 10, on_connection));
  MUST(uv_tcp_getsockname(&server, (struct sockaddr*) address, &size));
}

void program(void) {
  struct sockaddr_in address, nobody;
  uv_ip4_addr("127.0.0.1", 1, &nobody);
  listen_and_find(&address);
  if (is_ending()) return;
  MUST(uv_tcp_init(&loop, &refused));
  BEGIN(&requests[0], uv_tcp_connect(&requests[0], &refused, (struct sockaddr*) &nobody, on_refused));
  MUST(uv_tcp_init(&loop, &given_up));
  BEGIN(&requests[1],
        uv_tcp_connect(&requests[1], &given_up, (struct sockaddr*) &nobody, on_given_up));
  close_handle(&given_up);
  MUST(uv_tcp_init(&loop, &resetting));
  BEGIN(&requests[2], uv_tcp_connect(&requests[2], &resetting, (struct sockaddr*) &address, on_connect));
}
