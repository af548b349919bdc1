/* Inline file operations and the loop: when they are reported, what they leave to others, and
 * cancelling them. https://docs.libuv.org/en/v1.x/request.html#c.uv_cancel */
#include "inline.h"

#include <poll.h>
#include <stdatomic.h>

static uv_fs_t req;

static void set_up(void) {
  need_inline();
  write_file(test_path("file"), "hello, world", 12);
  make_link("file", test_path("link"));
  block_pool();
}

static const char* file(void) {
  return test_path("file");
}

/* --- When ---------------------------------------------------------------------------------- */

static uv_prepare_t prepare;
static uv_check_t check;
static uv_idle_t idle;
static uv_timer_t timer;

static void on_prepare(uv_prepare_t* handle) {
  note("prepare");
}

static void on_check(uv_check_t* handle) {
  note("check");
}

static void on_idle(uv_idle_t* handle) {
  note("idle");
}

static void on_timer(uv_timer_t* handle) {
  note("timer");
}

static void note_stat(uv_fs_t* done) {
  ASSERT_OK(done->result);
  note("stat");
  uv_fs_req_cleanup(done);
  inline_calls++;
}

TEST_IMPL_SERIAL(delivered_when_the_loop_polls) {
  uv_loop_t* loop = uv_default_loop();
  set_up();
  uv_prepare_init(loop, &prepare);
  uv_check_init(loop, &check);
  uv_idle_init(loop, &idle);
  uv_timer_init(loop, &timer);
  ASSERT_OK(uv_prepare_start(&prepare, on_prepare));
  ASSERT_OK(uv_check_start(&check, on_check));
  ASSERT_OK(uv_idle_start(&idle, on_idle));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 0, 0));
  ASSERT_OK(uv_fs_stat(loop, &req, file(), note_stat));
  ASSERT_NOTES("");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("idle prepare stat check timer");
  end_inline();
}

static uv_fs_t requests[64];
static uv_fs_t* again;

static void start_again(uv_fs_t* done) {
  ASSERT_OK(done->result);
  uv_fs_req_cleanup(done);
  note("%d", (int) (done - requests));
  /* The request that is reported is free again. */
  if (again == NULL) {
    again = done;
    ASSERT_OK(uv_fs_stat(done->loop, done, file(), start_again));
    ASSERT_NOTES("0");
  }
}

TEST_IMPL_SERIAL(a_request_may_be_used_again_in_its_callback) {
  uv_loop_t* loop = uv_default_loop();
  set_up();
  ASSERT_OK(uv_fs_stat(loop, &requests[0], file(), start_again));
  ASSERT_OK(uv_fs_lstat(loop, &requests[1], file(), start_again));
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  /* In the order of their start, and what is started meanwhile in the next iteration. */
  ASSERT_NOTES("1");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("0");
  end_inline();
}

static void free_request(uv_fs_t* done) {
  ASSERT_OK(done->result);
  uv_fs_req_cleanup(done);
  memset(done, 0xee, sizeof(*done));
  free(done);
  inline_calls++;
}

TEST_IMPL_SERIAL(a_request_may_be_freed_in_its_callback) {
  int before;
  int i;
  set_up();
  before = inline_calls;
  for (i = 0; i < 4; i++) {
    uv_fs_t* mine = malloc(sizeof(*mine));
    ASSERT_OK(uv_fs_stat(uv_default_loop(), mine, file(), free_request));
  }
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(inline_calls, before + 4);
  end_inline();
}

TEST_IMPL_SERIAL(the_loop_lives_until_it_is_reported) {
  uv_loop_t loop;
  set_up();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_fs_stat(&loop, &req, file(), note_stat));
  ASSERT_NE(uv_loop_alive(&loop), 0);
  ASSERT_EQ(uv_loop_close(&loop), UV_EBUSY);
  ASSERT_OK(uv_run(&loop, UV_RUN_ONCE));
  ASSERT_NOTES("stat");
  ASSERT_OK(uv_fs_stat(&loop, &req, file(), note_stat));
  ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
  ASSERT_NOTES("stat");
  ASSERT_OK(uv_fs_stat(&loop, &req, file(), note_stat));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("stat");
  ASSERT_OK(uv_loop_close(&loop));
  end_inline();
}

static void stop_loop(uv_fs_t* done) {
  note("stop");
  uv_fs_req_cleanup(done);
  uv_stop(done->loop);
}

