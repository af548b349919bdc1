/* What the system's sanitizers lack. For one file of each program. */
#ifndef SANITIZER_H
#define SANITIZER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
static pid_t checked_process;

/* The state of a thread, such as 'S' if it blocks. Only system calls: tests replace libc's functions. */
static char state_of_thread(int tasks, const char* id) {
  char path[64], stat[512];
  const char* state;
  long length;
  int fd;
  snprintf(path, sizeof path, "%s/stat", id);
  fd = (int) syscall(SYS_openat, tasks, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 'S';
  length = syscall(SYS_read, fd, stat, sizeof stat - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return 'S';
  stat[length] = '\0';
  state = strrchr(stat, ')');
  return state == NULL || state[1] != ' ' ? 'S' : state[2];
}

/* Whether another thread of the process runs, and does not block. */
static int another_thread_runs(void) {
  long own = syscall(SYS_gettid);
  _Alignas(8) char entries[4096];
  long size, at;
  int runs = 0;
  int tasks = (int) syscall(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_CLOEXEC);
  if (tasks < 0) return 0;
  while ((size = syscall(SYS_getdents64, tasks, entries, sizeof entries)) > 0)
    for (at = 0; at < size; at += ((struct dirent64*) (entries + at))->d_reclen) {
      const char* id = ((struct dirent64*) (entries + at))->d_name;
      if (id[0] != '.' && atol(id) != own && state_of_thread(tasks, id) != 'S') runs = 1;
    }
  syscall(SYS_close, tasks);
  return runs;
}

/* AddressSanitizer's own lock for memory would stay locked in a forked child if a thread holds it, as
 * a new thread does for a moment. So fork() waits until the others block, as long as they may. */
static void wait_for_other_threads(void) {
  int error = errno, rounds;
  for (rounds = 0; rounds < 200 && another_thread_runs(); rounds++) sched_yield();
  errno = error;
}

__attribute__((constructor)) static void note_process(void) {
  checked_process = getpid();
  pthread_atfork(wait_for_other_threads, NULL, NULL);
}

/* Called before the check for leaks at exit. In a forked child that check may wait for ever for a lock
 * which a thread of the parent held, and what it would find are the parent's. */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void) {
  return getpid() != checked_process;
}
#endif

#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1

/* Rust's compiler is newer than the system's clang, whose ThreadSanitizer may not have these. */
void* __tsan_memcpy(void* to, const void* from, size_t size) __attribute__((weak));
void* __tsan_memmove(void* to, const void* from, size_t size) __attribute__((weak));
void* __tsan_memset(void* to, int byte, size_t size) __attribute__((weak));

void* __tsan_memcpy(void* to, const void* from, size_t size) {
  return memcpy(to, from, size);
}

void* __tsan_memmove(void* to, const void* from, size_t size) {
  return memmove(to, from, size);
}

void* __tsan_memset(void* to, int byte, size_t size) {
  return memset(to, byte, size);
}
#endif
#endif

#ifndef HAS_THREAD_SANITIZER
#define HAS_THREAD_SANITIZER 0
#endif

#endif
