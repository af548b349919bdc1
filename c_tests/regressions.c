/* What got slower, hung or was lost when libuv was made faster, and must not with this library.
 * See docs/guards.md. */
#include "task.h"

#include <netinet/in.h>
#include <sys/resource.h>

static uv_loop_t loop;

static void begin(void) {
  ASSERT_OK(uv_loop_init(&loop));
}

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

static uint64_t events(void) {
  uv_metrics_t now;
  ASSERT_OK(uv_metrics_info(&loop, &now));
  return now.events;
}

/* Runs iterations that must find nothing to do. */
static void expect_silence(void) {
  uint64_t before = events();
  int i;
  for (i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_EQ(events(), before);
}

/* --- Interest in writing ----------------------------------------------------------------- */

static uv_pipe_t client;
static uv_pipe_t other_end;
static int writes;

static void make_pair(void) {
  int fds[2];
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(&loop, &client, 0));
  ASSERT_OK(uv_pipe_init(&loop, &other_end, 0));
  ASSERT_OK(uv_pipe_open(&client, fds[0]));
  ASSERT_OK(uv_pipe_open(&other_end, fds[1]));
}

static void on_write(uv_write_t* req, int status) {
  ASSERT_OK(status);
  writes++;
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  ASSERT_GE(count, 0);
}

/* A socket that can be written to is always ready: lasting interest would keep the loop busy. */
TEST_IMPL(a_drained_queue_is_no_reason_to_wake_up) {
  static char data[4 << 20];
  uv_buf_t buf = uv_buf_init(data, sizeof(data));
  uv_write_t reqs[3];
  int i;

  begin();
  make_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &other_end, alloc_static, on_read));
  ASSERT_OK(uv_read_start((uv_stream_t*) &client, alloc_static, on_read));
  for (i = 0; i < 3; i++)
    ASSERT_OK(uv_write(&reqs[i], (uv_stream_t*) &client, &buf, 1, on_write));
  ASSERT_GT(client.write_queue_size, 0);
  run_until(&loop, &writes, 3);
  ASSERT_EQ(client.write_queue_size, 0);
  uv_run(&loop, UV_RUN_NOWAIT);
  expect_silence();
  end();
}

static int connects;

static void on_connect(uv_connect_t* req, int status) {
  ASSERT_OK(status);
  connects++;
}

static void on_connection(uv_stream_t* server, int status) {
  static uv_tcp_t peer;
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(&loop, &peer));
  ASSERT_OK(uv_accept(server, (uv_stream_t*) &peer));
  connects++;
}

TEST_IMPL(an_idle_connection_is_no_reason_to_wake_up) {
  struct sockaddr_in address = loopback(0);
  uv_connect_t req;
  uv_tcp_t server;
  uv_tcp_t tcp;

  begin();
  ASSERT_OK(uv_tcp_init(&loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_connection));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(&loop, &tcp));
  ASSERT_OK(uv_tcp_connect(&req, &tcp, (struct sockaddr*) &address, on_connect));
  run_until(&loop, &connects, 2);
  ASSERT_OK(uv_read_start((uv_stream_t*) &tcp, alloc_static, on_read));
  uv_run(&loop, UV_RUN_NOWAIT);
  expect_silence();
  end();
}

static int sends;

static void on_send(uv_udp_send_t* req, int status) {
  ASSERT_OK(status);
  sends++;
}

static void on_datagram(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                        const struct sockaddr* address, unsigned flags) {}