TEST_IMPL_SERIAL(stopping_the_loop_keeps_the_others) {
  uv_loop_t* loop = uv_default_loop();
  set_up();
  uv_stop(loop);
  ASSERT_OK(uv_fs_stat(loop, &req, file(), stop_loop));
  ASSERT_NE(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("");
  ASSERT_NE(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("stop");
  end_inline();
}

/* --- A loop within another poller ---------------------------------------------------------- */

static int is_readable(int fd) {
  struct pollfd one = {fd, POLLIN, 0};
  int count = poll(&one, 1, 0);
  ASSERT_GE(count, 0);
  return count;
}

static void start_another(uv_fs_t* done) {
  note("first");
  uv_fs_req_cleanup(done);
  ASSERT_OK(uv_fs_stat(done->loop, done, file(), note_stat));
}

static void stop_idle(uv_idle_t* handle) {
  ASSERT_OK(uv_idle_stop(handle));
}

TEST_IMPL_SERIAL(the_backend_descriptor_becomes_readable) {
  uv_loop_t loop;
  set_up();
  ASSERT_OK(uv_loop_init(&loop));
  /* The loop's own descriptor is watched from the first iteration on. */
  ASSERT_OK(uv_idle_init(&loop, &idle));
  ASSERT_OK(uv_idle_start(&idle, stop_idle));
  ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
  ASSERT_EQ(is_readable(uv_backend_fd(&loop)), 0);
  ASSERT_OK(uv_fs_stat(&loop, &req, file(), note_stat));
  ASSERT_EQ(is_readable(uv_backend_fd(&loop)), 1);
  ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
  ASSERT_NOTES("stat");
  ASSERT_EQ(is_readable(uv_backend_fd(&loop)), 0);
  /* What a callback starts is there when the run is over. */
  ASSERT_OK(uv_fs_stat(&loop, &req, file(), start_another));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("first");
  ASSERT_EQ(is_readable(uv_backend_fd(&loop)), 1);
  ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
  ASSERT_NOTES("stat");
  ASSERT_EQ(is_readable(uv_backend_fd(&loop)), 0);
  close_loop(&loop);
  end_inline();
}

/* --- Many ---------------------------------------------------------------------------------- */

static void count_done(uv_fs_t* done) {
  ASSERT_OK(done->result);
  ASSERT_EQ(done->statbuf.st_size, 12);
  uv_fs_req_cleanup(done);
  inline_calls++;
}

TEST_IMPL_SERIAL(many_at_once) {
  enum { many = 5000 };
  static uv_fs_t all[many];
  uv_loop_t* loop = uv_default_loop();
  int before;
  int i;
  set_up();
  before = inline_calls;
  for (i = 0; i < many; i++) ASSERT_OK(uv_fs_stat(loop, &all[i], file(), count_done));
  uv_run(loop, UV_RUN_NOWAIT);
  /* The rest is for the pool. */
  ASSERT_GT(inline_calls, before);
  ASSERT_LT(inline_calls, before + many);
  let_go();
  run_until(loop, &inline_calls, before + many);
  end_inline();
}

/* Operations one after the other, for as long as the others have not had their turns. */
enum { turns = 20 };
static atomic_int chain_ends;
static int timers, asyncs, signals, polls, chained;
static uv_async_t async;
static uv_signal_t signal_handle;
static uv_poll_t poll_handle;
static int pair[2];

static void next_of_chain(uv_fs_t* done) {
  ASSERT_OK(done->result);
  uv_fs_req_cleanup(done);
  chained++;
  if (timers >= turns && asyncs >= turns && signals >= turns && polls >= turns) chain_ends = 1;
  else ASSERT_OK(uv_fs_stat(done->loop, done, file(), next_of_chain));
}

static void count_timer(uv_timer_t* handle) {
  timers++;
}

static void count_async(uv_async_t* handle) {
  asyncs++;
}

static void count_signal(uv_signal_t* handle, int signum) {
  signals++;
}

static void count_poll(uv_poll_t* handle, int status, int events) {
  char byte;
  ASSERT_OK(status);
  ASSERT_EQ(read(pair[0], &byte, 1), 1);
  polls++;
}

static void* disturb(void* arg) {
  struct timespec pause = {0, 200000};
  while (!chain_ends) {
    uv_async_send(&async);
    /* Never waiting for the loop, which may have ended. */
    send(pair[1], "x", 1, MSG_DONTWAIT);
    kill(getpid(), SIGUSR1);
    nanosleep(&pause, NULL);
  }
  return NULL;
}

static void start_the_others(uv_loop_t* loop) {
  set_up();
  /* Among many operations, a few go to the pool nevertheless. */
  let_go();
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, count_timer, 1, 1));
  ASSERT_OK(uv_async_init(loop, &async, count_async));
  ASSERT_OK(uv_signal_init(loop, &signal_handle));
  ASSERT_OK(uv_signal_start(&signal_handle, count_signal, SIGUSR1));
  ASSERT_OK(uv_poll_init(loop, &poll_handle, pair[0]));
  ASSERT_OK(uv_poll_start(&poll_handle, UV_READABLE, count_poll));
}

