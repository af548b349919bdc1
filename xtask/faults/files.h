/* Operations on files, one after the other: each is a step, done with a callback or without. */
#ifndef FAULTS_FILES_H
#define FAULTS_FILES_H

#include "program.h"

enum { piece = 30000 };

static int is_async;
static size_t step;
static uv_fs_t request;
static uv_file file = -1;
static uv_file other = -1;
static uv_dir_t* folder;
static uv_dirent_t entries[8];
static int entries_read;
static int64_t written;
static char data[3 * piece];

struct step {
  const char* name;
  int (*start)(uv_fs_cb callback);
  void (*look)(int64_t result);
};

/* A step that cannot be done, since an earlier one failed: no operation returns that. */
enum { left_out = 1000000 };

static void on_step(uv_fs_t* done);

static int start_mkdir(uv_fs_cb cb) {
  return uv_fs_mkdir(&loop, &request, "folder", 0700, cb);
}

static int start_open(uv_fs_cb cb) {
  return uv_fs_open(&loop, &request, "folder/file", UV_FS_O_RDWR | UV_FS_O_CREAT, 0600, cb);
}

static void look_open(int64_t result) {
  file = (uv_file) result;
}

static int start_write(uv_fs_cb cb) {
  uv_buf_t bufs[2];
  if (file < 0) return left_out;
  fill(data, (size_t) written, piece);
  bufs[0] = uv_buf_init(data, piece / 3);
  bufs[1] = uv_buf_init(data + piece / 3, piece - piece / 3);
  return uv_fs_write(&loop, &request, file, bufs, 2, written == 0 ? -1 : written, cb);
}

static void look_write(int64_t result) {
  EXPECT(result <= piece, "more was written than given");
  written += result;
}

static int start_read(uv_fs_cb cb) {
  uv_buf_t bufs[2];
  if (file < 0) return left_out;
  bufs[0] = uv_buf_init(data, piece);
  bufs[1] = uv_buf_init(data + piece, 2 * piece);
  return uv_fs_read(&loop, &request, file, bufs, 2, 0, cb);
}

static void look_read(int64_t result) {
  EXPECT(result <= written, "more was read than written");
  check(data, 0, (size_t) result, "file");
}

static int start_fstat(uv_fs_cb cb) {
  return file < 0 ? left_out : uv_fs_fstat(&loop, &request, file, cb);
}

static void look_size(int64_t result) {
  (void) result;
  EXPECT((int64_t) request.statbuf.st_size == written, "a size of %lld after %lld written bytes",
         (long long) request.statbuf.st_size, (long long) written);
}

static int start_stat(uv_fs_cb cb) {
  return uv_fs_stat(&loop, &request, "folder/file", cb);
}

static int start_lstat(uv_fs_cb cb) {
  return uv_fs_lstat(&loop, &request, "folder/file", cb);
}

static int start_symlink(uv_fs_cb cb) {
  return uv_fs_symlink(&loop, &request, "file", "folder/soft", 0, cb);
}

static int start_link(uv_fs_cb cb) {
  return uv_fs_link(&loop, &request, "folder/file", "folder/hard", cb);
}

static int start_readlink(uv_fs_cb cb) {
  return uv_fs_readlink(&loop, &request, "folder/soft", cb);
}

static void look_readlink(int64_t result) {
  (void) result;
  EXPECT(strcmp(request.ptr, "file") == 0, "a link to %s", (char*) request.ptr);
}

static int start_realpath(uv_fs_cb cb) {
  return uv_fs_realpath(&loop, &request, "folder/soft", cb);
}

static void look_realpath(int64_t result) {
  (void) result;
  EXPECT(strstr(request.ptr, "/folder/file") != NULL, "a path of %s", (char*) request.ptr);
}

static int start_access(uv_fs_cb cb) {
  return uv_fs_access(&loop, &request, "folder/file", R_OK, cb);
}

static int start_scandir(uv_fs_cb cb) {
  return uv_fs_scandir(&loop, &request, "folder", 0, cb);
}

static void look_scandir(int64_t result) {
  uv_dirent_t entry;
  int count = 0;
  while (uv_fs_scandir_next(&request, &entry) != UV_EOF) count++;
  EXPECT(count == result, "%d entries of %lld", count, (long long) result);
  EXPECT_UNLESS_TOLD(count == 3, "a folder of 3 entries has %d", count);
}

