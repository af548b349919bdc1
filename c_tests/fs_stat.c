/* The stat family, permissions and owners. https://docs.libuv.org/en/v1.x/fs.html */
#include "fs.h"

#include <sys/sysmacros.h>

static void check_stat(const uv_stat_t* found, const struct stat* s) {
  ASSERT_EQ(found->st_dev, s->st_dev);
  ASSERT_EQ(found->st_mode, s->st_mode);
  ASSERT_EQ(found->st_nlink, s->st_nlink);
  ASSERT_EQ(found->st_uid, s->st_uid);
  ASSERT_EQ(found->st_gid, s->st_gid);
  ASSERT_EQ(found->st_rdev, s->st_rdev);
  ASSERT_EQ(found->st_ino, s->st_ino);
  ASSERT_EQ(found->st_size, s->st_size);
  ASSERT_EQ(found->st_blksize, s->st_blksize);
  ASSERT_EQ(found->st_blocks, s->st_blocks);
  ASSERT_EQ(found->st_flags, 0);
  ASSERT_EQ(found->st_gen, 0);
  ASSERT_EQ(found->st_atim.tv_sec, s->st_atim.tv_sec);
  ASSERT_EQ(found->st_atim.tv_nsec, s->st_atim.tv_nsec);
  ASSERT_EQ(found->st_mtim.tv_sec, s->st_mtim.tv_sec);
  ASSERT_EQ(found->st_mtim.tv_nsec, s->st_mtim.tv_nsec);
  ASSERT_EQ(found->st_ctim.tv_sec, s->st_ctim.tv_sec);
  ASSERT_EQ(found->st_ctim.tv_nsec, s->st_ctim.tv_nsec);
}

static void check_found(int64_t result, const struct stat* s) {
  ASSERT_OK(result);
  ASSERT_PTR_EQ(fs_req.ptr, &fs_req.statbuf);
  ASSERT_PTR_EQ(uv_fs_get_ptr(&fs_req), uv_fs_get_statbuf(&fs_req));
  check_stat(&fs_req.statbuf, s);
  fs_clean(0);
}

TEST_FS(stat_reports_what_the_system_does) {
  const char* file = test_path("file");
  const char* link = test_path("link");
  const char* paths[] = {file, link, test_tmpdir(), "/dev/null", "/", "/proc/self/exe"};
  struct stat s;
  int fd, i;

  write_file(file, "hello", 5);
  ASSERT_OK(symlink("file", link));
  for (i = 0; i < 6; i++) {
    ASSERT_OK(stat(paths[i], &s));
    check_found(FS_KEEP(stat, paths[i]), &s);
    ASSERT_OK(lstat(paths[i], &s));
    check_found(FS_KEEP(lstat, paths[i]), &s);
    fd = open(paths[i], O_RDONLY);
    ASSERT_GE(fd, 0);
    ASSERT_OK(fstat(fd, &s));
    check_found(FS_KEEP(fstat, fd), &s);
    close(fd);
  }
}

TEST_FS(a_time_of_birth_is_reported) {
  time_t before = time(NULL);
  const char* path = test_path("file");

  fs_touch(path);
  ASSERT_OK(FS(utime, path, 1000000.0, 1000000.0));
  ASSERT_OK(FS_KEEP(stat, path));
  if (fs_req.statbuf.st_birthtim.tv_sec != 0)
    ASSERT_GE(fs_req.statbuf.st_birthtim.tv_sec, before - 1);
  fs_clean(0);
}

TEST_FS(fstat_of_what_is_no_file) {
  struct stat s;
  int fds[2];

  ASSERT_OK(pipe(fds));
  ASSERT_OK(fstat(fds[0], &s));
  check_found(FS_KEEP(fstat, fds[0]), &s);
  close(fds[0]);
  close(fds[1]);
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  ASSERT_OK(fstat(fds[1], &s));
  check_found(FS_KEEP(fstat, fds[1]), &s);
  close(fds[0]);
  close(fds[1]);
}

TEST_FS(stat_fails_as_it_should) {
  const char* file = test_path("file");
  const char* link = test_path("link");
  const char* nowhere = test_path("nowhere");

  fs_touch(file);
  ASSERT_OK(symlink(link, link));
  ASSERT_OK(symlink("missing", nowhere));
  ASSERT_EQ(FS_KEEP(stat, test_path("missing")), UV_ENOENT);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
  ASSERT_EQ(FS(stat, nowhere), UV_ENOENT);
  ASSERT_OK(FS(lstat, nowhere));
  ASSERT_EQ(FS(stat, link), UV_ELOOP);
  ASSERT_OK(FS(lstat, link));
  ASSERT_EQ(FS(stat, test_path("file/more")), UV_ENOTDIR);
  ASSERT_EQ(FS(lstat, test_path("file/")), UV_ENOTDIR);
  ASSERT_EQ(FS(stat, ""), UV_ENOENT);
  ASSERT_EQ(FS(fstat, -1), UV_EBADF);
  ASSERT_EQ(FS(fstat, 9999), UV_EBADF);
}

TEST_FS(no_descriptor_stands_for_the_current_folder) {
  OXUV_ONLY();
  ASSERT_EQ(FS(fstat, AT_FDCWD), UV_EBADF);
}

