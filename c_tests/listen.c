/* Listening on what could not be bound, or connected, as was asked before. */
#include "task.h"

#include <netinet/in.h>

static uv_tcp_t owner;
static uv_tcp_t tcp;
static uv_pipe_t pipe_handle;
static uv_connect_t connect_req;
static int connects;
static int connect_status;
static int connections;

static void on_connect(uv_connect_t* req, int status) {
  ASSERT_PTR_EQ(req, &connect_req);
  connect_status = status;
  connects++;
}

static void on_connection(uv_stream_t* server, int status) {
  ASSERT_OK(status);
  ASSERT_NOT_NULL(server);
  connections++;
}

static const struct sockaddr* plain(const struct sockaddr_storage* address) {
  return (const struct sockaddr*) address;
}

static struct sockaddr_storage any_port(int family) {
  struct sockaddr_storage address;
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  struct sockaddr_in v4 = loopback(0);
  memset(&address, 0, sizeof(address));
  if (family == AF_INET)
    memcpy(&address, &v4, sizeof(v4));
  else
    memcpy(&address, &v6, sizeof(v6));
  return address;
}

/* An address that a server listens on, and that `tcp` is to be bound to. */
static struct sockaddr_storage bind_in_vain(int family) {
  struct sockaddr_storage address = any_port(family);
  int length = sizeof(address);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &owner));
  if (uv_tcp_bind(&owner, plain(&address), 0) != 0) SKIP("no IPv6 here");
  ASSERT_OK(uv_listen((uv_stream_t*) &owner, 8, on_connection));
  ASSERT_OK(uv_tcp_getsockname(&owner, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &tcp));
  ASSERT_OK(uv_tcp_bind(&tcp, plain(&address), 0));
  return address;
}

/* Connects, and gets the bind's error. */
static void connect_in_vain(const struct sockaddr_storage* address) {
  int before = connects;
  ASSERT_OK(uv_tcp_connect(&connect_req, &tcp, plain(address), on_connect));
  ASSERT_EQ(uv_listen((uv_stream_t*) &tcp, 8, on_connection), UV_EADDRINUSE);
  run_until(uv_default_loop(), &connects, before + 1);
  ASSERT_EQ(connect_status, UV_EADDRINUSE);
}

static void listen_afterwards(int family) {
  struct sockaddr_storage address = bind_in_vain(family);
  OXUV_ONLY();
  connect_in_vain(&address);
  ASSERT_EQ(uv_listen((uv_stream_t*) &tcp, 8, on_connection), UV_EADDRINUSE);
  ASSERT_EQ(uv_listen((uv_stream_t*) &tcp, 8, on_connection), UV_EADDRINUSE);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &tcp), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_bind_that_failed_is_no_random_port) {
  listen_afterwards(AF_INET);
}

TEST_IMPL(a_bind6_that_failed_is_no_random_port) {
  listen_afterwards(AF_INET6);
}

static void listen_in_callback(uv_connect_t* req, int status) {
  ASSERT_EQ(uv_listen(req->handle, 8, on_connection), UV_EADDRINUSE);
  on_connect(req, status);
}

TEST_IMPL(a_bind_that_failed_is_no_random_port_within_the_callback) {
  struct sockaddr_storage address = bind_in_vain(AF_INET);
  OXUV_ONLY();
  ASSERT_OK(uv_tcp_connect(&connect_req, &tcp, plain(&address), listen_in_callback));
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(connect_status, UV_EADDRINUSE);
  MAKE_SURE_NOTHING_LEAKED();
}

/* The listen reports it first: the connect then changes nothing. */
TEST_IMPL(a_bind_that_failed_is_reported_by_each_listen) {
  struct sockaddr_storage address = bind_in_vain(AF_INET);
  OXUV_ONLY();
  ASSERT_EQ(uv_listen((uv_stream_t*) &tcp, 8, on_connection), UV_EADDRINUSE);
  connect_in_vain(&address);
  ASSERT_EQ(uv_listen((uv_stream_t*) &tcp, 8, on_connection), UV_EADDRINUSE);
  MAKE_SURE_NOTHING_LEAKED();
}

