/* A watch of a tree of folders, in which a folder is made, and a file in that. */
#include "program.h"

static uv_fs_event_t tree;
static uv_timer_t writer;
static int is_inner_told;
static int is_flat;

static void on_change(uv_fs_event_t* handle, const char* name, int events, int status) {
  (void) events;
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "a change after uv_close");
  MUST(status);
  /* The word for events that were lost. */
  if (name == NULL) MUST(UV_ENOBUFS);
  if (name != NULL && (is_flat || strncmp(name, "inner/", 6) == 0)) is_inner_told = 1;
  if (is_inner_told) finish();
}

/* Writes until that is reported: a folder is watched only once the event of its making was read. What could not be
 * opened for want of rights is looked into again when its attributes change. */
static void on_timer(uv_timer_t* timer) {
  static int calls;
  (void) timer;
  if (calls++ == 0) own_mkdir("tree/inner");
  OWN3(SYS_fchmodat, AT_FDCWD, "tree/inner", 0700);
  own_make_file(calls % 2 == 0 ? "tree/inner/file" : "tree/inner/other", 10);
}

void program(void) {
  own_mkdir("tree");
  MUST(uv_fs_event_init(&loop, &tree));
  MUST(uv_timer_init(&loop, &writer));
  /* libuv has no trees on Linux: it watches the folder alone. */
  is_flat = getenv("FAULTS_UPSTREAM") != NULL;
  MUST(uv_fs_event_start(&tree, on_change, "tree", UV_FS_EVENT_RECURSIVE));
  MUST(uv_timer_start(&writer, on_timer, 2, 20));
}
