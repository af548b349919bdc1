/* Watches of a folder and of a file in it, which both see that the file changes. */
#include "program.h"

static uv_fs_event_t folder, file;
static uv_timer_t writer;
static int folder_told;
static int file_told;

static void on_change(uv_fs_event_t* handle, const char* name, int events, int status) {
  (void) events;
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "a change after uv_close");
  MUST(status);
  /* The word for events that were lost. */
  if (name == NULL) MUST(UV_ENOBUFS);
  EXPECT( strcmp(name, "file") == 0, "a change of %s", name);
  if (handle == &folder)
    folder_told = 1;
  else
    file_told = 1;
  if (folder_told && file_told) finish();
}

static void on_timer(uv_timer_t* timer) {
  int fd = own_open("watched/file", O_WRONLY | O_APPEND);
  (void) timer;
  own_write(fd, "x", 1);
  own_close(fd);
}

void program(void) {
  own_mkdir("watched");
  own_make_file("watched/file", 10);
  MUST(uv_fs_event_init(&loop, &folder));
  MUST(uv_fs_event_init(&loop, &file));
  MUST(uv_timer_init(&loop, &writer));
  MUST(uv_fs_event_start(&folder, on_change, "watched", 0));
  MUST(uv_fs_event_start(&file, on_change, "watched/file", 0));
  MUST(uv_timer_start(&writer, on_timer, 2, 20));
}
