/* Programs that fork in a callback, of whatever kind, and go on in the child.
 * https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_fork */
#include "refuse.h"

#include <netdb.h>
#include <netinet/in.h>

static uv_loop_t loop;
static uv_tcp_t server;
static uv_tcp_t client;
static uv_connect_t connect_req;
static uv_write_t write_req;
static uv_shutdown_t shutdown_req;
static struct sockaddr_in address;

static int is_child;
static int forks;
static int seen;
static int needed = 2;
static int watched[2];
static uv_pipe_t watch;
static uv_timer_t timer;

/* The child goes on within the callback, and must still get what happens. */
static void fork_here(void) {
  pid_t pid;
  if (forks++ > 0) return;
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid > 0) {
    /* The child gets what happens in the child. */
    wait_for_child(pid);
    return;
  }
  alarm(20);
  is_child = 1;
  ASSERT_OK(uv_loop_fork(&loop));
  ASSERT_EQ(write(watched[1], "x", 1), 1);
}

static void leave_if_all_seen(void) {
  if (is_child && ++seen == needed) {
    fflush(stdout);
    _exit(0);
  }
}

static void on_watched(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count == 0) return;
  ASSERT(is_child);
  ASSERT_EQ(count, 1);
  leave_if_all_seen();
}

static void on_timer(uv_timer_t* handle) {
  if (!is_child) return;
  uv_timer_stop(handle);
  leave_if_all_seen();
}

static void begin_forking(void) {
  NOT_WITH_THREAD_SANITIZER("starts no threads in a fork of a process that has several");
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, watched, UV_NONBLOCK_PIPE, 0));
  ASSERT_OK(uv_pipe_init(&loop, &watch, 0));
  ASSERT_OK(uv_pipe_open(&watch, watched[0]));
  ASSERT_OK(uv_read_start((uv_stream_t*) &watch, alloc_static, on_watched));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 1, 1));
}

static void expect_fork(void) {
  run_until(&loop, &forks, 1);
  /* The parent's loop goes on as well; in the child, this ends the process. */
  while (is_child) uv_run(&loop, UV_RUN_ONCE);
  close(watched[1]);
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_pipe_t ends[2];

static void open_pair(void) {
  int fds[2];
  int i;
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  for (i = 0; i < 2; i++) {
    ASSERT_OK(uv_pipe_init(&loop, &ends[i], 0));
    ASSERT_OK(uv_pipe_open(&ends[i], fds[i]));
  }
}

static void fork_when_asked(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  alloc_static(handle, suggested, buf);
  fork_here();
}

static void ignore_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {}

static void fork_on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  fork_here();
}

static void fork_on_write(uv_write_t* req, int status) {
  ASSERT_OK(status);
  fork_here();
}

static void fork_on_shutdown(uv_shutdown_t* req, int status) {
  ASSERT_OK(status);
  fork_here();
}

static void write_to_pair(uv_write_cb callback) {
  uv_buf_t buf = uv_buf_init((char*) "data", 4);
  ASSERT_OK(uv_write(&write_req, (uv_stream_t*) &ends[1], &buf, 1, callback));
}

TEST_IMPL(forking_when_asked_for_a_buffer) {
  begin_forking();
  open_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &ends[0], fork_when_asked, ignore_read));
  write_to_pair(NULL);
  expect_fork();
}

TEST_IMPL(forking_in_a_read_callback) {
  begin_forking();
  open_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &ends[0], alloc_static, fork_on_read));
  write_to_pair(NULL);
  expect_fork();
}

TEST_IMPL(forking_in_a_write_callback) {
  begin_forking();
  open_pair();
  write_to_pair(fork_on_write);
  expect_fork();
}

TEST_IMPL(forking_in_a_shutdown_callback) {
  begin_forking();
  open_pair();
  ASSERT_OK(uv_shutdown(&shutdown_req, (uv_stream_t*) &ends[0], fork_on_shutdown));
  expect_fork();
}

static void fork_on_connect(uv_connect_t* req, int status) {
  ASSERT_OK(status);
  fork_here();
}

static void ignore_connection(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
}

static void fork_on_connection(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
  fork_here();
}

static void connect_to_server(uv_connection_cb on_server, uv_connect_cb on_client) {
  address = loopback(0);
  ASSERT_OK(uv_tcp_init(&loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_server));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(&loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_client));
}

