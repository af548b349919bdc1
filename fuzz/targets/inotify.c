/* What the kernel says of watched files, with any content: cut short, unknown, contradictory. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint8_t* content;
static size_t content_size;
static int inotify_fd = -1;
static int is_replaced;

int inotify_init1(int flags) {
  inotify_fd = (int) syscall(SYS_inotify_init1, flags);
  return inotify_fd;
}

/* Real events are read, and answered with the input in their place, once. */
ssize_t read(int fd, void* buffer, size_t size) {
  ssize_t count = syscall(SYS_read, fd, buffer, size);
  if (fd != inotify_fd || !is_replaced || count <= 0) return count;
  is_replaced = 0;
  count = content_size < size ? content_size : size;
  memcpy(buffer, content, count);
  return count;
}

static void on_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  PROMISE(!uv_is_closing((uv_handle_t*) handle));
  PROMISE(status <= 0 && (events & ~(UV_RENAME | UV_CHANGE)) == 0);
  PROMISE(name == NULL || strlen(name) < 8192);
  if (name != NULL && name[0] == 'x') uv_close((uv_handle_t*) handle, NULL);
}

static void touch(const char* folder) {
  char path[256];
  int fd;
  snprintf(path, sizeof path, "%s/file", folder);
  fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  PROMISE(fd >= 0 && close(fd) == 0 && unlink(path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static char folder[64];
  uv_fs_event_t handles[3];
  uv_loop_t loop;
  int i;
  if (folder[0] == '\0') {
    strcpy(folder, "/tmp/oxuv-fuzz-XXXXXX");
    PROMISE(mkdtemp(folder) != NULL);
  }
  content = data;
  content_size = size;
  PROMISE(uv_loop_init(&loop) == 0);
  for (i = 0; i < 3; i++) {
    PROMISE(uv_fs_event_init(&loop, &handles[i]) == 0);
    PROMISE(uv_fs_event_start(&handles[i], on_event, folder, i == 2 ? UV_FS_EVENT_RECURSIVE : 0) == 0);
  }
  touch(folder);
  is_replaced = 1;
  for (i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
  is_replaced = 0;
  touch(folder);
  uv_run(&loop, UV_RUN_NOWAIT);
  for (i = 0; i < 3; i++)
    if (!uv_is_closing((uv_handle_t*) &handles[i])) uv_close((uv_handle_t*) &handles[i], NULL);
  while (uv_run(&loop, UV_RUN_NOWAIT) != 0) continue;
  PROMISE(uv_loop_close(&loop) == 0);
  PROMISE(!is_mutated(data, size));
  return 0;
}

/* The folder is left to the end of the process, which libFuzzer decides. */
