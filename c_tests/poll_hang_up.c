/* Poll handles on descriptors that hang up or have an error: what is reported to which handle.
 * https://docs.libuv.org/en/v1.x/poll.html */
#include "task.h"

#include <netinet/in.h>
#include <poll.h>
#include <pty.h>

#define ALL_EVENTS (UV_READABLE | UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED)

static uv_loop_t loop;
static uv_poll_t handle;
static int calls;
/* The events of the first call. */
static int first_events;
static int status;
static int events;
/* The events that the callback starts the handle with again; or whether it closes it. */
static int next_events;
static int closes;

static void on_events(uv_poll_t* one, int new_status, int new_events) {
  if (calls++ == 0) first_events = new_events;
  status = new_status;
  events = new_events;
  if (closes) uv_close((uv_handle_t*) one, NULL);
  else if (next_events != 0) ASSERT_OK(uv_poll_start(one, next_events, on_events));
}

/* Waits until the kernel knows of the hang-up, or the error. */
static void await_hang_up(int fd) {
  struct pollfd one = {fd, 0, 0};
  ASSERT_EQ(poll(&one, 1, 20000), 1);
}

static void await_urgent(int fd) {
  struct pollfd one = {fd, POLLPRI, 0};
  ASSERT_EQ(poll(&one, 1, 20000), 1);
}

/* --- Descriptors that hang up, or have an error -------------------------------------------- */

static int open_terminal(int keep_master) {
  int master;
  int slave;
  if (openpty(&master, &slave, NULL, NULL, NULL) != 0) SKIP("no pseudo terminals");
  close(keep_master ? slave : master);
  return keep_master ? master : slave;
}

static int master_without_slave(void) {
  return open_terminal(1);
}

static int slave_without_master(void) {
  return open_terminal(0);
}

static int pipe_without_writer(void) {
  int ends[2];
  ASSERT_OK(pipe(ends));
  close(ends[1]);
  return ends[0];
}

static int pipe_without_reader(void) {
  int ends[2];
  ASSERT_OK(pipe(ends));
  close(ends[0]);
  return ends[1];
}

static int unconnected_tcp(void) {
  return socket(AF_INET, SOCK_STREAM, 0);
}

static int unconnected_tcp6(void) {
  return socket(AF_INET6, SOCK_STREAM, 0);
}

static int pair_without_peer(void) {
  int pair[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  close(pair[1]);
  return pair[0];
}

static int pair_with_data_without_peer(void) {
  int pair[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  close(pair[1]);
  return pair[0];
}

/* A connection to this process, and its other end. */
static int connect_tcp(int* peer) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_OK(bind(listener, (struct sockaddr*) &address, size));
  ASSERT_OK(listen(listener, 1));
  ASSERT_OK(getsockname(listener, (struct sockaddr*) &address, &size));
  ASSERT_OK(connect(client, (struct sockaddr*) &address, size));
  *peer = accept(listener, NULL, NULL);
  ASSERT_GE(*peer, 0);
  close(listener);
  return client;
}

static void reset(int fd) {
  struct linger linger = {1, 0};
  ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
  close(fd);
}

static int reset_tcp(void) {
  int peer;
  int client = connect_tcp(&peer);
  reset(peer);
  return client;
}

static int reset_tcp_with_urgent_data(void) {
  int peer;
  int client = connect_tcp(&peer);
  ASSERT_EQ(send(peer, "x", 1, MSG_OOB), 1);
  await_urgent(client);
  reset(peer);
  return client;
}

static int shut_tcp(void) {
  int peer;
  int client = connect_tcp(&peer);
  close(peer);
  ASSERT_OK(shutdown(client, SHUT_WR));
  return client;
}

static int refused_tcp(void) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  int unused = socket(AF_INET, SOCK_STREAM, 0);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_OK(bind(unused, (struct sockaddr*) &address, size));
  ASSERT_OK(getsockname(unused, (struct sockaddr*) &address, &size));
  close(unused);
  ASSERT_OK(fcntl(client, F_SETFL, O_NONBLOCK));
  ASSERT_EQ(connect(client, (struct sockaddr*) &address, size), -1);
  return client;
}

/* --- The matrix ---------------------------------------------------------------------------- */

/* Starts a handle on the descriptor, and runs the loop until it was called often enough. */
static void watch(int fd, int asked) {
  calls = 0;
  await_hang_up(fd);
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_poll_init(&loop, &handle, fd));
  ASSERT_OK(uv_poll_start(&handle, asked, on_events));
  run_until(&loop, &calls, 1);
}

