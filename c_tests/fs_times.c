/* Times of files. https://docs.libuv.org/en/v1.x/fs.html */
#include "fs.h"

static double seconds(struct timespec time) {
  return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void check_times(const char* path, double atime, double mtime) {
  struct stat s = fs_lstat(path);
  if (fabs(seconds(s.st_atim) - atime) > 1e-6 || fabs(seconds(s.st_mtim) - mtime) > 1e-6)
    FAIL("%.9f %.9f expected, found %.9f %.9f", atime, mtime, seconds(s.st_atim),
         seconds(s.st_mtim));
}

static int is_now(struct timespec time) {
  struct timespec now;
  ASSERT_OK(clock_gettime(CLOCK_REALTIME, &now));
  return fabs(seconds(now) - seconds(time)) < 60;
}

TEST_FS(times_of_files) {
  const char* path = test_path("file");
  const char* link = test_path("link");
  int fd;

  fs_touch(path);
  ASSERT_OK(symlink("file", link));
  ASSERT_OK(FS(utime, path, 400497753.25, 1291404900.75));
  check_times(path, 400497753.25, 1291404900.75);
  /* Before 1970, with parts of a second. */
  ASSERT_OK(FS(utime, link, -14245440.25, -0.5));
  check_times(path, -14245440.25, -0.5);
  ASSERT_EQ(fs_lstat(path).st_mtim.tv_sec, -1);
  ASSERT_EQ(fs_lstat(path).st_mtim.tv_nsec, 500000000);
  fd = open(path, O_RDONLY);
  ASSERT_OK(FS(futime, fd, 0, 1700000000.123456));
  check_times(path, 0, 1700000000.123456);
  close(fd);
  ASSERT_EQ(FS(futime, fd, 1, 1), UV_EBADF);
  ASSERT_EQ(FS(utime, test_path("missing"), 1, 1), UV_ENOENT);
  ASSERT_EQ(FS(lutime, test_path("missing"), 1, 1), UV_ENOENT);
}

TEST_FS(times_of_links) {
  const char* path = test_path("file");
  const char* link = test_path("link");

  fs_touch(path);
  ASSERT_OK(symlink("file", link));
  ASSERT_OK(FS(utime, path, 1000, 2000));
  ASSERT_OK(FS(lutime, link, 3000.5, 4000.5));
  check_times(path, 1000, 2000);
  check_times(link, 3000.5, 4000.5);
  ASSERT_OK(FS(lutime, path, 5000, 6000));
  check_times(path, 5000, 6000);
  ASSERT_OK(unlink(path));
  ASSERT_EQ(FS(utime, link, 1, 1), UV_ENOENT);
  ASSERT_OK(FS(lutime, link, 1, 2));
  check_times(link, 1, 2);
}

TEST_FS(now_and_unchanged) {
  const char* path = test_path("file");
  int fd;

  fs_touch(path);
  fd = open(path, O_RDONLY);
  ASSERT_OK(FS(utime, path, 1000, 2000));
  ASSERT_OK(FS(utime, path, UV_FS_UTIME_OMIT, UV_FS_UTIME_OMIT));
  check_times(path, 1000, 2000);
  ASSERT_OK(FS(utime, path, UV_FS_UTIME_OMIT, 3000));
  check_times(path, 1000, 3000);
  ASSERT_OK(FS(futime, fd, UV_FS_UTIME_NOW, UV_FS_UTIME_OMIT));
  ASSERT(is_now(fs_lstat(path).st_atim));
  ASSERT_EQ(fs_lstat(path).st_mtim.tv_sec, 3000);
  ASSERT_OK(FS(lutime, path, 4000, UV_FS_UTIME_NOW));
  ASSERT_EQ(fs_lstat(path).st_atim.tv_sec, 4000);
  ASSERT(is_now(fs_lstat(path).st_mtim));
  close(fd);
}

TEST_FS(times_survive_a_round_trip) {
  static const double times[] = {0.1, 1e9 + 0.123456789, 1788888888.000000238, 86399.999999};
  const char* path = test_path("file");
  size_t i;

  fs_touch(path);
  for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
    ASSERT_OK(FS(utime, path, times[i], times[i]));
    ASSERT(fabs(seconds(fs_lstat(path).st_mtim) - times[i]) < 2e-9);
  }
}

TEST_FS(times_that_cannot_be) {
  const char* path = test_path("file");

  fs_touch(path);
  ASSERT_EQ(FS(utime, path, 1e300, 1), UV_EINVAL);
  ASSERT_EQ(FS(utime, path, 1, -1e300), UV_EINVAL);
}
