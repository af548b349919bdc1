/* Every file system operation in each way it can go: at once, on the pool, cancelled, and without
 * memory. https://docs.libuv.org/en/v1.x/fs.html */
#include "fs.h"

#include <stdatomic.h>

/* A folder with something for every operation; the current folder, so that names are short. */
static int file_fd, other_fd;
static uv_dir_t* dir;
static uv_dirent_t entries[4];

static void set_up(void) {
  uv_fs_t req;

  ASSERT_OK(chdir(test_tmpdir()));
  write_file("file", "hello, world", 12);
  write_file("doomed", "", 0);
  ASSERT_OK(mkdir("folder", 0755));
  ASSERT_OK(mkdir("empty", 0755));
  fs_touch("folder/a");
  fs_touch("folder/b");
  ASSERT_OK(symlink("file", "link"));
  file_fd = open("file", O_RDWR);
  other_fd = open("other", O_RDWR | O_CREAT, 0644);
  ASSERT_OK(uv_fs_opendir(NULL, &req, "folder", NULL));
  dir = req.ptr;
  uv_fs_req_cleanup(&req);
  dir->dirents = entries;
  dir->nentries = 4;
}

static int remove_all(const char* folder) {
  struct dirent* entry;
  char path[1024];
  DIR* stream = opendir(folder);

  if (stream == NULL) return unlink(folder);
  while ((entry = readdir(stream)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
    if (unlink(path) != 0) remove_all(path);
  }
  closedir(stream);
  return rmdir(folder);
}

static void tear_down(void) {
  uv_fs_t req;

  close(file_fd);
  close(other_fd);
  if (dir != NULL) {
    ASSERT_OK(uv_fs_closedir(NULL, &req, dir, NULL));
    uv_fs_req_cleanup(&req);
  }
  ASSERT_OK(chdir("/"));
  remove_all(test_tmpdir());
  ASSERT_OK(mkdir(test_tmpdir(), 0700));
}

/* The strings and arrays that are passed. They are overwritten once the call has returned. */
static char one[64], two[64], memory[64];
static uv_buf_t bufs[8];

static const char* path(char* buffer, const char* text) {
  return strcpy(buffer, text);
}

static const uv_buf_t* buffers(int count) {
  int i;
  for (i = 0; i < count; i++) bufs[i] = uv_buf_init(memory + i, 1);
  return bufs;
}

#define OPERATION(name, ...)                                                                       \
  static int start_##name(uv_loop_t* loop, uv_fs_t* req, uv_fs_cb cb) {                            \
    return uv_fs_##name(loop, req, __VA_ARGS__, cb);                                               \
  }

OPERATION(access, path(one, "file"), R_OK)
OPERATION(chmod, path(one, "file"), 0600)
OPERATION(chown, path(one, "file"), -1, -1)
OPERATION(close, file_fd)
OPERATION(closedir, dir)
OPERATION(copyfile, path(one, "file"), path(two, "copy"), 0)
OPERATION(fchmod, file_fd, 0600)
OPERATION(fchown, file_fd, -1, -1)
OPERATION(fdatasync, file_fd)
OPERATION(fstat, file_fd)
OPERATION(fsync, file_fd)
OPERATION(ftruncate, file_fd, 3)
OPERATION(futime, file_fd, 1, 2)
OPERATION(lchown, path(one, "link"), -1, -1)
OPERATION(link, path(one, "file"), path(two, "linked"))
OPERATION(lstat, path(one, "link"))
OPERATION(lutime, path(one, "link"), 1, 2)
OPERATION(mkdir, path(one, "new"), 0755)
OPERATION(mkdtemp, path(one, "new-XXXXXX"))
OPERATION(mkstemp, path(one, "new-XXXXXX"))
OPERATION(open, path(one, "file"), O_RDONLY, 0)
OPERATION(opendir, path(one, "folder"))
OPERATION(read, file_fd, buffers(3), 3, 0)
OPERATION(readdir, dir)
OPERATION(readlink, path(one, "link"))
OPERATION(realpath, path(one, "link"))
OPERATION(rename, path(one, "doomed"), path(two, "renamed"))
OPERATION(rmdir, path(one, "empty"))
OPERATION(scandir, path(one, "folder"), 0)
OPERATION(sendfile, other_fd, file_fd, 2, 6)
OPERATION(stat, path(one, "link"))
OPERATION(statfs, path(one, "file"))
OPERATION(symlink, path(one, "anything"), path(two, "new"), 0)
OPERATION(unlink, path(one, "doomed"))
OPERATION(utime, path(one, "file"), 1, 2)
OPERATION(write, file_fd, buffers(8), 8, 0)

