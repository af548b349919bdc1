/* Many file operations at once, some of them inline and some on the pool: each is done and reported
 * once, whatever the threads of the pool are at. https://docs.libuv.org/en/v1.x/fs.html */
#include "inline.h"
#include "refuse.h"

#include <dirent.h>

enum { chains = 100, rounds = 50 };

static uv_fs_t requests[chains];
static int reported[chains];
static int all_reported;
static uv_timer_t timer;

static const char* file(void) {
  return test_path("file");
}

static void set_up(void) {
  write_file(file(), "hello, world", 12);
  make_link("file", test_path("link"));
  set_pool_size(2);
}

static void ask_again(uv_fs_t* request) {
  int chain = (int) (request - requests);
  ASSERT_OK(request->result);
  if (request->fs_type == UV_FS_STAT) ASSERT_EQ(request->statbuf.st_size, 12);
  if (request->fs_type == UV_FS_READLINK) ASSERT_STR_EQ((const char*) request->ptr, "file");
  uv_fs_req_cleanup(request);
  all_reported++;
  reported[chain]++;
  if (reported[chain] == rounds) return;
  switch ((reported[chain] + chain) % 3) {
  case 0: ASSERT_OK(uv_fs_stat(request->loop, request, file(), ask_again)); break;
  case 1: ASSERT_OK(uv_fs_access(request->loop, request, file(), R_OK, ask_again)); break;
  case 2: ASSERT_OK(uv_fs_readlink(request->loop, request, test_path("link"), ask_again)); break;
  }
}

static void start_chains(uv_timer_t* handle) {
  int i;
  for (i = 0; i < chains; i++)
    ASSERT_OK(uv_fs_stat(handle->loop, &requests[i], file(), ask_again));
  uv_close((uv_handle_t*) handle, NULL);
}

static void run_in_callback(uv_timer_cb callback) {
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  /* Not 0: that is due before the first iteration. */
  ASSERT_OK(uv_timer_start(&timer, callback, 1, 0));
}

TEST_IMPL_SERIAL(each_is_reported_once) {
  int i;
  set_up();
  run_in_callback(start_chains);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  for (i = 0; i < chains; i++) ASSERT_EQ(reported[i], rounds);
  end_inline();
}

TEST_IMPL_SERIAL(a_thread_that_waits_delays_nothing) {
  set_up();
  occupy(uv_default_loop(), 1);
  run_in_callback(start_chains);
  /* The job ends when all have been reported, and not before. */
  run_until(uv_default_loop(), &all_reported, chains * rounds);
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  end_inline();
}

/* As many as an iteration does inline. */
enum { few = 8 };

static void stat_again(uv_fs_t* request) {
  ASSERT_OK(request->result);
  uv_fs_req_cleanup(request);
  if (++all_reported <= few * (rounds - 1))
    ASSERT_OK(uv_fs_stat(request->loop, request, file(), stat_again));
}

static void start_few(uv_timer_t* handle) {
  int i;
  for (i = 0; i < few; i++)
    ASSERT_OK(uv_fs_stat(handle->loop, &requests[i], file(), stat_again));
  uv_close((uv_handle_t*) handle, NULL);
}

TEST_IMPL_SERIAL(a_pool_that_waits_delays_no_few_that_are_in_memory) {
  need_inline();
  set_up();
  learn_mount(uv_default_loop(), test_tmpdir());
  occupy(uv_default_loop(), 2);
  run_in_callback(start_few);
  /* The kernel may have no answer to some. */
  run_until(uv_default_loop(), &all_reported, few);
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(all_reported, few * rounds);
  end_inline();
}

static void count_reported(uv_fs_t* request) {
  ASSERT_OK(request->result);
  uv_fs_req_cleanup(request);
  all_reported++;
}

static void ask_many(uv_timer_t* handle) {
  int i;
  for (i = 0; i < chains; i++)
    ASSERT_OK(uv_fs_stat(handle->loop, &requests[i], file(), count_reported));
  uv_close((uv_handle_t*) handle, NULL);
}

static void with_the_only_thread_at_work(void) {
  need_inline();
  set_up();
  set_pool_size(4);
  learn_mount(uv_default_loop(), test_tmpdir());
  refuse_threads();
  occupy(uv_default_loop(), 1);
  run_in_callback(ask_many);
  /* All are inline, but for a few that the kernel may have had no answer to. */
  while (all_reported < chains - 5) uv_run(uv_default_loop(), UV_RUN_ONCE);
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(all_reported, chains);
}

TEST_IMPL_SERIAL(nothing_is_left_to_a_pool_that_gets_no_more_threads) {
  OXUV_ONLY();
  NOT_WITH_THREAD_SANITIZER("cannot trace such threads");
  run_in_child(with_the_only_thread_at_work);
}

