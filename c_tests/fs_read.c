/* Reading with a callback: results, positions, and files of all kinds.
 * https://docs.libuv.org/en/v1.x/fs.html#c.uv_fs_read */
#include "fs.h"

#include <sys/eventfd.h>

enum { large = 1 << 20 };

static char memory[large];
static char expected[large];
static uv_fs_t request;
static int calls;

/* A file with a pattern that has no period. */
static int make_file(size_t size) {
  size_t i;
  int fd;
  for (i = 0; i < size; i++) expected[i] = (char) (i * 2654435761u >> 11);
  write_file(test_path("file"), expected, size);
  fd = open(test_path("file"), O_RDWR);
  ASSERT_GE(fd, 0);
  return fd;
}

static uv_buf_t whole(size_t size) {
  memset(memory, 0x5a, sizeof(memory));
  return uv_buf_init(memory, (unsigned int) size);
}

static void on_done(uv_fs_t* req) {
  (void) req;
  calls++;
}

static int64_t read_some(int fd, const uv_buf_t* bufs, unsigned int count, int64_t offset) {
  int64_t result;
  int before = calls;
  ASSERT_OK(uv_fs_read(uv_default_loop(), &request, fd, bufs, count, offset, on_done));
  ASSERT_EQ(calls, before);
  run_until(uv_default_loop(), &calls, before + 1);
  result = request.result;
  uv_fs_req_cleanup(&request);
  return result;
}

TEST_IMPL(reads_at_an_offset) {
  static const struct {
    int64_t offset;
    size_t size, count;
  } cases[] = {
    {0, 4096, 4096},   {0, 1, 1},        {1, 4095, 4095}, {4000, 200, 200}, {9999, 1, 1},
    {9990, 4096, 10},  {10000, 4096, 0}, {20000, 1, 0},   {0, 16384, 10000}, {5, 0, 0},
  };
  int fd = make_file(10000);
  size_t i;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uv_buf_t buf = whole(cases[i].size);
    ASSERT_EQ(read_some(fd, &buf, 1, cases[i].offset), cases[i].count);
    ASSERT_MEM_EQ(memory, expected + cases[i].offset, cases[i].count);
    ASSERT_EQ(memory[cases[i].count], 0x5a);
  }
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 0);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(reads_into_several_buffers) {
  enum { most = 65 };
  uv_buf_t bufs[most];
  int fd = make_file(10000);
  unsigned int counts[] = {2, 4, 5, 64, 65};
  size_t i;
  int k;
  for (k = 0; k < most; k++) bufs[k] = uv_buf_init(memory + k * 100, 100);
  for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    whole(0);
    ASSERT_EQ(read_some(fd, bufs, counts[i], 50), counts[i] * 100);
    ASSERT_MEM_EQ(memory, expected + 50, (size_t) counts[i] * 100);
    ASSERT_EQ(memory[counts[i] * 100], 0x5a);
  }
  /* Some of them, at the end. */
  ASSERT_EQ(read_some(fd, bufs, 5, 9850), 150);
  ASSERT_MEM_EQ(memory, expected + 9850, 150);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A length may say "all that is there", though no memory has it. */
TEST_IMPL(reads_into_buffers_longer_than_any_memory) {
  static const size_t lengths[] = {0x7ffff001,
#if SIZE_MAX > UINT32_MAX
                                   (size_t) 1 << 46,
#endif
                                   SIZE_MAX / 2, SIZE_MAX};
  int fd = make_file(10000);
  size_t i;
  const char* preload = getenv("LD_PRELOAD");
  if (preload != NULL && strstr(preload, "vgpreload") != NULL) SKIP("valgrind checks the lengths");
  for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    uv_buf_t bufs[3];
    uv_fs_t req;
    whole(0);
    bufs[0].base = memory;
    bufs[0].len = lengths[i];
    bufs[1] = bufs[0];
    ASSERT_EQ(read_some(fd, bufs, 1, 50), 9950);
    ASSERT_MEM_EQ(memory, expected + 50, 9950);
    ASSERT_EQ(read_some(fd, bufs, 2, 9000), 1000);
    ASSERT_EQ(uv_fs_read(NULL, &req, fd, bufs, 2, -1, NULL), 10000);
    uv_fs_req_cleanup(&req);
    ASSERT_EQ(lseek(fd, 0, SEEK_SET), 0);
    /* Those before it are filled. */
    bufs[0] = uv_buf_init(memory, 5);
    bufs[1].base = memory + 5;
    bufs[2] = uv_buf_init(memory, 1);
    ASSERT_EQ(read_some(fd, bufs, 3, 0), 5);
    ASSERT_EQ(bufs[1].len, lengths[i]);
  }
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(reads_at_the_position) {
  int fd = make_file(10000);
  uv_buf_t two[2];
  uv_buf_t buf = whole(4096);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 4096);
  ASSERT_MEM_EQ(memory, expected, 4096);
  two[0] = uv_buf_init(memory, 1000);
  two[1] = uv_buf_init(memory + 1000, 3096);
  ASSERT_EQ(read_some(fd, two, 2, -1), 4096);
  ASSERT_MEM_EQ(memory, expected + 4096, 4096);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 10000 - 8192);
  ASSERT_MEM_EQ(memory, expected + 8192, 10000 - 8192);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 0);
  /* The file grows. */
  ASSERT_EQ(pwrite(fd, "more", 4, 10000), 4);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 4);
  ASSERT_MEM_EQ(memory, "more", 4);
  ASSERT_EQ(lseek(fd, 20000, SEEK_SET), 20000);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 0);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Together at the file's own position --------------------------------------------------- */

