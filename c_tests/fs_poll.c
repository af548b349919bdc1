/* https://docs.libuv.org/en/v1.x/fs_poll.html */
#include "task.h"

enum { most = 16 };

struct change {
  int status;
  uv_stat_t before;
  uv_stat_t now;
};

static uv_fs_poll_t handle;
static struct change reported[most];
static int count;
static int closed;
static const char* path;
static void (*then)(void);

static void on_poll(uv_fs_poll_t* h, int status, const uv_stat_t* before, const uv_stat_t* now) {
  ASSERT_PTR_EQ(h, &handle);
  ASSERT(uv_is_active((uv_handle_t*) h));
  ASSERT_LT(count, most);
  reported[count].status = status;
  reported[count].before = *before;
  reported[count].now = *now;
  count++;
  if (then != NULL) then();
}

static void never(uv_fs_poll_t* h, int status, const uv_stat_t* before, const uv_stat_t* now) {
  (void) h, (void) before, (void) now;
  FAIL("called with %d", status);
}

static void on_close(uv_handle_t* h) {
  (void) h;
  closed++;
}

static int turns;

static void count_turn(uv_timer_t* timer) {
  (void) timer;
  turns++;
}

/* Long enough for several intervals of a millisecond. */
static void let_it_poll(void) {
  uv_timer_t timer;
  turns = 0;
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, count_turn, 5, 5));
  run_until(uv_default_loop(), &turns, 8);
  uv_close((uv_handle_t*) &timer, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

static void expect(int total) {
  run_until(uv_default_loop(), &count, total);
  ASSERT_EQ(count, total);
}

static void start(void) {
  path = test_path("file");
  ASSERT_OK(uv_fs_poll_init(uv_default_loop(), &handle));
  ASSERT(!uv_is_active((uv_handle_t*) &handle));
  ASSERT_OK(uv_fs_poll_start(&handle, on_poll, path, 1));
  ASSERT(uv_is_active((uv_handle_t*) &handle));
}

static int is_zero(const uv_stat_t* status) {
  static const uv_stat_t zero;
  return memcmp(status, &zero, sizeof(zero)) == 0;
}

TEST_IMPL(changes_and_failures_are_reported_once) {
  start();
  expect(1);
  ASSERT_EQ(reported[0].status, UV_ENOENT);
  ASSERT(is_zero(&reported[0].before));
  ASSERT(is_zero(&reported[0].now));
  let_it_poll();
  ASSERT_EQ(count, 1);

  ASSERT_OK(symlink("there", path));
  write_file(test_path("there.new"), "a", 1);
  ASSERT_OK(rename(test_path("there.new"), test_path("there")));
  expect(2);
  ASSERT_OK(reported[1].status);
  ASSERT(is_zero(&reported[1].before));
  ASSERT_EQ(reported[1].now.st_size, 1);
  let_it_poll();
  ASSERT_EQ(count, 2);

  ASSERT_OK(chmod(path, 0600));
  expect(3);
  ASSERT_OK(reported[2].status);
  ASSERT_MEM_EQ(&reported[2].before, &reported[1].now, sizeof(uv_stat_t));
  ASSERT_EQ(reported[2].now.st_mode & 0777, 0600);

  ASSERT_OK(unlink(test_path("there")));
  expect(4);
  ASSERT_EQ(reported[3].status, UV_ENOENT);
  ASSERT_MEM_EQ(&reported[3].before, &reported[2].now, sizeof(uv_stat_t));
  ASSERT(is_zero(&reported[3].now));

  /* Another failure is news. */
  ASSERT_OK(unlink(path));
  ASSERT_OK(symlink(path, path));
  expect(5);
  ASSERT_EQ(reported[4].status, UV_ELOOP);
  let_it_poll();
  ASSERT_EQ(count, 5);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_is_there_at_first_is_no_news) {
  char data[1];
  int fd;
  write_file(test_path("file"), "a", 1);
  start();
  let_it_poll();
  ASSERT_EQ(count, 0);
  /* Reading the file is no change either. */
  fd = open(path, O_RDONLY);
  ASSERT_EQ(read(fd, data, 1), 1);
  close(fd);
  let_it_poll();
  ASSERT_EQ(count, 0);
  write_file(path, "ab", 2);
  run_until(uv_default_loop(), &count, 1);
  ASSERT_EQ(reported[0].before.st_size, 1);
  ASSERT_EQ(reported[count - 1].now.st_ino, reported[0].before.st_ino);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(starting_and_stopping) {
  char buffer[512];
  size_t size = sizeof(buffer);
  size_t length;
  start();
  length = strlen(path);
  /* A second start has no effect. */
  ASSERT_OK(uv_fs_poll_start(&handle, never, "/", 1));
  ASSERT_OK(uv_fs_poll_getpath(&handle, buffer, &size));
  ASSERT_EQ(size, length);
  ASSERT_STR_EQ(buffer, path);
  size = length;
  ASSERT_EQ(uv_fs_poll_getpath(&handle, buffer, &size), UV_ENOBUFS);
  ASSERT_EQ(size, length + 1);
  ASSERT_OK(uv_fs_poll_getpath(&handle, buffer, &size));
  ASSERT_OK(uv_fs_poll_stop(&handle));
  ASSERT(!uv_is_active((uv_handle_t*) &handle));
  ASSERT_OK(uv_fs_poll_stop(&handle));
  ASSERT_EQ(uv_fs_poll_getpath(&handle, buffer, &size), UV_EINVAL);
  /* The result of the query under way is dropped. */
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(count, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(start_refuses_what_cannot_work) {
  OXUV_ONLY();
  ASSERT_OK(uv_fs_poll_init(uv_default_loop(), &handle));
  ASSERT_EQ(uv_fs_poll_start(&handle, NULL, "/", 1), UV_EINVAL);
  ASSERT_EQ(uv_fs_poll_start(&handle, never, NULL, 1), UV_EINVAL);
  uv_close((uv_handle_t*) &handle, NULL);
  ASSERT_EQ(uv_fs_poll_start(&handle, never, "/", 1), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

/* In libuv a query that is under way when the handle is stopped and started goes on, as if it
 * were one more of the new start's. */
TEST_IMPL(each_start_begins_anew) {
  OXUV_ONLY();
  int i;
  start();
  for (i = 0; i < 10; i++) {
    ASSERT_OK(uv_fs_poll_stop(&handle));
    ASSERT_OK(uv_fs_poll_start(&handle, on_poll, path, 1));
  }
  expect(1);
  let_it_poll();
  ASSERT_EQ(count, 1);
  ASSERT_OK(uv_fs_poll_stop(&handle));
  ASSERT_OK(uv_fs_poll_start(&handle, on_poll, path, 1));
  expect(2);
  ASSERT_EQ(reported[1].status, UV_ENOENT);
  MAKE_SURE_NOTHING_LEAKED();
}

static void stop(void) {
  ASSERT_OK(uv_fs_poll_stop(&handle));
}

static void stop_and_start(void) {
  stop();
  if (count < 3) ASSERT_OK(uv_fs_poll_start(&handle, on_poll, path, 1));
}

static void shut(void) {
  uv_close((uv_handle_t*) &handle, on_close);
}

TEST_IMPL(stopping_in_the_callback) {
  then = stop;
  start();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(starting_anew_in_the_callback) {
  OXUV_ONLY();
  then = stop_and_start;
  start();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(count, 3);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(closing_in_the_callback) {
  then = shut;
  start();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(count, 1);
  ASSERT_EQ(closed, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_close_loop_is_free(uv_handle_t* h) {
  closed++;
  h->data = h;
}

TEST_IMPL(a_closed_handle_leaves_nothing_to_the_loop) {
  uv_loop_t loop;
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < 20; i++) {
    closed = 0;
    ASSERT_OK(uv_fs_poll_init(&loop, &handle));
    ASSERT_OK(uv_fs_poll_start(&handle, never, test_tmpdir(), 1));
    if (i % 2) ASSERT_OK(uv_fs_poll_stop(&handle));
    if (i % 4 == 3) ASSERT_OK(uv_fs_poll_start(&handle, never, test_tmpdir(), 1));
    uv_close((uv_handle_t*) &handle, on_close_loop_is_free);
    while (closed == 0) uv_run(&loop, UV_RUN_ONCE);
    ASSERT(!uv_loop_alive(&loop));
  }
  /* Not even a request under way. */
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_walk(uv_handle_t* h, void* arg) {
  ASSERT_PTR_EQ(h, &handle);
  ++*(int*) arg;
}

TEST_IMPL(the_loop_shows_the_handle_alone) {
  int total = 0;
  start();
  expect(1);
  uv_walk(uv_default_loop(), on_walk, &total);
  ASSERT_EQ(total, 1);
  /* Only the handle keeps the loop alive. */
  uv_unref((uv_handle_t*) &handle);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_never(uv_fs_poll_t* h, int status, const uv_stat_t* before, const uv_stat_t* now) {
  (void) h, (void) status, (void) before, (void) now;
}

TEST_IMPL(hundreds_of_handles_come_to_an_end) {
  static uv_fs_poll_t handles[300];
  int i;
  for (i = 0; i < 300; i++) {
    ASSERT_OK(uv_fs_poll_init(uv_default_loop(), &handles[i]));
    ASSERT_OK(uv_fs_poll_start(&handles[i], on_never, test_path("none"), 1));
  }
  let_it_poll();
  for (i = 0; i < 300; i++) uv_close((uv_handle_t*) &handles[i], on_close);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(closed, 300);
  MAKE_SURE_NOTHING_LEAKED();
}
