/* Memory with forbidden pages around it: a read or write one byte too far ends the process. */
#ifndef OXUV_GUARDS_H
#define OXUV_GUARDS_H

#include "task.h"

#include <sys/mman.h>

/* `size` bytes that end where a forbidden page begins. */
__attribute__((unused)) static void* guarded(size_t size) {
  size_t page = (size_t) sysconf(_SC_PAGESIZE);
  size_t room = (size + page - 1) / page * page;
  char* pages = mmap(NULL, page + room + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* memory = pages + page + room - size;
  ASSERT(pages != MAP_FAILED);
  if (room > 0) ASSERT_OK(mprotect(pages + page, room, PROT_READ | PROT_WRITE));
  memset(memory, 0xdb, size);
  return memory;
}

/* Gives such memory back. */
__attribute__((unused)) static void release(void* memory, size_t size) {
  size_t page = (size_t) sysconf(_SC_PAGESIZE);
  size_t room = (size + page - 1) / page * page;
  ASSERT_OK(munmap((char*) memory + size - room - page, page + room + page));
}

/* A copy that ends where a forbidden page begins. */
__attribute__((unused)) static void* guarded_copy(const void* from, size_t size) {
  return memcpy(guarded(size), from, size);
}

/* A text whose terminator is the last byte there is. */
__attribute__((unused)) static char* guarded_text(const char* text) {
  return guarded_copy(text, strlen(text) + 1);
}

#endif
