/* Mistakes of a library, made by taking the place of functions: proof that the programs find them.
 * FAULTS_MUTANT names the one that is made; the driver loads this file before the library. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

static int is_mutant(const char* name) {
  const char* chosen = getenv("FAULTS_MUTANT");
  return chosen != NULL && strcmp(chosen, name) == 0;
}

/* The function whose place is taken. */
#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static int is_socket(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* lost_wakeup: an eventfd is not written to. */
ssize_t write(int fd, const void* data, size_t size) {
  uint64_t one = 1;
  if (size == sizeof(one) && memcmp(data, &one, sizeof(one)) == 0 && is_mutant("lost_wakeup"))
    return (ssize_t) size;
  return REAL(write)(fd, data, size);
}

/* descriptor_not_closed: a socket stays open. */
int close(int fd) {
  if (is_mutant("descriptor_not_closed") && is_socket(fd)) return 0;
  return REAL(close)(fd);
}

/* swallowed_error: what could not be written counts as written. */
ssize_t writev(int fd, const struct iovec* bufs, int count) {
  ssize_t result = REAL(writev)(fd, bufs, count);
  int i;
  if (result >= 0 || errno == EAGAIN || !is_mutant("swallowed_error")) return result;
  for (result = 0, i = 0; i < count; i++) result += (ssize_t) bufs[i].iov_len;
  return result;
}

/* callback_twice: of a job. */
static uv_after_work_cb after_work;

static void call_twice(uv_work_t* request, int status) {
  after_work(request, status);
  after_work(request, status);
}

int uv_queue_work(uv_loop_t* loop, uv_work_t* request, uv_work_cb work, uv_after_work_cb after) {
  after_work = after;
  return REAL(uv_queue_work)(loop, request, work, is_mutant("callback_twice") ? call_twice : after);
}

/* callback_lost: of a write, after which everything is closed. */
static void close_at_last(uv_handle_t* handle, void* unused) {
  (void) unused;
  if (handle->type == UV_NAMED_PIPE && !uv_is_closing(handle)) uv_close(handle, NULL);
}

static void call_never(uv_write_t* request, int status) {
  (void) status;
  uv_walk(request->handle->loop, close_at_last, NULL);
}

int uv_write(uv_write_t* request, uv_stream_t* stream, const uv_buf_t bufs[], unsigned count,
             uv_write_cb callback) {
  return REAL(uv_write)(request, stream, bufs, count,
                        is_mutant("callback_lost") ? call_never : callback);
}

/* memory_not_freed: once; unchecked_allocation: a block is used that is not there. */
static uv_free_func real_free;
static uv_malloc_func real_malloc;

static void free_but_one(void* block) {
  static int calls;
  if (block != NULL && ++calls == 3) return;
  real_free(block);
}

static void* malloc_and_use(size_t size) {
  char* block = real_malloc(size);
  *(volatile char*) block = 0;
  return block;
}

int uv_replace_allocator(uv_malloc_func malloc_func, uv_realloc_func realloc_func,
                         uv_calloc_func calloc_func, uv_free_func free_func) {
  real_free = free_func;
  real_malloc = malloc_func;
  return REAL(uv_replace_allocator)(
    is_mutant("unchecked_allocation") ? malloc_and_use : malloc_func, realloc_func, calloc_func,
    is_mutant("memory_not_freed") ? free_but_one : free_func);
}

/* endless_retry: a connection that cannot be accepted is tried again without a pause. */
int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  static int has_failed;
  int result = REAL(accept4)(fd, address, size, flags);
  if (!is_mutant("endless_retry")) return result;
  if (result < 0 && errno == EMFILE) has_failed = 1;
  while (has_failed) continue;
  return result;
}

/* memory_lost: beside the program's allocator, where only valgrind sees it. */
static void* volatile lost;

int uv_loop_init(uv_loop_t* loop) {
  lost = malloc(100);
  if (!is_mutant("memory_lost")) free(lost);
  lost = NULL;
  return REAL(uv_loop_init)(loop);
}
