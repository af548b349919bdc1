/* Reading what is in memory in the loop's own thread: results, positions, and what is not to be read
 * so. https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_read */
#include "in_place.h"

#include <sys/eventfd.h>

enum { large = 1 << 20, iteration_share = 256 << 10 };

static char memory[large];
static char expected[large];

/* A file with a pattern that has no period, in memory. */
static int make_file(const char* name, size_t size) {
  size_t i;
  int fd;
  for (i = 0; i < size; i++) expected[i] = (char) (i * 2654435761u >> 11);
  write_file(test_path(name), expected, size);
  fd = open(test_path(name), O_RDWR);
  ASSERT_GE(fd, 0);
  return fd;
}

static int set_up(size_t size) {
  int fd;
  need_in_place();
  fd = make_file("file", size);
  need_cached_reads(fd);
  return fd;
}

static uv_buf_t whole(size_t size) {
  memset(memory, 0x5a, sizeof(memory));
  return uv_buf_init(memory, (unsigned int) size);
}

static int64_t told_somehow(int started) {
  int before = in_place_calls;
  ASSERT_OK(started);
  ASSERT_EQ(in_place_calls, before);
  run_until(uv_default_loop(), &in_place_calls, before + 1);
  return in_place_req.result;
}

TEST_IMPL_SERIAL(reads_at_an_offset) {
  static const struct {
    int64_t offset;
    size_t size, count;
  } cases[] = {
    {0, 4096, 4096},   {0, 1, 1},        {1, 4095, 4095}, {4000, 200, 200}, {9999, 1, 1},
    {9990, 4096, 10},  {10000, 4096, 0}, {20000, 1, 0},   {0, 16384, 10000}, {5, 0, 0},
    {INT64_MAX, 1, 0},
  };
  int fd = set_up(10000);
  size_t i;
  block_pool();
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uv_buf_t buf = whole(cases[i].size);
    uv_fs_t sync;
    int by_sync = uv_fs_read(NULL, &sync, fd, &buf, 1, cases[i].offset, NULL);
    /* Beyond what any file may have is for the pool to tell. */
    if (by_sync < 0) continue;
    ASSERT_EQ(by_sync, cases[i].count);
    buf = whole(cases[i].size);
    ASSERT_EQ(IN_PLACE(read, fd, &buf, 1, cases[i].offset), cases[i].count);
    ASSERT_MEM_EQ(memory, expected + cases[i].offset, cases[i].count);
    ASSERT_EQ(memory[cases[i].count], 0x5a);
  }
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 0);
  close(fd);
  end_in_place();
}

TEST_IMPL_SERIAL(reads_into_several_buffers) {
  enum { most = 65 };
  uv_buf_t bufs[most];
  int fd = set_up(10000);
  int counts[] = {2, 4, 5, 64};
  size_t i;
  int k;
  block_pool();
  for (k = 0; k < most; k++) bufs[k] = uv_buf_init(memory + k * 100, 100);
  for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    whole(0);
    ASSERT_EQ(IN_PLACE(read, fd, bufs, counts[i], 50), counts[i] * 100);
    ASSERT_MEM_EQ(memory, expected + 50, (size_t) counts[i] * 100);
    ASSERT_EQ(memory[counts[i] * 100], 0x5a);
  }
  /* Some of them, at the end. */
  ASSERT_EQ(IN_PLACE(read, fd, bufs, 5, 9850), 150);
  ASSERT_MEM_EQ(memory, expected + 9850, 150);
  whole(0);
  ASSERT_EQ(BY_POOL(read, fd, bufs, most, 0), most * 100);
  ASSERT_MEM_EQ(memory, expected, most * 100);
  close(fd);
  end_in_place();
}

/* One thread of two is left, so that the pool could do it: that it did not shows by the position,
 * which has moved already, and by the thread that was not started. */
static int64_t read_on(int fd, uv_buf_t* bufs, unsigned int count) {
  int threads = thread_count();
  off_t before = lseek(fd, 0, SEEK_CUR);
  off_t after;
  ASSERT_OK(START(read, fd, bufs, count, -1));
  after = lseek(fd, 0, SEEK_CUR);
  ASSERT_EQ(thread_count(), threads);
  ASSERT(is_told_at_once(0));
  ASSERT_EQ(in_place_req.result, after - before);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), after);
  return in_place_clean(after - before);
}

