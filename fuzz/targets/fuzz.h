/* What the fuzz targets share. Each gets bytes from libFuzzer, and ends the process where the library
 * breaks a promise; AddressSanitizer does so where it touches memory that is not its own.
 *
 * Linked with the static library. libuv's own release, named by OXUV_FUZZ_LIBUV, answers the same
 * questions where `both` is used.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define PROMISE(condition)                                                        \
  do {                                                                            \
    if (!(condition)) {                                                           \
      fprintf(stderr, "broken: %s (%s:%d)\n", #condition, __FILE__, __LINE__);    \
      abort();                                                                    \
    }                                                                             \
  } while (0)

/* libuv's function of this name, or this library's where libuv is not there. */
#define LIBUV(name) ((__typeof__(&name)) libuv_function(#name, (void*) &name))

static inline void* libuv_function(const char* name, void* ours) {
  static void* library;
  const char* path = getenv("OXUV_FUZZ_LIBUV");
  void* function;
  if (path == NULL) return ours;
  if (library == NULL) library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  PROMISE(library != NULL);
  function = dlsym(library, name);
  PROMISE(function != NULL && function != ours);
  return function;
}

/* Whether a build with a mistake makes it for this input: for one in some hundred. */
static inline int is_mutated(const uint8_t* data, size_t size) {
#ifdef MUTANT
  uint32_t hash = 2166136261u;
  while (size-- > 0) hash = (hash ^ *data++) * 16777619u;
  return hash % 256 == 90;
#else
  (void) data, (void) size;
  return 0;
#endif
}

/* A terminated copy of the bytes up to the first zero, as large as it needs to be: to be freed. */
static inline char* string_of(const uint8_t* data, size_t size) {
  size_t length = strnlen((const char*) data, size);
  char* text = malloc(length + 1);
  PROMISE(text != NULL);
  memcpy(text, data, length);
  text[length] = '\0';
  return text;
}

#endif
