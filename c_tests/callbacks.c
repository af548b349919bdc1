/* What programs do in callbacks that changes what the loop was about to do: connecting anew, or a
 * handle that is closed, and walking. Stopping and closing are tested with each chapter. */
#include "task.h"

#include <netinet/in.h>
#include <sys/un.h>

static uv_loop_t loop;

/* --- Connecting anew in the callback of an attempt that failed --------------------------- */

static uv_tcp_t server;
static uv_tcp_t client;
static uv_tcp_t peer;
static uv_connect_t connect_reqs[2];
static uv_write_t write_reqs[2];
static uv_shutdown_t shutdown_req;
static struct sockaddr_in address;
static int done;

static void on_connect(uv_connect_t* req, int status) {
  note("connect%d:%s", (int) (req - connect_reqs), status == 0 ? "0" : uv_err_name(status));
  done++;
}

static void on_write(uv_write_t* req, int status) {
  note("write%d:%s", (int) (req - write_reqs), status == 0 ? "0" : uv_err_name(status));
  done++;
}

static void on_shutdown(uv_shutdown_t* req, int status) {
  note("shutdown:%s", status == 0 ? "0" : uv_err_name(status));
  done++;
}

static void on_close(uv_handle_t* handle) {
  note("close");
  memset(handle, 0xdb, sizeof(uv_pipe_t));
}

static void write_number(int index) {
  uv_buf_t buf = uv_buf_init(index == 0 ? "old" : "new", 3);
  ASSERT_OK(uv_write(&write_reqs[index], (uv_stream_t*) &client, &buf, 1, on_write));
}

static void on_peer_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count < 0) note("read:%s", uv_err_name((int) count));
  else note("read:%.*s", (int) count, buf->base);
  done++;
}

static void on_connection(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(&loop, &peer));
  ASSERT_OK(uv_accept(listener, (uv_stream_t*) &peer));
  ASSERT_OK(uv_read_start((uv_stream_t*) &peer, alloc_static, on_peer_read));
}

static void connect_anew(uv_connect_t* req, int status) {
  int result;
  on_connect(req, status);
  /* The kernel first reports once more that the attempt before has failed. */
  do {
    result = uv_tcp_connect(&connect_reqs[1], &client, (struct sockaddr*) &address, on_connect);
  } while (result == UV_ECONNABORTED);
  ASSERT_OK(result);
}

static void connect_anew_and_write(uv_connect_t* req, int status) {
  connect_anew(req, status);
  write_number(1);
}

static void only_write(uv_connect_t* req, int status) {
  on_connect(req, status);
  write_number(1);
}

/* An attempt that is refused; `address` is that of a server. */
static void begin_in_vain(uv_connect_cb callback) {
  struct sockaddr_in unused = loopback(0);
  socklen_t length = sizeof(unused);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_OK(bind(fd, (struct sockaddr*) &unused, sizeof(unused)));
  ASSERT_OK(getsockname(fd, (struct sockaddr*) &unused, &length));
  ASSERT_OK(uv_loop_init(&loop));
  address = loopback(0);
  ASSERT_OK(uv_tcp_init(&loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_connection));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(&loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_reqs[0], &client, (struct sockaddr*) &unused, callback));
  close(fd);
}

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_is_written_to_a_new_attempt_is_not_cancelled_with_the_old_one) {
  OXUV_ONLY(); /* libuv cancels all of them. */
  begin_in_vain(connect_anew_and_write);
  write_number(0);
  run_until(&loop, &done, 5);
  ASSERT_NOTES("connect0:ECONNREFUSED write0:ECANCELED connect1:0 write1:0 read:new");
  ASSERT_EQ(client.write_queue_size, 0);
  end();
}

TEST_IMPL(what_is_written_after_an_attempt_that_failed_is_cancelled) {
  begin_in_vain(only_write);
  write_number(0);
  run_until(&loop, &done, 3);
  ASSERT_NOTES("connect0:ECONNREFUSED write0:ECANCELED write1:ECANCELED");
  end();
}

TEST_IMPL(a_shutdown_waits_for_a_new_attempt) {
  OXUV_ONLY(); /* libuv shuts down a handle that is not connected. */
  begin_in_vain(connect_anew);
  ASSERT_OK(uv_shutdown(&shutdown_req, (uv_stream_t*) &client, on_shutdown));
  run_until(&loop, &done, 4);
  ASSERT_NOTES("connect0:ECONNREFUSED connect1:0 shutdown:0 read:EOF");
  end();
}

static void write_and_cancel(uv_connect_t* req, int status) {
  connect_anew_and_write(req, status);
  ASSERT_OK(uv_cancel((uv_req_t*) &write_reqs[0]));
  ASSERT_OK(uv_cancel((uv_req_t*) &write_reqs[1]));
}

