/* What the system's sanitizers lack for code of Rust's compiler. For one file of each program. */
#ifndef SANITIZER_H
#define SANITIZER_H

#include <string.h>

#if defined(__has_feature)
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
