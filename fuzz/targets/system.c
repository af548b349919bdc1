/* Files of /proc and of control groups with any content: numbers come out, and no memory is missed. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint8_t* content;
static size_t content_size;
static int is_replaced;

static int is_system_file(const char* path) {
  return is_replaced && (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0);
}

/* Each file has another part of the input, so that tables may contradict each other. */
static int open_content(const char* path) {
  int fd = memfd_create("content", MFD_CLOEXEC);
  size_t skip = content_size == 0 ? 0 : (uint8_t) path[strlen(path) - 1] % content_size;
  PROMISE(fd >= 0);
  PROMISE(write(fd, content + skip, content_size - skip) >= 0);
  PROMISE(lseek(fd, 0, SEEK_SET) == 0);
  return fd;
}

/* The library calls this name of libc's; the program's own comes first. */
int open64(const char* path, int flags, ...) {
  va_list arguments;
  int mode;
  va_start(arguments, flags);
  mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  if (is_system_file(path)) return open_content(path);
  return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void ask_all(void) {
  uv_cpu_info_t* cpus = NULL;
  uv_rusage_t usage;
  size_t resident;
  double load[3], uptime;
  int count = 0;
  int error = uv_cpu_info(&cpus, &count);
  PROMISE(error <= 0);
  if (error == 0) {
    int i;
    for (i = 0; i < count; i++) PROMISE(cpus[i].model != NULL && strlen(cpus[i].model) < 1 << 20);
    uv_free_cpu_info(cpus, count);
  }
  PROMISE(uv_resident_set_memory(&resident) <= 0);
  PROMISE(uv_uptime(&uptime) <= 0);
  PROMISE(uv_getrusage(&usage) <= 0);
  PROMISE(uv_available_parallelism() >= 1);
  uv_loadavg(load);
  (void) uv_get_total_memory();
  (void) uv_get_free_memory();
  (void) uv_get_available_memory();
  (void) uv_get_constrained_memory();
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  content = data;
  content_size = size;
  is_replaced = 1;
  ask_all();
  is_replaced = 0;
  PROMISE(!is_mutated(data, size));
  return 0;
}
