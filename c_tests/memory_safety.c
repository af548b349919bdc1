/* Mistakes with memory and descriptors that libuv made once, none of which got a number. See
 * docs/guards.md. */
#include "guards.h"

#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>

/* --- uv_async_send against the end of the loop ------------------------------------------- */

struct short_life {
  uv_loop_t loop;
  uv_async_t async;
};

static void close_async(uv_async_t* async) {
  uv_close((uv_handle_t*) async, NULL);
}

static void* send_once(void* arg) {
  ASSERT_OK(uv_async_send(arg));
  return NULL;
}

/* The only send brings the callback, which closes the handle; the loop ends, and its memory goes,
 * while the sender may not have returned from uv_async_send yet. */
TEST_IMPL(a_send_is_over_before_the_loop_is_gone) {
  int round;
  for (round = 0; round < 300; round++) {
    struct short_life* life = guarded(sizeof(*life));
    pthread_t thread;
    ASSERT_OK(uv_loop_init(&life->loop));
    ASSERT_OK(uv_async_init(&life->loop, &life->async, close_async));
    ASSERT_OK(pthread_create(&thread, NULL, send_once, &life->async));
    ASSERT_OK(uv_run(&life->loop, UV_RUN_DEFAULT));
    ASSERT_OK(uv_loop_close(&life->loop));
    release(life, sizeof(*life));
    ASSERT_OK(pthread_join(thread, NULL));
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Closing and stopping inside callbacks, with more to come ---------------------------- */

static uv_pipe_t client;
static uv_pipe_t other_end;
static uv_write_t write_req;
static int reads, writes, closes;
static ssize_t last_read;

static void on_close(uv_handle_t* handle) {
  note("close");
  closes++;
  /* Garbage from here on. */
  memset(handle, 0xdb, sizeof(uv_pipe_t));
}

static void on_write(uv_write_t* req, int status) {
  note("write:%s", status == 0 ? "0" : uv_err_name(status));
  writes++;
}

static void close_reader(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  note("read:%s", count < 0 ? uv_err_name((int) count) : "data");
  reads++;
  uv_close((uv_handle_t*) stream, on_close);
}

static void stop_reader(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  note("read:%s", count < 0 ? uv_err_name((int) count) : "data");
  reads++;
  last_read = count;
  ASSERT_OK(uv_read_stop(stream));
}

static void make_pair(void) {
  int fds[2];
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &other_end, 0));
  ASSERT_OK(uv_pipe_open(&client, fds[0]));
  ASSERT_OK(uv_pipe_open(&other_end, fds[1]));
}

static int fd_of(uv_pipe_t* handle) {
  uv_os_fd_t fd;
  ASSERT_OK(uv_fileno((uv_handle_t*) handle, &fd));
  return fd;
}

/* A write that waits for room. */
static void start_large_write(void) {
  static char data[4 << 20];
  uv_buf_t buf = uv_buf_init(data, sizeof(data));
  ASSERT_OK(uv_write(&write_req, (uv_stream_t*) &client, &buf, 1, on_write));
  ASSERT_GT(client.write_queue_size, 0);
}

/* Reads what the other end has, so that the client becomes writable as well. */
static void make_room(void) {
  static char data[1 << 20];
  while (read(fd_of(&other_end), data, sizeof(data)) > 0) continue;
}

