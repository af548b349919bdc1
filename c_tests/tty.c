/* https://docs.libuv.org/en/v1.x/tty.html, and uv_guess_handle. */
#include "task.h"

#include <netinet/in.h>
#include <pthread.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <termios.h>

enum { readable = 0x4000, writable = 0x8000, blocking_writes = 0x100000 };

static int master;
static int slave;
static uv_tty_t tty;
static char got[65536];
static size_t got_size;
static size_t room = sizeof(got);
static int ends;
static ssize_t end_status;
static int written;

static void open_pty(void) {
  if (openpty(&master, &slave, NULL, NULL, NULL) != 0) SKIP("no pseudo terminals");
}

static int own_fd(void) {
  int fd;
  ASSERT_OK(uv_fileno((uv_handle_t*) &tty, &fd));
  return fd;
}

static void leave(void) {
  close(master);
  close(slave);
  MAKE_SURE_NOTHING_LEAKED();
}

static void expect_kind(int fd, uv_handle_type kind) {
  ASSERT_GE(fd, 0);
  ASSERT_EQ(uv_guess_handle(fd), kind);
  close(fd);
}

TEST_IMPL(guessing_what_goes_with_a_descriptor) {
  int fds[2];
  ASSERT_EQ(uv_guess_handle(-1), UV_UNKNOWN_HANDLE);
  ASSERT_EQ(uv_guess_handle(12345), UV_UNKNOWN_HANDLE);
  open_pty();
  expect_kind(slave, UV_TTY);
  expect_kind(master, UV_TTY);
  expect_kind(open("/dev/null", O_RDONLY), UV_FILE);
  expect_kind(open("/proc/self/exe", O_RDONLY), UV_FILE);
  expect_kind(open("/", O_RDONLY), UV_UNKNOWN_HANDLE);
  expect_kind(eventfd(0, 0), UV_UNKNOWN_HANDLE);
  expect_kind(epoll_create1(0), UV_UNKNOWN_HANDLE);
  ASSERT_OK(pipe(fds));
  expect_kind(fds[0], UV_NAMED_PIPE);
  expect_kind(fds[1], UV_NAMED_PIPE);
  ASSERT_OK(mkfifo(test_path("fifo"), 0600));
  expect_kind(open(test_path("fifo"), O_RDWR), UV_NAMED_PIPE);
  expect_kind(socket(AF_UNIX, SOCK_STREAM, 0), UV_NAMED_PIPE);
  expect_kind(socket(AF_UNIX, SOCK_DGRAM, 0), UV_UNKNOWN_HANDLE);
  expect_kind(socket(AF_UNIX, SOCK_SEQPACKET, 0), UV_UNKNOWN_HANDLE);
  expect_kind(socket(AF_INET, SOCK_STREAM, 0), UV_TCP);
  expect_kind(socket(AF_INET, SOCK_DGRAM, 0), UV_UDP);
  expect_kind(socket(AF_NETLINK, SOCK_DGRAM, 0), UV_UNKNOWN_HANDLE);
}

TEST_IMPL(files_are_refused) {
  uv_loop_t loop;
  int fd = open("/proc/self/exe", O_RDONLY);
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_EQ(uv_tty_init(&loop, &tty, fd, 0), UV_EINVAL);
  close(fd);
  ASSERT_EQ(uv_tty_init(&loop, &tty, fd, 0), UV_EINVAL);
  ASSERT_EQ(uv_tty_init(&loop, &tty, -1, 0), UV_EINVAL);
  fd = open("/dev/zero", O_RDONLY);
  ASSERT_EQ(uv_tty_init(&loop, &tty, fd, 0), UV_EINVAL);
  close(fd);
  ASSERT_OK(uv_loop_close(&loop));
}

