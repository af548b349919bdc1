/* What the tests of file system operations have in common: one scenario is run twice, with
 * synchronous calls and with calls that have a callback. */
#ifndef OXUV_FS_H
#define OXUV_FS_H

#include "task.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/time.h>

static uv_fs_t fs_req __attribute__((unused));
static int fs_calls __attribute__((unused));
static int fs_is_async __attribute__((unused));

static inline void fs_on_done(uv_fs_t* req) {
  ASSERT_PTR_EQ(req, &fs_req);
  fs_calls++;
}

/* Garbage: the library must not rely on what was in a request before. */
static inline uv_loop_t* fs_begin(void) {
  memset(&fs_req, 0xdb, sizeof(fs_req));
  fs_req.data = &fs_req;
  fs_calls = 0;
  return fs_is_async ? uv_default_loop() : NULL;
}

/* The result of an operation, which `returned` is for a synchronous one. */
static inline int64_t fs_end(int returned) {
  ASSERT_EQ(fs_req.type, UV_FS);
  ASSERT_PTR_EQ(fs_req.data, &fs_req);
  if (!fs_is_async) {
    /* In libuv, the result says nothing of an operation that was not even started. */
    if (getenv("OXUV_TEST_OTHER") == NULL || returned != UV_EINVAL)
      ASSERT_EQ(fs_req.result, returned);
    return returned;
  }
  if (returned != 0) {
    ASSERT_LT(returned, 0);
    ASSERT(!uv_loop_alive(uv_default_loop()));
    return returned;
  }
  ASSERT_EQ(fs_calls, 0);
  ASSERT(uv_loop_alive(uv_default_loop()));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(fs_calls, 1);
  return fs_req.result;
}

static inline int64_t fs_clean(int64_t result) {
  uv_fs_req_cleanup(&fs_req);
  ASSERT_NULL(fs_req.ptr);
  ASSERT_NULL(fs_req.path);
  uv_fs_req_cleanup(&fs_req);
  ASSERT_EQ(uv_fs_get_result(&fs_req), fs_req.result);
  return result;
}

/* The result of an operation, in fs_req: FS_KEEP(stat, path). To be cleaned up. */
#define FS_KEEP(name, ...)                                                                         \
  (fs_begin(), fs_end(uv_fs_##name(fs_is_async ? uv_default_loop() : NULL, &fs_req, __VA_ARGS__,   \
                                   fs_is_async ? fs_on_done : NULL)))
/* The result of an operation, whose request is cleaned up: FS(stat, path). */
#define FS(name, ...) fs_clean(FS_KEEP(name, __VA_ARGS__))

/* A scenario that is a test twice. */
#define TEST_FS(name)                                                                              \
  static void name(void);                                                                          \
  TEST_IMPL(name##_sync) {                                                                         \
    name();                                                                                        \
    MAKE_SURE_NOTHING_LEAKED();                                                                    \
  }                                                                                                \
  TEST_IMPL(name##_async) {                                                                        \
    fs_is_async = 1;                                                                               \
    name();                                                                                        \
    MAKE_SURE_NOTHING_LEAKED();                                                                    \
  }                                                                                                \
  static void name(void)

static inline void fs_touch(const char* path) {
  write_file(path, "", 0);
}

static inline struct stat fs_lstat(const char* path) {
  struct stat s;
  ASSERT_OK(lstat(path, &s));
  return s;
}

static inline int fs_exists(const char* path) {
  struct stat s;
  return lstat(path, &s) == 0;
}

/* Reads a file with plain calls, and fails unless it has just that in it. */
static inline void fs_check_content(const char* path, const void* data, size_t size) {
  char* found = malloc(size + 1);
  int fd = open(path, O_RDONLY);
  size_t count = 0;
  ssize_t n;

  ASSERT_GE(fd, 0);
  while ((n = read(fd, found + count, size + 1 - count)) > 0) count += n;
  ASSERT_OK(n);
  ASSERT_EQ(count, size);
  ASSERT_MEM_EQ(found, data, size);
  close(fd);
  free(found);
}

#endif
