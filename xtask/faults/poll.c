/* Descriptors of the program's own: a byte goes there and back, then one end closes. */
#include "program.h"

static uv_poll_t ends[2];
static int fds[2];
static int is_sent;
static int is_echoed;

static void on_sender(uv_poll_t* handle, int status, int events) {
  char byte = 0;
  MUST(status);
  if ((events & UV_WRITABLE) && !is_sent) {
    EXPECT(own_write(fds[0], "x", 1) == 1, "the socket is not writable");
    is_sent = 1;
    MUST(uv_poll_start(handle, UV_READABLE, on_sender));
  } else if (events & UV_READABLE) {
    EXPECT(own_read(fds[0], &byte, 1) == 1 && byte == 'x', "no byte came back");
    EXPECT(is_echoed, "a byte came back from nowhere");
    finish();
  }
}

static void on_echo(uv_poll_t* handle, int status, int events) {
  char byte;
  (void) handle;
  MUST(status);
  if (!(events & UV_READABLE) || own_read(fds[1], &byte, 1) != 1) return;
  EXPECT(!is_echoed, "twice: a byte");
  is_echoed = 1;
  own_write(fds[1], &byte, 1);
}

void program(void) {
  int i;
  own_socketpair(fds);
  for (i = 0; i < 2; i++) {
    own_close_at_end(fds[i]);
    own_nonblocking(fds[i]);
  }
  MUST(uv_poll_init(&loop, &ends[0], fds[0]));
  MUST(uv_poll_init(&loop, &ends[1], fds[1]));
  MUST(uv_poll_start(&ends[0], UV_WRITABLE, on_sender));
  MUST(uv_poll_start(&ends[1], UV_READABLE, on_echo));
}