TEST_IMPL(forking_in_a_connect_callback) {
  begin_forking();
  connect_to_server(ignore_connection, fork_on_connect);
  expect_fork();
}

TEST_IMPL(forking_in_a_connection_callback) {
  begin_forking();
  connect_to_server(fork_on_connection, NULL);
  expect_fork();
}

static uv_udp_t udp;

static void fork_on_datagram(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                             const struct sockaddr* from, unsigned flags) {
  ASSERT_GE(size, 0);
  fork_here();
}

static void fork_on_send(uv_udp_send_t* req, int status) {
  ASSERT_OK(status);
  fork_here();
}

static void give_chunks(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  static char memory[4 * 65536];
  *buf = uv_buf_init(memory, sizeof(memory));
}

static void fork_among_datagrams(unsigned flags) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  int length = sizeof(address);
  int i;
  begin_forking();
  address = loopback(0);
  ASSERT_OK(uv_udp_init_ex(&loop, &udp, flags));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_udp_recv_start(&udp, give_chunks, fork_on_datagram));
  for (i = 0; i < 3; i++)
    ASSERT_EQ(uv_udp_try_send(&udp, &buf, 1, (struct sockaddr*) &address), 1);
  expect_fork();
}

TEST_IMPL(forking_among_datagrams) {
  fork_among_datagrams(0);
}

TEST_IMPL(forking_among_chunks) {
  fork_among_datagrams(UV_UDP_RECVMMSG);
}

TEST_IMPL(forking_in_a_send_callback) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_udp_send_t reqs[3];
  int i;
  begin_forking();
  address = loopback(9);
  ASSERT_OK(uv_udp_init(&loop, &udp));
  for (i = 0; i < 3; i++)
    ASSERT_OK(uv_udp_send(&reqs[i], &udp, &buf, 1, (struct sockaddr*) &address, fork_on_send));
  expect_fork();
}

static void fork_on_timer(uv_timer_t* handle) {
  fork_here();
}

TEST_IMPL(forking_in_a_timer_callback) {
  uv_timer_t other;
  begin_forking();
  ASSERT_OK(uv_timer_init(&loop, &other));
  ASSERT_OK(uv_timer_start(&other, fork_on_timer, 1, 0));
  expect_fork();
}

static void fork_on_poll(uv_poll_t* handle, int status, int events) {
  ASSERT_OK(status);
  ASSERT_OK(uv_poll_stop(handle));
  fork_here();
}

TEST_IMPL(forking_in_a_poll_callback) {
  uv_poll_t poll_handle;
  begin_forking();
  ASSERT_OK(uv_poll_init(&loop, &poll_handle, watched[1]));
  ASSERT_OK(uv_poll_start(&poll_handle, UV_WRITABLE, fork_on_poll));
  expect_fork();
}

static uv_async_t asyncs[3];

static void fork_on_async(uv_async_t* handle) {
  fork_here();
  /* Those that the parent has not reported yet are as new in the child. */
  if (is_child && handle == &asyncs[0]) ASSERT_OK(uv_async_send(&asyncs[1]));
}

TEST_IMPL(forking_in_an_async_callback) {
  int i;
  begin_forking();
  for (i = 0; i < 3; i++) ASSERT_OK(uv_async_init(&loop, &asyncs[i], fork_on_async));
  for (i = 0; i < 3; i++) ASSERT_OK(uv_async_send(&asyncs[i]));
  expect_fork();
}

static void fork_on_signal(uv_signal_t* handle, int signum) {
  fork_here();
}

TEST_IMPL(forking_in_a_signal_callback) {
  uv_signal_t signals[2];
  int i;
  begin_forking();
  for (i = 0; i < 2; i++) {
    ASSERT_OK(uv_signal_init(&loop, &signals[i]));
    ASSERT_OK(uv_signal_start(&signals[i], fork_on_signal, SIGUSR1));
  }
  ASSERT_OK(raise(SIGUSR1));
  expect_fork();
}

static void fork_on_prepare(uv_prepare_t* handle) {
  fork_here();
}

static void fork_on_check(uv_check_t* handle) {
  fork_here();
}

static void fork_on_idle(uv_idle_t* handle) {
  fork_here();
}