TEST_IMPL(directions_are_those_of_the_descriptor) {
  static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR};
  static const unsigned flags[] = {readable, writable, readable | writable};
  int i;
  open_pty();
  for (i = 0; i < 3; i++) {
    int fd = open(ttyname(slave), modes[i] | O_NOCTTY);
    ASSERT_GE(fd, 0);
    /* The last parameter has no effect. */
    ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, fd, i));
    ASSERT_EQ(tty.type, UV_TTY);
    ASSERT_EQ(tty.flags & (readable | writable | blocking_writes), flags[i]);
    ASSERT_EQ(uv_is_readable((uv_stream_t*) &tty), (flags[i] & readable) != 0);
    ASSERT_EQ(uv_is_writable((uv_stream_t*) &tty), (flags[i] & writable) != 0);
    uv_close((uv_handle_t*) &tty, NULL);
    ASSERT(!uv_is_readable((uv_stream_t*) &tty));
    ASSERT(!uv_is_writable((uv_stream_t*) &tty));
    ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
    ASSERT_OK(close(fd));
  }
  leave();
}

TEST_IMPL(the_terminal_is_opened_a_second_time) {
  OXUV_ONLY();
  int before;
  open_pty();
  before = fcntl(slave, F_GETFL);
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, slave, 0));
  ASSERT_NE(own_fd(), slave);
  ASSERT_NE(fcntl(own_fd(), F_GETFL) & O_NONBLOCK, 0);
  ASSERT_NE(fcntl(own_fd(), F_GETFD) & FD_CLOEXEC, 0);
  /* Nothing happened to the one that was passed. */
  ASSERT_EQ(fcntl(slave, F_GETFL), before);
  ASSERT_EQ(fcntl(slave, F_GETFD), 0);
  uv_close((uv_handle_t*) &tty, NULL);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(fcntl(slave, F_GETFL), before);
  leave();
}

TEST_IMPL(the_controlling_side_is_not_opened_a_second_time) {
  open_pty();
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, master, 0));
  ASSERT_EQ(own_fd(), master);
  ASSERT_NE(tty.flags & blocking_writes, 0);
  ASSERT_EQ(fcntl(master, F_GETFL) & O_NONBLOCK, 0);
  uv_close((uv_handle_t*) &tty, NULL);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(fcntl(master, F_GETFL), -1);
  leave();
}

TEST_IMPL(what_cannot_be_opened_a_second_time_is_written_to_blocking) {
  struct rlimit limit;
  struct rlimit none;
  open_pty();
  ASSERT_OK(uv_loop_alive(uv_default_loop()));
  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  none = limit;
  none.rlim_cur = 0;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &none));
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, slave, 0));
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  ASSERT_EQ(own_fd(), slave);
  ASSERT_NE(tty.flags & blocking_writes, 0);
  ASSERT_EQ(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
  leave();
}

static void give_room(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  size_t left = sizeof(got) - got_size;
  (void) handle, (void) suggested;
  *buf = uv_buf_init(got + got_size, (unsigned) (room < left ? room : left));
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) stream, (void) buf;
  if (size > 0) {
    got_size += (size_t) size;
    return;
  }
  if (size == 0) return;
  ends++;
  end_status = size;
}

static void on_write(uv_write_t* request, int status) {
  (void) request;
  ASSERT_OK(status);
  written++;
}

/* What the terminal shows next; it may come in pieces. */
static void expect_shown(const char* text) {
  char data[16];
  size_t length = strlen(text);
  size_t shown = 0;
  while (shown < length) {
    ssize_t size = read(master, data + shown, sizeof(data) - shown);
    ASSERT_GT(size, 0);
    shown += (size_t) size;
  }
  ASSERT_EQ(shown, length);
  ASSERT_MEM_EQ(data, text, length);
}

TEST_IMPL(reading_and_writing) {
  uv_write_t request;
  uv_buf_t buf = uv_buf_init("hello\n", 6);
  open_pty();
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, slave, 0));
  ASSERT_OK(uv_write(&request, (uv_stream_t*) &tty, &buf, 1, on_write));
  run_until(uv_default_loop(), &written, 1);
  expect_shown("hello\r\n");
  ASSERT_EQ(uv_try_write((uv_stream_t*) &tty, &buf, 1), 6);
  expect_shown("hello\r\n");

  ASSERT_OK(uv_read_start((uv_stream_t*) &tty, give_room, on_read));
  ASSERT_EQ(write(master, "line\n", 5), 5);
  while (got_size < 5) uv_run(uv_default_loop(), UV_RUN_ONCE);
  ASSERT_MEM_EQ(got, "line\n", 5);
  close(master);
  master = -1;
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(end_status, UV_EOF);
  leave();
}

