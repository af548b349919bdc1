/* What the system's sanitizers lack. For one file of each program. */
#ifndef SANITIZER_H
#define SANITIZER_H

#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
static pid_t checked_process;

__attribute__((constructor)) static void note_process(void) {
  checked_process = getpid();
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
