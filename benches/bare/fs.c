/* The system calls of file operations, one after another on one thread. */
#include "../bench.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { SIZE = 4096 };

static char memory[SIZE];
static char path[256];
static char link_path[256];
static int fd;

static void do_stat(void) {
  struct statx data;
  CHECK(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &data) == 0);
}

static int open_cached(int flags) {
  struct {
    uint64_t flags, mode, resolve;
  } how = {(uint64_t) (flags | O_CLOEXEC), 0, 0x20 /* RESOLVE_CACHED */};
  int found = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
  CHECK(found >= 0);
  return found;
}

/* What it takes to be sure that nothing is waited for; run by hand, for benches/notes.md. */
static void do_stat_without_waiting(void) {
  struct statx data;
  CHECK(prctl(PR_GET_SECCOMP) >= 0);
  int found = open_cached(O_PATH);
  CHECK(statx(found, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &data) == 0);
  CHECK(close(found) == 0);
}

static void do_open_without_waiting(void) {
  do_stat_without_waiting();
  int opened = open_cached(O_RDONLY | O_NONBLOCK);
  CHECK(lseek(opened, 0, SEEK_CUR) == 0);
  CHECK(fcntl(opened, F_SETFL, O_RDONLY) == 0);
  CHECK(close(opened) == 0);
}

static void do_lstat(void) {
  struct statx data;
  CHECK(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &data) == 0);
}

static void fstat_of(int of) {
  struct statx data;
  CHECK(statx(of, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &data) == 0);
}

static void do_fstat(void) { fstat_of(fd); }
static void do_access(void) { CHECK(access(path, R_OK) == 0); }
static void do_readlink(void) { CHECK(readlink(link_path, memory, SIZE) == 6); }
static void do_read(void) { CHECK(pread(fd, memory, SIZE, 0) == SIZE); }

static void do_realpath(void) {
  char* found = realpath(path, NULL);
  CHECK(found != NULL);
  free(found);
}

static void do_open(void) {
  int opened = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(opened >= 0);
  CHECK(close(opened) == 0);
}

static void do_readfile(void) {
  int opened = open(path, O_RDONLY | O_CLOEXEC);
  CHECK(opened >= 0);
  fstat_of(opened);
  CHECK(pread(opened, memory, SIZE, 0) == SIZE);
  CHECK(close(opened) == 0);
}

static void drop(void) { CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0); }

static void do_read_uncached(void) {
  drop();
  do_read();
}

static void do_readfile_uncached(void) {
  drop();
  do_readfile();
}

/* Another thread opens; neither of the two ever blocks: the least that an asynchronous open can
 * take. Each word is NOTHING, ASKED, or ANSWERED plus the descriptor. */
enum { NOTHING, ASKED, ANSWERED };
static _Alignas(64) atomic_int question;
static _Alignas(64) atomic_int answer;

static void* open_when_asked(void* argument) {
  for (;;) {
    if (atomic_load_explicit(&question, memory_order_acquire) != ASKED) continue;
    atomic_store_explicit(&question, NOTHING, memory_order_relaxed);
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(opened >= 0);
    atomic_store_explicit(&answer, ANSWERED + opened, memory_order_release);
  }
  return argument;
}

static void do_open_by_another(void) {
  int seen;
  atomic_store_explicit(&question, ASKED, memory_order_release);
  while ((seen = atomic_load_explicit(&answer, memory_order_acquire)) == NOTHING) {}
  atomic_store_explicit(&answer, NOTHING, memory_order_relaxed);
  CHECK(close(seen - ANSWERED) == 0);
}

static void (*const operations[])(void) = {
    do_stat,     do_lstat, do_fstat,    do_access,   do_readlink,      do_read,
    do_realpath, do_open,  do_readfile, do_read_uncached, do_readfile_uncached,
    do_stat_without_waiting, do_open_without_waiting,
};

static void repeat_operation(void (*operation)(void)) {
  strcpy(path, bench_path("file"));
  strcpy(link_path, bench_path("link"));
  fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  CHECK(write(fd, memory, SIZE) == SIZE);
  CHECK(fsync(fd) == 0);
  CHECK(symlink("target", link_path) == 0);
  bench_start();
  do {
    operation();
  } while (bench_more(1));
}

static void repeat(const struct bench* bench) { repeat_operation(operations[bench->n]); }

static void open_by_another(const struct bench* bench) {
  pthread_t thread;
  (void) bench;
  strcpy(path, bench_path("file"));
  CHECK(pthread_create(&thread, NULL, open_when_asked, NULL) == 0);
  repeat_operation(do_open_by_another);
}

#define ROW(name_, number, what) {.name = name_, .text = what, .run = repeat, .n = number}

const struct bench benches[] = {
    ROW("stat", 0, "statx"),
    ROW("lstat", 1, "statx, links not followed"),
    ROW("fstat", 2, "statx of a descriptor"),
    ROW("access", 3, "access"),
    ROW("readlink", 4, "readlink"),
    ROW("read", 5, "pread of 4 KiB"),
    ROW("realpath", 6, "realpath"),
    ROW("open", 7, "open and close"),
    ROW("open_close", 7, "open and close"),
    ROW("readfile", 8, "open, statx, pread of 4 KiB and close"),
    ROW("read_uncached", 9, "pread of 4 KiB, dropped from the cache before"),
    ROW("readfile_uncached", 10, "open, statx, pread, close, dropped from the cache before"),
    ROW("stat_without_waiting", 11, "prctl, openat2 of what is cached, statx and close"),
    ROW("open_without_waiting", 12, "the same, openat2, lseek and fcntl, and the caller's close"),
    {.name = "open_by_another",
     .text = "an open by a thread that does not sleep, and the caller's close",
     .run = open_by_another},
    {.name = NULL},
};
