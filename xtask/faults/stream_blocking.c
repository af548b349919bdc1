/* A blocking stream: each write is done, or has failed, when uv_write returns. A thread reads. */
#include "program.h"

#include <pthread.h>

enum { total = 300000, parts = 3 };

static uv_pipe_t writer;
static uv_write_t requests[parts];
static char sent[total];
static size_t received;
static int read_end;
static pthread_t thread;
static int has_thread;
static int written;

static void* read_all(void* unused) {
  static char data[65536];
  long size;
  (void) unused;
  while ((size = own_read(read_end, data, sizeof(data))) > 0) {
    check(data, received, (size_t) size, "reader");
    received += (size_t) size;
  }
  return NULL;
}

void at_end(void) {
  if (!has_thread) return;
  pthread_join(thread, NULL);
  own_close(read_end);
  EXPECT_UNLESS_TOLD(written < parts || received == total, "lost: %zu bytes were written of %d",
                     received, total);
}

static void write_next(void);

static void on_written(uv_write_t* request, int status) {
  ended(request);
  written++;
  if (fails(status, "uv_write_cb")) return;
  if (written == parts)
    finish();
  else
    write_next();
}

static void write_next(void) {
  uv_buf_t buf = uv_buf_init(sent + written * (total / parts), total / parts);
  uv_write_t* request = &requests[written];
  BEGIN(request, uv_write(request, (uv_stream_t*) &writer, &buf, 1, on_written));
}

void program(void) {
  int fds[2];
  int code;
  fill(sent, 0, total);
  own_socketpair(fds);
  read_end = fds[0];
  code = uv_pipe_init(&loop, &writer, 0);
  if (code == 0) code = uv_pipe_open(&writer, fds[1]);
  if (code == 0) code = uv_stream_set_blocking((uv_stream_t*) &writer, 1);
  if (fails(code, "uv_stream_set_blocking")) {
    if (uv_fileno((uv_handle_t*) &writer, &fds[0]) != 0) own_close(fds[1]);
    own_close(read_end);
    return;
  }
  if (pthread_create(&thread, NULL, read_all, NULL) != 0) {
    own_close(read_end);
    fails(UV_EAGAIN, "pthread_create");
    return;
  }
  has_thread = 1;
  write_next();
}