static void end_watch(int fd) {
  close_loop(&loop);
  close(fd);
}

/* A hang-up is reported to each handle with all that it asked for, again and again. */
static void expect_reported(int (*make)(void)) {
  int asked;
  for (asked = 1; asked <= ALL_EVENTS; asked++) {
    int fd = make();
    watch(fd, asked);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(events, asked);
    run_until(&loop, &calls, 4);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(events, asked);
    ASSERT_NE(uv_is_active((uv_handle_t*) &handle), 0);
    end_watch(fd);
  }
}

/* An error stops the handle, whatever it asks for. */
static void expect_error(int (*make)(void), int without) {
  int asked;
  int i;
  for (asked = 1; asked <= ALL_EVENTS; asked++) {
    int fd;
    if (asked & without) continue;
    fd = make();
    watch(fd, asked);
    ASSERT_EQ(status, UV_EBADF);
    ASSERT_EQ(events, 0);
    ASSERT_EQ(uv_is_active((uv_handle_t*) &handle), 0);
    for (i = 0; i < 3; i++) ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
    ASSERT_EQ(calls, 1);
    end_watch(fd);
  }
}

TEST_IMPL(a_terminal_without_slave_hangs_up) {
  expect_reported(master_without_slave);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_terminal_without_master_is_an_error) {
  expect_error(slave_without_master, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_pipe_without_writer_hangs_up) {
  expect_reported(pipe_without_writer);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_pipe_without_reader_is_an_error) {
  expect_error(pipe_without_reader, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_socket_that_is_not_connected_hangs_up) {
  expect_reported(unconnected_tcp);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_socket_that_is_not_connected_hangs_up_ipv6) {
  int fd = unconnected_tcp6();
  if (fd == -1) SKIP("no IPv6");
  close(fd);
  expect_reported(unconnected_tcp6);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_socket_without_peer_hangs_up) {
  expect_reported(pair_without_peer);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Closed with data that are not read yet: the data are there to be read. */
TEST_IMPL(a_socket_with_data_but_no_peer_hangs_up) {
  expect_reported(pair_with_data_without_peer);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_connection_shut_at_both_ends_hangs_up) {
  expect_reported(shut_tcp);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_connection_that_was_reset_is_an_error) {
  expect_error(reset_tcp, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_connection_that_was_refused_is_an_error) {
  expect_error(refused_tcp, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Urgent data, where they are asked for, outweigh the error: they come with all that was asked. */
TEST_IMPL(a_reset_after_urgent_data_is_an_error_where_these_are_not_asked_for) {
  int asked;
  expect_error(reset_tcp_with_urgent_data, UV_PRIORITIZED);
  for (asked = UV_PRIORITIZED; asked <= ALL_EVENTS; asked++) {
    int fd = reset_tcp_with_urgent_data();
    watch(fd, asked);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(events, asked);
    end_watch(fd);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- While it is watched ------------------------------------------------------------------- */

/* A descriptor that is writable all the time, until its peer goes. */
TEST_IMPL(a_hang_up_is_reported_beside_readiness_that_was_there_before) {
  int pair[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_poll_init(&loop, &handle, pair[0]));
  ASSERT_OK(uv_poll_start(&handle, UV_WRITABLE | UV_DISCONNECT, on_events));
  run_until(&loop, &calls, 3);
  ASSERT_EQ(events, UV_WRITABLE);
  close(pair[1]);
  while (events == UV_WRITABLE) ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(events, UV_WRITABLE | UV_DISCONNECT);
  end_watch(pair[0]);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A hang-up with data that are never read, for a handle that does not ask for them. */
TEST_IMPL(unread_data_hide_no_end) {
  char block[4096];
  int pair[2];
  int i;
  int before;
  memset(block, 'x', sizeof(block));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_poll_init(&loop, &handle, pair[0]));
  ASSERT_OK(uv_poll_start(&handle, UV_WRITABLE | UV_DISCONNECT, on_events));
  run_until(&loop, &calls, 3);
  ASSERT_EQ(events, UV_WRITABLE);
  while (write(pair[0], block, sizeof(block)) > 0) continue;
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  before = calls;
  for (i = 0; i < 5; i++) ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, before);
  ASSERT_OK(shutdown(pair[1], SHUT_WR));
  run_until(&loop, &calls, before + 3);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(events, UV_DISCONNECT);
  end_watch(pair[0]);
  close(pair[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_hang_up_may_change_what_is_asked_for) {
  int fd = master_without_slave();
  next_events = UV_DISCONNECT;
  watch(fd, UV_READABLE | UV_WRITABLE);
  ASSERT_EQ(first_events, UV_READABLE | UV_WRITABLE);
  run_until(&loop, &calls, 3);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(events, UV_DISCONNECT);
  end_watch(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Stopped by the error, and started again: it is reported again. */
TEST_IMPL(an_error_is_reported_at_each_start) {
  int fd = pipe_without_reader();
  next_events = UV_PRIORITIZED;
  watch(fd, UV_PRIORITIZED);
  ASSERT_NE(uv_is_active((uv_handle_t*) &handle), 0);
  next_events = 0;
  run_until(&loop, &calls, 2);
  ASSERT_EQ(status, UV_EBADF);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &handle), 0);
  end_watch(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_handle_may_be_closed_at_a_hang_up_or_an_error) {
  int fds[2] = {master_without_slave(), pipe_without_reader()};
  int i;
  closes = 1;
  for (i = 0; i < 2; i++) {
    watch(fds[i], UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED);
    ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
    ASSERT_EQ(calls, 1);
    end_watch(fds[i]);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Streams and UDP, which are called by the same poller ----------------------------------- */

static uv_pipe_t stream;
static uv_write_t writes[2];
static int written;
static int write_status[2];
static int iterations;

static void on_write(uv_write_t* request, int new_status) {
  write_status[request - writes] = new_status;
  written++;
}

static void on_iteration(uv_check_t* check) {
  iterations++;
}

static void on_time(uv_timer_t* timer) {
  uv_stop(timer->loop);
}

/* Runs the loop for some milliseconds; how many iterations that took. */
static int iterations_in(uint64_t milliseconds) {
  uv_check_t check;
  uv_timer_t timer;
  ASSERT_OK(uv_check_init(&loop, &check));
  ASSERT_OK(uv_check_start(&check, on_iteration));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_time, milliseconds, 0));
  iterations = 0;
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_close((uv_handle_t*) &check, NULL);
  uv_close((uv_handle_t*) &timer, NULL);
  uv_run(&loop, UV_RUN_NOWAIT);
  return iterations;
}

/* The peer goes without reading: waiting writes get an error. */
TEST_IMPL(waiting_writes_end_when_the_peer_is_gone) {
  static char block[1 << 20];
  uv_buf_t buf = uv_buf_init(block, sizeof(block));
  int pair[2];
  int i;
  signal(SIGPIPE, SIG_IGN);
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_pipe_init(&loop, &stream, 0));
  ASSERT_OK(uv_pipe_open(&stream, pair[0]));
  for (i = 0; i < 2; i++)
    ASSERT_OK(uv_write(&writes[i], (uv_stream_t*) &stream, &buf, 1, on_write));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(written, 0);
  close(pair[1]);
  run_until(&loop, &written, 2);
  ASSERT_EQ(write_status[0], UV_EPIPE);
  /* The handle has no interest any more, and does not keep the loop busy. */
  ASSERT_LT(iterations_in(30), 30);
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_udp_t udp;
static uv_udp_send_t sends[600];
static int sent;
static int failed_sends;

static void on_send(uv_udp_send_t* request, int new_status) {
  sent++;
  if (new_status != 0) failed_sends++;
}

/* A datagram socket that hangs up while it is not writable; with libuv they wait for ever. */
TEST_IMPL(waiting_datagrams_end_when_the_socket_hangs_up) {
  static char block[2048];
  uv_buf_t buf = uv_buf_init(block, sizeof(block));
  int pair[2];
  int i;
  OXUV_ONLY();
  signal(SIGPIPE, SIG_IGN);
  ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_udp_init(&loop, &udp));
  ASSERT_OK(uv_udp_open(&udp, pair[0]));
  for (i = 0; i < 600; i++) ASSERT_OK(uv_udp_send(&sends[i], &udp, &buf, 1, NULL, on_send));
  for (i = 0; i < 5; i++) ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_LT(sent, 600);
  ASSERT_EQ(failed_sends, 0);
  ASSERT_OK(shutdown(pair[0], SHUT_RDWR));
  run_until(&loop, &sent, 600);
  ASSERT_GT(failed_sends, 0);
  ASSERT_LT(iterations_in(30), 30);
  close_loop(&loop);
  close(pair[1]);
  MAKE_SURE_NOTHING_LEAKED();
}
