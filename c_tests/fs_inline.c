/* Inline file operations: the operations that are done inline, and their results, which are those
 * of the synchronous calls. https://docs.libuv.org/en/v1.x/fs.html */
#include "inline.h"

#include <sys/sysmacros.h>

static void set_up(void) {
  need_inline();
  ASSERT_OK(chdir(test_tmpdir()));
  write_file("file", "hello, world", 12);
  write_file("empty", "", 0);
  ASSERT_OK(mkdir("folder", 0750));
  write_file("folder/inner", "x", 1);
}

static void end(void) {
  ASSERT_OK(chdir("/"));
  end_inline();
}

/* How an operation is to be done: reported by the loop's first poll, or in any way. */
static enum { reported_at_once, reported_by_either } way;

static int64_t reported_somehow(int started) {
  int before = inline_calls;
  ASSERT_OK(started);
  ASSERT_EQ(inline_calls, before);
  run_until(uv_default_loop(), &inline_calls, before + 1);
  return inline_req.result;
}

#define ASK(name, ...)                                                                             \
  (way == reported_at_once ? INLINE_KEEP(name, __VA_ARGS__)                                        \
                           : reported_somehow(START(name, __VA_ARGS__)))

static void compare_status(const uv_fs_t* expected, const char* path) {
  ASSERT_EQ(inline_req.result, expected->result);
  ASSERT_STR_EQ(inline_req.path, path);
  if (expected->result != 0) {
    ASSERT_NULL(inline_req.ptr);
    return;
  }
  ASSERT_PTR_EQ(inline_req.ptr, &inline_req.statbuf);
  ASSERT_PTR_EQ(uv_fs_get_statbuf(&inline_req), &inline_req.statbuf);
  if (memcmp(&expected->statbuf, &inline_req.statbuf, sizeof(uv_stat_t)) != 0)
    FAIL("the status of %s differs", path);
}

static void equal_stat(const char* path) {
  uv_fs_t expected;
  uv_fs_stat(NULL, &expected, path, NULL);
  ASK(stat, path);
  compare_status(&expected, path);
  uv_fs_req_cleanup(&inline_req);
  uv_fs_req_cleanup(&expected);
}

static void equal_lstat(const char* path) {
  uv_fs_t expected;
  uv_fs_lstat(NULL, &expected, path, NULL);
  ASK(lstat, path);
  compare_status(&expected, path);
  uv_fs_req_cleanup(&inline_req);
  uv_fs_req_cleanup(&expected);
}

static void equal_access(const char* path, int mode) {
  uv_fs_t expected;
  int64_t found;
  uv_fs_access(NULL, &expected, path, mode, NULL);
  found = ASK(access, path, mode);
  if (found != expected.result)
    FAIL("access(%s, %d): %d, not %d", path, mode, (int) found, (int) expected.result);
  uv_fs_req_cleanup(&inline_req);
  uv_fs_req_cleanup(&expected);
}

static void equal_results(const char* path) {
  equal_stat(path);
  equal_lstat(path);
  equal_access(path, F_OK);
  equal_access(path, R_OK);
}

/* --- Questions by path --------------------------------------------------------------------- */

TEST_IMPL_SERIAL(questions_about_files_and_folders) {
  set_up();
  block_pool();
  way = reported_at_once;
  equal_results("file");
  equal_results("empty");
  equal_results("folder");
  equal_results("folder/");
  equal_results("folder/../folder/./inner");
  equal_results(".");
  equal_results(test_path("file"));
  ASSERT_EQ(inline_req.fs_type, UV_FS_ACCESS);
  end();
}

TEST_IMPL_SERIAL(questions_about_links) {
  set_up();
  make_link("file", "link");
  make_link("link", "chain2");
  make_link("chain2", "chain3");
  make_link("folder", "to-folder");
  make_link("nothing", "dangling");
  make_link("dangling", "to-dangling");
  block_pool();
  way = reported_at_once;
  equal_results("link");
  equal_results("chain3");
  equal_results("to-folder");
  equal_results("to-folder/");
  equal_results("to-folder/inner");
  equal_results("dangling");
  equal_results("to-dangling");
  end();
}

/* ext4 keeps texts below 60 bytes in the inode, others in a block that may have to be read. */
TEST_IMPL_SERIAL(links_with_long_texts) {
  static const int lengths[] = {1, 59, 60, 61, 255, 256, 257, 1000, 4095};
  char text[4096];
  char name[32];
  size_t i;
  set_up();
  block_pool();
  way = reported_at_once;
  for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    int length = lengths[i];
    int k;
    for (k = 0; k < length; k++) text[k] = k % 2 == 0 ? '.' : '/';
    text[length] = '\0';
    snprintf(name, sizeof(name), "long%d", length);
    if (length == 4095 && symlink(text, name) != 0) continue;
    unlink(name);
    make_link(text, name);
    equal_lstat(name);
  }
  end();
}