static void end_the_others(uv_loop_t* loop) {
  uv_close((uv_handle_t*) &poll_handle, NULL);
  uv_run(loop, UV_RUN_NOWAIT);
  close(pair[0]);
  close(pair[1]);
  end_inline();
}

TEST_IMPL_SERIAL(a_chain_starves_nothing) {
  uv_loop_t* loop = uv_default_loop();
  pthread_t thread;
  start_the_others(loop);
  ASSERT_OK(uv_fs_stat(loop, &req, file(), next_of_chain));
  ASSERT_OK(pthread_create(&thread, NULL, disturb, NULL));
  while (!chain_ends) ASSERT_NE(uv_run(loop, UV_RUN_ONCE), 0);
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_GT(chained, turns);
  end_the_others(loop);
}

/* A chain in one `uv_run` that nothing interrupts. */
static void end_run(uv_check_t* handle) {
  if (chain_ends) uv_stop(handle->loop);
}

TEST_IMPL_SERIAL(a_chain_in_one_run_starves_nothing) {
  uv_loop_t* loop = uv_default_loop();
  pthread_t thread;
  start_the_others(loop);
  ASSERT_OK(uv_check_init(loop, &check));
  ASSERT_OK(uv_check_start(&check, end_run));
  ASSERT_OK(uv_fs_stat(loop, &req, file(), next_of_chain));
  ASSERT_OK(pthread_create(&thread, NULL, disturb, NULL));
  ASSERT_NE(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_OK(pthread_join(thread, NULL));
  end_the_others(loop);
}

/* Each thread has a loop of its own. */
enum { loops = 4, rounds = 1000 };


static const char* common_path;

static void next_of_round(uv_fs_t* done) {
  int* left = done->data;
  ASSERT_OK(done->result);
  uv_fs_req_cleanup(done);
  if (--*left > 0) ASSERT_OK(uv_fs_stat(done->loop, done, common_path, next_of_round));
}

static void* run_rounds(void* arg) {
  uv_fs_t mine[3];
  int left[3] = {rounds, rounds, rounds};
  uv_loop_t loop;
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < 3; i++) {
    mine[i].data = &left[i];
    ASSERT_OK(uv_fs_stat(&loop, &mine[i], common_path, next_of_round));
  }
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  for (i = 0; i < 3; i++) ASSERT_EQ(left[i], 0);
  ASSERT_OK(uv_loop_close(&loop));
  return NULL;
}

