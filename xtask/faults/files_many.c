/* Many operations on a file at once: questions that the loop's thread can answer, and reads. */
#include "program.h"

enum { operations = 60, block = 512 };

static uv_fs_t requests[operations];
static char data[operations][block];
static int left;
static int fd = -1;

static void one_end(void) {
  if (--left == 0) finish();
}

static int is_opened(int number) {
  return number % 5 == 4;
}

static void on_done(uv_fs_t* request) {
  int number = (int) (request - requests);
  ended(request);
  if (!notes(request->result, "uv_fs_cb")) {
    if (request->fs_type == UV_FS_READ)
      check(data[number], (size_t) (number * block), (size_t) request->result, "block");
    if (request->fs_type == UV_FS_STAT || request->fs_type == UV_FS_FSTAT)
      EXPECT(request->statbuf.st_size == operations * block, "a file of %lld bytes",
             (long long) request->statbuf.st_size);
    if (is_opened(number)) own_close((int) request->result);
  }
  uv_fs_req_cleanup(request);
  one_end();
}

static int start(int number) {
  uv_fs_t* request = &requests[number];
  uv_buf_t buf = uv_buf_init(data[number], block);
  switch (number % 5) {
    case 0: return uv_fs_read(&loop, request, fd, &buf, 1, number * block, on_done);
    case 1: return uv_fs_stat(&loop, request, "file", on_done);
    case 2: return uv_fs_access(&loop, request, "file", R_OK, on_done);
    case 3: return uv_fs_fstat(&loop, request, fd, on_done);
    default: return uv_fs_open(&loop, request, "file", UV_FS_O_RDONLY, 0, on_done);
  }
}

void program(void) {
  int i;
  own_make_file("file", operations * block);
  fd = own_open("file", O_RDONLY);
  own_close_at_end(fd);
  left = operations;
  for (i = 0; i < operations; i++) {
    if (notes(start(i), "uv_fs_*")) {
      uv_fs_req_cleanup(&requests[i]);
      one_end();
    } else {
      begun(&requests[i], "uv_fs_*");
    }
  }
}
