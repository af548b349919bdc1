/* A write much larger than the pipe's buffer, in many parts, to a reader in the same loop. */
#include "program.h"

enum { total = 400000, parts = 10 };

static uv_pipe_t reader, writer;
static uv_write_t request;
static char sent[total];
static size_t received;

static void on_written(uv_write_t* write, int status) {
  ended(write);
  if (!fails(status, "uv_write_cb")) close_handle(&writer);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) stream;
  if (size > 0) {
    check(buf->base, received, (size_t) size, "reader");
    received += (size_t) size;
  } else if (size == UV_EOF) {
    EXPECT_UNLESS_TOLD(received == total, "lost: %zu bytes came of %d", received, total);
    finish();
  } else {
    fails(size, "uv_read_cb");
  }
}

static void open_end(uv_pipe_t* pipe, uv_file fd) {
  int code = uv_pipe_init(&loop, pipe, 0);
  if (code == 0) code = uv_pipe_open(pipe, fd);
  if (code == 0) return;
  own_close(fd);
  fails(code, "uv_pipe_open");
}

void program(void) {
  uv_file fds[2];
  uv_buf_t bufs[parts];
  int i;
  fill(sent, 0, total);
  MUST(uv_pipe(fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  own_move_up(&fds[0]);
  own_move_up(&fds[1]);
  open_end(&reader, fds[0]);
  open_end(&writer, fds[1]);
  if (is_ending()) return;
  MUST(uv_read_start((uv_stream_t*) &reader, give_buffer, on_read));
  for (i = 0; i < parts; i++) bufs[i] = uv_buf_init(sent + i * (total / parts), total / parts);
  BEGIN(&request, uv_write(&request, (uv_stream_t*) &writer, bufs, parts, on_written));
}