TEST_IMPL(forking_in_a_prepare_callback) {
  uv_prepare_t prepare;
  begin_forking();
  ASSERT_OK(uv_prepare_init(&loop, &prepare));
  ASSERT_OK(uv_prepare_start(&prepare, fork_on_prepare));
  expect_fork();
}

TEST_IMPL(forking_in_a_check_callback) {
  uv_check_t check;
  begin_forking();
  ASSERT_OK(uv_check_init(&loop, &check));
  ASSERT_OK(uv_check_start(&check, fork_on_check));
  expect_fork();
}

TEST_IMPL(forking_in_an_idle_callback) {
  uv_idle_t idle;
  begin_forking();
  ASSERT_OK(uv_idle_init(&loop, &idle));
  ASSERT_OK(uv_idle_start(&idle, fork_on_idle));
  expect_fork();
}

static void fork_on_close(uv_handle_t* handle) {
  fork_here();
}

TEST_IMPL(forking_in_a_close_callback) {
  uv_idle_t idle[2];
  int i;
  begin_forking();
  for (i = 0; i < 2; i++) {
    ASSERT_OK(uv_idle_init(&loop, &idle[i]));
    uv_close((uv_handle_t*) &idle[i], fork_on_close);
  }
  expect_fork();
}

static void fork_on_fs(uv_fs_t* req) {
  ASSERT_OK(req->result);
  uv_fs_req_cleanup(req);
  fork_here();
}

TEST_IMPL(forking_in_the_callback_of_a_file_operation) {
  uv_fs_t reqs[2];
  int i;
  begin_forking();
  for (i = 0; i < 2; i++) ASSERT_OK(uv_fs_stat(&loop, &reqs[i], "/", fork_on_fs));
  expect_fork();
}

static void do_nothing(uv_work_t* req) {}

static void fork_after_work(uv_work_t* req, int status) {
  ASSERT_OK(status);
  fork_here();
}

TEST_IMPL(forking_after_work) {
  uv_work_t reqs[2];
  int i;
  begin_forking();
  for (i = 0; i < 2; i++)
    ASSERT_OK(uv_queue_work(&loop, &reqs[i], do_nothing, fork_after_work));
  expect_fork();
}

static void fork_on_address(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  ASSERT_OK(status);
  uv_freeaddrinfo(list);
  fork_here();
}

TEST_IMPL(forking_in_the_callback_of_a_name_lookup) {
  uv_getaddrinfo_t reqs[2];
  int i;
  begin_forking();
  for (i = 0; i < 2; i++)
    ASSERT_OK(uv_getaddrinfo(&loop, &reqs[i], fork_on_address, "127.0.0.1", "80", NULL));
  expect_fork();
}

static void fork_on_random(uv_random_t* req, int status, void* buf, size_t size) {
  ASSERT_OK(status);
  fork_here();
}

TEST_IMPL(forking_in_the_callback_of_random_bytes) {
  uv_random_t req;
  char bytes[8];
  begin_forking();
  ASSERT_OK(uv_random(&loop, &req, bytes, sizeof(bytes), 0, fork_on_random));
  expect_fork();
}

static void fork_on_path(uv_fs_poll_t* handle, int status, const uv_stat_t* before,
                         const uv_stat_t* now) {
  ASSERT_EQ(status, UV_ENOENT);
  fork_here();
}

TEST_IMPL(forking_in_the_callback_of_a_watched_path) {
  uv_fs_poll_t fs_poll;
  begin_forking();
  ASSERT_OK(uv_fs_poll_init(&loop, &fs_poll));
  ASSERT_OK(uv_fs_poll_start(&fs_poll, fork_on_path, test_path("nothing"), 1));
  expect_fork();
}

static void fork_on_exit(uv_process_t* handle, int64_t status, int signum) {
  ASSERT_EQ(status, 0);
  fork_here();
}

HELPER_IMPL(end_at_once) {}

TEST_IMPL(forking_in_an_exit_callback) {
  char* args[] = {"/proc/self/exe", "end_at_once", NULL};
  uv_process_options_t options = {.exit_cb = fork_on_exit, .args = args};
  uv_process_t processes[2];
  char program[512];
  ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
  int i;
  ASSERT_GT(length, 0);
  program[length] = '\0';
  options.file = program;
  begin_forking();
  for (i = 0; i < 2; i++) ASSERT_OK(uv_spawn(&loop, &processes[i], &options));
  expect_fork();
}