static int start_opendir(uv_fs_cb cb) {
  return uv_fs_opendir(&loop, &request, "folder", cb);
}

static void look_opendir(int64_t result) {
  (void) result;
  folder = request.ptr;
}

static int start_readdir(uv_fs_cb cb) {
  if (folder == NULL) return left_out;
  folder->dirents = entries;
  folder->nentries = entries_read == 0 ? 2 : COUNT(entries);
  return uv_fs_readdir(&loop, &request, folder, cb);
}

static void look_readdir(int64_t result) {
  int is_second = entries_read > 0;
  entries_read += (int) result;
  if (is_second)
    EXPECT_UNLESS_TOLD(entries_read == 3, "a folder of 3 entries has %d", entries_read);
}

static int start_closedir(uv_fs_cb cb) {
  uv_dir_t* closing = folder;
  if (folder == NULL) return left_out;
  folder = NULL;
  return uv_fs_closedir(&loop, &request, closing, cb);
}

static int start_copyfile(uv_fs_cb cb) {
  return uv_fs_copyfile(&loop, &request, "folder/file", "folder/copy", 0, cb);
}

static void look_copyfile(int64_t result) {
  struct stat copy;
  (void) result;
  EXPECT(OWN4(SYS_newfstatat, AT_FDCWD, "folder/copy", &copy, 0) == 0, "lost: there is no copy");
  EXPECT(copy.st_size == written, "lost: %lld bytes were copied of %lld", (long long) copy.st_size,
         (long long) written);
}

static int start_open_other(uv_fs_cb cb) {
  return uv_fs_open(&loop, &request, "folder/other", UV_FS_O_RDWR | UV_FS_O_CREAT, 0600, cb);
}

static void look_open_other(int64_t result) {
  other = (uv_file) result;
}

static int start_sendfile(uv_fs_cb cb) {
  if (file < 0 || other < 0 || written == 0) return left_out;
  return uv_fs_sendfile(&loop, &request, other, file, 0, (size_t) written, cb);
}

static void look_sendfile(int64_t result) {
  EXPECT(result > 0 && result <= written, "%lld bytes were sent", (long long) result);
}

static int start_fsync(uv_fs_cb cb) {
  return other < 0 ? left_out : uv_fs_fsync(&loop, &request, other, cb);
}

static int start_fdatasync(uv_fs_cb cb) {
  return other < 0 ? left_out : uv_fs_fdatasync(&loop, &request, other, cb);
}

static int start_ftruncate(uv_fs_cb cb) {
  return other < 0 ? left_out : uv_fs_ftruncate(&loop, &request, other, 10, cb);
}

static int start_futime(uv_fs_cb cb) {
  return other < 0 ? left_out : uv_fs_futime(&loop, &request, other, 1, 2, cb);
}

static int start_fchmod(uv_fs_cb cb) {
  return other < 0 ? left_out : uv_fs_fchmod(&loop, &request, other, 0600, cb);
}

static int start_close_other(uv_fs_cb cb) {
  uv_file closing = other;
  if (other < 0) return left_out;
  other = -1;
  return uv_fs_close(&loop, &request, closing, cb);
}

static int start_mkstemp(uv_fs_cb cb) {
  return uv_fs_mkstemp(&loop, &request, "folder/t-XXXXXX", cb);
}

static void look_mkstemp(int64_t result) {
  EXPECT(strstr(request.path, "XXXXXX") == NULL, "a temporary file without a name of its own");
  own_unlink(request.path);
  own_close((int) result);
}

static int start_mkdtemp(uv_fs_cb cb) {
  return uv_fs_mkdtemp(&loop, &request, "folder/d-XXXXXX", cb);
}

static void look_mkdtemp(int64_t result) {
  (void) result;
  EXPECT(strstr(request.path, "XXXXXX") == NULL, "a temporary folder without a name of its own");
  own_rmdir(request.path);
}

static int start_utime(uv_fs_cb cb) {
  return uv_fs_utime(&loop, &request, "folder/file", 1, 2, cb);
}

static int start_lutime(uv_fs_cb cb) {
  return uv_fs_lutime(&loop, &request, "folder/soft", 1, 2, cb);
}

static int start_chmod(uv_fs_cb cb) {
  return uv_fs_chmod(&loop, &request, "folder/file", 0644, cb);
}

