/* A poller that refuses a descriptor. A lack of memory, or of room, says nothing about the
 * descriptor: nothing is reported, nothing blocks or runs busily, and it is watched as soon as that
 * is possible. What is refused for good is reported to the owner of a poll handle; other handles
 * get what is ready nevertheless. (libuv ends the process.) */
#include "refuse.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>

static const struct refusal NO_MEMORY = {0, -1, ENOMEM};
static const struct refusal NO_ROOM = {0, -1, ENOSPC};
/* The error of a sandbox, and epoll's own for a file. */
static const struct refusal NOT_PERMITTED = {0, -1, EPERM};

static uv_loop_t loop;
static uv_timer_t timer;
static uv_check_t check;
static int iterations;
static int calls;
static char slab[65536];


static void on_time(uv_timer_t* one) {
  uv_stop(one->loop);
}

static void on_iteration(uv_check_t* one) {
  iterations++;
}

/* Runs the loop long enough for several attempts; these, and the iterations, must be few. */
static void run_for_a_while(void) {
  iterations = 0;
  uv_update_time(&loop);
  ASSERT_OK(uv_timer_start(&timer, on_time, 40, 0));
  uv_run(&loop, UV_RUN_DEFAULT);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &timer), 0);
  ASSERT_LT(iterations, 40);
}

static void begin(void) {
  OXUV_ONLY();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_check_init(&loop, &check));
  ASSERT_OK(uv_check_start(&check, on_iteration));
  uv_unref((uv_handle_t*) &check);
}

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Streams ------------------------------------------------------------------------------- */

static uv_pipe_t a;
static uv_pipe_t b;
static int pair[2];
static ssize_t last_read;

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  last_read = count;
  calls++;
}

static void never_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  FAIL("read %zd", count);
}

static void alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  *buf = uv_buf_init(slab, sizeof(slab));
}

static void never_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  FAIL("asked for a buffer");
}

static void open_pair(void) {
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, pair, UV_NONBLOCK_PIPE, 0));
  ASSERT_OK(uv_pipe_init(&loop, &a, 0));
  ASSERT_OK(uv_pipe_open(&a, pair[0]));
}

static void start_reading_in_vain(void) {
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, never_alloc, never_read));
  run_for_a_while();
  ASSERT_NE(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_read_stop((uv_stream_t*) &a));
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, alloc, on_read));
}

static void expect_data(void) {
  ASSERT_EQ(write(pair[1], "xyz", 3), 3);
  run_until(&loop, &calls, 1);
  ASSERT_EQ(last_read, 3);
  close(pair[1]);
  run_until(&loop, &calls, 2);
  ASSERT_EQ(last_read, UV_EOF);
}

TEST_IMPL(nothing_is_read_from_a_stream_that_cannot_be_watched) {
  begin();
  open_pair();
  while_refused(NO_MEMORY, start_reading_in_vain);
  expect_data();
  end();
}

TEST_IMPL(nothing_is_read_where_there_is_no_room) {
  begin();
  open_pair();
  while_refused(NO_ROOM, start_reading_in_vain);
  expect_data();
  end();
}

TEST_IMPL(a_blocking_stream_does_not_block_the_loop) {
  begin();
  open_pair();
  ASSERT_OK(uv_stream_set_blocking((uv_stream_t*) &a, 1));
  while_refused(NO_MEMORY, start_reading_in_vain);
  expect_data();
  end();
}

TEST_IMPL(nothing_is_read_where_watching_is_not_permitted) {
  begin();
  open_pair();
  while_refused(NOT_PERMITTED, start_reading_in_vain);
  expect_data();
  end();
}

TEST_IMPL(a_blocking_stream_that_may_not_be_watched_does_not_block_the_loop) {
  begin();
  open_pair();
  ASSERT_OK(uv_stream_set_blocking((uv_stream_t*) &a, 1));
  while_refused(NOT_PERMITTED, start_reading_in_vain);
  expect_data();
  end();
}