TEST_IMPL_SERIAL(reads_at_the_position) {
  int fd = set_up(10000);
  uv_buf_t two[2];
  uv_buf_t buf;
  set_pool_size(2);
  learn_mount(uv_default_loop(), test_tmpdir());
  occupy(uv_default_loop(), 1);
  buf = whole(4096);
  ASSERT_EQ(read_on(fd, &buf, 1), 4096);
  ASSERT_MEM_EQ(memory, expected, 4096);
  two[0] = uv_buf_init(memory, 1000);
  two[1] = uv_buf_init(memory + 1000, 3096);
  ASSERT_EQ(read_on(fd, two, 2), 4096);
  ASSERT_MEM_EQ(memory, expected + 4096, 4096);
  ASSERT_EQ(read_on(fd, &buf, 1), 10000 - 8192);
  ASSERT_MEM_EQ(memory, expected + 8192, 10000 - 8192);
  ASSERT_EQ(read_on(fd, &buf, 1), 0);
  /* The file grows. */
  ASSERT_EQ(pwrite(fd, "more", 4, 10000), 4);
  ASSERT_EQ(read_on(fd, &buf, 1), 4);
  ASSERT_MEM_EQ(memory, "more", 4);
  ASSERT_EQ(lseek(fd, 20000, SEEK_SET), 20000);
  ASSERT_EQ(read_on(fd, &buf, 1), 0);
  close(fd);
  end_in_place();
}

/* A read that waits for a thread can be cancelled, and then the position must not have moved. */
TEST_IMPL_SERIAL(reads_at_the_position_wait_for_a_busy_pool) {
  int fd = set_up(100);
  uv_buf_t buf = whole(10);
  int before;
  block_pool();
  before = in_place_calls;
  ASSERT_OK(START(read, fd, &buf, 1, -1));
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(in_place_calls, before);
  ASSERT_OK(uv_cancel((uv_req_t*) &in_place_req));
  run_until(uv_default_loop(), &in_place_calls, before + 1);
  ASSERT_EQ(in_place_req.result, UV_ECANCELED);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 0);
  close(fd);
  end_in_place();
}

/* --- Shares -------------------------------------------------------------------------------- */

TEST_IMPL_SERIAL(big_reads_are_for_the_pool) {
  int fd = set_up(large);
  uv_buf_t buf;
  block_pool();
  buf = whole(iteration_share);
  ASSERT_EQ(IN_PLACE(read, fd, &buf, 1, 77), iteration_share);
  ASSERT_MEM_EQ(memory, expected + 77, iteration_share);
  buf = whole(large);
  ASSERT_EQ(BY_POOL(read, fd, &buf, 1, 0), large);
  ASSERT_MEM_EQ(memory, expected, large);
  let_go();
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, -1)), large);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), large);
  close(fd);
  end_in_place();
}

static uv_fs_t reads[16];
static int first_done;

static void on_read(uv_fs_t* req) {
  ASSERT_EQ(req->result, 64 << 10);
  in_place_calls++;
  if (req - reads < 4) first_done++;
  uv_fs_req_cleanup(req);
}

TEST_IMPL_SERIAL(an_iteration_reads_its_share_in_place) {
  enum { size = 64 << 10 };
  int fd = set_up(large);
  int before;
  int i;
  block_pool();
  before = in_place_calls;
  for (i = 0; i < 16; i++) {
    uv_buf_t buf = uv_buf_init(memory + i * size, size);
    ASSERT_OK(uv_fs_read(uv_default_loop(), &reads[i], fd, &buf, 1, i * size, on_read));
  }
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  /* Those that fit into the share of the iteration that they were started in. */
  ASSERT_EQ(in_place_calls - before, iteration_share / size);
  ASSERT_EQ(first_done, iteration_share / size);
  let_go();
  run_until(uv_default_loop(), &in_place_calls, before + 16);
  ASSERT_MEM_EQ(memory, expected, large);
  close(fd);
  end_in_place();
}

/* --- What is not in memory, or no file ----------------------------------------------------- */

TEST_IMPL_SERIAL(reads_of_what_is_not_in_memory) {
  enum { size = 200000 };
  int fd = set_up(size);
  uv_buf_t buf = whole(size);
  learn_mount(uv_default_loop(), test_tmpdir());
  ASSERT_OK(fsync(fd));
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, 0)), size);
  ASSERT_MEM_EQ(memory, expected, size);
  /* Some of it is: the first part again, at the position. */
  posix_fadvise(fd, 65536, 0, POSIX_FADV_DONTNEED);
  buf = whole(size);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, -1)), size);
  ASSERT_MEM_EQ(memory, expected, size);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), size);
  /* A hole. */
  ASSERT_OK(ftruncate(fd, size + 100000));
  buf = whole(size);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, -1)), 100000);
  ASSERT_EQ(memory[0], 0);
  ASSERT_EQ(memory[99999], 0);
  close(fd);
  end_in_place();
}

