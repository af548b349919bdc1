/* Copying files. https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_copyfile */
#include "fs.h"

static char data[300000];

static const char* make_source(size_t size, mode_t mode) {
  const char* path = test_path("from");
  size_t i;

  for (i = 0; i < sizeof(data); i++) data[i] = (char) (i * 7 % 255);
  write_file(path, data, size);
  ASSERT_OK(chmod(path, mode));
  return path;
}

TEST_FS(files_are_copied) {
  static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 65536, 300000};
  const char* to = test_path("to");
  int before;
  size_t i;

  umask(077);
  FS(access, "/", F_OK); /* The loop's own descriptors. */
  before = fd_count();
  for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    const char* from = make_source(sizes[i], 0664);
    ASSERT_OK(FS_KEEP(copyfile, from, to, 0));
    ASSERT_EQ(fs_req.fs_type, UV_FS_COPYFILE);
    ASSERT_STR_EQ(fs_req.path, from);
    fs_clean(0);
    fs_check_content(to, data, sizes[i]);
    ASSERT_EQ(fs_lstat(to).st_mode, S_IFREG | 0664);
    ASSERT_OK(unlink(to));
  }
  ASSERT_EQ(fd_count(), before);
}

TEST_FS(a_target_is_replaced) {
  const char* to = test_path("to");
  const char* from = make_source(100, 0640);

  write_file(to, data, 5000);
  ASSERT_OK(chmod(to, 0777));
  ASSERT_OK(FS(copyfile, from, to, 0));
  fs_check_content(to, data, 100);
  ASSERT_EQ(fs_lstat(to).st_mode, S_IFREG | 0640);
  write_file(to, data, 5000);
  ASSERT_OK(FS(copyfile, from, to, UV_FS_COPYFILE_FICLONE));
  fs_check_content(to, data, 100);
}

TEST_FS(a_target_may_be_a_link) {
  const char* from = make_source(100, 0644);
  const char* link = test_path("link");

  write_file(test_path("to"), data, 5000);
  ASSERT_OK(symlink("to", link));
  ASSERT_OK(FS(copyfile, from, link, 0));
  fs_check_content(test_path("to"), data, 100);
  ASSERT(S_ISLNK(fs_lstat(link).st_mode));
  /* And point to what is not there yet. */
  ASSERT_OK(unlink(test_path("to")));
  ASSERT_OK(FS(copyfile, from, link, 0));
  fs_check_content(test_path("to"), data, 100);
  ASSERT_OK(unlink(test_path("to")));
  ASSERT_EQ(FS(copyfile, from, link, UV_FS_COPYFILE_EXCL), UV_EEXIST);
}

TEST_FS(exclusive_copies) {
  const char* from = make_source(100, 0644);
  const char* to = test_path("to");

  ASSERT_OK(FS(copyfile, from, to, UV_FS_COPYFILE_EXCL));
  fs_check_content(to, data, 100);
  write_file(to, "other", 5);
  ASSERT_EQ(FS(copyfile, from, to, UV_FS_COPYFILE_EXCL), UV_EEXIST);
  ASSERT_EQ(FS(copyfile, from, from, UV_FS_COPYFILE_EXCL), UV_EEXIST);
  fs_check_content(to, "other", 5);
  fs_check_content(from, data, 100);
}

TEST_FS(copying_a_file_to_itself) {
  const char* from = make_source(1000, 0644);

  ASSERT_OK(symlink("from", test_path("soft")));
  ASSERT_OK(link(from, test_path("hard")));
  ASSERT_OK(FS(copyfile, from, from, 0));
  ASSERT_OK(FS(copyfile, from, test_path("soft"), 0));
  ASSERT_OK(FS(copyfile, test_path("soft"), from, UV_FS_COPYFILE_FICLONE));
  ASSERT_OK(FS(copyfile, test_path("hard"), from, 0));
  ASSERT_OK(FS(copyfile, from, test_path("hard"), UV_FS_COPYFILE_FICLONE_FORCE));
  fs_check_content(from, data, 1000);
}

TEST_FS(clones) {
  const char* from = make_source(1000, 0644);
  const char* to = test_path("to");
  int64_t result;

  ASSERT_OK(FS(copyfile, from, to, UV_FS_COPYFILE_FICLONE));
  fs_check_content(to, data, 1000);
  ASSERT_OK(unlink(to));
  result = FS(copyfile, from, to, UV_FS_COPYFILE_FICLONE_FORCE);
  ASSERT_EQ(fs_exists(to), result == 0);
  if (result == 0) fs_check_content(to, data, 1000);
}

TEST_FS(a_failed_clone_leaves_the_target_alone) {
  OXUV_ONLY();
  const char* from = make_source(1000, 0644);
  const char* to = test_path("to");
  int64_t result;

  write_file(to, "other", 5);
  result = FS(copyfile, from, to, UV_FS_COPYFILE_FICLONE_FORCE);
  if (result == 0) fs_check_content(to, data, 1000);
  else fs_check_content(to, "other", 5);
}

