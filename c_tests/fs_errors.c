/* Bad arguments to file system operations. https://docs.libuv.org/en/v1.x/fs.html */
#include "fs.h"

static int called;

static void count_call(uv_fs_t* req) {
  called++;
}

TEST_IMPL(no_request) {
  uv_loop_t* loop = uv_default_loop();
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_dirent_t entry;
  uv_dir_t dir;

  memset(&dir, 0, sizeof(dir));
  ASSERT_EQ(uv_fs_open(loop, NULL, "/", 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_close(loop, NULL, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_read(loop, NULL, 0, &buf, 1, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_write(loop, NULL, 0, &buf, 1, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_unlink(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_mkdir(loop, NULL, "/", 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_mkdtemp(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_mkstemp(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_rmdir(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_scandir(loop, NULL, "/", 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_opendir(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_readdir(loop, NULL, &dir, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_closedir(loop, NULL, &dir, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_stat(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_lstat(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_fstat(loop, NULL, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_statfs(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_rename(loop, NULL, "/", "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_fsync(loop, NULL, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_fdatasync(loop, NULL, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_ftruncate(loop, NULL, 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_copyfile(loop, NULL, "/", "/", 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_sendfile(loop, NULL, 0, 0, 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_access(loop, NULL, "/", 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_chmod(loop, NULL, "/", 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_fchmod(loop, NULL, 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_chown(loop, NULL, "/", 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_fchown(loop, NULL, 0, 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_lchown(loop, NULL, "/", 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_utime(loop, NULL, "/", 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_futime(loop, NULL, 0, 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_lutime(loop, NULL, "/", 0, 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_link(loop, NULL, "/", "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_symlink(loop, NULL, "/", "/", 0, count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_readlink(loop, NULL, "/", count_call), UV_EINVAL);
  ASSERT_EQ(uv_fs_realpath(loop, NULL, "/", count_call), UV_EINVAL);
  uv_fs_req_cleanup(NULL);
  (void) entry;
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(called, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_FS(no_path) {
  OXUV_ONLY();
  ASSERT_EQ(FS(open, NULL, 0, 0), UV_EINVAL);
  ASSERT_EQ(FS(unlink, NULL), UV_EINVAL);
  ASSERT_EQ(FS(mkdir, NULL, 0), UV_EINVAL);
  ASSERT_EQ(FS(mkdtemp, NULL), UV_EINVAL);
  ASSERT_EQ(FS(mkstemp, NULL), UV_EINVAL);
  ASSERT_EQ(FS(rmdir, NULL), UV_EINVAL);
  ASSERT_EQ(FS(scandir, NULL, 0), UV_EINVAL);
  ASSERT_EQ(FS(opendir, NULL), UV_EINVAL);
  ASSERT_EQ(FS(stat, NULL), UV_EINVAL);
  ASSERT_EQ(FS(lstat, NULL), UV_EINVAL);
  ASSERT_EQ(FS(statfs, NULL), UV_EINVAL);
  ASSERT_EQ(FS(rename, NULL, "/"), UV_EINVAL);
  ASSERT_EQ(FS(rename, "/", NULL), UV_EINVAL);
  ASSERT_EQ(FS(copyfile, NULL, "/", 0), UV_EINVAL);
  ASSERT_EQ(FS(copyfile, "/", NULL, 0), UV_EINVAL);
  ASSERT_EQ(FS(access, NULL, 0), UV_EINVAL);
  ASSERT_EQ(FS(chmod, NULL, 0), UV_EINVAL);
  ASSERT_EQ(FS(chown, NULL, 0, 0), UV_EINVAL);
  ASSERT_EQ(FS(lchown, NULL, 0, 0), UV_EINVAL);
  ASSERT_EQ(FS(utime, NULL, 0, 0), UV_EINVAL);
  ASSERT_EQ(FS(lutime, NULL, 0, 0), UV_EINVAL);
  ASSERT_EQ(FS(link, NULL, "/"), UV_EINVAL);
  ASSERT_EQ(FS(link, "/", NULL), UV_EINVAL);
  ASSERT_EQ(FS(symlink, NULL, "/", 0), UV_EINVAL);
  ASSERT_EQ(FS(symlink, "/", NULL, 0), UV_EINVAL);
  ASSERT_EQ(FS(readlink, NULL), UV_EINVAL);
  ASSERT_EQ(FS(realpath, NULL), UV_EINVAL);
}

TEST_FS(no_buffers) {
  uv_buf_t buf = uv_buf_init(NULL, 0);

  ASSERT_EQ(FS(read, 0, NULL, 0, -1), UV_EINVAL);
  ASSERT_EQ(FS(read, 0, NULL, 1, -1), UV_EINVAL);
  ASSERT_EQ(FS(read, 0, &buf, 0, -1), UV_EINVAL);
  ASSERT_EQ(FS_KEEP(write, 0, NULL, 0, -1), UV_EINVAL);
  ASSERT_NULL(fs_req.path);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
  ASSERT_EQ(FS(write, 0, NULL, 1, -1), UV_EINVAL);
  ASSERT_EQ(FS(write, 0, &buf, 0, -1), UV_EINVAL);
}

/* A number of buffers that was negative before it became unsigned. */
TEST_FS(a_negative_number_of_buffers) {
  OXUV_ONLY();
  uv_buf_t buf = uv_buf_init(NULL, 0);

  ASSERT_EQ(FS(read, 0, &buf, (unsigned int) -1, -1), UV_EINVAL);
  ASSERT_EQ(FS(read, 0, &buf, (unsigned int) INT_MIN, -1), UV_EINVAL);
  ASSERT_EQ(FS(write, 0, &buf, (unsigned int) -1, -1), UV_EINVAL);
  ASSERT_EQ(FS(write, 0, &buf, (unsigned int) INT_MIN, -1), UV_EINVAL);
}

TEST_FS(no_such_descriptor) {
  static const int fds[] = {-1, 12345, INT_MAX, INT_MIN};
  char text[8] = "";
  uv_buf_t bufs[2] = {uv_buf_init(text, 4), uv_buf_init(text, 4)};
  size_t i;

  for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
    ASSERT_EQ(FS(close, fds[i]), UV_EBADF);
    ASSERT_EQ(FS(read, fds[i], bufs, 1, -1), UV_EBADF);
    ASSERT_EQ(FS(read, fds[i], bufs, 2, 0), UV_EBADF);
    ASSERT_EQ(FS(write, fds[i], bufs, 1, 0), UV_EBADF);
    ASSERT_EQ(FS(write, fds[i], bufs, 2, -1), UV_EBADF);
    ASSERT_EQ(FS(fstat, fds[i]), UV_EBADF);
    ASSERT_EQ(FS(fsync, fds[i]), UV_EBADF);
    ASSERT_EQ(FS(fdatasync, fds[i]), UV_EBADF);
    ASSERT_EQ(FS(ftruncate, fds[i], 0), UV_EBADF);
    ASSERT_EQ(FS(fchmod, fds[i], 0), UV_EBADF);
    ASSERT_EQ(FS(fchown, fds[i], 0, 0), UV_EBADF);
    ASSERT_EQ(FS(futime, fds[i], 0, 0), UV_EBADF);
    ASSERT_EQ(FS(sendfile, fds[i], fds[i], 0, 10), UV_EBADF);
  }
}

TEST_FS(memory_that_is_not_there) {
  uv_buf_t buf = uv_buf_init((char*) 16, 100);
  int fd;

  if (getenv("OXUV_TEST_WRAPPER") != NULL) SKIP("tools complain of such memory");
  write_file(test_path("file"), "hello", 5);
  fd = open(test_path("file"), O_RDWR);
  ASSERT_EQ(FS(read, fd, &buf, 1, 0), UV_EFAULT);
  ASSERT_EQ(FS(write, fd, &buf, 1, 0), UV_EFAULT);
  close(fd);
}

TEST_IMPL(a_callback_needs_a_loop) {
  OXUV_ONLY();
  uv_fs_t req;

  memset(&req, 0xdb, sizeof(req));
  ASSERT_EQ(uv_fs_stat(NULL, &req, "/", count_call), UV_EINVAL);
  ASSERT_EQ(req.result, UV_EINVAL);
  uv_fs_req_cleanup(&req);
  ASSERT_EQ(called, 0);
}

TEST_IMPL(synchronous_requests_are_not_cancelled) {
  OXUV_ONLY();
  uv_fs_t req;

  ASSERT_OK(uv_fs_stat(NULL, &req, "/", NULL));
  ASSERT_EQ(uv_cancel((uv_req_t*) &req), UV_EBUSY);
  uv_fs_req_cleanup(&req);
  ASSERT_OK(uv_fs_stat(uv_default_loop(), &req, "/", NULL));
  ASSERT_EQ(uv_cancel((uv_req_t*) &req), UV_EBUSY);
  uv_fs_req_cleanup(&req);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(entries_of_what_is_no_listing) {
  OXUV_ONLY();
  uv_dirent_t entry;
  uv_fs_t req;

  ASSERT_EQ(uv_fs_scandir_next(NULL, &entry), UV_EINVAL);
  ASSERT_OK(uv_fs_stat(NULL, &req, "/", NULL));
  ASSERT_EQ(uv_fs_scandir_next(&req, &entry), UV_EINVAL);
  uv_fs_req_cleanup(&req);
  ASSERT_GT(uv_fs_scandir(NULL, &req, "/", 0, NULL), 0);
  ASSERT_EQ(uv_fs_scandir_next(&req, NULL), UV_EINVAL);
  ASSERT_OK(uv_fs_scandir_next(&req, &entry));
  uv_fs_req_cleanup(&req);
  ASSERT_EQ(uv_fs_scandir_next(&req, &entry), UV_EOF);
}

TEST_IMPL(an_array_that_is_missing) {
  OXUV_ONLY();
  uv_dir_t* dir;
  uv_fs_t req;

  ASSERT_OK(uv_fs_opendir(NULL, &req, "/", NULL));
  dir = req.ptr;
  uv_fs_req_cleanup(&req);
  dir->nentries = 1;
  ASSERT_EQ(uv_fs_readdir(NULL, &req, dir, NULL), UV_EINVAL);
  uv_fs_req_cleanup(&req);
  ASSERT_OK(uv_fs_closedir(NULL, &req, dir, NULL));
  uv_fs_req_cleanup(&req);
}