TEST_IMPL(a_stream_closed_while_reading_is_not_written_to) {
  make_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &client, alloc_static, close_reader));
  start_large_write();
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_NOWAIT), 1);
  ASSERT_EQ(write(fd_of(&other_end), "x", 1), 1);
  make_room();
  run_until(uv_default_loop(), &closes, 1);
  ASSERT_NOTES("read:data write:ECANCELED close");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_stream_closed_in_an_error_callback_is_not_written_to) {
  make_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &client, alloc_static, close_reader));
  start_large_write();
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_NOWAIT), 1);
  /* Unread data makes the end of the other side a reset. */
  uv_close((uv_handle_t*) &other_end, NULL);
  run_until(uv_default_loop(), &closes, 1);
  ASSERT_NOTES("read:ECONNRESET write:ECANCELED close");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_stream_stopped_while_reading_goes_on_writing) {
  make_pair();
  ASSERT_OK(uv_read_start((uv_stream_t*) &client, alloc_static, stop_reader));
  start_large_write();
  ASSERT_EQ(write(fd_of(&other_end), "xy", 2), 2);
  while (writes == 0) {
    make_room();
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  }
  ASSERT_NOTES("read:data write:0");
  ASSERT_EQ(last_read, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- What fails is not left behind ------------------------------------------------------- */

static void count_handle(uv_handle_t* handle, void* arg) {
  ++*(int*) arg;
}

static int handles_on(uv_loop_t* loop) {
  int count = 0;
  uv_walk(loop, count_handle, &count);
  return count;
}

/* A handle whose start failed is in no list: its memory may go after its close. */
TEST_IMPL(a_failed_spawn_leaves_nothing_linked) {
  char* args[] = {"/nonexistent/program", NULL};
  uv_process_options_t options = {0};
  int before = fd_count();
  int i;

  options.file = args[0];
  options.args = args;
  OXUV_ONLY();
  for (i = 0; i < 50; i++) {
    uv_process_t* process = guarded(sizeof(*process));
    ASSERT_EQ(uv_spawn(uv_default_loop(), process, &options), UV_ENOENT);
    ASSERT_EQ(handles_on(uv_default_loop()), 0);
    ASSERT(!uv_loop_alive(uv_default_loop()));
    release(process, sizeof(*process));
  }
  /* What the loop keeps for signals is made once. */
  ASSERT_LE(fd_count(), before + 10);
  ASSERT_EQ(waitpid(-1, NULL, WNOHANG), -1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_init_that_fails_leaves_nothing_linked) {
  uv_poll_t* poll_handle = guarded(sizeof(*poll_handle));
  uv_tcp_t* tcp = guarded(sizeof(*tcp));
  uv_udp_t* udp = guarded(sizeof(*udp));
  uv_tty_t* tty = guarded(sizeof(*tty));

  ASSERT_EQ(uv_poll_init(uv_default_loop(), poll_handle, 987), UV_EBADF);
  ASSERT_EQ(uv_tcp_init_ex(uv_default_loop(), tcp, 255), UV_EINVAL);
  ASSERT_EQ(uv_udp_init_ex(uv_default_loop(), udp, 255), UV_EINVAL);
  ASSERT_LT(uv_tty_init(uv_default_loop(), tty, 987, 1), 0);
  release(poll_handle, sizeof(*poll_handle));
  release(tcp, sizeof(*tcp));
  release(udp, sizeof(*udp));
  release(tty, sizeof(*tty));
  ASSERT_EQ(handles_on(uv_default_loop()), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Numbers of buffers ------------------------------------------------------------------ */

static void never(uv_fs_t* req) {
  FAIL("called");
}

static void never_written(uv_write_t* req, int status) {
  FAIL("called");
}

static void never_sent(uv_udp_send_t* req, int status) {
  FAIL("called");
}

/* A number that is negative as an int is no number of buffers. */
TEST_IMPL(huge_numbers_of_buffers_are_refused) {
  static const unsigned numbers[] = {UINT_MAX, (unsigned) INT_MAX + 1, (unsigned) INT_MIN + 5};
  struct sockaddr_in address = loopback(9);
  uv_buf_t* buf = guarded(sizeof(*buf));
  uv_udp_send_t send_req;
  uv_udp_t udp;
  uv_fs_t req;
  int i;

  OXUV_ONLY();
  *buf = uv_buf_init((char*) "x", 1);
  make_pair();
  ASSERT_OK(uv_udp_init(uv_default_loop(), &udp));
  for (i = 0; i < 3; i++) {
    uv_stream_t* stream = (uv_stream_t*) &client;
    struct sockaddr* to = (struct sockaddr*) &address;
    ASSERT_EQ(uv_write(&write_req, stream, buf, numbers[i], never_written), UV_EINVAL);
    ASSERT_EQ(uv_try_write(stream, buf, numbers[i]), UV_EINVAL);
    ASSERT_EQ(uv_udp_send(&send_req, &udp, buf, numbers[i], to, never_sent), UV_EINVAL);
    ASSERT_EQ(uv_udp_try_send(&udp, buf, numbers[i], to), UV_EINVAL);
    ASSERT_EQ(uv_fs_read(uv_default_loop(), &req, 0, buf, numbers[i], 0, never), UV_EINVAL);
    ASSERT_EQ(uv_fs_write(uv_default_loop(), &req, 1, buf, numbers[i], 0, never), UV_EINVAL);
    ASSERT_EQ(uv_fs_read(NULL, &req, 0, buf, numbers[i], 0, NULL), UV_EINVAL);
    ASSERT_EQ(uv_fs_write(NULL, &req, 1, buf, numbers[i], 0, NULL), UV_EINVAL);
  }
  ASSERT_EQ(client.write_queue_size, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Descriptors that come over a pipe --------------------------------------------------- */

static void on_ipc_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count > 0) reads++;
}

/* Sends `count` descriptors along with one byte. */
static void send_descriptors(int through, int count) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(253 * sizeof(int))];
  } control;
  struct iovec part = {(void*) "x", 1};
  struct msghdr message = {0};
  int fds[253];
  int i;

  for (i = 0; i < count; i++) fds[i] = 2;
  memset(&control, 0, sizeof(control));
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
  ASSERT_EQ(sendmsg(through, &message, 0), 1);
}

/* More than were asked for, or than there is space for: none of them stays open. */
TEST_IMPL(received_descriptors_do_not_leak) {
  static const int counts[] = {1, 2, 8, 63, 64, 65, 100, 253};
  int ipc, i, before;

  /* What the loop opens for itself is no leak. */
  make_pair();
  uv_close((uv_handle_t*) &client, NULL);
  uv_close((uv_handle_t*) &other_end, NULL);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  before = fd_count();
  for (ipc = 0; ipc < 2; ipc++) {
    for (i = 0; i < 8; i++) {
      int fds[2];
      reads = 0;
      ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
      ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, ipc));
      ASSERT_OK(uv_pipe_open(&client, fds[0]));
      ASSERT_OK(uv_read_start((uv_stream_t*) &client, alloc_static, on_ipc_read));
      send_descriptors(fds[1], counts[i]);
      run_until(uv_default_loop(), &reads, 1);
      uv_close((uv_handle_t*) &client, NULL);
      ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
      ASSERT_OK(close(fds[1]));
    }
  }
  ASSERT_EQ(fd_count(), before);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- /proc ------------------------------------------------------------------------------- */

/* The name of a process stands in the middle of its line of numbers, as it is. */
TEST_IMPL(odd_names_of_the_process_do_not_confuse) {
  static const char* const names[] = {"plain",  ") R 1 2 3",  "a b c", "((((", "))))",
                                      ") (x) S", "%s%n\n1 2", "",      "\xff\xfe"};
  size_t expected;
  size_t rss;
  size_t i;

  ASSERT_OK(uv_resident_set_memory(&expected));
  ASSERT_GT(expected, 100 * 1024);
  for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    ASSERT_OK(prctl(PR_SET_NAME, names[i]));
    ASSERT_OK(uv_resident_set_memory(&rss));
    /* It grows a bit, but by no page beyond what these calls touch. */
    ASSERT_GE(rss, expected / 2);
    ASSERT_LE(rss, expected * 2);
  }
}