TEST_IMPL_SERIAL(loops_in_several_threads) {
  pthread_t threads[loops];
  int i;
  need_inline();
  write_file(file(), "hello, world", 12);
  common_path = file();
  for (i = 0; i < loops; i++) ASSERT_OK(pthread_create(&threads[i], NULL, run_rounds, NULL));
  for (i = 0; i < loops; i++) ASSERT_OK(pthread_join(threads[i], NULL));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Taking back --------------------------------------------------------------------------- */

static void on_cancelled(uv_fs_t* done) {
  ASSERT_EQ(done->result, UV_ECANCELED);
  ASSERT_NULL(done->ptr);
  uv_fs_req_cleanup(done);
  inline_calls++;
}

/* Cancels what was done inline and is still to be reported. */
static void take_back(int started) {
  int before = inline_calls;
  ASSERT_OK(started);
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  /* Once more has no effect. */
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  ASSERT_EQ(inline_calls, before);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(inline_calls, before + 1);
}

TEST_IMPL_SERIAL(what_was_done_can_be_taken_back) {
  uv_loop_t* loop = uv_default_loop();
  char memory[32];
  uv_buf_t buf = uv_buf_init(memory, sizeof(memory));
  uv_buf_t many[8];
  int before;
  int fd;
  int i;
  set_up();
  fd = open(file(), O_RDONLY);
  for (i = 0; i < 8; i++) many[i] = uv_buf_init(memory + i, 1);
  before = fd_count();
  take_back(uv_fs_stat(loop, &req, file(), on_cancelled));
  take_back(uv_fs_lstat(loop, &req, file(), on_cancelled));
  take_back(uv_fs_fstat(loop, &req, fd, on_cancelled));
  take_back(uv_fs_access(loop, &req, file(), R_OK, on_cancelled));
  take_back(uv_fs_readlink(loop, &req, test_path("link"), on_cancelled));
  take_back(uv_fs_open(loop, &req, file(), O_RDONLY, 0, on_cancelled));
  take_back(uv_fs_open(loop, &req, test_path("nothing"), O_RDONLY, 0, on_cancelled));
  take_back(uv_fs_read(loop, &req, fd, &buf, 1, 3, on_cancelled));
  take_back(uv_fs_read(loop, &req, fd, many, 8, 3, on_cancelled));
  /* Descriptors are closed as soon as they are taken back. */
  ASSERT_OK(uv_fs_open(loop, &req, file(), O_RDONLY, 0, on_cancelled));
  ASSERT_EQ(fd_count(), before + 1);
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  ASSERT_EQ(fd_count(), before);
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_EQ(fd_count(), before);
  close(fd);
  end_inline();
}

static uv_fs_t second;

static void cancel_second(uv_fs_t* done) {
  ASSERT_OK(done->result);
  uv_fs_req_cleanup(done);
  /* Both are about to be reported. */
  note("%d", uv_cancel((uv_req_t*) &second));
}

TEST_IMPL_SERIAL(another_callback_may_take_it_back) {
  uv_loop_t* loop = uv_default_loop();
  int before;
  set_up();
  before = fd_count();
  ASSERT_OK(uv_fs_stat(loop, &req, file(), cancel_second));
  ASSERT_OK(uv_fs_open(loop, &second, file(), O_RDONLY, 0, on_cancelled));
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_NOTES("0");
  ASSERT_EQ(fd_count(), before);
  end_inline();
}

static void cancel_itself(uv_fs_t* done) {
  ASSERT_OK(done->result);
  ASSERT_EQ(uv_cancel((uv_req_t*) done), UV_EBUSY);
  ASSERT_EQ(done->statbuf.st_size, 12);
  ASSERT_PTR_EQ(done->ptr, &done->statbuf);
  uv_fs_req_cleanup(done);
  inline_calls++;
}

TEST_IMPL_SERIAL(what_was_reported_cannot_be_taken_back) {
  int before;
  set_up();
  before = inline_calls;
  ASSERT_OK(uv_fs_stat(uv_default_loop(), &req, file(), cancel_itself));
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(inline_calls, before + 1);
  ASSERT_EQ(uv_cancel((uv_req_t*) &req), UV_EBUSY);
  end_inline();
}

/* --- Memory -------------------------------------------------------------------------------- */

static atomic_int blocks;
static atomic_int allocations_left = 1 << 30;

static void* count_malloc(size_t size) {
  if (atomic_fetch_sub(&allocations_left, 1) <= 0) return NULL;
  blocks++;
  return malloc(size);
}

static void* count_calloc(size_t count, size_t size) {
  if (atomic_fetch_sub(&allocations_left, 1) <= 0) return NULL;
  blocks++;
  return calloc(count, size);
}

static void* count_realloc(void* block, size_t size) {
  if (atomic_fetch_sub(&allocations_left, 1) <= 0) return NULL;
  if (block == NULL) blocks++;
  return realloc(block, size);
}

static void count_free(void* block) {
  if (block != NULL) blocks--;
  free(block);
}

TEST_IMPL_SERIAL(memory_is_released) {
  uv_loop_t* loop = uv_default_loop();
  uv_buf_t bufs[8];
  char memory[8];
  int before;
  int fd;
  int i;
  ASSERT_OK(uv_replace_allocator(count_malloc, count_realloc, count_calloc, count_free));
  set_up();
  fd = open(file(), O_RDONLY);
  for (i = 0; i < 8; i++) bufs[i] = uv_buf_init(memory + i, 1);
  before = blocks;
  for (i = 0; i < 2; i++) {
    ASSERT_OK(INLINE(stat, file()));
    ASSERT_EQ(blocks, before);
    take_back(uv_fs_readlink(loop, &req, test_path("link"), on_cancelled));
    take_back(uv_fs_read(loop, &req, fd, bufs, 8, 0, on_cancelled));
    take_back(uv_fs_access(loop, &req, file(), F_OK, on_cancelled));
    ASSERT_EQ(blocks, before);
  }
  close(fd);
  end_inline();
}

/* Without memory for the text of the link, the pool is asked, which reports that. */
TEST_IMPL_SERIAL(no_memory_for_the_text_of_a_link) {
  ASSERT_OK(uv_replace_allocator(count_malloc, count_realloc, count_calloc, count_free));
  set_up();
  let_go();
  ASSERT_OK(START(readlink, test_path("link")));
  run_until(uv_default_loop(), &inline_calls, inline_calls + 1);
  uv_fs_req_cleanup(&inline_req);
  allocations_left = 1;
  ASSERT_OK(START(readlink, test_path("link")));
  run_until(uv_default_loop(), &inline_calls, inline_calls + 1);
  ASSERT_EQ(inline_req.result, UV_ENOMEM);
  allocations_left = 1 << 30;
  uv_fs_req_cleanup(&inline_req);
  end_inline();
}