enum { together = 16, numbers = large / 4 };

struct reader {
  uv_fs_t req; /* First. */
  uint32_t got[4096];
};

static struct reader readers[together];
static unsigned char times_seen[numbers];
static int shared;
static int at_end;

static void read_on(struct reader* reader);

static void note_numbers(uv_fs_t* req) {
  struct reader* reader = (struct reader*) req;
  ssize_t i;
  ASSERT_GE(req->result, 0);
  for (i = 0; i < req->result / 4; i++) {
    ASSERT_LT(reader->got[i], numbers);
    times_seen[reader->got[i]]++;
  }
  at_end |= req->result == 0;
  uv_fs_req_cleanup(req);
  if (!at_end) read_on(reader);
}

static void read_on(struct reader* reader) {
  static unsigned seed = 1;
  uv_buf_t buf;
  seed = seed * 1103515245 + 12345;
  buf = uv_buf_init((char*) reader->got, 4 + 4 * ((seed >> 16) % 4096));
  ASSERT_OK(uv_fs_read(uv_default_loop(), &reader->req, shared, &buf, 1, -1, note_numbers));
}

/* Reads are not inline, whether or not their data are in memory. */
TEST_IMPL(each_byte_is_read_once) {
  uint32_t* pattern = malloc(large);
  int round;
  int i;
  for (i = 0; i < numbers; i++) pattern[i] = (uint32_t) i;
  write_file(test_path("file"), pattern, large);
  free(pattern);
  shared = open(test_path("file"), O_RDONLY);
  ASSERT_GE(shared, 0);
  for (round = 0; round < 4; round++) {
    if (round % 2 == 1) posix_fadvise(shared, large / 3, large / 3, POSIX_FADV_DONTNEED);
    ASSERT_EQ(lseek(shared, 0, SEEK_SET), 0);
    memset(times_seen, 0, sizeof(times_seen));
    at_end = 0;
    for (i = 0; i < together; i++) read_on(&readers[i]);
    ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
    for (i = 0; i < numbers; i++) ASSERT_EQ(times_seen[i], 1);
  }
  close(shared);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- What is not in memory, or no file ----------------------------------------------------- */

TEST_IMPL(reads_of_what_is_not_in_memory) {
  enum { size = 200000 };
  int fd = make_file(size);
  uv_buf_t buf = whole(size);
  ASSERT_OK(fsync(fd));
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ASSERT_EQ(read_some(fd, &buf, 1, 0), size);
  ASSERT_MEM_EQ(memory, expected, size);
  /* A part of it is in memory: the first part again, at the position. */
  posix_fadvise(fd, 65536, 0, POSIX_FADV_DONTNEED);
  buf = whole(size);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), size);
  ASSERT_MEM_EQ(memory, expected, size);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), size);
  /* A hole. */
  ASSERT_OK(ftruncate(fd, size + 100000));
  buf = whole(size);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 100000);
  ASSERT_EQ(memory[0], 0);
  ASSERT_EQ(memory[99999], 0);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(errors_of_reads) {
  int fd = make_file(100);
  int folder = open(test_tmpdir(), O_RDONLY);
  int write_only = open(test_path("file"), O_WRONLY);
  int path_only = open(test_path("file"), O_PATH);
  uv_buf_t buf = whole(10);
  int64_t offset;
  for (offset = -1; offset <= 0; offset++) {
    ASSERT_EQ(read_some(folder, &buf, 1, offset), UV_EISDIR);
    ASSERT_EQ(read_some(write_only, &buf, 1, offset), UV_EBADF);
    ASSERT_EQ(read_some(path_only, &buf, 1, offset), UV_EBADF);
    ASSERT_EQ(read_some(9999, &buf, 1, offset), UV_EBADF);
    ASSERT_EQ(read_some(-1, &buf, 1, offset), UV_EBADF);
  }
  close(fd);
  close(folder);
  close(write_only);
  close(path_only);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Files without a size. */
TEST_IMPL(reads_of_proc) {
  static const char* const paths[] = {"/proc/version", "/proc/self/maps", "/proc/self/status",
                                      "/proc/self/cmdline"};
  size_t i;
  for (i = 0; i < 2 * sizeof(paths) / sizeof(paths[0]); i++) {
    int fd = open(paths[i / 2], O_RDONLY);
    int64_t offset = i % 2 == 0 ? -1 : 0;
    int64_t count;
    uv_buf_t buf = whole(20);
    ASSERT_GE(fd, 0);
    ASSERT_GT(pread(fd, expected, 20, 0), 0);
    count = read_some(fd, &buf, 1, offset);
    ASSERT_GT(count, 0);
    if (i / 2 != 1) ASSERT_MEM_EQ(memory, expected, (size_t) count);
    buf = whole(large);
    ASSERT_GE(read_some(fd, &buf, 1, offset), 0);
    close(fd);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(reads_of_pipes_and_devices) {
  int pair[2];
  int fd;
  uv_buf_t buf;
  ASSERT_OK(pipe(pair));
  ASSERT_EQ(write(pair[1], "hello", 5), 5);
  buf = whole(2);
  ASSERT_EQ(read_some(pair[0], &buf, 1, -1), 2);
  ASSERT_MEM_EQ(memory, "he", 2);
  buf = whole(100);
  ASSERT_EQ(read_some(pair[0], &buf, 1, 0), UV_ESPIPE);
  ASSERT_EQ(read_some(pair[0], &buf, 1, -1), 3);
  ASSERT_MEM_EQ(memory, "llo", 3);
  close(pair[1]);
  ASSERT_EQ(read_some(pair[0], &buf, 1, -1), 0);
  close(pair[0]);
  fd = open("/dev/zero", O_RDONLY);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 100);
  ASSERT_EQ(read_some(fd, &buf, 1, 5), 100);
  ASSERT_EQ(memory[99], 0);
  close(fd);
  fd = open("/dev/null", O_RDONLY);
  ASSERT_EQ(read_some(fd, &buf, 1, -1), 0);
  ASSERT_EQ(read_some(fd, &buf, 1, 0), 0);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* What is read from an eventfd, or from a device that gives packets, is gone: it is read once. */
TEST_IMPL(reads_take_nothing_away_twice) {
  int fd = eventfd(3, EFD_NONBLOCK);
  int64_t offset;
  for (offset = -1; offset <= 0; offset++) {
    int by_sync;
    uv_fs_t sync;
    uint64_t value;
    uv_buf_t buf = whole(100);
    ASSERT_EQ(eventfd_write(fd, 3), 0);
    by_sync = uv_fs_read(NULL, &sync, fd, &buf, 1, offset, NULL);
    if (by_sync == 8) ASSERT_EQ(eventfd_write(fd, 3), 0);
    ASSERT_EQ(read_some(fd, &buf, 1, offset), by_sync);
    memcpy(&value, memory, sizeof(value));
    if (by_sync == 8) ASSERT_EQ(value, 3);
  }
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

static int ticks;

static void on_tick(uv_timer_t* handle) {
  ticks++;
}

/* It is not the loop that waits for a lock on the file's position, or for data. */
TEST_IMPL(a_read_that_waits_delays_nothing) {
  uv_loop_t* loop = uv_default_loop();
  uv_timer_t timer;
  uv_buf_t buf = whole(10);
  int pair[2];
  ASSERT_OK(pipe(pair));
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_tick, 1, 1));
  ASSERT_OK(uv_fs_read(loop, &request, pair[0], &buf, 1, -1, on_done));
  run_until(loop, &ticks, 3);
  ASSERT_EQ(calls, 0);
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  run_until(loop, &calls, 1);
  ASSERT_EQ(request.result, 1);
  uv_fs_req_cleanup(&request);
  uv_close((uv_handle_t*) &timer, NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  close(pair[0]);
  close(pair[1]);
  MAKE_SURE_NOTHING_LEAKED();
}