static void* feed(void* arg) {
  static const char data[8192];
  int fd = *(int*) arg;
  size_t total = 0;
  while (total < 60000) {
    ssize_t n = write(fd, data, sizeof(data) < 60000 - total ? sizeof(data) : 60000 - total);
    ASSERT_GT(n, 0);
    total += (size_t) n;
  }
  close(fd);
  return NULL;
}

TEST_IMPL(everything_is_read_before_the_end) {
  pthread_t thread;
  int i;
  for (i = 0; i < 10; i++) {
    open_pty();
    got_size = 0;
    ends = 0;
    ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, master, 0));
    ASSERT_OK(uv_read_start((uv_stream_t*) &tty, give_room, on_read));
    ASSERT_OK(pthread_create(&thread, NULL, feed, &slave));
    run_until(uv_default_loop(), &ends, 1);
    ASSERT_OK(pthread_join(thread, NULL));
    ASSERT_EQ(got_size, 60000);
    ASSERT_EQ(end_status, UV_EIO);
    uv_close((uv_handle_t*) &tty, NULL);
    ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_full_buffer_does_not_block_the_loop) {
  OXUV_ONLY();
  open_pty();
  room = 5;
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, master, 0));
  ASSERT_OK(uv_read_start((uv_stream_t*) &tty, give_room, on_read));
  ASSERT_EQ(write(slave, "0123456789", 10), 10);
  while (got_size < 10) uv_run(uv_default_loop(), UV_RUN_ONCE);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_MEM_EQ(got, "0123456789", 10);
  close(slave);
  slave = -1;
  master = -1;
  leave();
}

static struct termios settings_of(int fd) {
  struct termios settings;
  ASSERT_OK(tcgetattr(fd, &settings));
  return settings;
}

static void check_equal(struct termios a, struct termios b) {
  ASSERT_EQ(a.c_iflag, b.c_iflag);
  ASSERT_EQ(a.c_oflag, b.c_oflag);
  ASSERT_EQ(a.c_cflag, b.c_cflag);
  ASSERT_EQ(a.c_lflag, b.c_lflag);
  ASSERT_EQ(a.c_cc[VMIN], b.c_cc[VMIN]);
  ASSERT_EQ(a.c_cc[VTIME], b.c_cc[VTIME]);
}

/* A terminal with more settings of its own than usual. */
static struct termios start_tty(void) {
  struct termios settings;
  open_pty();
  settings = settings_of(slave);
  settings.c_iflag |= INPCK | ISTRIP | BRKINT | IXON | ICRNL;
  settings.c_oflag &= ~(tcflag_t) ONLCR;
  settings.c_cc[VMIN] = 7;
  settings.c_cc[VTIME] = 9;
  ASSERT_OK(tcsetattr(slave, TCSANOW, &settings));
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, slave, 0));
  return settings_of(slave);
}

static void check_raw(void) {
  struct termios now = settings_of(slave);
  ASSERT_EQ(now.c_iflag & (BRKINT | ICRNL | INPCK | ISTRIP | IXON), 0);
  ASSERT_EQ(now.c_oflag & ONLCR, ONLCR);
  ASSERT_EQ(now.c_cflag & CS8, CS8);
  ASSERT_EQ(now.c_lflag & (ECHO | ICANON | IEXTEN | ISIG), 0);
  ASSERT_EQ(now.c_cc[VMIN], 1);
  ASSERT_EQ(now.c_cc[VTIME], 0);
}

TEST_IMPL(modes_change_the_terminal) {
  struct termios before = start_tty();
  struct termios raw = before;
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  ASSERT_EQ(uv_tty_set_mode(&tty, (uv_tty_mode_t) -1), UV_EINVAL);
  ASSERT_EQ(uv_tty_set_mode(&tty, (uv_tty_mode_t) 4), UV_EINVAL);
  check_equal(settings_of(slave), before);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  check_raw();
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_IO));
  cfmakeraw(&raw);
  check_equal(settings_of(slave), raw);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW_VT));
  check_raw();
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  check_equal(settings_of(slave), before);
  leave();
}

