/* An allocator that counts, marks what it frees, and fails as asked for: FAULTS_ALLOCATION=5 has the
 * fifth allocation fail, 5.. that one and all later ones. */
#include "program.h"

#include <stdatomic.h>

struct head {
  size_t size;
  size_t mark;
};

enum { live_mark = 0x11fe };

static atomic_long taken;
static atomic_long live;
static long first_failing;
static int is_failing_for_good;

static int is_refused(void) {
  long number = atomic_fetch_add(&taken, 1) + 1;
  if (first_failing == 0) return 0;
  return number == first_failing || (is_failing_for_good && number > first_failing);
}

static void* finish_block(struct head* block, size_t size) {
  if (block == NULL) return NULL;
  block->size = size;
  block->mark = live_mark;
  atomic_fetch_add(&live, 1);
  return block + 1;
}

static void* counting_malloc(size_t size) {
  void* data;
  if (is_refused()) return NULL;
  data = finish_block(malloc(size + sizeof(struct head)), size);
  if (data != NULL) memset(data, 0xa5, size);
  return data;
}

static void* counting_calloc(size_t count, size_t size) {
  if (is_refused()) return NULL;
  return finish_block(calloc(1, count * size + sizeof(struct head)), count * size);
}

static void counting_free(void* data) {
  struct head* block = (struct head*) data - 1;
  if (data == NULL) return;
  EXPECT(block->mark == live_mark, "memory was freed twice, or never taken");
  block->mark = 0;
  memset(data, 0xee, block->size);
  atomic_fetch_sub(&live, 1);
  free(block);
}

static void* counting_realloc(void* data, size_t size) {
  struct head* block = (struct head*) data - 1;
  void* moved;
  if (data == NULL) return counting_malloc(size);
  EXPECT(block->mark == live_mark, "memory was resized that is not there");
  moved = counting_malloc(size);
  if (moved == NULL) return NULL;
  memcpy(moved, data, block->size < size ? block->size : size);
  counting_free(data);
  return moved;
}

void use_counting_allocator(void) {
  const char* text = getenv("FAULTS_ALLOCATION");
  if (text != NULL) {
    first_failing = atol(text);
    is_failing_for_good = strstr(text, "..") != NULL;
  }
  uv_replace_allocator(counting_malloc, counting_realloc, counting_calloc, counting_free);
}

long allocations_taken(void) {
  return atomic_load(&taken);
}

long blocks_left(void) {
  return atomic_load(&live);
}
