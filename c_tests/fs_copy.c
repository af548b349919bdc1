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

static const struct timespec source_times[2] = {{1000, 123456789}, {2000, 987654321}};
static const struct timespec target_times[2] = {{3000, 1}, {4000, 2}};

static const char* make_old_source(size_t size, mode_t mode) {
  const char* path = make_source(size, mode);
  ASSERT_OK(utimensat(AT_FDCWD, path, source_times, 0));
  return path;
}

static void check_times(const char* path, const struct timespec* times) {
  struct stat s = fs_lstat(path);
  ASSERT_EQ(s.st_atim.tv_sec, times[0].tv_sec);
  ASSERT_EQ(s.st_atim.tv_nsec, times[0].tv_nsec);
  ASSERT_EQ(s.st_mtim.tv_sec, times[1].tv_sec);
  ASSERT_EQ(s.st_mtim.tv_nsec, times[1].tv_nsec);
}

/* Writing the data does not count as a change. */
TEST_FS(a_copy_has_the_times_of_its_source) {
  OXUV_ONLY();
  static const int options[] = {0, UV_FS_COPYFILE_EXCL, UV_FS_COPYFILE_FICLONE};
  static const size_t sizes[] = {0, 1, 300000};
  size_t i, j;

  for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
    for (j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
      const char* from = make_old_source(sizes[j], 0444);
      const char* to = test_path("to");
      ASSERT_OK(FS(copyfile, from, to, options[i]));
      check_times(to, source_times);
      ASSERT_EQ(fs_lstat(to).st_mode, S_IFREG | 0444);
      fs_check_content(to, data, sizes[j]);
      ASSERT_OK(unlink(to));
      ASSERT_OK(unlink(from));
    }
  }
}

TEST_FS(a_replaced_target_has_the_times_of_its_source) {
  OXUV_ONLY();
  static const int options[] = {0, UV_FS_COPYFILE_FICLONE, UV_FS_COPYFILE_FICLONE_FORCE};
  size_t i;

  ASSERT_OK(symlink("to", test_path("link")));
  for (i = 0; i < 2 * sizeof(options) / sizeof(options[0]); i++) {
    int is_force = options[i / 2] == UV_FS_COPYFILE_FICLONE_FORCE;
    const char* from = make_old_source(1000, 0640);
    const char* to = test_path("to");
    int64_t result;
    write_file(to, data, 5000);
    ASSERT_OK(utimensat(AT_FDCWD, to, target_times, 0));
    result = FS(copyfile, from, i % 2 == 0 ? to : test_path("link"), options[i / 2]);
    if (!is_force) ASSERT_OK(result);
    /* Without clones on this file system, a forced clone fails and leaves the target's times. */
    check_times(to, result == 0 ? source_times : target_times);
  }
}

/* Only the owner of the target may set its times: data and permissions come first. */
TEST_FS(times_that_may_not_be_set_are_no_error) {
  OXUV_ONLY();
  if (getuid() != 0) SKIP("needs root");
  const char* from = make_old_source(1000, 0666);
  const char* to = test_path("to");

  write_file(to, data, 5000);
  ASSERT_OK(chmod(to, 0666));
  ASSERT_OK(chmod(test_tmpdir(), 0777));
  ASSERT_OK(setegid(12345));
  ASSERT_OK(seteuid(12345));
  ASSERT_OK(FS(copyfile, from, to, 0));
  ASSERT_OK(seteuid(0));
  ASSERT_OK(setegid(0));
  fs_check_content(to, data, 1000);
  ASSERT_GT(fs_lstat(to).st_mtim.tv_sec, source_times[1].tv_sec);
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

/* Puts another file in place of the target while that is written to, then has the copy fail. */
static void* replace_target(void* arg) {
  const char** paths = arg;
  int fd = open(paths[0], O_WRONLY);
  ASSERT_GE(fd, 0);
  while (access(paths[1], F_OK) != 0) sched_yield();
  ASSERT_OK(rename(paths[2], paths[1]));
  ASSERT_EQ(write(fd, data, 5000), 5000);
  ASSERT_OK(close(fd));
  return arg;
}

TEST_FS(what_took_the_place_of_a_half_copy_stays) {
  OXUV_ONLY();
  const char* paths[] = {test_path("fifo"), test_path("to"), test_path("other")};
  struct rlimit limit = {1000, RLIM_INFINITY};
  pthread_t thread;

  write_file(paths[2], "other", 5);
  ASSERT_OK(mkfifo(paths[0], 0600));
  signal(SIGXFSZ, SIG_IGN);
  ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
  ASSERT_OK(pthread_create(&thread, NULL, replace_target, paths));
  ASSERT_EQ(FS(copyfile, paths[0], paths[1], 0), UV_EFBIG);
  ASSERT_OK(pthread_join(thread, NULL));
  fs_check_content(paths[1], "other", 5);
}

TEST_FS(files_that_do_not_report_their_size) {
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

/* Without privileges, the copy belongs to the caller, and has no power of the original's. */
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
  /* A target that the owner may not write to. */
  ASSERT_EQ(FS(copyfile, to, from, 0), UV_EACCES);
  fs_check_content(from, data, 1000);
  ASSERT_OK(seteuid(0));
  ASSERT_OK(setegid(0));
}
