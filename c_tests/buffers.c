/* What a program does in the callback that asks it for a buffer: the buffer comes back, and what
 * there is to read stays. https://docs.libuv.org/en/v1.x/stream.html#c.uv_read_start */
#include "task.h"

#include <netinet/in.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static uv_loop_t loop;
static union uv_any_handle memory;
static uv_stream_t* stream = &memory.stream;
static uv_handle_t* handle = &memory.handle;
static int peer;

/* --- Streams of every kind ------------------------------------------------------------------- */

static void open_pipe(int ipc) {
  int fds[2];
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, 0));
  ASSERT_OK(uv_pipe_init(&loop, &memory.pipe, ipc));
  ASSERT_OK(uv_pipe_open(&memory.pipe, fds[0]));
  peer = fds[1];
}

static int open_plain_pipe(void) {
  open_pipe(0);
  return 1;
}

static int open_ipc_pipe(void) {
  open_pipe(1);
  return 1;
}

static int open_tcp_at(const struct sockaddr* address, socklen_t length) {
  struct sockaddr_storage bound;
  int listener = socket(address->sa_family, SOCK_STREAM, 0);
  int fd;
  if (listener < 0 || bind(listener, address, length) != 0) return 0;
  ASSERT_OK(listen(listener, 1));
  length = sizeof(bound);
  ASSERT_OK(getsockname(listener, (struct sockaddr*) &bound, &length));
  peer = socket(address->sa_family, SOCK_STREAM, 0);
  ASSERT_OK(connect(peer, (struct sockaddr*) &bound, length));
  fd = accept(listener, NULL, NULL);
  ASSERT_GE(fd, 0);
  close(listener);
  ASSERT_OK(uv_tcp_init(&loop, &memory.tcp));
  ASSERT_OK(uv_tcp_open(&memory.tcp, fd));
  return 1;
}

static int open_tcp(void) {
  struct sockaddr_in address = loopback(0);
  return open_tcp_at((struct sockaddr*) &address, sizeof(address));
}

static int open_tcp_over_ipv6(void) {
  struct sockaddr_in6 address;
  ASSERT_OK(uv_ip6_addr("::1", 0, &address));
  return open_tcp_at((struct sockaddr*) &address, sizeof(address));
}

static int open_terminal(void) {
  struct termios mode;
  int slave;
  if (openpty(&peer, &slave, NULL, NULL, NULL) != 0) return 0;
  ASSERT_OK(tcgetattr(slave, &mode));
  cfmakeraw(&mode);
  ASSERT_OK(tcsetattr(slave, TCSANOW, &mode));
  ASSERT_OK(uv_tty_init(&loop, &memory.tty, slave, 0));
  close(slave);
  return 1;
}

/* --- Callbacks -------------------------------------------------------------------------------- */

static void (*then)(void);
static size_t room;
static int lent;

static void give(uv_handle_t* h, size_t suggested, uv_buf_t* buf) {
  void (*now)(void) = then;
  ASSERT_PTR_EQ(h, handle);
  note("alloc");
  if (room > 0) {
    *buf = uv_buf_init(malloc(room), (unsigned) room);
    lent++;
  }
  then = NULL;
  if (now != NULL) now();
}

static void report(const char* callback, ssize_t count, const uv_buf_t* buf) {
  if (count < 0) note("%s:%s", callback, uv_err_name((int) count));
  else note("%s:%.*s", callback, (int) count, buf->base);
  if (buf->base != NULL) {
    ASSERT_EQ(buf->len, room);
    free(buf->base);
    lent--;
  }
}

static void on_read(uv_stream_t* s, ssize_t count, const uv_buf_t* buf) {
  ASSERT_PTR_EQ(s, stream);
  report("read", count, buf);
}

static void on_read_by_other(uv_stream_t* s, ssize_t count, const uv_buf_t* buf) {
  ASSERT_PTR_EQ(s, stream);
  report("other", count, buf);
}

static void on_read_then_restart(uv_stream_t* s, ssize_t count, const uv_buf_t* buf) {
  report("read", count, buf);
  ASSERT_OK(uv_read_start(stream, give, on_read_by_other));
}

