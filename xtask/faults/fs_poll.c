/* A file that is looked at every so often, and changes. */
#include "program.h"

static uv_fs_poll_t poll;
static uv_timer_t writer;
static int size = 10;

static void on_change(uv_fs_poll_t* handle, int status, const uv_stat_t* before,
                      const uv_stat_t* now) {
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "a change after uv_close");
  MUST(status);
  EXPECT(now->st_size != before->st_size || now->st_mtim.tv_nsec != before->st_mtim.tv_nsec ||
           now->st_mtim.tv_sec != before->st_mtim.tv_sec,
         "a change that is none");
  finish();
}

static void on_timer(uv_timer_t* timer) {
  (void) timer;
  own_make_file("file", (size_t) (size += 10));
}

void program(void) {
  char path[100];
  size_t room = sizeof(path);
  own_make_file("file", (size_t) size);
  MUST(uv_fs_poll_init(&loop, &poll));
  MUST(uv_timer_init(&loop, &writer));
  MUST(uv_fs_poll_start(&poll, on_change, "file", 3));
  notes(uv_fs_poll_getpath(&poll, path, &room), "uv_fs_poll_getpath");
  MUST(uv_timer_start(&writer, on_timer, 10, 10));
}