TEST_IMPL(datagrams_that_are_sent_are_no_reason_to_wake_up) {
  struct sockaddr_in address = loopback(0);
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_udp_send_t reqs[50];
  int length = sizeof(address);
  uv_udp_t udp;
  int i;

  begin();
  ASSERT_OK(uv_udp_init(&loop, &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_udp_recv_start(&udp, alloc_static, on_datagram));
  for (i = 0; i < 50; i++)
    ASSERT_OK(uv_udp_send(&reqs[i], &udp, &buf, 1, (struct sockaddr*) &address, on_send));
  run_until(&loop, &sends, 50);
  for (i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  expect_silence();
  end();
}

/* --- Descriptors used again -------------------------------------------------------------- */

static int polls;

static void on_poll(uv_poll_t* handle, int status, int what) {
  ASSERT_OK(status);
  polls++;
}

/* The socket lives on in a copy of its descriptor, so that closing alone does not take it out of
 * the poller: it is taken out nevertheless, at once. */
TEST_IMPL(a_closed_descriptor_leaves_the_poller_at_once) {
  uv_poll_t poll_handle;
  int copy, fd;

  begin();
  make_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &client, alloc_static, on_read));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_fileno((uv_handle_t*) &client, &fd));
  copy = dup(fd);
  uv_close((uv_handle_t*) &client, NULL);
  /* The number is used again before the loop polls. */
  ASSERT_EQ(dup2(copy, fd), fd);
  ASSERT_OK(uv_poll_init(&loop, &poll_handle, fd));
  ASSERT_OK(uv_fileno((uv_handle_t*) &other_end, &fd));
  ASSERT_EQ(write(fd, "x", 1), 1);
  uv_run(&loop, UV_RUN_NOWAIT);
  expect_silence();
  ASSERT_OK(uv_poll_start(&poll_handle, UV_READABLE, on_poll));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(polls, 1);
  ASSERT_OK(uv_poll_stop(&poll_handle));
  ASSERT_OK(uv_fileno((uv_handle_t*) &poll_handle, &fd));
  ASSERT_OK(close(fd));
  ASSERT_OK(close(copy));
  end();
}

static int fresh_reads;

static void on_fresh_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  ASSERT_EQ(count, 5);
  ASSERT_MEM_EQ(buf->base, "fresh", 5);
  fresh_reads++;
}

static uv_pipe_t fresh;
static int fresh_pair[2];

static void replace_other(uv_poll_t* handle, int status, int what) {
  uv_poll_t* victim = handle->data;
  int fd;
  ASSERT_OK(status);
  polls++;
  uv_close((uv_handle_t*) handle, NULL);
  if (uv_is_closing((uv_handle_t*) victim)) return;
  /* The other has an event in the same batch; its number goes to a new connection. */
  ASSERT_OK(uv_fileno((uv_handle_t*) victim, &fd));
  uv_close((uv_handle_t*) victim, NULL);
  ASSERT_OK(close(fd));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fresh_pair));
  if (fresh_pair[0] != fd) ASSERT_EQ(dup2(fresh_pair[0], fd), fd);
  ASSERT_OK(uv_pipe_init(&loop, &fresh, 0));
  ASSERT_OK(uv_pipe_open(&fresh, fd));
  ASSERT_OK(uv_read_start((uv_stream_t*) &fresh, alloc_static, on_fresh_read));
}

TEST_IMPL(a_number_used_again_gets_its_own_events_only) {
  uv_poll_t handles[2];
  int pairs[2][2];
  int i;

  begin();
  for (i = 0; i < 2; i++) {
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
    ASSERT_EQ(write(pairs[i][1], "stale", 5), 5);
    ASSERT_OK(uv_poll_init(&loop, &handles[i], pairs[i][0]));
    ASSERT_OK(uv_poll_start(&handles[i], UV_READABLE, replace_other));
    handles[i].data = &handles[1 - i];
  }
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(polls, 1);
  ASSERT_EQ(fresh_reads, 0);
  ASSERT_EQ(write(fresh_pair[1], "fresh", 5), 5);
  run_until(&loop, &fresh_reads, 1);
  ASSERT_EQ(polls, 1);
  for (i = 3; i < 30; i++)
    if (fcntl(i, F_GETFD) >= 0 && (i == pairs[0][1] || i == pairs[1][1] || i == fresh_pair[1]))
      close(i);
  close_loop(&loop);
}