TEST_IMPL(what_was_cancelled_in_the_connect_callback_is_reported_once) {
  OXUV_ONLY();
  begin_in_vain(write_and_cancel);
  write_number(0);
  run_until(&loop, &done, 4);
  uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_STR_EQ(strstr(notes(), "connect1:"), "connect1:0");
  ASSERT_NOT_NULL(strstr(notes(), "write0:ECANCELED"));
  ASSERT_NOT_NULL(strstr(notes(), "write1:ECANCELED"));
  ASSERT_EQ(client.write_queue_size, 0);
  end();
}

/* --- Connecting a pipe that is closed ---------------------------------------------------- */

static uv_pipe_t pipe_handle;

static void connect_in_vain(uv_connect_t* req) {
  uv_pipe_connect(req, &pipe_handle, test_path("absent"), on_connect);
}

static void close_then_connect(uv_check_t* check) {
  uv_close((uv_handle_t*) check, NULL);
  uv_close((uv_handle_t*) &pipe_handle, on_close);
  connect_in_vain(&connect_reqs[0]);
}

/* The closing phase comes right after: nothing may be left pending for a handle that is gone. */
TEST_IMPL(a_pipe_that_is_closing_has_its_connect_cancelled_before_it_is_closed) {
  uv_check_t check;
  OXUV_ONLY();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_pipe_init(&loop, &pipe_handle, 0));
  ASSERT_OK(uv_check_init(&loop, &check));
  ASSERT_OK(uv_check_start(&check, close_then_connect));
  uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_NOTES("connect0:ECANCELED close");
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("");
  end();
}

static void connect_once_more(uv_connect_t* req, int status) {
  on_connect(req, status);
  connect_in_vain(&connect_reqs[1]);
}

TEST_IMPL(a_pipe_that_is_being_closed_connects_no_more) {
  OXUV_ONLY(); /* libuv touches the handle after its close callback. */
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_pipe_init(&loop, &pipe_handle, 0));
  uv_pipe_connect(&connect_reqs[0], &pipe_handle, test_path("absent"), connect_once_more);
  uv_close((uv_handle_t*) &pipe_handle, on_close);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("connect0:ECANCELED close");
  end();
}

/* --- Connecting a pipe that is being connected ---------------------------------------------- */

static void begin_twice(void) {
  OXUV_ONLY(); /* libuv loses the first one, and its loop never ends. */
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_pipe_init(&loop, &pipe_handle, 0));
  uv_pipe_connect(&connect_reqs[0], &pipe_handle, test_path("server"), on_connect);
  connect_in_vain(&connect_reqs[1]);
}

TEST_IMPL(a_second_attempt_is_refused_after_the_first_has_failed) {
  begin_twice();
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("connect0:ENOENT connect1:EALREADY");
  end();
}

TEST_IMPL(a_second_attempt_is_refused_and_the_first_is_made) {
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof(name.sun_path), "%s", test_path("server"));
  ASSERT_OK(bind(listener, (struct sockaddr*) &name, sizeof(name)));
  ASSERT_OK(listen(listener, 8));
  begin_twice();
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("connect1:EALREADY connect0:0");
  ASSERT_EQ(uv_is_writable((uv_stream_t*) &pipe_handle), 1);
  ASSERT_OK(close(listener));
  end();
}

TEST_IMPL(closing_cancels_all_attempts) {
  begin_twice();
  uv_close((uv_handle_t*) &pipe_handle, on_close);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("connect0:ECANCELED connect1:ECANCELED close");
  end();
}

static void close_pipe(uv_connect_t* req, int status) {
  on_connect(req, status);
  uv_close((uv_handle_t*) &pipe_handle, on_close);
}

TEST_IMPL(the_first_callback_may_close_before_the_second_is_called) {
  OXUV_ONLY();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_pipe_init(&loop, &pipe_handle, 0));
  uv_pipe_connect(&connect_reqs[0], &pipe_handle, test_path("absent"), close_pipe);
  connect_in_vain(&connect_reqs[1]);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("connect0:ENOENT connect1:EALREADY close");
  end();
}

/* --- Walking ----------------------------------------------------------------------------- */

static void count_handle(uv_handle_t* handle, void* arg) {
  ++*(int*) arg;
}

static void walk_again(uv_handle_t* handle, void* arg) {
  int count = 0;
  uv_walk(&loop, count_handle, &count);
  uv_print_all_handles(&loop, stderr);
  note("%d", count);
}

TEST_IMPL(a_walk_within_a_walk_comes_to_all_handles) {
  uv_idle_t idle[3];
  int i;
  OXUV_ONLY(); /* In libuv the outer walk comes only to handles that the inner one has passed. */
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < 3; i++) ASSERT_OK(uv_idle_init(&loop, &idle[i]));
  uv_walk(&loop, walk_again, NULL);
  ASSERT_NOTES("3 3 3");
  end();
}