TEST_FS(copying_fails_as_it_should) {
  const char* from = make_source(1000, 0644);
  const char* to = test_path("to");
  int before;

  FS(access, "/", F_OK); /* The loop's own descriptors. */
  before = fd_count();
  ASSERT_EQ(FS(copyfile, test_path("missing"), to, 0), UV_ENOENT);
  ASSERT(!fs_exists(to));
  ASSERT_EQ(FS(copyfile, test_tmpdir(), to, 0), UV_EISDIR);
  ASSERT(!fs_exists(to));
  ASSERT_EQ(FS(copyfile, from, test_tmpdir(), 0), UV_EISDIR);
  ASSERT_EQ(FS(copyfile, from, test_path("missing/to"), 0), UV_ENOENT);
  ASSERT_EQ(FS(copyfile, from, test_path("from/to"), 0), UV_ENOTDIR);
  ASSERT_EQ(FS(copyfile, from, to, 8), UV_EINVAL);
  ASSERT_EQ(FS(copyfile, from, to, -1), UV_EINVAL);
  ASSERT(!fs_exists(to));
  fs_check_content(from, data, 1000);
  ASSERT_EQ(fd_count(), before);
}

/* What could not be copied completely is removed. */
TEST_FS(no_half_copies_stay) {
  const char* from = make_source(300000, 0644);
  const char* to = test_path("to");
  struct rlimit limit = {100000, RLIM_INFINITY};
  int before;

  FS(access, "/", F_OK); /* The loop's own descriptors. */
  before = fd_count();
  signal(SIGXFSZ, SIG_IGN);
  ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
  ASSERT_EQ(FS(copyfile, from, to, 0), UV_EFBIG);
  ASSERT(!fs_exists(to));
  ASSERT_EQ(FS(copyfile, from, to, UV_FS_COPYFILE_EXCL), UV_EFBIG);
  ASSERT(!fs_exists(to));
  ASSERT_EQ(fd_count(), before);
}

TEST_FS(files_that_do_not_tell_their_size) {
  OXUV_ONLY();
  const char* to = test_path("to");
  char expected[4096];
  ssize_t size;
  int fd = open("/proc/version", O_RDONLY);

  if (fd < 0) SKIP("no /proc");
  size = read(fd, expected, sizeof(expected));
  close(fd);
  ASSERT_OK(FS(copyfile, "/proc/version", to, 0));
  fs_check_content(to, expected, size);
  /* One that claims to be larger than it is. */
  fd = open("/sys/kernel/profiling", O_RDONLY);
  if (fd < 0) return;
  size = read(fd, expected, sizeof(expected));
  close(fd);
  /* The copy has the mode of the first file, which need not be writable. */
  ASSERT_OK(unlink(to));
  ASSERT_OK(FS(copyfile, "/sys/kernel/profiling", to, 0));
  fs_check_content(to, expected, size);
}

static void* read_fifo(void* path) {
  static char found[4096];
  int fd = open(path, O_RDONLY);
  ssize_t n, count = 0;
  while ((n = read(fd, found + count, sizeof(found) - count)) > 0) count += n;
  close(fd);
  return found;
}

TEST_FS(a_target_that_is_no_file_stays) {
  OXUV_ONLY();
  const char* from = make_source(1000, 0644);
  const char* to = test_path("to");
  pthread_t thread;
  void* found;

  ASSERT_OK(mkfifo(to, 0600));
  ASSERT_OK(pthread_create(&thread, NULL, read_fifo, (void*) to));
  ASSERT_OK(FS(copyfile, from, to, 0));
  ASSERT_OK(pthread_join(thread, &found));
  ASSERT_MEM_EQ(found, data, 1000);
  ASSERT_EQ(fs_lstat(to).st_mode, S_IFIFO | 0600);
  ASSERT_EQ(FS(copyfile, from, "/dev/full", 0), UV_ENOSPC);
  ASSERT(S_ISCHR(fs_lstat("/dev/full").st_mode));
  ASSERT_OK(FS(copyfile, from, "/dev/null", 0));
  ASSERT(S_ISCHR(fs_lstat("/dev/null").st_mode));
}

TEST_FS(owner_and_special_bits) {
  if (getuid() != 0) SKIP("needs root");
  const char* from = make_source(1000, 0644);
  const char* to = test_path("to");
  struct stat s;

  ASSERT_OK(chown(from, 12345, 23456));
  ASSERT_OK(chmod(from, 06755));
  ASSERT_OK(FS(copyfile, from, to, 0));
  s = fs_lstat(to);
  ASSERT_EQ(s.st_uid, 12345);
  ASSERT_EQ(s.st_gid, 23456);
  ASSERT_EQ(s.st_mode, S_IFREG | 06755);
}

/* Without privileges, the copy belongs to who made it, and has no power of the original's. */
TEST_FS(copies_of_the_unprivileged) {
  if (getuid() != 0) SKIP("needs root");
  const char* from = make_source(1000, 0644);
  const char* to = test_path("to");
  struct stat s;

  ASSERT_OK(chmod(from, 04755));
  ASSERT_OK(chmod(test_tmpdir(), 0777));
  ASSERT_OK(setegid(12345));
  ASSERT_OK(seteuid(12345));
  ASSERT_OK(FS(copyfile, from, to, 0));
  s = fs_lstat(to);
  ASSERT_EQ(s.st_uid, 12345);
  ASSERT_EQ(s.st_mode, S_IFREG | 0755);
  fs_check_content(to, data, 1000);
  /* Not the owner's to copy to. */
  ASSERT_EQ(FS(copyfile, to, from, 0), UV_EACCES);
  fs_check_content(from, data, 1000);
  ASSERT_OK(seteuid(0));
  ASSERT_OK(setegid(0));
}
