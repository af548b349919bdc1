/* Libraries that replace libc's functions for files only by the names without 64: they see of this
 * library all that they see of libuv. shims.c has the names with 64. */
#include "inline.h"

#include <dlfcn.h>
#include <stdarg.h>

#ifdef __GLIBC__

int shim_open(const char* path, int flags, ...) __asm__("open");
int shim_open(const char* path, int flags, ...) {
  int (*real)(const char*, int, ...) = (int (*)(const char*, int, ...)) dlsym(RTLD_NEXT, "open");
  va_list arguments;
  mode_t mode;

  va_start(arguments, flags);
  mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return real(path, flags, mode);
}

TEST_IMPL_SERIAL(nothing_is_done_behind_the_shims_back) {
  need_cached_calls();
  fs_touch(test_path("file"));
  ASSERT_OK(unsetenv("OXUV_FS_INLINE"));
  block_pool();
  ASSERT_OK(BY_POOL(stat, test_path("file")));
  end_inline();
}

#endif