static void on_read_then_close(uv_stream_t* s, ssize_t count, const uv_buf_t* buf) {
  report("read", count, buf);
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void on_close(uv_handle_t* h) {
  note("close");
  memset(h, 0xdb, sizeof(memory));
}

static void on_write(uv_write_t* req, int status) {
  note("write:%s", status == 0 ? "0" : uv_err_name(status));
}

static void on_shutdown(uv_shutdown_t* req, int status) {
  note("shutdown:%s", status == 0 ? "0" : uv_err_name(status));
}

/* --- What is done while a buffer is asked for -------------------------------------------- */

static void stop(void) {
  ASSERT_OK(uv_read_stop(stream));
  ASSERT(!uv_is_active(handle));
}

static void shut(void) {
  uv_close(handle, on_close);
}

static void restart(void) {
  stop();
  ASSERT_OK(uv_read_start(stream, give, on_read));
}

static void restart_for_another(void) {
  stop();
  ASSERT_OK(uv_read_start(stream, give, on_read_by_other));
}

static void write_and_shut_down(void) {
  static uv_shutdown_t shutdown_req;
  static uv_write_t write_req;
  uv_buf_t buf = uv_buf_init("answer", 6);
  ASSERT_OK(uv_write(&write_req, stream, &buf, 1, on_write));
  ASSERT_OK(uv_shutdown(&shutdown_req, stream, on_shutdown));
}

/* --- Tests ------------------------------------------------------------------------------- */

static void post(const char* text) {
  ASSERT_EQ(write(peer, text, strlen(text)), (ssize_t) strlen(text));
}

/* Until there is something to read, which over TCP and terminals takes a moment. */
static void await_readable(void) {
  fd_set fds;
  uv_os_fd_t fd;
  ASSERT_OK(uv_fileno(handle, &fd));
  FD_ZERO(&fds);
  FD_SET(fd, &fds);
  ASSERT_EQ(select(fd + 1, &fds, NULL, NULL, NULL), 1);
}

static void iterate(void) {
  int i;
  for (i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
}

static void start(void (*what)(void), uv_read_cb callback) {
  then = what;
  ASSERT_OK(uv_read_start(stream, give, callback));
  await_readable();
  iterate();
}

static int waiting(void) {
  uv_os_fd_t fd;
  int count;
  ASSERT_OK(uv_fileno(handle, &fd));
  ASSERT_OK(ioctl(fd, FIONREAD, &count));
  return count;
}

typedef int (*opener)(void);

static void run_on(const opener* open, size_t count, void (*body)(void)) {
  while (count-- > 0) {
    ASSERT_OK(uv_loop_init(&loop));
    room = 64;
    if (open[count]()) {
      body();
      close(peer);
    }
    clear_notes();
    close_loop(&loop);
    ASSERT_EQ(lent, 0);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

static const opener all_kinds[] = {open_plain_pipe, open_ipc_pipe, open_tcp, open_tcp_over_ipv6,
                                   open_terminal};

static void on_each_kind(void (*body)(void)) {
  run_on(all_kinds, 5, body);
}

static void on_each_socket(void (*body)(void)) {
  run_on(all_kinds, 4, body);
}

static void stop_and_start(void) {
  post("hello");
  start(stop, on_read);
  ASSERT_NOTES("alloc read:");
  ASSERT_EQ(waiting(), 5);
  ASSERT(!uv_is_active(handle));
  ASSERT(!uv_loop_alive(&loop));
  start(NULL, on_read_by_other);
  ASSERT_NOTES("alloc other:hello");
}

TEST_IMPL(stopping_when_asked_gives_the_buffer_back_and_reads_nothing) {
  OXUV_ONLY(); /* libuv calls a null pointer. */
  on_each_kind(stop_and_start);
}

static void stop_before_the_end(void) {
  ASSERT_OK(shutdown(peer, SHUT_WR));
  start(stop, on_read);
  ASSERT_NOTES("alloc read:");
  start(NULL, on_read);
  ASSERT_NOTES("alloc read:EOF");
}

TEST_IMPL(stopping_when_asked_leaves_the_end_for_the_next_start) {
  OXUV_ONLY();
  on_each_socket(stop_before_the_end);
}

static void stop_before_a_reset(void) {
  struct linger linger = {1, 0};
  ASSERT_OK(setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
  ASSERT_OK(close(peer));
  peer = -1;
  start(stop, on_read);
  ASSERT_NOTES("alloc read:");
  start(NULL, on_read);
  ASSERT_NOTES("alloc read:ECONNRESET");
}

TEST_IMPL(stopping_when_asked_leaves_an_error_for_the_next_start) {
  OXUV_ONLY();
  run_on((const opener[]) {open_tcp, open_tcp_over_ipv6}, 2, stop_before_a_reset);
}

static void close_when_asked(void) {
  post("hello");
  start(shut, on_read);
  ASSERT_NOTES("alloc read: close");
}

TEST_IMPL(closing_when_asked_gives_the_buffer_back_before_the_close_callback) {
  OXUV_ONLY();
  on_each_kind(close_when_asked);
}

static void reset_and_close(void) {
  ASSERT_OK(uv_tcp_close_reset(&memory.tcp, on_close));
}

static void reset_when_asked(void) {
  post("hello");
  start(reset_and_close, on_read);
  ASSERT_NOTES("alloc read: close");
}

TEST_IMPL(resetting_when_asked_gives_the_buffer_back) {
  OXUV_ONLY();
  run_on((const opener[]) {open_tcp, open_tcp_over_ipv6}, 2, reset_when_asked);
}

static void close_with_writes_waiting(void) {
  static char data[8 << 20];
  uv_buf_t buf = uv_buf_init(data, sizeof(data));
  uv_write_t write_req;
  ASSERT_OK(uv_write(&write_req, stream, &buf, 1, on_write));
  ASSERT_GT(stream->write_queue_size, 0);
  post("hello");
  start(shut, on_read);
  ASSERT_NOTES("alloc read: write:ECANCELED close");
}

TEST_IMPL(closing_when_asked_cancels_what_waits_after_the_buffer_is_back) {
  OXUV_ONLY();
  on_each_socket(close_with_writes_waiting);
}

static void restart_when_asked(void) {
  post("hello");
  start(restart, on_read);
  ASSERT_NOTES("alloc read:hello");
}

TEST_IMPL(starting_anew_when_asked_is_as_if_it_had_not_stopped) {
  on_each_kind(restart_when_asked);
}

static void restart_for_another_when_asked(void) {
  post("hello");
  start(restart_for_another, on_read);
  ASSERT_NOTES("alloc read: alloc other:hello");
  ASSERT(uv_is_active(handle));
}

TEST_IMPL(starting_for_another_when_asked_gives_the_buffer_back_to_its_owner) {
  OXUV_ONLY(); /* In libuv the other one gets the buffer. */
  on_each_kind(restart_for_another_when_asked);
}

static void give_nothing_and_stop(void) {
  room = 0;
  post("hello");
  start(stop, on_read);
  ASSERT_NOTES("alloc");
  room = 64;
  start(NULL, on_read);
  ASSERT_NOTES("alloc read:hello");
}

TEST_IMPL(stopping_without_giving_a_buffer_gets_none_back) {
  OXUV_ONLY();
  on_each_kind(give_nothing_and_stop);
}

static void restart_when_it_is_back(void) {
  post("hello");
  start(stop, on_read_then_restart);
  ASSERT_NOTES("alloc read: alloc other:hello");
}

TEST_IMPL(reading_may_start_anew_when_the_buffer_is_back) {
  OXUV_ONLY();
  on_each_kind(restart_when_it_is_back);
}

static void close_when_it_is_back(void) {
  post("hello");
  start(stop, on_read_then_close);
  ASSERT_NOTES("alloc read:");
}

TEST_IMPL(a_stream_may_be_closed_when_the_buffer_is_back) {
  OXUV_ONLY();
  on_each_kind(close_when_it_is_back);
}

static int pieces;

static void stop_at_the_third(void) {
  if (++pieces == 3) stop();
  else then = stop_at_the_third;
}

static void stop_among_several_reads(void) {
  pieces = 0;
  room = 2;
  post("hello");
  start(stop_at_the_third, on_read);
  ASSERT_NOTES("alloc read:he alloc read:ll alloc read:");
  ASSERT_EQ(waiting(), 1);
  start(NULL, on_read);
  ASSERT_NOTES("alloc read:o");
}

TEST_IMPL(stopping_at_a_later_buffer_of_an_iteration) {
  OXUV_ONLY();
  on_each_kind(stop_among_several_reads);
}

static void write_when_asked(void) {
  char answer[16];
  post("hello");
  start(write_and_shut_down, on_read);
  ASSERT_NOTES("alloc read:hello write:0 shutdown:0");
  ASSERT_EQ(read(peer, answer, sizeof(answer)), 6);
  ASSERT_EQ(read(peer, answer, sizeof(answer)), 0);
}

TEST_IMPL(writing_and_shutting_down_when_asked_does_not_disturb_the_reading) {
  on_each_socket(write_when_asked);
}
