/* What the tests of inline file operations have in common: these are done in the loop's own thread,
 * as they are reported while every thread of the pool is occupied. The kernel has no answer at hand
 * while others change its table of mounts, as some tests do: so these run alone. */
#ifndef OXUV_INLINE_H
#define OXUV_INLINE_H

#include "fs.h"

#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Newer than the headers of some systems. */
#define RESOLVE_CACHED__ 0x20

struct open_how__ {
  uint64_t flags, mode, resolve;
};

static inline int open_cached(const char* path, int flags) {
#ifdef SYS_openat2
  struct open_how__ how = {(uint64_t) flags | O_CLOEXEC, 0, RESOLVE_CACHED__};
  return (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
#else
  errno = ENOSYS;
  return -1;
#endif
}

static inline int is_local_type(long type) {
  static const uint32_t types[] = {0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994};
  size_t i;
  for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
    if ((uint32_t) type == types[i]) return 1;
  return 0;
}

/* The test needs a kernel and a folder with which operations can be done inline; whether they are
 * by default, and under which conditions, is left to the test. */
static inline void need_cached_calls(void) {
  unsigned handle[2] = {0, 0};
  int mount;
  struct statfs type;
  const char* folder;
  int fd;

  OXUV_ONLY();
  if (prctl(PR_GET_SECCOMP) > 0) SKIP("a filter of system calls is installed");
  folder = test_tmpdir();
  fd = open_cached(folder, O_PATH);
  if (fd < 0) SKIP("openat2 with RESOLVE_CACHED: %s", strerror(errno));
  if (syscall(SYS_name_to_handle_at, fd, "", handle, &mount, AT_EMPTY_PATH) == 0 || errno != EOVERFLOW)
    SKIP("name_to_handle_at: %s", strerror(errno));
  ASSERT_OK(fstatfs(fd, &type));
  close(fd);
  if (!is_local_type((long) type.f_type)) SKIP("the folder is on a file system of another kind");
}

/* Skips the test without the calls that inline operations need, and turns these on. */
static inline void need_inline(void) {
  need_cached_calls();
  ASSERT_OK(setenv("OXUV_FS_INLINE", "1", 1));
}

/* The first use of a new link sets its access time, which is not done inline: the time is set
 * here. */
static inline void make_link(const char* text, const char* path) {
  struct timespec times[2];
  ASSERT_OK(symlink(text, path));
  ASSERT_OK(clock_gettime(CLOCK_REALTIME, &times[0]));
  times[1] = times[0];
  times[0].tv_sec += 3600;
  ASSERT_OK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

/* --- Occupying the pool -------------------------------------------------------------------- */

enum { most_threads = 4 };
static sem_t jobs_begun;
static sem_t jobs_may_end;
static uv_work_t jobs[most_threads];
static int jobs_count;
static int jobs_ended __attribute__((unused));

static inline void wait_for(sem_t* sem) {
  while (sem_wait(sem) != 0) ASSERT_EQ(errno, EINTR);
}

static inline void job(uv_work_t* req) {
  (void) req;
  sem_post(&jobs_begun);
  wait_for(&jobs_may_end);
}

static inline void after_job(uv_work_t* req, int status) {
  (void) req;
  ASSERT_OK(status);
  jobs_ended++;
}

static inline void set_pool_size(int size) {
  char text[16];
  snprintf(text, sizeof(text), "%d", size);
  ASSERT_OK(setenv("UV_THREADPOOL_SIZE", text, 1));
}

/* Has `count` threads of the pool do nothing until let go. */
static inline void occupy(uv_loop_t* loop, int count) {
  int i;
  ASSERT_LE(count, most_threads);
  ASSERT_OK(sem_init(&jobs_begun, 0, 0));
  ASSERT_OK(sem_init(&jobs_may_end, 0, 0));
  for (i = 0; i < count; i++) ASSERT_OK(uv_queue_work(loop, &jobs[i], job, after_job));
  for (i = 0; i < count; i++) wait_for(&jobs_begun);
  jobs_count = count;
  jobs_ended = 0;
}

static inline void let_go(void) {
  while (jobs_count > 0) {
    sem_post(&jobs_may_end);
    jobs_count--;
  }
}

/* --- Operations ---------------------------------------------------------------------------- */

static uv_fs_t inline_req __attribute__((unused));
static int inline_calls __attribute__((unused));

static inline void on_inline(uv_fs_t* req) {
  (void) req;
  inline_calls++;
}

/* An operation of which the mount is learned; the first one goes to the pool. */
static inline void learn_mount(uv_loop_t* loop, const char* path) {
  uv_fs_t req;
  int before = inline_calls;
  ASSERT_OK(uv_fs_stat(loop, &req, path, on_inline));
  run_until(loop, &inline_calls, before + 1);
  ASSERT_OK(req.result);
  uv_fs_req_cleanup(&req);
}

/* All of the pool's threads are busy from here on, and the test's folder is known. */
static inline void block_pool(void) {
  set_pool_size(2);
  learn_mount(uv_default_loop(), test_tmpdir());
  occupy(uv_default_loop(), 2);
}

static inline void end_inline(void) {
  let_go();
  MAKE_SURE_NOTHING_LEAKED();
}

/* Whether an operation that was started is reported by the loop's first poll. If not, it is
 * cancelled. That may be once in a while, when others change the kernel's tables. */
static inline int is_reported_at_once(int started) {
  int before = inline_calls;
  ASSERT_OK(started);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  if (inline_calls == before + 1) return 1;
  ASSERT_OK(uv_cancel((uv_req_t*) &inline_req));
  run_until(uv_default_loop(), &inline_calls, before + 1);
  return 0;
}

static inline void try_again(int* tries) {
  if (++*tries == 5)
    FAIL("not done inline: %d of %s", inline_req.fs_type, inline_req.path);
  uv_fs_req_cleanup(&inline_req);
}

/* The result of an operation that must wait for a thread of the pool. */
static inline int64_t reported_by_pool(int started) {
  int before = inline_calls;
  int i;
  ASSERT_OK(started);
  for (i = 0; i < 3; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  if (inline_calls != before)
    FAIL("done without the pool: %d of %s", inline_req.fs_type, inline_req.path);
  let_go();
  run_until(uv_default_loop(), &inline_calls, before + 1);
  run_until(uv_default_loop(), &jobs_ended, 2);
  occupy(uv_default_loop(), 2);
  return inline_req.result;
}

/* Starts an operation with `inline_req`. */
#define START(name, ...)                                                                           \
  (memset(&inline_req, 0xdb, sizeof(inline_req)),                                                  \
   uv_fs_##name(uv_default_loop(), &inline_req, __VA_ARGS__, on_inline))
/* Its result, to be cleaned up. */
#define INLINE_KEEP(name, ...)                                                                     \
  ({                                                                                               \
    int tries__ = 0;                                                                               \
    while (!is_reported_at_once(START(name, __VA_ARGS__))) try_again(&tries__);                    \
    (int64_t) inline_req.result;                                                                   \
  })
#define BY_POOL_KEEP(name, ...) reported_by_pool(START(name, __VA_ARGS__))

static inline int64_t inline_clean(int64_t result) {
  uv_fs_req_cleanup(&inline_req);
  return result;
}

#define INLINE(name, ...) inline_clean(INLINE_KEEP(name, __VA_ARGS__))
#define BY_POOL(name, ...) inline_clean(BY_POOL_KEEP(name, __VA_ARGS__))

#endif