TEST_IMPL(reset_goes_back_to_the_first_mode) {
  struct termios first = start_tty();
  struct termios second = first;
  ASSERT_OK(uv_tty_reset_mode());
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  second.c_lflag &= ~(tcflag_t) ECHO;
  ASSERT_OK(tcsetattr(slave, TCSANOW, &second));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  errno = 0;
  ASSERT_OK(uv_tty_reset_mode());
  ASSERT_OK(uv_tty_reset_mode());
  ASSERT_EQ(errno, 0);
  check_equal(settings_of(slave), first);
  /* Normal is what it was when the mode was last changed from it. */
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_IO));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  check_equal(settings_of(slave), second);
  leave();
}

TEST_IMPL(closing_goes_back_to_the_first_mode) {
  struct termios first = start_tty();
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  uv_close((uv_handle_t*) &tty, NULL);
  check_equal(settings_of(slave), first);
  ASSERT_EQ(uv_tty_set_mode(&tty, UV_TTY_MODE_IO), UV_EBADF);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_OK(uv_tty_reset_mode());
  /* The next handle begins anew. */
  first.c_lflag &= ~(tcflag_t) ECHO;
  ASSERT_OK(tcsetattr(slave, TCSANOW, &first));
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, slave, 0));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  ASSERT_OK(uv_tty_reset_mode());
  check_equal(settings_of(slave), first);
  leave();
}

static volatile sig_atomic_t resets;
static volatile sig_atomic_t busy;
static volatile sig_atomic_t failed;

static void on_alarm(int signum) {
  int result = uv_tty_reset_mode();
  (void) signum;
  if (result == UV_EBUSY) busy++;
  else if (result != 0) failed++;
  resets++;
}

TEST_IMPL(reset_works_in_a_signal_handler) {
  struct itimerval often = {{0, 500}, {0, 500}};
  struct itimerval never = {{0, 0}, {0, 0}};
  struct termios first = start_tty();
  signal(SIGALRM, on_alarm);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  ASSERT_OK(setitimer(ITIMER_REAL, &often, NULL));
  while (resets < 200) {
    ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
    ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  }
  ASSERT_OK(setitimer(ITIMER_REAL, &never, NULL));
  ASSERT_EQ(failed, 0);
  ASSERT_OK(uv_tty_reset_mode());
  check_equal(settings_of(slave), first);
  leave();
}

TEST_IMPL(the_size_of_the_window) {
  struct winsize size = {30, 100, 0, 0};
  int width;
  int height;
  int fds[2];
  uv_tty_t no_tty;
  open_pty();
  ASSERT_OK(ioctl(master, TIOCSWINSZ, &size));
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, slave, 0));
  ASSERT_OK(uv_tty_get_winsize(&tty, &width, &height));
  ASSERT_EQ(width, 100);
  ASSERT_EQ(height, 30);
  uv_close((uv_handle_t*) &tty, NULL);
  ASSERT_EQ(uv_tty_get_winsize(&tty, &width, &height), UV_EBADF);

  /* A pipe is taken for a stream, but is no terminal. */
  ASSERT_OK(pipe(fds));
  ASSERT_OK(uv_tty_init(uv_default_loop(), &no_tty, fds[0], 0));
  ASSERT_EQ(uv_tty_get_winsize(&no_tty, &width, &height), UV_ENOTTY);
  ASSERT_EQ(uv_tty_set_mode(&no_tty, UV_TTY_MODE_RAW), UV_ENOTTY);
  ASSERT_EQ(no_tty.flags & (readable | writable), readable);
  close(fds[1]);
  leave();
}

TEST_IMPL(control_sequences_are_a_matter_of_windows) {
  uv_tty_vtermstate_t state;
  uv_tty_set_vterm_state(UV_TTY_SUPPORTED);
  ASSERT_EQ(uv_tty_get_vterm_state(&state), UV_ENOTSUP);
}