enum { a_descriptor = -1000 };

static const struct operation {
  const char* name;
  uv_fs_type type;
  int (*start)(uv_loop_t*, uv_fs_t*, uv_fs_cb);
  int result;
  int has_path;
} operations[] = {
#define ROW(name, type, result, has_path) {#name, UV_FS_##type, start_##name, result, has_path}
  ROW(access, ACCESS, 0, 1),
  ROW(chmod, CHMOD, 0, 1),
  ROW(chown, CHOWN, 0, 1),
  ROW(close, CLOSE, 0, 0),
  ROW(closedir, CLOSEDIR, 0, 0),
  ROW(copyfile, COPYFILE, 0, 1),
  ROW(fchmod, FCHMOD, 0, 0),
  ROW(fchown, FCHOWN, 0, 0),
  ROW(fdatasync, FDATASYNC, 0, 0),
  ROW(fstat, FSTAT, 0, 0),
  ROW(fsync, FSYNC, 0, 0),
  ROW(ftruncate, FTRUNCATE, 0, 0),
  ROW(futime, FUTIME, 0, 0),
  ROW(lchown, LCHOWN, 0, 1),
  ROW(link, LINK, 0, 1),
  ROW(lstat, LSTAT, 0, 1),
  ROW(lutime, LUTIME, 0, 1),
  ROW(mkdir, MKDIR, 0, 1),
  ROW(mkdtemp, MKDTEMP, 0, 1),
  ROW(mkstemp, MKSTEMP, a_descriptor, 1),
  ROW(open, OPEN, a_descriptor, 1),
  ROW(opendir, OPENDIR, 0, 1),
  ROW(read, READ, 3, 0),
  ROW(readdir, READDIR, 2, 0),
  ROW(readlink, READLINK, 0, 1),
  ROW(realpath, REALPATH, 0, 1),
  ROW(rename, RENAME, 0, 1),
  ROW(rmdir, RMDIR, 0, 1),
  ROW(scandir, SCANDIR, 2, 1),
  ROW(sendfile, SENDFILE, 6, 0),
  ROW(stat, STAT, 0, 1),
  ROW(statfs, STATFS, 0, 1),
  ROW(symlink, SYMLINK, 0, 1),
  ROW(unlink, UNLINK, 0, 1),
  ROW(utime, UTIME, 0, 1),
  ROW(write, WRITE, 8, 0),
};

enum { total = sizeof(operations) / sizeof(operations[0]) };

/* Checks the outcome of a successful operation, and releases what it made. */
static void finish(const struct operation* op, uv_fs_t* req) {
  uv_fs_t other;

  ASSERT_EQ(req->type, UV_FS);
  ASSERT_EQ(req->fs_type, op->type);
  if (op->result == a_descriptor) {
    ASSERT_GE(req->result, 0);
    close((int) req->result);
  } else {
    if (req->result != op->result) FAIL("%s: %d", op->name, (int) req->result);
  }
  ASSERT_EQ(req->path != NULL, op->has_path);
  switch (op->type) {
    case UV_FS_CLOSE: file_fd = -1; break;
    case UV_FS_CLOSEDIR: dir = NULL; break;
    case UV_FS_OPENDIR:
      ASSERT_OK(uv_fs_closedir(NULL, &other, req->ptr, NULL));
      uv_fs_req_cleanup(&other);
      break;
    case UV_FS_STAT: ASSERT(S_ISREG(req->statbuf.st_mode)); break;
    case UV_FS_LSTAT: ASSERT(S_ISLNK(req->statbuf.st_mode)); break;
    case UV_FS_FSTAT: ASSERT_EQ(((uv_stat_t*) req->ptr)->st_size, 12); break;
    case UV_FS_READLINK: ASSERT_STR_EQ(req->ptr, "file"); break;
    case UV_FS_READ: ASSERT_MEM_EQ(memory, "hel", 3); break;
    case UV_FS_RENAME: ASSERT(fs_exists("renamed")); break;
    case UV_FS_COPYFILE: fs_check_content("copy", "hello, world", 12); break;
    case UV_FS_SYMLINK: ASSERT(S_ISLNK(fs_lstat("new").st_mode)); break;
    default: break;
  }
  uv_fs_req_cleanup(req);
  ASSERT_NULL(req->ptr);
  ASSERT_NULL(req->path);
  uv_fs_req_cleanup(req);
}