/* --- Events of a run that does not wait -------------------------------------------------- */

static void on_async(uv_async_t* handle) {}

static void expect_waiting(int option, uint64_t expected) {
  uv_metrics_t now;
  uv_async_t async;

  begin();
  if (option != 0) ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_metrics_info(&loop, &now));
  ASSERT_EQ(now.events, 1);
  ASSERT_EQ(now.events_waiting, expected);
  end();
}

/* Where idle time is measured; Node's figures are made of these. */
TEST_IMPL(events_found_without_waiting_were_waiting) {
  expect_waiting(1, 1);
}

TEST_IMPL(waiting_events_are_counted_only_where_idle_time_is) {
  expect_waiting(0, 0);
}

/* --- What is read before the end --------------------------------------------------------- */

static char received[16];
static int is_ended;

static void collect(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count > 0) {
    strncat(received, buf->base, (size_t) count);
    return;
  }
  if (count == 0) return;
  ASSERT_EQ(count, UV_EOF);
  is_ended = 1;
  uv_close((uv_handle_t*) stream, NULL);
}

/* The kernel ends a piece where a descriptor came with it: less than asked for is not all. */
TEST_IMPL(pieces_before_the_end_are_not_lost) {
  uv_buf_t first = uv_buf_init("a", 1);
  uv_buf_t second = uv_buf_init("b", 1);
  uv_write_t reqs[2];
  uv_tcp_t passed;
  int fds[2];

  begin();
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(&loop, &client, 1));
  ASSERT_OK(uv_pipe_init(&loop, &other_end, 1));
  ASSERT_OK(uv_pipe_open(&client, fds[0]));
  ASSERT_OK(uv_pipe_open(&other_end, fds[1]));
  ASSERT_OK(uv_tcp_init_ex(&loop, &passed, AF_INET));
  ASSERT_OK(uv_write2(&reqs[0], (uv_stream_t*) &client, &first, 1, (uv_stream_t*) &passed, on_write));
  ASSERT_OK(uv_write(&reqs[1], (uv_stream_t*) &client, &second, 1, on_write));
  uv_close((uv_handle_t*) &passed, NULL);
  run_until(&loop, &writes, 2);
  uv_close((uv_handle_t*) &client, NULL);
  /* All of it and the end are there before the first poll. */
  uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_OK(uv_read_start((uv_stream_t*) &other_end, alloc_static, collect));
  run_until(&loop, &is_ended, 1);
  ASSERT_STR_EQ(received, "ab");
  end();
}

/* --- A full batch of events -------------------------------------------------------------- */

enum { batch = 1024 };

static int ready_count;

static void stop_at_the_last(uv_poll_t* handle, int status, int events) {
  ASSERT_OK(status);
  ASSERT_OK(uv_poll_stop(handle));
  if (++ready_count == batch) uv_stop(&loop);
}

static void too_late(uv_timer_t* handle) {
  FAIL("the loop was blocked");
}

/* After as many events as the poller gives at once it is asked for more, without waiting. */
TEST_IMPL(a_full_batch_is_no_reason_to_sleep) {
  static uv_poll_t handles[batch];
  static int ends[batch][2];
  struct rlimit limit;
  uv_timer_t timer;
  int i;

  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  if (limit.rlim_cur < batch * 2 + 50) SKIP("not enough descriptors allowed");
  begin();
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, too_late, 15000, 0));
  for (i = 0; i < batch; i++) {
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]));
    ASSERT_OK(uv_poll_init(&loop, &handles[i], ends[i][0]));
    ASSERT_OK(uv_poll_start(&handles[i], UV_WRITABLE, stop_at_the_last));
  }
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_EQ(ready_count, batch);
  uv_close((uv_handle_t*) &timer, NULL);
  for (i = 0; i < batch; i++) {
    uv_close((uv_handle_t*) &handles[i], NULL);
    close(ends[i][0]);
    close(ends[i][1]);
  }
  end();
}
