/* Libraries that take the place of libc's functions for files (PRoot, fakeroot, …) see what is
 * done, by the names that libuv uses. This program itself is such a library: what it defines goes
 * first. */
#include "inline.h"

#include <dlfcn.h>
#include <stdarg.h>

#ifdef __GLIBC__

#define HIDDEN "hidden/file"
static int opened, read_at, written_at, truncated, asked, listed;

static void* next(const char* name) {
  void* function = dlsym(RTLD_NEXT, name);
  if (function == NULL) abort();
  return function;
}

int shim_open(const char* path, int flags, ...) __asm__("open64");
int shim_open(const char* path, int flags, ...) {
  int (*real)(const char*, int, ...) = (int (*)(const char*, int, ...)) next("open64");
  const char* at = strstr(path, HIDDEN);
  char other[1024];
  va_list arguments;
  mode_t mode;

  opened++;
  va_start(arguments, flags);
  mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (at == NULL) return real(path, flags, mode);
  snprintf(other, sizeof(other), "%.*sshown/file", (int) (at - path), path);
  return real(other, flags, mode);
}

ssize_t shim_pread(int fd, void* to, size_t size, off64_t at) __asm__("pread64");
ssize_t shim_pread(int fd, void* to, size_t size, off64_t at) {
  ssize_t (*real)(int, void*, size_t, off64_t) =
      (ssize_t(*)(int, void*, size_t, off64_t)) next("pread64");
  read_at++;
  return real(fd, to, size, at);
}

ssize_t shim_pwrite(int fd, const void* from, size_t size, off64_t at) __asm__("pwrite64");
ssize_t shim_pwrite(int fd, const void* from, size_t size, off64_t at) {
  ssize_t (*real)(int, const void*, size_t, off64_t) =
      (ssize_t(*)(int, const void*, size_t, off64_t)) next("pwrite64");
  written_at++;
  return real(fd, from, size, at);
}

int shim_ftruncate(int fd, off64_t size) __asm__("ftruncate64");
int shim_ftruncate(int fd, off64_t size) {
  int (*real)(int, off64_t) = (int (*)(int, off64_t)) next("ftruncate64");
  truncated++;
  return real(fd, size);
}

int shim_statfs(const char* path, struct statfs64* found) __asm__("statfs64");
int shim_statfs(const char* path, struct statfs64* found) {
  int (*real)(const char*, struct statfs64*) =
      (int (*)(const char*, struct statfs64*)) next("statfs64");
  asked++;
  return real(path, found);
}

struct dirent64* shim_readdir(DIR* dir) __asm__("readdir64");
struct dirent64* shim_readdir(DIR* dir) {
  struct dirent64* (*real)(DIR*) = (struct dirent64 * (*) (DIR*) ) next("readdir64");
  listed++;
  return real(dir);
}

static const char* hide_a_file(void) {
  ASSERT_OK(mkdir(test_path("hidden"), 0700));
  ASSERT_OK(mkdir(test_path("shown"), 0700));
  /* By another name: this program's own `open` may be the one that is replaced. */
  write_file(test_path("hidden/new"), "hidden", 6);
  ASSERT_OK(rename(test_path("hidden/new"), test_path(HIDDEN)));
  write_file(test_path("shown/file"), "shown!", 6);
  return test_path(HIDDEN);
}

/* Also when the loop's own thread could do it, for which it must know the file system. */
TEST_FS(what_is_opened_is_seen) {
  char text[7] = "";
  uv_buf_t buf = uv_buf_init(text, 6);
  const char* path = hide_a_file();
  int64_t fd;
  int i;

  for (i = 0; i < 5; i++) {
    ASSERT_OK(FS(stat, path));
    opened = 0;
    fd = FS(open, path, O_RDONLY, 0);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(opened, 1);
    ASSERT_EQ(FS(read, (uv_file) fd, &buf, 1, i % 2 == 0 ? 0 : -1), 6);
    ASSERT_STR_EQ(text, "shown!");
    ASSERT_OK(FS(close, (uv_file) fd));
  }
}

TEST_FS(what_is_copied_is_seen) {
  const char* path = hide_a_file();
  opened = 0;
  ASSERT_OK(FS(copyfile, path, test_path("copy"), 0));
  ASSERT_GE(opened, 2);
  fs_check_content(test_path("copy"), "shown!", 6);
}

TEST_FS(reading_and_writing_are_seen) {
  char text[5] = "text";
  uv_buf_t buf = uv_buf_init(text, 4);
  int64_t fd = FS(open, test_path("file"), O_RDWR | O_CREAT, 0600);

  ASSERT_GE(fd, 0);
  ASSERT_EQ(FS(write, (uv_file) fd, &buf, 1, 0), 4);
  ASSERT_EQ(written_at, 1);
  ASSERT_EQ(FS(read, (uv_file) fd, &buf, 1, 0), 4);
  ASSERT_EQ(read_at, 1);
  ASSERT_OK(FS(ftruncate, (uv_file) fd, 1));
  ASSERT_EQ(truncated, 1);
  ASSERT_OK(FS(close, (uv_file) fd));
}

TEST_FS(questions_about_folders_are_seen) {
  uv_dirent_t entries[4];
  uv_dir_t* dir;

  fs_touch(test_path("file"));
  ASSERT_OK(FS(statfs, test_tmpdir()));
  ASSERT_EQ(asked, 1);
  ASSERT_OK(FS_KEEP(opendir, test_tmpdir()));
  dir = fs_req.ptr;
  dir->dirents = entries;
  dir->nentries = 4;
  uv_fs_req_cleanup(&fs_req);
  ASSERT_EQ(FS(readdir, dir), 1);
  ASSERT_GE(listed, 1);
  ASSERT_OK(FS(closedir, dir));
}

/* What libuv reads about the system it opens like any file. */
TEST_IMPL(what_is_read_of_proc_is_seen) {
  double load[3];
  double seconds;
  uv_loadavg(load);
  ASSERT_EQ(opened, 1);
  ASSERT_OK(uv_uptime(&seconds));
  ASSERT_EQ(opened, 2);
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
