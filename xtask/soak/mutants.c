/* Mistakes of a library that the soak must find. Loaded before the library, this takes the place of
 * functions that it calls. SOAK_MUTANT names the mistake. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

static int is_mutant(const char* name) {
  static const char* chosen;
  if (chosen == NULL) chosen = getenv("SOAK_MUTANT");
  return chosen != NULL && strcmp(chosen, name) == 0;
}

/* The function whose place is taken. */
#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static int is_turn(unsigned every) {
  static unsigned calls;
  return ++calls % every == 0;
}

static int is_socket(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* descriptor_not_closed: now and then a descriptor stays open beside a connection.
 * descriptor_kept: many do, until the library is shut down. */
enum { most_kept = 4096 };
static int kept[most_kept];
static int kept_count;

int close(int fd) {
  if (is_mutant("descriptor_not_closed") && is_socket(fd) && is_turn(500))
    eventfd(0, EFD_CLOEXEC);
  if (is_mutant("descriptor_kept") && kept_count < most_kept && is_socket(fd) && is_turn(16))
    kept[kept_count++] = eventfd(0, EFD_CLOEXEC);
  return REAL(close)(fd);
}

/* memory_not_freed: now and then a block stays. */
static uv_free_func real_free;

static void free_some(void* block) {
  if (block == NULL || !is_turn(100)) real_free(block);
}

int uv_replace_allocator(uv_malloc_func malloc_func, uv_realloc_func realloc_func,
                         uv_calloc_func calloc_func, uv_free_func free_func) {
  real_free = free_func;
  return REAL(uv_replace_allocator)(malloc_func, realloc_func, calloc_func,
                                    is_mutant("memory_not_freed") ? free_some : free_func);
}

/* memory_kept: with each connection some memory, which no count of blocks sees. */
static void* volatile last_kept;

int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  if (is_mutant("memory_kept")) last_kept = memset(malloc(5000), 1, 5000);
  return REAL(accept4)(fd, address, size, flags);
}

/* byte_swallowed: now and then the last byte that was read. */
ssize_t read(int fd, void* data, size_t size) {
  ssize_t got = REAL(read)(fd, data, size);
  if (got > 1 && is_mutant("byte_swallowed") && is_socket(fd) && is_turn(200)) got--;
  return got;
}

/* end_lost: now and then a stream is not shut. */
int shutdown(int fd, int how) {
  if (is_mutant("end_lost") && is_turn(50)) return 0;
  return REAL(shutdown)(fd, how);
}

/* descriptor_kept: given back before they are counted. */
void uv_library_shutdown(void) {
  REAL(uv_library_shutdown)();
  while (kept_count > 0) REAL(close)(kept[--kept_count]);
}