static void bind_anew(int family) {
  struct sockaddr_storage address = bind_in_vain(family);
  struct sockaddr_storage other = any_port(family);
  connect_in_vain(&address);
  ASSERT_OK(uv_tcp_bind(&tcp, plain(&other), 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &tcp, 8, on_connection));
  ASSERT_NE(port_of(&tcp), 0);
  ASSERT_NE(port_of(&tcp), port_of(&owner));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(another_bind_mends_the_one_that_failed) {
  bind_anew(AF_INET);
}

TEST_IMPL(another_bind6_mends_the_one_that_failed) {
  bind_anew(AF_INET6);
}

/* The address that was in use is free by now. */
TEST_IMPL(an_equal_bind_may_succeed_later) {
  struct sockaddr_storage address = bind_in_vain(AF_INET);
  connect_in_vain(&address);
  uv_close((uv_handle_t*) &owner, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_OK(uv_tcp_bind(&tcp, plain(&address), 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &tcp, 8, on_connection));
  ASSERT_EQ(port_of(&tcp), ntohs(((struct sockaddr_in*) &address)->sin_port));
  MAKE_SURE_NOTHING_LEAKED();
}

/* After the report, the handle may connect from any port, as in libuv. */
TEST_IMPL(another_connect_after_a_bind_that_failed) {
  struct sockaddr_storage address = bind_in_vain(AF_INET);
  connect_in_vain(&address);
  ASSERT_OK(uv_tcp_connect(&connect_req, &tcp, plain(&address), on_connect));
  run_until(uv_default_loop(), &connects, 2);
  ASSERT_OK(connect_status);
  run_until(uv_default_loop(), &connections, 1);
  ASSERT_LT(uv_listen((uv_stream_t*) &tcp, 8, on_connection), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(closing_after_a_bind_that_failed) {
  struct sockaddr_storage address = bind_in_vain(AF_INET);
  ASSERT_OK(uv_tcp_connect(&connect_req, &tcp, plain(&address), on_connect));
  uv_close((uv_handle_t*) &tcp, NULL);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(connect_status, UV_ECANCELED);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Pipes: a connect that failed is reported, though the pipe listens by then. */
static void bind_pipe(void) {
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe_handle, 0));
  ASSERT_OK(uv_pipe_bind(&pipe_handle, test_path("server")));
}

TEST_IMPL(listening_after_a_connect_that_failed_loses_no_callback) {
  OXUV_ONLY();
  bind_pipe();
  uv_pipe_connect(&connect_req, &pipe_handle, test_path("absent"), on_connect);
  ASSERT_OK(uv_listen((uv_stream_t*) &pipe_handle, 8, on_connection));
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(connect_status, UV_ENOENT);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(connecting_while_listening_loses_no_callback) {
  uv_pipe_t client;
  uv_connect_t request;
  OXUV_ONLY();
  bind_pipe();
  ASSERT_OK(uv_listen((uv_stream_t*) &pipe_handle, 8, on_connection));
  uv_pipe_connect(&connect_req, &pipe_handle, test_path("absent"), on_connect);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_LT(connect_status, 0);
  /* The pipe still is a server. */
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  uv_pipe_connect(&request, &client, test_path("server"), NULL);
  run_until(uv_default_loop(), &connections, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A pipe that was never bound has no name to listen on. */
TEST_IMPL(a_pipe_without_a_name_does_not_listen) {
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe_handle, 0));
  ASSERT_EQ(uv_listen((uv_stream_t*) &pipe_handle, 8, on_connection), UV_EINVAL);
  uv_pipe_connect(&connect_req, &pipe_handle, test_path("absent"), on_connect);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(connect_status, UV_ENOENT);
  ASSERT_EQ(uv_listen((uv_stream_t*) &pipe_handle, 8, on_connection), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Again, while a connection waits to be accepted ----------------------------------------- */

static uv_stream_t* waiting_server;
static int listens_when_reported;

static void leave_it_waiting(uv_stream_t* server, int status) {
  on_connection(server, status);
  if (listens_when_reported) ASSERT_OK(uv_listen(server, 16, leave_it_waiting));
}

static void connect_and_send(const struct sockaddr_storage* address, socklen_t length, char text) {
  int fd = socket(address->ss_family, SOCK_STREAM, 0);
  ASSERT_OK(connect(fd, plain(address), length));
  ASSERT_EQ(write(fd, &text, 1), 1);
  /* Data that were sent arrive nevertheless. */
  ASSERT_OK(close(fd));
}

static void expect_from_next(char text) {
  static union uv_any_handle peers[2];
  static int count;
  uv_stream_t* peer = &peers[count++ % 2].stream;
  uv_os_fd_t fd;
  char got;
  if (waiting_server->type == UV_TCP)
    ASSERT_OK(uv_tcp_init(uv_default_loop(), (uv_tcp_t*) peer));
  else
    ASSERT_OK(uv_pipe_init(uv_default_loop(), (uv_pipe_t*) peer, 0));
  ASSERT_OK(uv_accept(waiting_server, peer));
  ASSERT_OK(uv_fileno((uv_handle_t*) peer, &fd));
  ASSERT_EQ(read(fd, &got, 1), 1);
  ASSERT_EQ(got, text);
}

static void listen_while_one_waits(uv_stream_t* server, int when_reported) {
  struct sockaddr_storage address;
  socklen_t length = sizeof(address);
  uv_os_fd_t fd;
  int i;
  OXUV_ONLY(); /* libuv loses the connection. */
  waiting_server = server;
  listens_when_reported = when_reported;
  ASSERT_OK(uv_fileno((uv_handle_t*) server, &fd));
  ASSERT_OK(getsockname(fd, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_listen(server, 8, leave_it_waiting));
  connect_and_send(&address, length, 'a');
  connect_and_send(&address, length, 'b');
  run_until(uv_default_loop(), &connections, 1);
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_listen(server, 8, leave_it_waiting));
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  }
  ASSERT_EQ(connections, 1);
  expect_from_next('a');
  run_until(uv_default_loop(), &connections, 2);
  expect_from_next('b');
  MAKE_SURE_NOTHING_LEAKED();
}

static void listen_while_a_tcp_connection_waits(int family, int when_reported) {
  struct sockaddr_storage address = any_port(family);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &tcp));
  if (uv_tcp_bind(&tcp, plain(&address), 0) != 0) SKIP("no IPv6 here");
  ASSERT_OK(uv_listen((uv_stream_t*) &tcp, 8, on_connection));
  listen_while_one_waits((uv_stream_t*) &tcp, when_reported);
}

TEST_IMPL(listening_again_loses_no_connection_that_waits) {
  listen_while_a_tcp_connection_waits(AF_INET, 0);
}

TEST_IMPL(listening_again_loses_no_connection6_that_waits) {
  listen_while_a_tcp_connection_waits(AF_INET6, 0);
}

TEST_IMPL(listening_again_in_the_callback_loses_no_connection) {
  listen_while_a_tcp_connection_waits(AF_INET, 1);
}

TEST_IMPL(listening_again_loses_no_connection_of_a_pipe_that_waits) {
  bind_pipe();
  listen_while_one_waits((uv_stream_t*) &pipe_handle, 0);
}
