/* What the system's sanitizers lack. For one file of each program. */
#ifndef SANITIZER_H
#define SANITIZER_H

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
static pid_t checked_process;

/* Whether another thread of the process runs, and does not block. */
static int another_thread_runs(void) {
  char own[32], path[320], stat[512];
  DIR* tasks = opendir("/proc/self/task");
  struct dirent* entry;
  int runs = 0;
  if (tasks == NULL) return 0;
  snprintf(own, sizeof own, "%ld", syscall(SYS_gettid));
  while ((entry = readdir(tasks)) != NULL) {
    FILE* file;
    size_t length;
    const char* state;
    if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0) continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
    file = fopen(path, "r");
    if (file == NULL) continue;
    length = fread(stat, 1, sizeof stat - 1, file);
    fclose(file);
    stat[length] = '\0';
    state = strrchr(stat, ')');
    if (state != NULL && state[1] == ' ' && state[2] != 'S') runs = 1;
  }
  closedir(tasks);
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
