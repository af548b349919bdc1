/* Where this library decides otherwise than libuv: descriptors that are closed behind the loop's
 * back end the handle's work with UV_EBADF, reported once. (libuv ends the process.) The other
 * decisions have their tests with their chapters, see docs/guards.md. */
#include "task.h"

#include <netinet/in.h>

static uv_tcp_t server;
static uv_tcp_t client;
static uv_pipe_t pipe_handle;
static uv_connect_t connect_req;
static uv_write_t write_reqs[3];
static int pair[2];
static int reported;

static void close_behind(uv_handle_t* handle) {
  uv_os_fd_t fd;
  ASSERT_OK(uv_fileno(handle, &fd));
  ASSERT_OK(close(fd));
}

/* An error is reported once: no loop may be kept busy by it. */
static void expect_reported(const char* expected) {
  int i;
  run_until(uv_default_loop(), &reported, 1);
  for (i = 0; i < 20; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_NOTES(expected);
}

static void report(const char* what, ssize_t status) {
  note("%s:%s", what, status < 0 ? uv_err_name((int) status) : "0");
  reported++;
}

static void on_connection(uv_stream_t* stream, int status) {
  report("connection", status);
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  report("read", count);
}

static void on_write(uv_write_t* req, int status) {
  report("write", status);
}

static void on_connect(uv_connect_t* req, int status) {
  report("connect", status);
}

static void on_poll(uv_poll_t* handle, int status, int events) {
  report("poll", status);
}

static void listen_on_tcp(void) {
  struct sockaddr_in address = loopback(0);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_connection));
}

static void open_pipe(void) {
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe_handle, 0));
  ASSERT_OK(uv_pipe_open(&pipe_handle, pair[0]));
}

TEST_IMPL(a_listener_without_its_descriptor_gets_one_error) {
  OXUV_ONLY();
  listen_on_tcp();
  close_behind((uv_handle_t*) &server);
  expect_reported("connection:EBADF");
  /* There is nothing to wait for any more. */
  ASSERT(!uv_is_active((uv_handle_t*) &server));
  ASSERT(!uv_loop_alive(uv_default_loop()));
  ASSERT_EQ(uv_accept((uv_stream_t*) &server, (uv_stream_t*) &client), UV_EAGAIN);
}

TEST_IMPL(a_named_listener_without_its_descriptor_gets_one_error) {
  OXUV_ONLY();
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe_handle, 0));
  ASSERT_OK(uv_pipe_bind(&pipe_handle, test_path("socket")));
  ASSERT_OK(uv_listen((uv_stream_t*) &pipe_handle, 8, on_connection));
  close_behind((uv_handle_t*) &pipe_handle);
  expect_reported("connection:EBADF");
  ASSERT(!uv_loop_alive(uv_default_loop()));
}

static void close_in_callback(uv_stream_t* stream, int status) {
  report("connection", status);
  uv_close((uv_handle_t*) stream, NULL);
}

TEST_IMPL(a_listener_may_be_closed_when_it_gets_an_error) {
  OXUV_ONLY();
  listen_on_tcp();
  server.connection_cb = close_in_callback;
  close_behind((uv_handle_t*) &server);
  expect_reported("connection:EBADF");
  ASSERT(uv_is_closing((uv_handle_t*) &server));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
}

TEST_IMPL(a_reader_without_its_descriptor_gets_one_error) {
  OXUV_ONLY();
  open_pipe();
  ASSERT_OK(uv_read_start((uv_stream_t*) &pipe_handle, alloc_static, on_read));
  close_behind((uv_handle_t*) &pipe_handle);
  expect_reported("read:EBADF");
  ASSERT(!uv_loop_alive(uv_default_loop()));
}

TEST_IMPL(writers_without_their_descriptor_each_get_one_error) {
  static char data[1 << 20];
  uv_buf_t buf = uv_buf_init(data, sizeof(data));
  int i;
  OXUV_ONLY();
  open_pipe();
  for (i = 0; i < 3; i++)
    ASSERT_OK(uv_write(&write_reqs[i], (uv_stream_t*) &pipe_handle, &buf, 1, on_write));
  close_behind((uv_handle_t*) &pipe_handle);
  run_until(uv_default_loop(), &reported, 3);
  expect_reported("write:EBADF write:EBADF write:EBADF");
  ASSERT_EQ(pipe_handle.write_queue_size, 0);
  ASSERT(!uv_loop_alive(uv_default_loop()));
}

TEST_IMPL(a_connection_without_its_descriptor_gets_one_error) {
  struct sockaddr_in address;
  OXUV_ONLY();
  listen_on_tcp();
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(
      uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_connect));
  uv_close((uv_handle_t*) &server, NULL);
  close_behind((uv_handle_t*) &client);
  expect_reported("connect:EBADF");
  ASSERT(!uv_loop_alive(uv_default_loop()));
}

TEST_IMPL(a_poll_handle_without_its_descriptor_gets_one_error) {
  uv_poll_t handle;
  OXUV_ONLY();
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(uv_poll_init(uv_default_loop(), &handle, pair[0]));
  ASSERT_OK(uv_poll_start(&handle, UV_READABLE | UV_WRITABLE, on_poll));
  ASSERT_OK(close(pair[0]));
  expect_reported("poll:EBADF");
  ASSERT(!uv_loop_alive(uv_default_loop()));
}