static void on_async_after_walk(uv_async_t* handle) {
  leave_if_all_seen();
}

static void on_signal_after_walk(uv_signal_t* handle, int signum) {
  leave_if_all_seen();
}

static void fork_on_walk(uv_handle_t* handle, void* arg) {
  fork_here();
}

/* Handles that the walk has not come to are found by the fork. */
TEST_IMPL(forking_in_a_walk) {
  uv_signal_t signal_handle;
  uv_async_t async;
  OXUV_ONLY(); /* libuv does not find them. */
  begin_forking();
  ASSERT_OK(uv_timer_stop(&timer));
  needed = 3;
  ASSERT_OK(uv_async_init(&loop, &async, on_async_after_walk));
  ASSERT_OK(uv_signal_init(&loop, &signal_handle));
  ASSERT_OK(uv_signal_start(&signal_handle, on_signal_after_walk, SIGUSR1));
  /* What was sent to the parent is no obstacle for the child. */
  ASSERT_OK(uv_async_send(&async));
  uv_walk(&loop, fork_on_walk, NULL);
  if (is_child) {
    ASSERT_OK(uv_async_send(&async));
    ASSERT_OK(raise(SIGUSR1));
  }
  expect_fork();
}

/* Events that were read before the fork are the parent's, whose watches had other numbers. */
static uv_fs_event_t watchers[2];
static int reported[2];

static void fork_on_change(uv_fs_event_t* handle, const char* name, int events, int status) {
  ASSERT_OK(status);
  if (is_child) FAIL("got the parent's event: %s", name);
  reported[handle - watchers]++;
  fork_here();
}

TEST_IMPL(forking_in_a_file_event_callback) {
  char paths[2][512];
  int i;
  OXUV_ONLY(); /* libuv takes the event for one of another path. */
  begin_forking();
  for (i = 0; i < 2; i++) {
    snprintf(paths[i], sizeof(paths[i]), "%s/%d", test_tmpdir(), i);
    ASSERT_OK(mkdir(paths[i], 0700));
    ASSERT_OK(uv_fs_event_init(&loop, &watchers[i]));
  }
  /* In the child they are started in the order of their making. */
  for (i = 1; i >= 0; i--)
    ASSERT_OK(uv_fs_event_start(&watchers[i], fork_on_change, paths[i], 0));
  for (i = 1; i >= 0; i--) {
    strcat(paths[i], "/new");
    ASSERT_OK(mkdir(paths[i], 0700));
  }
  expect_fork();
  ASSERT_EQ(reported[0], 1);
  ASSERT_EQ(reported[1], 1);
}

/* --- A loop that the child has no use for -------------------------------------------------- */

static uv_signal_t signal_handle;
static uv_fs_event_t file_events;
static uv_work_t work_req;
static int calls;

static void on_signal(uv_signal_t* handle, int signum) {
  calls++;
  uv_close((uv_handle_t*) handle, NULL);
}

static void on_file_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  calls++;
  uv_close((uv_handle_t*) handle, NULL);
}

static void count_call(uv_work_t* req, int status) {
  calls++;
}

/* With all that a loop keeps for itself. */
static void see_signal_file_and_work(void) {
  calls = 0;
  ASSERT_OK(uv_signal_init(&loop, &signal_handle));
  ASSERT_OK(uv_signal_start(&signal_handle, on_signal, SIGUSR1));
  ASSERT_OK(raise(SIGUSR1));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 1);
  ASSERT_OK(uv_fs_event_init(&loop, &file_events));
  ASSERT_OK(uv_fs_event_start(&file_events, on_file_event, test_tmpdir(), 0));
  write_file(test_path("seen"), "", 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 2);
  ASSERT_OK(uv_queue_work(&loop, &work_req, do_nothing, count_call));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 3);
}

TEST_IMPL(closing_the_loop_in_a_child_leaves_the_parents_alone) {
  pid_t pid;
  ASSERT_OK(uv_loop_init(&loop));
  see_signal_file_and_work();
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_close(&loop));
    _exit(0);
  }
  wait_for_child(pid);
  see_signal_file_and_work();
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}