TEST_IMPL_SERIAL(errors_of_reads) {
  int fd = set_up(100);
  int folder = open(test_tmpdir(), O_RDONLY);
  int write_only = open(test_path("file"), O_WRONLY);
  int path_only = open(test_path("file"), O_PATH);
  uv_buf_t buf = whole(10);
  int64_t offset;
  learn_mount(uv_default_loop(), test_tmpdir());
  for (offset = -1; offset <= 0; offset++) {
    ASSERT_EQ(told_somehow(START(read, folder, &buf, 1, offset)), UV_EISDIR);
    ASSERT_EQ(told_somehow(START(read, write_only, &buf, 1, offset)), UV_EBADF);
    ASSERT_EQ(told_somehow(START(read, path_only, &buf, 1, offset)), UV_EBADF);
    ASSERT_EQ(told_somehow(START(read, 9999, &buf, 1, offset)), UV_EBADF);
    ASSERT_EQ(told_somehow(START(read, -1, &buf, 1, offset)), UV_EBADF);
  }
  buf = uv_buf_init((char*) 16, 100);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, 0)), UV_EFAULT);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, -1)), UV_EFAULT);
  close(fd);
  close(folder);
  close(write_only);
  close(path_only);
  end_in_place();
}

/* Files without a size: the first part is no reason to think that it is all. */
TEST_IMPL_SERIAL(reads_of_proc) {
  static const char* const paths[] = {"/proc/version", "/proc/self/maps", "/proc/self/status",
                                      "/proc/self/cmdline"};
  size_t i;
  need_in_place();
  for (i = 0; i < 2 * sizeof(paths) / sizeof(paths[0]); i++) {
    int fd = open(paths[i / 2], O_RDONLY);
    int64_t offset = i % 2 == 0 ? -1 : 0;
    uv_buf_t buf = whole(20);
    ASSERT_GE(fd, 0);
    ASSERT_GT(pread(fd, expected, 20, 0), 0);
    ASSERT_GT(told_somehow(START(read, fd, &buf, 1, offset)), 0);
    if (i / 2 != 1) ASSERT_MEM_EQ(memory, expected, (size_t) in_place_req.result);
    buf = whole(large);
    ASSERT_GE(told_somehow(START(read, fd, &buf, 1, offset)), 0);
    close(fd);
  }
  end_in_place();
}

TEST_IMPL_SERIAL(reads_of_pipes_and_devices) {
  int pair[2];
  int fd;
  uv_buf_t buf;
  need_in_place();
  ASSERT_OK(pipe(pair));
  ASSERT_EQ(write(pair[1], "hello", 5), 5);
  buf = whole(2);
  ASSERT_EQ(told_somehow(START(read, pair[0], &buf, 1, -1)), 2);
  ASSERT_MEM_EQ(memory, "he", 2);
  buf = whole(100);
  ASSERT_EQ(told_somehow(START(read, pair[0], &buf, 1, 0)), UV_ESPIPE);
  ASSERT_EQ(told_somehow(START(read, pair[0], &buf, 1, -1)), 3);
  ASSERT_MEM_EQ(memory, "llo", 3);
  close(pair[1]);
  ASSERT_EQ(told_somehow(START(read, pair[0], &buf, 1, -1)), 0);
  close(pair[0]);
  fd = open("/dev/zero", O_RDONLY);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, -1)), 100);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, 5)), 100);
  ASSERT_EQ(memory[99], 0);
  close(fd);
  fd = open("/dev/null", O_RDONLY);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, -1)), 0);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, 0)), 0);
  close(fd);
  end_in_place();
}

/* What is read from an eventfd is gone: to look whether there is something would take it. */
TEST_IMPL_SERIAL(reads_take_nothing_away_twice) {
  int fd = eventfd(3, EFD_NONBLOCK);
  int64_t offset;
  uv_buf_t buf;
  uint64_t value;
  need_in_place();
  for (offset = -1; offset <= 0; offset++) {
    int by_sync;
    uv_fs_t sync;
    buf = whole(100);
    ASSERT_EQ(eventfd_write(fd, 3), 0);
    by_sync = uv_fs_read(NULL, &sync, fd, &buf, 1, offset, NULL);
    if (by_sync == 8) ASSERT_EQ(eventfd_write(fd, 3), 0);
    ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, offset)), by_sync);
    memcpy(&value, memory, sizeof(value));
    if (by_sync == 8) ASSERT_EQ(value, 3);
  }
  close(fd);
  end_in_place();
}