TEST_IMPL_SERIAL(questions_about_what_is_no_file) {
  set_up();
  ASSERT_OK(mkfifo("fifo", 0600));
  block_pool();
  way = reported_at_once;
  equal_results("fifo");
  if (mknod("device", S_IFCHR | 0600, makedev(1, 3)) == 0) equal_results("device");
  let_go();
  /* Other file systems, some of them not of a known kind. */
  way = reported_by_either;
  equal_results("/dev/null");
  equal_results("/dev/stdin");
  equal_access("/proc/self/exe", X_OK);
  equal_lstat("/proc/version");
  end();
}

TEST_IMPL_SERIAL(errors_of_paths) {
  static char too_long[5000];
  static char long_name[300];
  set_up();
  memset(too_long, '/', sizeof(too_long) - 1);
  memset(long_name, 'n', sizeof(long_name) - 1);
  make_link("self", "self");
  block_pool();
  way = reported_at_once;
  uv_fs_t req;
  ASSERT_EQ(uv_fs_stat(NULL, &req, "nothing", NULL), UV_ENOENT);
  equal_results("nothing");
  ASSERT_EQ(uv_fs_stat(NULL, &req, "nothing/at/all", NULL), UV_ENOENT);
  equal_results("nothing/at/all");
  let_go();
  /* Whether the kernel gives the other errors without a lookup that might wait, is up to it. */
  way = reported_by_either;
  ASSERT_EQ(uv_fs_stat(NULL, &req, "file/inner", NULL), UV_ENOTDIR);
  equal_results("file/inner");
  equal_results("file/");
  ASSERT_EQ(uv_fs_stat(NULL, &req, "self", NULL), UV_ELOOP);
  equal_results("self");
  equal_results("self/inner");
  ASSERT_EQ(uv_fs_stat(NULL, &req, long_name, NULL), UV_ENAMETOOLONG);
  equal_results(long_name);
  equal_results(too_long);
  equal_results("");
  end();
}

TEST_IMPL_SERIAL(modes_of_access) {
  int mode;
  set_up();
  ASSERT_OK(chmod("file", 0400));
  write_file("program", "", 0);
  ASSERT_OK(chmod("program", 0755));
  block_pool();
  way = reported_at_once;
  for (mode = 0; mode < 8; mode++) {
    equal_access("file", mode);
    equal_access("program", mode);
    equal_access("folder", mode);
    equal_access("nothing", mode);
  }
  let_go();
  /* That a mode is wrong is reported before anything about the path. */
  way = reported_by_either;
  equal_access("file", 8);
  equal_access("nothing", 8);
  equal_access("nothing", -1);
  end();
}

/* --- As another user ----------------------------------------------------------------------- */

static void check_child(pid_t pid) {
  int status;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

static void set_up_forbidden(void) {
  set_up();
  ASSERT_OK(chmod(".", 0755));
  write_file("secret", "x", 1);
  ASSERT_OK(mkdir("closed", 0755));
  write_file("closed/file", "x", 1);
  ASSERT_OK(chmod("secret", 0));
}

static void ask_forbidden(void) {
  block_pool();
  way = reported_at_once;
  equal_results("closed");
  equal_results("secret");
  ASSERT_EQ(INLINE(access, "secret", R_OK), UV_EACCES);
  let_go();
  way = reported_by_either;
  equal_results("closed/file");
  equal_results("closed/nothing");
  equal_access("closed/file", W_OK);
  ASSERT_EQ(reported_somehow(START(stat, "closed/file")), UV_EACCES);
  uv_fs_req_cleanup(&inline_req);
  ASSERT_EQ(reported_somehow(START(open, "secret", O_RDONLY, 0)), UV_EACCES);
  uv_fs_req_cleanup(&inline_req);
  ASSERT_EQ(reported_somehow(START(open, "closed/file", O_RDONLY, 0)), UV_EACCES);
  uv_fs_req_cleanup(&inline_req);
}

TEST_IMPL_SERIAL(what_an_ordinary_user_may_not) {
  pid_t pid;
  set_up_forbidden();
  ASSERT_OK(chmod("closed", geteuid() == 0 ? 0700 : 0));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(0);
    ask_forbidden();
    _exit(0);
  }
  check_child(pid);
  ASSERT_OK(chmod("closed", 0700));
  end();
}

/* access(2) asks for the real user, the other calls for the effective one. */
static void ask_as_two_users(void) {
  block_pool();
  let_go();
  way = reported_by_either;
  equal_results("closed/file");
  equal_access("closed", X_OK);
  equal_access("closed/file", F_OK);
  equal_access("closed/nothing", F_OK);
  equal_access("secret", R_OK);
  equal_access("file", R_OK);
}

TEST_IMPL_SERIAL(access_is_for_the_real_user) {
  int swapped;
  set_up_forbidden();
  if (geteuid() != 0) SKIP("needs root");
  ASSERT_OK(chmod("closed", 0700));
  for (swapped = 0; swapped < 2; swapped++) {
    pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ASSERT_OK(swapped ? setresuid(0, 65534, 0) : setresuid(65534, 0, 0));
      ask_as_two_users();
      _exit(0);
    }
    check_child(pid);
  }
  end();
}

/* --- Descriptors --------------------------------------------------------------------------- */