TEST_FS(statfs_reports_what_the_system_does) {
  struct statfs s;
  uv_statfs_t* found;

  ASSERT_OK(statfs("/proc", &s));
  ASSERT_OK(FS_KEEP(statfs, "/proc"));
  ASSERT_NOT_NULL(fs_req.ptr);
  found = fs_req.ptr;
  ASSERT_EQ(found->f_type, s.f_type);
  ASSERT_EQ(found->f_bsize, s.f_bsize);
  ASSERT_EQ(found->f_frsize, s.f_frsize);
  ASSERT_EQ(found->f_blocks, s.f_blocks);
  ASSERT_EQ(found->f_bfree, s.f_bfree);
  ASSERT_EQ(found->f_bavail, s.f_bavail);
  ASSERT_EQ(found->f_files, s.f_files);
  ASSERT_EQ(found->f_ffree, s.f_ffree);
  fs_clean(0);
  ASSERT_OK(FS_KEEP(statfs, test_tmpdir()));
  found = fs_req.ptr;
  ASSERT_GT(found->f_blocks, 0);
  ASSERT_GT(found->f_frsize, 0);
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(statfs, test_path("missing")), UV_ENOENT);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
}

TEST_FS(statfs_leaves_nothing_undefined) {
  OXUV_ONLY();
  static const uint64_t zeros[3];
  uv_statfs_t* found;

  ASSERT_OK(FS_KEEP(statfs, "/"));
  found = fs_req.ptr;
  ASSERT_MEM_EQ(found->f_spare, zeros, sizeof(zeros));
  fs_clean(0);
}

TEST_FS(access_and_chmod) {
  const char* path = test_path("file");
  int fd;

  ASSERT_EQ(FS(access, path, F_OK), UV_ENOENT);
  ASSERT_EQ(FS(chmod, path, 0600), UV_ENOENT);
  fs_touch(path);
  ASSERT_OK(FS(access, path, F_OK));
  ASSERT_OK(FS(access, path, R_OK | W_OK));
  ASSERT_EQ(FS(access, path, X_OK), UV_EACCES);
  ASSERT_EQ(FS(access, path, 0x100), UV_EINVAL);
  ASSERT_OK(FS(chmod, path, 0755));
  ASSERT_EQ(fs_lstat(path).st_mode, S_IFREG | 0755);
  ASSERT_OK(FS(access, path, X_OK));
  fd = open(path, O_RDONLY);
  ASSERT_OK(FS(fchmod, fd, 0640));
  ASSERT_EQ(fs_lstat(path).st_mode, S_IFREG | 0640);
  close(fd);
  ASSERT_EQ(FS(fchmod, fd, 0640), UV_EBADF);
  if (getuid() != 0) {
    ASSERT_OK(FS(chmod, path, 0));
    ASSERT_EQ(FS(access, path, R_OK), UV_EACCES);
  }
}

TEST_FS(owners_are_set) {
  const char* file = test_path("file");
  const char* link = test_path("link");
  uid_t uid = getuid() == 0 ? 12345 : getuid();
  gid_t gid = getuid() == 0 ? 23456 : getgid();
  int fd;

  fs_touch(file);
  ASSERT_OK(symlink("file", link));
  ASSERT_OK(FS(chown, link, uid, -1));
  ASSERT_EQ(fs_lstat(file).st_uid, uid);
  ASSERT_EQ(fs_lstat(link).st_uid, getuid());
  ASSERT_OK(FS(lchown, link, -1, gid));
  ASSERT_EQ(fs_lstat(link).st_gid, gid);
  ASSERT_EQ(fs_lstat(link).st_uid, getuid());
  fd = open(file, O_RDONLY);
  ASSERT_OK(FS(fchown, fd, uid, gid));
  ASSERT_EQ(fs_lstat(file).st_gid, gid);
  close(fd);
  ASSERT_EQ(FS(fchown, fd, uid, gid), UV_EBADF);
  ASSERT_EQ(FS(chown, test_path("missing"), uid, gid), UV_ENOENT);
  ASSERT_EQ(FS(lchown, test_path("missing"), uid, gid), UV_ENOENT);
  if (getuid() != 0) ASSERT_EQ(FS(chown, file, 0, 0), UV_EPERM);
}

/* Synchronous calls need no loop, and any thread may make them. */

static void* stat_often(void* arg) {
  int* failures = arg;
  uv_fs_t req;
  int i;

  for (i = 0; i < 500; i++) {
    if (uv_fs_stat(NULL, &req, "/", NULL) != 0 || !S_ISDIR(req.statbuf.st_mode)) ++*failures;
    uv_fs_req_cleanup(&req);
    if (uv_fs_realpath(NULL, &req, "/proc/self/..", NULL) != 0) ++*failures;
    else if (strcmp(req.ptr, "/proc") != 0) ++*failures;
    uv_fs_req_cleanup(&req);
  }
  return NULL;
}

TEST_IMPL(any_thread_may_call) {
  pthread_t threads[4];
  int failures[4] = {0};
  int i;

  for (i = 0; i < 4; i++) ASSERT_OK(pthread_create(&threads[i], NULL, stat_often, &failures[i]));
  for (i = 0; i < 4; i++) ASSERT_OK(pthread_join(threads[i], NULL));
  for (i = 0; i < 4; i++) ASSERT_EQ(failures[i], 0);
}
