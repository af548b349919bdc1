/* Terminals that something else changes: uv_tty_set_mode sets them again. */
#include "refuse.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master;
static int slave;
static uv_tty_t tty;
static struct termios normal;

static const uv_tty_mode_t raw_modes[] = {UV_TTY_MODE_RAW, UV_TTY_MODE_IO, UV_TTY_MODE_RAW_VT};

static struct termios settings(void) {
  struct termios now;
  ASSERT_OK(tcgetattr(slave, &now));
  return now;
}

/* A change from outside of the handle. */
static void change(const struct termios* to) {
  ASSERT_OK(tcsetattr(slave, TCSANOW, to));
}

static void check(struct termios expected) {
  struct termios now = settings();
  ASSERT_EQ(now.c_iflag, expected.c_iflag);
  ASSERT_EQ(now.c_oflag, expected.c_oflag);
  ASSERT_EQ(now.c_cflag, expected.c_cflag);
  ASSERT_EQ(now.c_lflag, expected.c_lflag);
  ASSERT_MEM_EQ(now.c_cc, expected.c_cc, sizeof(now.c_cc));
}

static void start(void) {
  if (openpty(&master, &slave, NULL, NULL, NULL) != 0) SKIP("no pseudo terminals");
  normal = settings();
  normal.c_cc[VMIN] = 7;
  change(&normal);
  ASSERT_OK(uv_tty_init(uv_default_loop(), &tty, slave, 0));
}

static void leave(void) {
  close(master);
  close(slave);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_raw_mode_is_set_again) {
  size_t i;
  OXUV_ONLY();
  start();
  for (i = 0; i < 3; i++) {
    struct termios raw;
    struct termios others;
    ASSERT_OK(uv_tty_set_mode(&tty, raw_modes[i]));
    raw = settings();
    ASSERT_OK(uv_tty_set_mode(&tty, raw_modes[i]));
    check(raw);
    change(&normal);
    ASSERT_OK(uv_tty_set_mode(&tty, raw_modes[i]));
    check(raw);
    /* Changes a part of the mode, and settings that no mode is about. */
    others = raw;
    others.c_lflag |= ECHO;
    change(&others);
    ASSERT_OK(uv_tty_set_mode(&tty, raw_modes[i]));
    check(raw);
    others = raw;
    others.c_cc[VINTR] = 'x';
    change(&others);
    ASSERT_OK(uv_tty_set_mode(&tty, raw_modes[i]));
    check(raw);
    /* The normal mode is still what it was. */
    ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
    check(normal);
  }
  leave();
}

TEST_IMPL(the_normal_mode_is_set_again) {
  size_t i;
  OXUV_ONLY();
  start();
  for (i = 0; i < 3; i++) {
    struct termios others;
    ASSERT_OK(uv_tty_set_mode(&tty, raw_modes[i]));
    others = settings();
    ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
    change(&others);
    ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
    check(normal);
  }
  leave();
}

/* Before its first change, a handle knows no other settings than those that there are. */
TEST_IMPL(the_first_normal_mode_is_whatever_there_is) {
  struct termios others;
  start();
  others = normal;
  others.c_lflag &= ~(tcflag_t) (ECHO | ICANON);
  change(&others);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  check(others);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  check(others);
  leave();
}

/* The change comes from another handle of the terminal. */
TEST_IMPL(another_handle_is_another_owner) {
  uv_tty_t other;
  struct termios raw;
  OXUV_ONLY();
  start();
  ASSERT_OK(uv_tty_init(uv_default_loop(), &other, slave, 0));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  raw = settings();
  ASSERT_OK(uv_tty_set_mode(&other, UV_TTY_MODE_IO));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  check(raw);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  check(normal);
  ASSERT_OK(uv_tty_set_mode(&other, UV_TTY_MODE_IO));
  ASSERT_EQ(settings().c_oflag & OPOST, 0);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  check(normal);
  /* The settings to go back to are those before the first change of all. */
  ASSERT_OK(uv_tty_set_mode(&other, UV_TTY_MODE_IO));
  ASSERT_OK(uv_tty_reset_mode());
  check(normal);
  leave();
}

TEST_IMPL(a_mode_is_set_again_after_a_reset) {
  struct termios raw;
  OXUV_ONLY();
  start();
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  raw = settings();
  ASSERT_OK(uv_tty_reset_mode());
  check(normal);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  check(raw);
  change(&normal);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  ASSERT_OK(uv_tty_reset_mode());
  check(normal);
  uv_close((uv_handle_t*) &tty, NULL);
  check(normal);
  leave();
}

TEST_IMPL(a_closed_terminal_is_not_set_again) {
  OXUV_ONLY();
  start();
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  uv_close((uv_handle_t*) &tty, NULL);
  check(normal);
  ASSERT_EQ(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW), UV_EBADF);
  check(normal);
  leave();
}

/* From here on, tcsetattr(3) fails: when it waits for output, or also when it does not. */
static void refuse_setting(int in_any_case) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 0, 7),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER_HALF(1)),
    REFUSE(TCSETSW, EPERM),
    REFUSE(TCSETSF, EPERM),
    REFUSE(in_any_case ? TCSETS : TCSETSW, EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    SKIP("no system call filters here");
}

static void set_what_is_set(void) {
  start();
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  refuse_setting(1);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  /* Were it not what is set, it would be an error here. */
  ASSERT_EQ(uv_tty_set_mode(&tty, UV_TTY_MODE_IO), UV_EPERM);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
}

/* Setting it would stop a process in the background. */
TEST_IMPL(what_was_not_changed_is_not_set_again) {
  run_in_child(set_what_is_set);
}

static void set_without_waiting(void) {
  start();
  refuse_setting(0);
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW));
  ASSERT_OK(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL));
  check(normal);
}

/* A terminal whose output is stopped would block the loop. */
TEST_IMPL(output_is_not_waited_for) {
  run_in_child(set_without_waiting);
}