static int questions;

static void close_opened(uv_fs_t* request) {
  ASSERT_GE(request->result, 0);
  ASSERT_OK(close((int) request->result));
  uv_fs_req_cleanup(request);
  inline_calls++;
}

/* Opening has an effect that the callback itself may wait for. */
static void open_both_ends(uv_timer_t* handle) {
  static uv_fs_t end;
  int fd;
  int i;
  for (i = 0; i < questions; i++)
    ASSERT_OK(uv_fs_stat(handle->loop, &requests[i], file(), count_reported));
  ASSERT_OK(uv_fs_open(handle->loop, &end, test_path("fifo"), O_RDONLY, 0, close_opened));
  fd = open(test_path("fifo"), O_WRONLY);
  ASSERT_GE(fd, 0);
  ASSERT_OK(close(fd));
  uv_close((uv_handle_t*) handle, NULL);
}

TEST_IMPL_SERIAL(an_open_is_under_way_at_once) {
  set_up();
  ASSERT_OK(mkfifo(test_path("fifo"), 0600));
  for (questions = 0; questions < 40; questions++) {
    all_reported = 0;
    inline_calls = 0;
    run_in_callback(open_both_ends);
    ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
    ASSERT_EQ(all_reported, questions);
    ASSERT_EQ(inline_calls, 1);
  }
  end_inline();
}

static void create_some_and_exit(uv_timer_t* handle) {
  static uv_fs_t opens[5];
  char name[32];
  int i;
  /* From here on the kernel knows that there is no such file. */
  ASSERT_EQ(access(test_path("missing"), F_OK), -1);
  for (i = 0; i < 24; i++)
    ASSERT_OK(uv_fs_access(handle->loop, &requests[i], test_path("missing"), F_OK, on_inline));
  for (i = 0; i < 5; i++) {
    snprintf(name, sizeof(name), "new-%d", i);
    ASSERT_OK(uv_fs_open(handle->loop, &opens[i], test_path(name), O_WRONLY | O_CREAT, 0600,
                         close_opened));
  }
  exit(0);
}

TEST_IMPL_SERIAL(exit_waits_for_them) {
  char name[32];
  pid_t pid;
  int i;
  test_tmpdir();
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    run_in_callback(create_some_and_exit);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    _exit(1);
  }
  wait_for_child(pid);
  for (i = 0; i < 5; i++) {
    snprintf(name, sizeof(name), "new-%d", i);
    ASSERT_OK(access(test_path(name), F_OK));
  }
  MAKE_SURE_NOTHING_LEAKED();
}

static int cancelled;

static void count_cancelled(uv_fs_t* request) {
  ASSERT_EQ(request->result, reported[request - requests] ? UV_ECANCELED : 0);
  if (request->result == 0) ASSERT_EQ(request->statbuf.st_size, 12);
  uv_fs_req_cleanup(request);
  all_reported++;
}

static void start_and_take_back(uv_timer_t* handle) {
  int i;
  for (i = 0; i < chains; i++)
    ASSERT_OK(uv_fs_stat(handle->loop, &requests[i], file(), count_cancelled));
  for (i = 0; i < chains; i++) {
    int result = uv_cancel((uv_req_t*) &requests[i]);
    if (result != UV_EBUSY) ASSERT_OK(result);
    reported[i] = result == 0;
    cancelled += reported[i];
  }
  uv_close((uv_handle_t*) handle, NULL);
}

TEST_IMPL_SERIAL(each_can_be_taken_back) {
  need_inline();
  set_up();
  learn_mount(uv_default_loop(), test_tmpdir());
  occupy(uv_default_loop(), 1);
  run_in_callback(start_and_take_back);
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(all_reported, chains);
  /* At least the operations that were done inline. */
  ASSERT_GT(cancelled, 0);
  end_inline();
}

static int open_descriptors(void) {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  ASSERT_NOT_NULL(folder);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static int before;

static void open_many_and_stop(uv_timer_t* handle) {
  int i;
  before = open_descriptors();
  for (i = 0; i < chains; i++)
    ASSERT_OK(uv_fs_open(handle->loop, &requests[i], file(), O_RDONLY, 0, close_opened));
  uv_close((uv_handle_t*) handle, NULL);
  uv_stop(handle->loop);
}

TEST_IMPL_SERIAL(done_while_the_loop_does_not_run) {
  set_up();
  run_in_callback(open_many_and_stop);
  ASSERT_GT(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  while (open_descriptors() + inline_calls < before + chains) sched_yield();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(inline_calls, chains);
  ASSERT_EQ(open_descriptors(), before);
  end_inline();
}
