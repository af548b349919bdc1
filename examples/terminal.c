/* A session at a terminal: shows every key that is pressed, and the size of the window whenever it
 * changes, until q. The key w has stty make the window wider.
 *
 *   terminal */
#include "common.h"

#include <signal.h>
#include <unistd.h>

static uv_tty_t keyboard;
static uv_tty_t screen;
static uv_signal_t window;

static void on_shown(uv_write_t* req, int status) {
  check(status, "write");
  free(req->data);
  free(req);
}

static void show(const char* text) {
  uv_write_t* req = malloc(sizeof(*req));
  uv_buf_t buf;
  req->data = strdup(text);
  buf = uv_buf_init(req->data, (unsigned int) strlen(text));
  check(uv_write(req, (uv_stream_t*) &screen, &buf, 1, on_shown), "write");
}

static void show_size(void) {
  char text[64];
  int columns;
  int rows;
  check(uv_tty_get_winsize(&screen, &columns, &rows), "window size");
  snprintf(text, sizeof(text), "%d columns, %d rows\n", columns, rows);
  show(text);
}

static void on_window(uv_signal_t* handle, int signum) {
  (void) handle, (void) signum;
  show_size();
}

static void on_widened(uv_process_t* process, int64_t status, int signum) {
  check(status != 0 || signum != 0 ? UV_EIO : 0, "stty");
  uv_close((uv_handle_t*) process, free_handle);
}

static void widen(void) {
  char* args[] = {"stty", "columns", "132", NULL};
  uv_process_t* process = malloc(sizeof(*process));
  uv_process_options_t options;
  uv_stdio_container_t stdio[3];
  int i;

  for (i = 0; i < 3; i++) {
    stdio[i].flags = UV_INHERIT_FD;
    stdio[i].data.fd = i;
  }
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = on_widened;
  check(uv_spawn(keyboard.loop, process, &options), "stty");
}

static void leave(void) {
  show("bye\n");
  check(uv_tty_reset_mode(), "reset");
  uv_close((uv_handle_t*) &keyboard, NULL);
  uv_close((uv_handle_t*) &window, NULL);
}

static void on_keys(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  char text[32];
  ssize_t i;

  if (size < 0) leave();
  for (i = 0; i < size && !uv_is_closing((uv_handle_t*) stream); i++) {
    snprintf(text, sizeof(text), "key %02x\n", (unsigned char) buf->base[i]);
    show(text);
    if (buf->base[i] == 'w') widen();
    if (buf->base[i] == 'q') leave();
  }
  free(buf->base);
}

int main(void) {
  uv_loop_t* loop = uv_default_loop();
  char text[64];

  if (uv_guess_handle(0) != UV_TTY || uv_guess_handle(1) != UV_TTY) {
    fprintf(stderr, "this is no terminal\n");
    return 1;
  }
  check(uv_tty_init(loop, &keyboard, 0, 0), "keyboard");
  check(uv_tty_init(loop, &screen, 1, 0), "screen");
  check(uv_signal_init(loop, &window), "signal");
  check(uv_signal_start(&window, on_window, SIGWINCH), "signal");
  show_size();
  check(uv_tty_set_mode(&keyboard, UV_TTY_MODE_RAW), "raw mode");
  check(uv_read_start((uv_stream_t*) &keyboard, allocate, on_keys), "keyboard");
  snprintf(text, sizeof(text), "raw mode in process %d\n", (int) uv_os_getpid());
  show(text);
  uv_run(loop, UV_RUN_DEFAULT);
  uv_close((uv_handle_t*) &screen, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop) != 0;
}
