/* A terminal: its mode, its size, reading a line and writing one. */
#include "program.h"

#include <pty.h>

static uv_tty_t tty;
static uv_write_t request;
static int master;
static int received;
static int is_written;

static void one_end(void) {
  if (received < 6 || !is_written) return;
  notes(uv_tty_set_mode(&tty, UV_TTY_MODE_NORMAL), "uv_tty_set_mode");
  finish();
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) stream;
  (void) buf;
  if (size == 0) return;
  MUST(size);
  EXPECT(memcmp("hello\n" + received, buf->base, (size_t) size) == 0, "other data came");
  received += (int) size;
  one_end();
}

static void on_written(uv_write_t* write, int status) {
  char data[5];
  long size = 0;
  ended(write);
  if (fails(status, "uv_write_cb")) return;
  while (size < 5) {
    long part = own_read(master, data + size, sizeof(data) - (size_t) size);
    EXPECT(part > 0, "lost: the terminal got less than was written");
    size += part;
  }
  EXPECT(memcmp(data, "12345", 5) == 0, "the terminal got other data");
  is_written = 1;
  one_end();
}

void program(void) {
  int slave;
  int fd;
  int width;
  int height;
  uv_buf_t buf = uv_buf_init("12345", 5);
  /* The program's own terminal: where that fails there is nothing to look at. */
  if (openpty(&master, &slave, NULL, NULL, NULL) != 0) {
    fails(-errno, "openpty");
    return;
  }
  own_close_at_end(master);
  OWN3(SYS_fcntl, master, F_SETFD, FD_CLOEXEC);
  own_nonblocking(master);
  EXPECT_UNLESS_TOLD(uv_guess_handle(slave) == UV_TTY, "the terminal is not taken for one");
  if (fails(uv_tty_init(&loop, &tty, slave, 0), "uv_tty_init")) {
    own_close(slave);
    return;
  }
  /* The handle has opened the terminal anew, unless it could not. */
  if (uv_fileno((uv_handle_t*) &tty, &fd) == 0 && fd != slave) own_close_at_end(slave);
  notes(uv_tty_set_mode(&tty, UV_TTY_MODE_RAW), "uv_tty_set_mode");
  notes(uv_tty_get_winsize(&tty, &width, &height), "uv_tty_get_winsize");
  MUST(uv_read_start((uv_stream_t*) &tty, give_buffer, on_read));
  BEGIN(&request, uv_write(&request, (uv_stream_t*) &tty, &buf, 1, on_written));
  own_write(master, "hello\n", 6);
}