static void read_while_refused(void) {
  start_reading_in_vain();
  expect_data();
}

TEST_IMPL(a_stream_that_may_not_be_watched_is_read) {
  begin();
  open_pair();
  while_refused(NOT_PERMITTED, read_while_refused);
  end();
}

static void close_while_refused(void) {
  start_reading_in_vain();
  run_for_a_while();
  uv_close((uv_handle_t*) &a, NULL);
  run_for_a_while();
}

TEST_IMPL(a_stream_may_be_closed_meanwhile) {
  begin();
  open_pair();
  while_refused(NO_MEMORY, close_while_refused);
  close(pair[1]);
  end();
}

static void stop_while_refused(void) {
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, never_alloc, never_read));
  run_for_a_while();
  ASSERT_OK(uv_read_stop((uv_stream_t*) &a));
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
}

TEST_IMPL(a_stream_may_be_stopped_and_started_meanwhile) {
  begin();
  open_pair();
  while_refused(NO_MEMORY, stop_while_refused);
  ASSERT_EQ(write(pair[1], "xyz", 3), 3);
  run_for_a_while();
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, alloc, on_read));
  run_until(&loop, &calls, 1);
  ASSERT_EQ(last_read, 3);
  close(pair[1]);
  end();
}

static uv_write_t request;
static int written;

static void on_write(uv_write_t* one, int status) {
  ASSERT_OK(status);
  written++;
}

static void write_while_refused(void) {
  static char block[1 << 20];
  uv_buf_t buf = uv_buf_init(block, sizeof(block));
  ASSERT_OK(uv_write(&request, (uv_stream_t*) &a, &buf, 1, on_write));
  ASSERT_EQ(write(pair[1], "xyz", 3), 3);
  run_until(&loop, &calls, 1);
  ASSERT_EQ(last_read, 3);
  run_for_a_while();
  ASSERT_EQ(written, 0);
}

/* The stream is watched for reading, and goes on being so, while it cannot be for writing. */
TEST_IMPL(what_was_watched_before_stays_so) {
  struct refusal change = {EPOLL_CTL_MOD, -1, ENOMEM};
  begin();
  open_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, alloc, on_read));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  change.fd = pair[0];
  while_refused(change, write_while_refused);
  ASSERT_OK(fcntl(pair[1], F_SETFL, O_NONBLOCK));
  while (written == 0) {
    while (read(pair[1], slab, sizeof(slab)) > 0) continue;
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  close(pair[1]);
  end();
}

/* --- Connections --------------------------------------------------------------------------- */

static uv_tcp_t server;
static uv_tcp_t client;
static uv_tcp_t accepted;
static uv_connect_t connect_request;
static int connect_status;
static int connections;

static void on_connect(uv_connect_t* one, int status) {
  connect_status = status;
  calls++;
}

static void on_connection(uv_stream_t* one, int status) {
  ASSERT_OK(status);
  connections++;
  ASSERT_OK(uv_tcp_init(&loop, &accepted));
  ASSERT_OK(uv_accept(one, (uv_stream_t*) &accepted));
}

static void never_connected(uv_stream_t* one, int status) {
  FAIL("a connection, or %d", status);
}

static struct sockaddr_storage destination;

static void connect_in_vain(void) {
  ASSERT_OK(uv_tcp_init(&loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_request, &client, (struct sockaddr*) &destination, on_connect));
  run_for_a_while();
  ASSERT_EQ(calls, 0);
}