TEST_IMPL_SERIAL(the_status_of_descriptors) {
  uv_fs_t expected;
  int fds[3];
  size_t i;
  set_up();
  fds[0] = open("file", O_RDONLY);
  fds[1] = open("folder", O_RDONLY);
  fds[2] = open("file", O_PATH);
  block_pool();
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_fs_fstat(NULL, &expected, fds[i], NULL));
    ASSERT_OK(INLINE_KEEP(fstat, fds[i]));
    ASSERT_PTR_EQ(inline_req.ptr, &inline_req.statbuf);
    ASSERT_MEM_EQ(&expected.statbuf, &inline_req.statbuf, sizeof(uv_stat_t));
    uv_fs_req_cleanup(&inline_req);
    close(fds[i]);
  }
  end();
}

TEST_IMPL_SERIAL(the_status_of_other_descriptors_is_right) {
  uv_fs_t expected;
  int pair[2];
  int fds[4];
  size_t i;
  set_up();
  ASSERT_OK(pipe(pair));
  fds[0] = pair[0];
  fds[1] = pair[1];
  fds[2] = socket(AF_UNIX, SOCK_STREAM, 0);
  fds[3] = open("/proc/version", O_RDONLY);
  way = reported_by_either;
  for (i = 0; i < 8; i++) {
    ASSERT_OK(uv_fs_fstat(NULL, &expected, fds[i % 4], NULL));
    ASSERT_OK(reported_somehow(START(fstat, fds[i % 4])));
    ASSERT_EQ(expected.statbuf.st_mode, inline_req.statbuf.st_mode);
    ASSERT_EQ(expected.statbuf.st_ino, inline_req.statbuf.st_ino);
    uv_fs_req_cleanup(&inline_req);
  }
  for (i = 0; i < 4; i++) close(fds[i]);
  ASSERT_EQ(reported_somehow(START(fstat, 9999)), UV_EBADF);
  ASSERT_EQ(reported_somehow(START(fstat, -1)), UV_EBADF);
  ASSERT_EQ(reported_somehow(START(fstat, AT_FDCWD)), UV_EBADF);
  end();
}

/* --- Opening ------------------------------------------------------------------------------- */

static void check_opened(int fd, int flags) {
  char byte;
  ASSERT_GE(fd, 0);
  ASSERT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(fcntl(fd, F_GETFL) & ~O_LARGEFILE & ~0100000, flags & ~O_LARGEFILE & ~0100000);
  ASSERT_EQ(read(fd, &byte, 1), 1);
  ASSERT_EQ(byte, 'h');
  close(fd);
}

TEST_IMPL_SERIAL(opening_for_reading) {
  int before;
  set_up();
  make_link("file", "link");
  block_pool();
  before = fd_count();
  check_opened((int) INLINE(open, "file", O_RDONLY, 0), O_RDONLY);
  check_opened((int) INLINE(open, "link", O_RDONLY | O_CLOEXEC, 0), O_RDONLY);
  check_opened((int) INLINE(open, test_path("file"), O_RDONLY | O_NOCTTY, 0), O_RDONLY);
  check_opened((int) INLINE(open, "file", O_RDONLY | O_NOFOLLOW, 0), O_RDONLY | O_NOFOLLOW);
  /* What is not there is in memory, too, once it was queried. */
  ASSERT(!fs_exists("nothing"));
  ASSERT_EQ(INLINE(open, "nothing", O_RDONLY, 0), UV_ENOENT);
  ASSERT_EQ(fd_count(), before);
  end();
}

TEST_IMPL_SERIAL(other_ways_of_opening_are_for_the_pool) {
  int before;
  int fd;
  set_up();
  make_link("file", "link");
  block_pool();
  before = fd_count();
  fd = (int) BY_POOL(open, "file", O_RDWR, 0);
  ASSERT_EQ(write(fd, "h", 1), 1);
  close(fd);
  fd = (int) BY_POOL(open, "new", O_WRONLY | O_CREAT | O_EXCL, 0640);
  ASSERT_EQ(write(fd, "h", 1), 1);
  close(fd);
  ASSERT_EQ(BY_POOL(open, "new", O_RDONLY | O_CREAT | O_EXCL, 0640), UV_EEXIST);
  fd = (int) BY_POOL(open, "new", O_RDONLY | O_TRUNC, 0);
  ASSERT_EQ(fs_lstat("new").st_size, 0);
  close(fd);
  fd = (int) BY_POOL(open, "file", O_RDONLY | O_NONBLOCK, 0);
  check_opened(fd, O_RDONLY | O_NONBLOCK);
  fd = (int) BY_POOL(open, "folder", O_RDONLY, 0);
  ASSERT_GE(fd, 0);
  ASSERT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  close(fd);
  ASSERT_EQ(BY_POOL(open, "file", O_RDONLY | O_DIRECTORY, 0), UV_ENOTDIR);
  ASSERT_EQ(BY_POOL(open, "folder", O_WRONLY, 0), UV_EISDIR);
  ASSERT_EQ(BY_POOL(open, "link", O_RDONLY | O_NOFOLLOW, 0), UV_ELOOP);
  ASSERT_EQ(fd_count(), before);
  end();
}
