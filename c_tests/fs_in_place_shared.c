/* Many file operations at once, which the loop's thread and the pool share: each is done and told
 * once, whatever the threads of the pool are at. https://docs.libuv.org/en/v1.x/fs.html */
#include "in_place.h"

#include <dirent.h>

enum { chains = 100, rounds = 50 };

static uv_fs_t requests[chains];
static int told[chains];
static int all_told;
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
  all_told++;
  told[chain]++;
  if (told[chain] == rounds) return;
  switch ((told[chain] + chain) % 3) {
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
  ASSERT_OK(uv_timer_start(&timer, callback, 0, 0));
}

TEST_IMPL_SERIAL(each_is_told_once) {
  int i;
  set_up();
  run_in_callback(start_chains);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  for (i = 0; i < chains; i++) ASSERT_EQ(told[i], rounds);
  end_in_place();
}

TEST_IMPL_SERIAL(a_thread_that_waits_holds_nothing_up) {
  set_up();
  occupy(uv_default_loop(), 1);
  run_in_callback(start_chains);
  /* The job ends when all have been told, and not before. */
  run_until(uv_default_loop(), &all_told, chains * rounds);
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  end_in_place();
}

TEST_IMPL_SERIAL(a_pool_that_waits_holds_nothing_up_that_is_in_memory) {
  need_in_place();
  set_up();
  learn_mount(uv_default_loop(), test_tmpdir());
  occupy(uv_default_loop(), 2);
  run_in_callback(start_chains);
  /* As much as an iteration may do in place, at least; the kernel may have no answer to some. */
  run_until(uv_default_loop(), &all_told, chains);
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(all_told, chains * rounds);
  end_in_place();
}

static int cancelled;

static void count_cancelled(uv_fs_t* request) {
  ASSERT_EQ(request->result, told[request - requests] ? UV_ECANCELED : 0);
  if (request->result == 0) ASSERT_EQ(request->statbuf.st_size, 12);
  uv_fs_req_cleanup(request);
  all_told++;
}

static void start_and_take_back(uv_timer_t* handle) {
  int i;
  for (i = 0; i < chains; i++)
    ASSERT_OK(uv_fs_stat(handle->loop, &requests[i], file(), count_cancelled));
  for (i = 0; i < chains; i++) {
    int result = uv_cancel((uv_req_t*) &requests[i]);
    if (result != UV_EBUSY) ASSERT_OK(result);
    told[i] = result == 0;
    cancelled += told[i];
  }
  uv_close((uv_handle_t*) handle, NULL);
}

TEST_IMPL_SERIAL(each_can_be_taken_back) {
  need_in_place();
  set_up();
  learn_mount(uv_default_loop(), test_tmpdir());
  occupy(uv_default_loop(), 1);
  run_in_callback(start_and_take_back);
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(all_told, chains);
  /* The loop's own part, at least. */
  ASSERT_GT(cancelled, 0);
  end_in_place();
}

static int open_descriptors(void) {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  ASSERT_NOT_NULL(folder);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static void keep_open(uv_fs_t* request) {
  ASSERT_GE(request->result, 0);
  ASSERT_OK(close((int) request->result));
  uv_fs_req_cleanup(request);
  all_told++;
}

static int before;

static void open_many_and_stop(uv_timer_t* handle) {
  int i;
  before = open_descriptors();
  for (i = 0; i < chains; i++)
    ASSERT_OK(uv_fs_open(handle->loop, &requests[i], file(), O_RDONLY, 0, keep_open));
  uv_close((uv_handle_t*) handle, NULL);
  uv_stop(handle->loop);
}

TEST_IMPL_SERIAL(done_while_the_loop_does_not_run) {
  set_up();
  run_in_callback(open_many_and_stop);
  ASSERT_GT(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  while (open_descriptors() + all_told < before + chains) sched_yield();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(all_told, chains);
  ASSERT_EQ(open_descriptors(), before);
  end_in_place();
}