/* A server that takes no connections any more; how many it has. */
static int fill_backlog(int* clients, int most) {
  socklen_t size = sizeof(struct sockaddr_in);
  struct sockaddr_in address = loopback(0);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int i;
  ASSERT_OK(bind(listener, (struct sockaddr*) &address, size));
  ASSERT_OK(listen(listener, 0));
  ASSERT_OK(getsockname(listener, (struct sockaddr*) &destination, &size));
  clients[0] = listener;
  for (i = 1; i < most; i++) {
    clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(clients[i], (struct sockaddr*) &destination, size) != 0) {
      struct pollfd one = {clients[i], POLLOUT, 0};
      ASSERT_EQ(errno, EINPROGRESS);
      if (poll(&one, 1, 50) == 0) return i + 1;
    }
  }
  SKIP("connections without end");
}

TEST_IMPL(a_missing_connection_is_not_reported) {
  int clients[64];
  int count;
  int i;
  begin();
  count = fill_backlog(clients, 64);
  while_refused(NO_MEMORY, connect_in_vain);
  uv_close((uv_handle_t*) &client, NULL);
  run_until(&loop, &calls, 1);
  ASSERT_EQ(connect_status, UV_ECANCELED);
  for (i = 0; i < count; i++) close(clients[i]);
  end();
}

TEST_IMPL(a_missing_connection_is_not_reported_where_watching_is_not_permitted) {
  int clients[64];
  int count;
  int i;
  begin();
  count = fill_backlog(clients, 64);
  while_refused(NOT_PERMITTED, connect_in_vain);
  uv_close((uv_handle_t*) &client, NULL);
  run_until(&loop, &calls, 1);
  ASSERT_EQ(connect_status, UV_ECANCELED);
  for (i = 0; i < count; i++) close(clients[i]);
  end();
}

static void serve_in_vain(void) {
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, never_connected));
  connect_in_vain();
}

static void serve_and_connect(int family, const struct sockaddr* address) {
  int size = sizeof(destination);
  begin();
  ASSERT_OK(uv_tcp_init_ex(&loop, &server, family));
  if (uv_tcp_bind(&server, address, 0) != 0) SKIP("no such address");
  ASSERT_OK(uv_tcp_getsockname(&server, (struct sockaddr*) &destination, &size));
  while_refused(NO_ROOM, serve_in_vain);
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_connection));
  run_until(&loop, &calls, 1);
  ASSERT_OK(connect_status);
  run_until(&loop, &connections, 1);
  end();
}

TEST_IMPL(connections_come_when_they_can_be_watched) {
  struct sockaddr_in address = loopback(0);
  serve_and_connect(AF_INET, (struct sockaddr*) &address);
}

TEST_IMPL(connections_come_when_they_can_be_watched_ipv6) {
  struct sockaddr_in6 address;
  ASSERT_OK(uv_ip6_addr("::1", 0, &address));
  serve_and_connect(AF_INET6, (struct sockaddr*) &address);
}

static void serve_while_refused(void) {
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_connection));
  run_for_a_while();
  ASSERT_EQ(connections, 0);
  ASSERT_OK(uv_tcp_init(&loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_request, &client, (struct sockaddr*) &destination, on_connect));
  run_until(&loop, &calls, 1);
  ASSERT_OK(connect_status);
  run_until(&loop, &connections, 1);
}

static void serve_unwatched(int family, const struct sockaddr* address) {
  int size = sizeof(destination);
  begin();
  ASSERT_OK(uv_tcp_init_ex(&loop, &server, family));
  if (uv_tcp_bind(&server, address, 0) != 0) SKIP("no such address");
  ASSERT_OK(uv_tcp_getsockname(&server, (struct sockaddr*) &destination, &size));
  while_refused(NOT_PERMITTED, serve_while_refused);
  end();
}

TEST_IMPL(connections_are_made_where_watching_is_not_permitted) {
  struct sockaddr_in address = loopback(0);
  serve_unwatched(AF_INET, (struct sockaddr*) &address);
}

TEST_IMPL(connections_are_made_where_watching_is_not_permitted_ipv6) {
  struct sockaddr_in6 address;
  ASSERT_OK(uv_ip6_addr("::1", 0, &address));
  serve_unwatched(AF_INET6, (struct sockaddr*) &address);
}