static int calls;
static uv_thread_t loop_thread;

static void on_done(uv_fs_t* req) {
  pthread_t self = pthread_self();
  ASSERT(pthread_equal(self, loop_thread));
  calls++;
}

static void spoil_arguments(void) {
  memset(one, 'x', sizeof(one) - 1);
  memset(two, 'y', sizeof(two) - 1);
  memset(bufs, 0xdb, sizeof(bufs));
}

TEST_IMPL(every_operation_at_once) {
  uv_fs_t req;
  int i;

  for (i = 0; i < total; i++) {
    set_up();
    memset(&req, 0xdb, sizeof(req));
    ASSERT_EQ(operations[i].start(NULL, &req, NULL), req.result);
    finish(&operations[i], &req);
    tear_down();
  }
}

TEST_IMPL(every_operation_on_the_pool) {
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t req;
  int i;

  loop_thread = pthread_self();
  for (i = 0; i < total; i++) {
    set_up();
    memset(&req, 0xdb, sizeof(req));
    calls = 0;
    ASSERT_OK(operations[i].start(loop, &req, on_done));
    spoil_arguments();
    ASSERT_EQ(calls, 0);
    ASSERT(uv_loop_alive(loop));
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    ASSERT_EQ(calls, 1);
    finish(&operations[i], &req);
    tear_down();
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Cancelling ---------------------------------------------------------------------------- */

static int gate[2];

static void wait_at_gate(uv_work_t* work) {
  char byte;
  ASSERT_EQ(read(gate[0], &byte, 1), 1);
}

static void close_gate(uv_loop_t* loop, uv_work_t* work) {
  ASSERT_OK(setenv("UV_THREADPOOL_SIZE", "1", 1));
  ASSERT_OK(pipe(gate));
  ASSERT_OK(uv_queue_work(loop, work, wait_at_gate, NULL));
}

static void open_gate(void) {
  ASSERT_EQ(write(gate[1], "", 1), 1);
}

static void on_cancelled(uv_fs_t* req) {
  const struct operation* op = req->data;

  calls++;
  if (req->result != UV_ECANCELED) FAIL("%s: %d", op->name, (int) req->result);
  ASSERT_EQ(req->fs_type, op->type);
  ASSERT_EQ(req->path != NULL, op->has_path);
  /* For these alone it is set before there is a result. */
  if (op->type != UV_FS_READDIR && op->type != UV_FS_CLOSEDIR) ASSERT_NULL(req->ptr);
  uv_fs_req_cleanup(req);
  uv_fs_req_cleanup(req);
  ASSERT_NULL(req->path);
}

TEST_IMPL(every_operation_cancelled) {
  static uv_fs_t reqs[total];
  uv_loop_t* loop = uv_default_loop();
  uv_work_t work;
  DIR* stream;
  int i;

  close_gate(loop, &work);
  set_up();
  stream = dir->dir;
  for (i = 0; i < total; i++) {
    memset(&reqs[i], 0xdb, sizeof(reqs[i]));
    reqs[i].data = (void*) &operations[i];
    ASSERT_OK(operations[i].start(loop, &reqs[i], on_cancelled));
    spoil_arguments();
  }
  for (i = total - 1; i >= 0; i--) ASSERT_OK(uv_cancel((uv_req_t*) &reqs[i]));
  ASSERT_EQ(calls, 0);
  open_gate();
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, total);
  /* A cancelled operation has not happened. */
  ASSERT(fs_exists("doomed"));
  ASSERT(!fs_exists("new"));
  ASSERT(!fs_exists("copy"));
  ASSERT_EQ(fcntl(file_fd, F_GETFD), 0);
  if (getenv("OXUV_TEST_OTHER") == NULL) {
    /* libuv has released the folder, but left it open. */
    ASSERT_EQ(uv_fs_readdir(NULL, &reqs[0], dir, NULL), 2);
    uv_fs_req_cleanup(&reqs[0]);
  } else {
    closedir(stream);
    dir = NULL;
  }
  tear_down();
  close(gate[0]);
  close(gate[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_fs_t second;

static void cancel_second(uv_fs_t* req) {
  calls++;
  ASSERT_OK(req->result);
  uv_fs_req_cleanup(req);
  uv_cancel((uv_req_t*) &second);
}

static void on_second(uv_fs_t* req) {
  calls++;
  ASSERT(req->result == 0 || req->result == UV_ECANCELED);
  uv_fs_req_cleanup(req);
}

TEST_IMPL(cancelling_from_a_callback) {
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t first;

  ASSERT_OK(setenv("UV_THREADPOOL_SIZE", "1", 1));
  ASSERT_OK(uv_fs_stat(loop, &first, "/", cancel_second));
  ASSERT_OK(uv_fs_stat(loop, &second, "/", on_second));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_stat(uv_fs_t* req) {
  calls++;
  ASSERT_EQ(uv_cancel((uv_req_t*) req), UV_EBUSY);
  uv_fs_req_cleanup(req);
  ASSERT_EQ(uv_cancel((uv_req_t*) req), UV_EBUSY);
}

TEST_IMPL(what_is_done_is_not_cancelled) {
  uv_fs_t req;

  ASSERT_OK(uv_fs_stat(uv_default_loop(), &req, "/", on_stat));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_stat_cancelled(uv_fs_t* req) {
  calls++;
  ASSERT_EQ(req->result, UV_ECANCELED);
  uv_fs_req_cleanup(req);
}

TEST_IMPL(cancelling_again_has_no_effect) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t work;
  uv_fs_t req;

  close_gate(loop, &work);
  ASSERT_OK(uv_fs_stat(loop, &req, "/", on_stat_cancelled));
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  open_gate();
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 1);
  close(gate[0]);
  close(gate[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Many, and one after the other --------------------------------------------------------- */

static void check_stat(uv_fs_t* req) {
  calls++;
  ASSERT_OK(req->result);
  ASSERT(S_ISDIR(req->statbuf.st_mode));
  uv_fs_req_cleanup(req);
}

TEST_IMPL(many_at_a_time) {
  enum { many = 1000 };
  static uv_fs_t reqs[many];
  int i;

  for (i = 0; i < many; i++)
    ASSERT_OK(uv_fs_stat(uv_default_loop(), &reqs[i], path(one, i % 2 ? "/" : "/proc"), check_stat));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(calls, many);
  MAKE_SURE_NOTHING_LEAKED();
}

/* The request may be released in its callback. */
static void free_and_go_on(uv_fs_t* req) {
  uv_loop_t* loop = req->loop;

  calls++;
  uv_fs_req_cleanup(req);
  free(req);
  if (calls < 200) {
    req = malloc(sizeof(*req));
    ASSERT_OK(uv_fs_readlink(loop, req, "/proc/self/exe", free_and_go_on));
  }
}

TEST_IMPL(one_after_the_other) {
  uv_fs_t* req = malloc(sizeof(*req));

  ASSERT_OK(uv_fs_stat(uv_default_loop(), req, "/", free_and_go_on));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 200);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Memory -------------------------------------------------------------------------------- */

/* Blocks that are taken; and how many more there are to be, or a negative number. */
static atomic_int live_blocks;
static atomic_int blocks_left = -1;

static int may_allocate(void) {
  int left = atomic_load(&blocks_left);
  if (left == 0) return 0;
  if (left > 0) atomic_fetch_sub(&blocks_left, 1);
  return 1;
}

static void* count_block(void* block) {
  if (block != NULL) atomic_fetch_add(&live_blocks, 1);
  return block;
}

static void* counting_malloc(size_t size) {
  return may_allocate() ? count_block(malloc(size)) : NULL;
}

static void* counting_calloc(size_t count, size_t size) {
  return may_allocate() ? count_block(calloc(count, size)) : NULL;
}

static void* counting_realloc(void* block, size_t size) {
  if (!may_allocate()) return NULL;
  return block == NULL ? count_block(malloc(size)) : realloc(block, size);
}

static void counting_free(void* block) {
  if (block != NULL) atomic_fetch_sub(&live_blocks, 1);
  free(block);
}

static void count_blocks(void) {
  ASSERT_OK(uv_replace_allocator(counting_malloc, counting_realloc, counting_calloc, counting_free));
}

static void on_maybe(uv_fs_t* req) {
  calls++;
}

/* With room for no block, for one, and so on until the operation succeeds: it fails with
 * UV_ENOMEM, without a callback if it could not be started, and leaves nothing behind. */
static void try_without_memory(const struct operation* op, uv_loop_t* loop) {
  int left, before, fds, r;
  uv_fs_t req;

  for (left = 0; left < 20; left++) {
    set_up();
    before = live_blocks;
    fds = fd_count();
    calls = 0;
    memset(&req, 0xdb, sizeof(req));
    blocks_left = left;
    r = op->start(loop, &req, loop != NULL ? on_maybe : NULL);
    if (loop != NULL && r == 0) {
      ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
      ASSERT_EQ(calls, 1);
    } else if (loop != NULL) {
      ASSERT_EQ(r, UV_ENOMEM);
      ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
      ASSERT_EQ(calls, 0);
    }
    blocks_left = -1;
    if (req.result != UV_ENOMEM) {
      finish(op, &req);
      if (dir != NULL) ASSERT_EQ(live_blocks, before);
      tear_down();
      return;
    }
    ASSERT_NULL(req.ptr != dir ? req.ptr : NULL);
    uv_fs_req_cleanup(&req);
    uv_fs_req_cleanup(&req);
    ASSERT_EQ(live_blocks, before);
    ASSERT_EQ(fd_count(), fds);
    tear_down();
  }
  FAIL("%s never succeeded", op->name);
}

TEST_IMPL(no_memory_at_once) {
  OXUV_ONLY();
  int i;

  count_blocks();
  for (i = 0; i < total; i++) try_without_memory(&operations[i], NULL);
  ASSERT_EQ(live_blocks, 0);
}

TEST_IMPL(no_memory_on_the_pool) {
  OXUV_ONLY();
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t req;
  int i;

  count_blocks();
  /* What the loop takes for itself. */
  ASSERT_OK(uv_fs_stat(loop, &req, "/", check_stat));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  for (i = 0; i < total; i++) try_without_memory(&operations[i], loop);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(nothing_is_left_when_all_is_cancelled) {
  OXUV_ONLY();
  static uv_fs_t reqs[total];
  uv_loop_t* loop = uv_default_loop();
  uv_work_t work;
  int before;
  int i;

  count_blocks();
  close_gate(loop, &work);
  set_up();
  before = live_blocks;
  for (i = 0; i < total; i++) {
    reqs[i].data = (void*) &operations[i];
    ASSERT_OK(operations[i].start(loop, &reqs[i], on_cancelled));
    ASSERT_OK(uv_cancel((uv_req_t*) &reqs[i]));
  }
  open_gate();
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, total);
  ASSERT_EQ(live_blocks, before);
  tear_down();
  close(gate[0]);
  close(gate[1]);
  MAKE_SURE_NOTHING_LEAKED();
}