static int start_chown(uv_fs_cb cb) {
  return uv_fs_chown(&loop, &request, "folder/file", (uv_uid_t) -1, (uv_gid_t) -1, cb);
}

static int start_statfs(uv_fs_cb cb) {
  return uv_fs_statfs(&loop, &request, "folder", cb);
}

static int start_rename(uv_fs_cb cb) {
  return uv_fs_rename(&loop, &request, "folder/hard", "folder/moved", cb);
}

static int start_unlink(uv_fs_cb cb) {
  return uv_fs_unlink(&loop, &request, "folder/moved", cb);
}

static int start_mkdir_empty(uv_fs_cb cb) {
  return uv_fs_mkdir(&loop, &request, "empty", 0700, cb);
}

static int start_rmdir(uv_fs_cb cb) {
  return uv_fs_rmdir(&loop, &request, "empty", cb);
}

static int start_close(uv_fs_cb cb) {
  uv_file closing = file;
  if (file < 0) return left_out;
  file = -1;
  return uv_fs_close(&loop, &request, closing, cb);
}

static const struct step steps[] = {
  {"uv_fs_mkdir", start_mkdir, NULL},
  {"uv_fs_open", start_open, look_open},
  {"uv_fs_write", start_write, look_write},
  {"uv_fs_write", start_write, look_write},
  {"uv_fs_read", start_read, look_read},
  {"uv_fs_fstat", start_fstat, look_size},
  {"uv_fs_stat", start_stat, look_size},
  {"uv_fs_lstat", start_lstat, look_size},
  {"uv_fs_symlink", start_symlink, NULL},
  {"uv_fs_link", start_link, NULL},
  {"uv_fs_readlink", start_readlink, look_readlink},
  {"uv_fs_realpath", start_realpath, look_realpath},
  {"uv_fs_access", start_access, NULL},
  {"uv_fs_scandir", start_scandir, look_scandir},
  {"uv_fs_opendir", start_opendir, look_opendir},
  {"uv_fs_readdir", start_readdir, look_readdir},
  {"uv_fs_readdir", start_readdir, look_readdir},
  {"uv_fs_closedir", start_closedir, NULL},
  {"uv_fs_copyfile", start_copyfile, look_copyfile},
  {"uv_fs_open", start_open_other, look_open_other},
  {"uv_fs_sendfile", start_sendfile, look_sendfile},
  {"uv_fs_fsync", start_fsync, NULL},
  {"uv_fs_fdatasync", start_fdatasync, NULL},
  {"uv_fs_ftruncate", start_ftruncate, NULL},
  {"uv_fs_futime", start_futime, NULL},
  {"uv_fs_fchmod", start_fchmod, NULL},
  {"uv_fs_close", start_close_other, NULL},
  {"uv_fs_mkstemp", start_mkstemp, look_mkstemp},
  {"uv_fs_mkdtemp", start_mkdtemp, look_mkdtemp},
  {"uv_fs_utime", start_utime, NULL},
  {"uv_fs_lutime", start_lutime, NULL},
  {"uv_fs_chmod", start_chmod, NULL},
  {"uv_fs_chown", start_chown, NULL},
  {"uv_fs_statfs", start_statfs, NULL},
  {"uv_fs_rename", start_rename, NULL},
  {"uv_fs_unlink", start_unlink, NULL},
  {"uv_fs_mkdir", start_mkdir_empty, NULL},
  {"uv_fs_rmdir", start_rmdir, NULL},
  {"uv_fs_close", start_close, NULL},
};

static void look_at_result(const char* name, int64_t result) {
  if (!notes(result, name) && steps[step].look != NULL) steps[step].look(result);
  uv_fs_req_cleanup(&request);
  step++;
}

/* Does steps until one is under way, or all are done. */
static void next_steps(void) {
  while (step < COUNT(steps)) {
    const char* name = steps[step].name;
    int code;
    memset(&request, 0, sizeof(request));
    code = steps[step].start(is_async ? on_step : NULL);
    if (code == left_out) {
      EXPECT(is_told() || !is_async, "%s was left out", name);
      step++;
    } else if (is_async && code == 0) {
      begun(&request, name);
      return;
    } else {
      look_at_result(name, is_async ? code : request.result);
    }
  }
  finish();
}

static void on_step(uv_fs_t* done) {
  ended(done);
  look_at_result(steps[step].name, done->result);
  next_steps();
}

#endif