static void connect_pipe_in_vain(void) {
  ASSERT_OK(uv_listen((uv_stream_t*) &a, 8, never_connected));
  uv_pipe_connect(&connect_request, &b, test_path("socket"), on_connect);
  run_for_a_while();
  ASSERT_EQ(calls, 0);
}

static void on_pipe_connection(uv_stream_t* one, int status) {
  static uv_pipe_t taken;
  ASSERT_OK(status);
  connections++;
  ASSERT_OK(uv_pipe_init(&loop, &taken, 0));
  ASSERT_OK(uv_accept(one, (uv_stream_t*) &taken));
}

TEST_IMPL(pipes_are_connected_when_they_can_be_watched) {
  begin();
  ASSERT_OK(uv_pipe_init(&loop, &a, 0));
  ASSERT_OK(uv_pipe_init(&loop, &b, 0));
  ASSERT_OK(uv_pipe_bind(&a, test_path("socket")));
  while_refused(NO_MEMORY, connect_pipe_in_vain);
  ASSERT_OK(uv_listen((uv_stream_t*) &a, 8, on_pipe_connection));
  run_until(&loop, &calls, 1);
  ASSERT_OK(connect_status);
  run_until(&loop, &connections, 1);
  end();
}

/* --- Poll handles -------------------------------------------------------------------------- */

static uv_poll_t poller;
static int status;
static int events;

static void on_poll(uv_poll_t* one, int new_status, int new_events) {
  status = new_status;
  events = new_events;
  calls++;
}

static void never_polled(uv_poll_t* one, int new_status, int new_events) {
  FAIL("polled: %d %d", new_status, new_events);
}

static void poll_in_vain(void) {
  ASSERT_OK(uv_poll_start(&poller, UV_READABLE | UV_DISCONNECT, never_polled));
  run_for_a_while();
  ASSERT_NE(uv_is_active((uv_handle_t*) &poller), 0);
  ASSERT_OK(uv_poll_start(&poller, UV_READABLE | UV_DISCONNECT, on_poll));
}

static void init_poll(void) {
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(uv_poll_init(&loop, &poller, pair[0]));
}

static void end_poll(void) {
  close_loop(&loop);
  close(pair[0]);
  close(pair[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_poll_handle_is_not_stopped) {
  begin();
  init_poll();
  while_refused(NO_ROOM, poll_in_vain);
  run_for_a_while();
  ASSERT_EQ(calls, 0);
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  run_until(&loop, &calls, 1);
  ASSERT_OK(status);
  ASSERT_EQ(events, UV_READABLE);
  end_poll();
}

static void ask_otherwise(void) {
  ASSERT_OK(uv_poll_start(&poller, UV_DISCONNECT, never_polled));
  run_for_a_while();
  ASSERT_OK(uv_poll_start(&poller, UV_DISCONNECT, on_poll));
}

/* Interest in reading was there once, and is not any more, but the poller refuses the change. */
TEST_IMPL(an_old_interest_keeps_no_loop_busy) {
  struct refusal change = {EPOLL_CTL_MOD, -1, ENOMEM};
  begin();
  init_poll();
  ASSERT_OK(uv_poll_start(&poller, UV_READABLE, on_poll));
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  run_until(&loop, &calls, 1);
  change.fd = pair[0];
  while_refused(change, ask_otherwise);
  calls = 0;
  ASSERT_OK(shutdown(pair[1], SHUT_WR));
  run_until(&loop, &calls, 1);
  ASSERT_OK(status);
  ASSERT_EQ(events, UV_DISCONNECT);
  end_poll();
}

static int init_result;

static void init_in_vain(void) {
  init_result = uv_poll_init(&loop, &poller, pair[0]);
}

TEST_IMPL(a_poll_handle_cannot_be_made) {
  begin();
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  while_refused(NO_MEMORY, init_in_vain);
  ASSERT_EQ(init_result, UV_ENOMEM);
  while_refused(NO_ROOM, init_in_vain);
  ASSERT_EQ(init_result, UV_ENOSPC);
  ASSERT_OK(uv_poll_init(&loop, &poller, pair[0]));
  end_poll();
}

/* A file where the socket was: refused for good, and reported as that. */
TEST_IMPL(a_poll_handle_gets_what_is_final) {
  const char* path = test_path("file");
  int file;
  begin();
  init_poll();
  write_file(path, "x", 1);
  ASSERT_OK(uv_poll_start(&poller, UV_READABLE, on_poll));
  file = open(path, O_RDONLY);
  ASSERT_EQ(dup2(file, pair[0]), pair[0]);
  close(file);
  run_until(&loop, &calls, 1);
  ASSERT_EQ(status, UV_EPERM);
  ASSERT_EQ(events, 0);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &poller), 0);
  run_for_a_while();
  ASSERT_EQ(calls, 1);
  end_poll();
}

/* --- The other watchers -------------------------------------------------------------------- */

static uv_udp_t udp;

static void on_datagram(uv_udp_t* one, ssize_t count, const uv_buf_t* buf,
                        const struct sockaddr* address, unsigned flags) {
  if (address == NULL) return;
  last_read = count;
  calls++;
}

static void never_datagram(uv_udp_t* one, ssize_t count, const uv_buf_t* buf,
                           const struct sockaddr* address, unsigned flags) {
  FAIL("received %zd", count);
}

static void receive_in_vain(void) {
  ASSERT_OK(uv_udp_recv_start(&udp, never_alloc, never_datagram));
  run_for_a_while();
  ASSERT_OK(uv_udp_recv_stop(&udp));
  ASSERT_OK(uv_udp_recv_start(&udp, alloc, on_datagram));
}

TEST_IMPL(datagrams_come_when_they_can_be_watched) {
  struct sockaddr_in address = loopback(0);
  int size = sizeof(address);
  uv_buf_t buf = uv_buf_init("xyz", 3);
  begin();
  ASSERT_OK(uv_udp_init(&loop, &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &address, &size));
  while_refused(NO_MEMORY, receive_in_vain);
  ASSERT_EQ(uv_udp_try_send(&udp, &buf, 1, (struct sockaddr*) &address), 3);
  run_until(&loop, &calls, 1);
  ASSERT_EQ(last_read, 3);
  end();
}

static uv_signal_t signal_handle;

static void on_signal(uv_signal_t* one, int signum) {
  ASSERT_EQ(signum, SIGUSR1);
  calls++;
}

static void raise_while_refused(void) {
  ASSERT_OK(uv_signal_init(&loop, &signal_handle));
  ASSERT_OK(uv_signal_start(&signal_handle, on_signal, SIGUSR1));
  raise(SIGUSR1);
  run_for_a_while();
}

TEST_IMPL(signals_are_not_lost) {
  begin();
  while_refused(NO_MEMORY, raise_while_refused);
  run_until(&loop, &calls, 1);
  raise(SIGUSR1);
  run_until(&loop, &calls, 2);
  ASSERT_EQ(calls, 2);
  end();
}

static void receive_while_refused(void) {
  struct sockaddr_in address = loopback(0);
  int size = sizeof(address);
  uv_buf_t buf = uv_buf_init("xyz", 3);
  receive_in_vain();
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &address, &size));
  ASSERT_EQ(uv_udp_try_send(&udp, &buf, 1, (struct sockaddr*) &address), 3);
  run_until(&loop, &calls, 1);
  ASSERT_EQ(last_read, 3);
  run_for_a_while();
}

TEST_IMPL(datagrams_come_where_watching_is_not_permitted) {
  struct sockaddr_in address = loopback(0);
  begin();
  ASSERT_OK(uv_udp_init(&loop, &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  while_refused(NOT_PERMITTED, receive_while_refused);
  end();
}

static void be_reported_while_refused(void) {
  raise_while_refused();
  run_until(&loop, &calls, 1);
  run_for_a_while();
  ASSERT_EQ(calls, 1);
}

TEST_IMPL(signals_come_where_watching_is_not_permitted) {
  begin();
  while_refused(NOT_PERMITTED, be_reported_while_refused);
  end();
}

/* Some programs close whatever they do not know. */
TEST_IMPL(a_loop_whose_own_descriptors_are_closed_does_not_run_busily) {
  int* fds[2];
  int i;
  begin();
  fds[0] = &loop.async_io_watcher.fd;
  fds[1] = &loop.signal_io_watcher.fd;
  ASSERT_OK(uv_signal_init(&loop, &signal_handle));
  ASSERT_OK(uv_signal_start(&signal_handle, on_signal, SIGUSR1));
  for (i = 0; i < 2; i++) ASSERT_OK(close(*fds[i]));
  run_for_a_while();
  for (i = 0; i < 2; i++) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd == *fds[i]) continue;
    ASSERT_EQ(dup3(fd, *fds[i], O_CLOEXEC), *fds[i]);
    ASSERT_OK(close(fd));
  }
  raise(SIGUSR1);
  run_until(&loop, &calls, 1);
  end();
}

static uv_async_t async;

static void on_async(uv_async_t* one) {
  calls++;
}

static void send_from_thread(void* argument) {
  ASSERT_OK(uv_async_send(&async));
}

/* Messages are delivered without a descriptor: it is needed only to end a wait. */
static void send_while_refused(void) {
  uv_thread_t thread;
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_thread_create(&thread, send_from_thread, NULL));
  run_until(&loop, &calls, 1);
  ASSERT_OK(uv_thread_join(&thread));
}

TEST_IMPL(sent_handles_are_called) {
  begin();
  while_refused(NO_MEMORY, send_while_refused);
  ASSERT_OK(uv_async_send(&async));
  run_until(&loop, &calls, 2);
  end();
}

static uv_fs_event_t watcher;

static void on_change(uv_fs_event_t* one, const char* name, int new_events, int new_status) {
  ASSERT_OK(new_status);
  calls++;
}

static void change_while_refused(void) {
  ASSERT_OK(uv_fs_event_init(&loop, &watcher));
  ASSERT_OK(uv_fs_event_start(&watcher, on_change, test_tmpdir(), 0));
  write_file(test_path("file"), "x", 1);
  run_for_a_while();
  ASSERT_EQ(calls, 0);
}

TEST_IMPL(changes_of_files_are_not_lost) {
  begin();
  while_refused(NO_ROOM, change_while_refused);
  run_until(&loop, &calls, 1);
  end();
}

static void get_changes_while_refused(void) {
  ASSERT_OK(uv_fs_event_init(&loop, &watcher));
  ASSERT_OK(uv_fs_event_start(&watcher, on_change, test_tmpdir(), 0));
  run_for_a_while();
  ASSERT_EQ(calls, 0);
  write_file(test_path("file"), "x", 1);
  run_until(&loop, &calls, 1);
}

TEST_IMPL(changes_of_files_are_reported_where_watching_is_not_permitted) {
  begin();
  while_refused(NOT_PERMITTED, get_changes_while_refused);
  end();
}

static int done;

static void on_work(uv_work_t* one) {
}

static void after_work(uv_work_t* one, int new_status) {
  ASSERT_OK(new_status);
  done++;
}

static void work_while_refused(void) {
  static uv_work_t work;
  ASSERT_OK(uv_queue_work(&loop, &work, on_work, after_work));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(done, 1);
}

TEST_IMPL(work_is_done) {
  begin();
  while_refused(NO_MEMORY, work_while_refused);
  end();
}

/* --- Ways to run a loop -------------------------------------------------------------------- */

/* A loop that is run once waits for something to happen, however often it tries meanwhile. */
static void run_once_while_refused(void) {
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, never_alloc, never_read));
  uv_update_time(&loop);
  ASSERT_OK(uv_timer_start(&timer, on_time, 40, 0));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &timer), 0);
}

TEST_IMPL(a_single_iteration_lasts_until_something_happens) {
  begin();
  open_pair();
  while_refused(NO_MEMORY, run_once_while_refused);
  close(pair[1]);
  end();
}

/* As another event loop does it: waits for the descriptor, as long as it may, and runs this one. */
static int embed(uint64_t milliseconds, int until_calls) {
  uint64_t deadline = uv_hrtime() + milliseconds * 1000000;
  int turns;
  for (turns = 0; uv_hrtime() < deadline && calls < until_calls; turns++) {
    struct pollfd backend = {uv_backend_fd(&loop), POLLIN, 0};
    int timeout = uv_backend_timeout(&loop);
    ASSERT_GE(timeout, -1);
    poll(&backend, 1, timeout < 0 || timeout > 1000 ? 1000 : timeout);
    ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  }
  return turns;
}

static void embed_while_refused(void) {
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, alloc, on_read));
  ASSERT_LT(embed(40, 1), 40);
  ASSERT_EQ(calls, 0);
  ASSERT_GE(uv_backend_timeout(&loop), 0);
  ASSERT_LE(uv_backend_timeout(&loop), 100);
}

TEST_IMPL(an_embedded_loop_says_when_to_try_again) {
  begin();
  open_pair();
  while_refused(NO_MEMORY, embed_while_refused);
  ASSERT_EQ(write(pair[1], "xyz", 3), 3);
  embed(20000, 1);
  ASSERT_EQ(last_read, 3);
  ASSERT_EQ(uv_backend_timeout(&loop), -1);
  close(pair[1]);
  end();
}

/* Nothing that keeps the loop alive: it ends at once. */
static void end_while_refused(void) {
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, never_alloc, never_read));
  uv_unref((uv_handle_t*) &a);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
}

TEST_IMPL(what_cannot_be_watched_keeps_no_loop_alive) {
  begin();
  open_pair();
  while_refused(NO_MEMORY, end_while_refused);
  close(pair[1]);
  end();
}

static int loop_result;

static void make_loop_while_refused(void) {
  uv_loop_t other;
  loop_result = uv_loop_init(&other);
  if (loop_result == 0) ASSERT_OK(uv_loop_close(&other));
}

/* A poller that needs a registration of its own may be refused. */
TEST_IMPL(a_loop_is_made_or_not) {
  begin();
  while_refused(NO_MEMORY, make_loop_while_refused);
  ASSERT(loop_result == 0 || loop_result == UV_ENOMEM);
  end();
}

static void fork_loop_while_refused(void) {
  loop_result = uv_loop_fork(&loop);
  if (loop_result == 0) {
    ASSERT_EQ(write(pair[1], "xyz", 3), 3);
    run_for_a_while();
    ASSERT_EQ(calls, 0);
  }
}

static void use_loop_in_child(void) {
  while_refused(NO_MEMORY, fork_loop_while_refused);
  if (loop_result != 0) {
    ASSERT_EQ(loop_result, UV_ENOMEM);
    ASSERT_OK(uv_loop_fork(&loop));
    ASSERT_EQ(write(pair[1], "xyz", 3), 3);
  }
  run_until(&loop, &calls, 1);
  ASSERT_EQ(last_read, 3);
  close_loop(&loop);
}

TEST_IMPL(a_forked_loop_watches_when_it_can) {
  NOT_WITH_THREAD_SANITIZER("does not let a child that was forked have threads");
  begin();
  open_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &a, alloc, on_read));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  run_in_child(use_loop_in_child);
  close(pair[1]);
  end();
}
