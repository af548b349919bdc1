/* https://docs.libuv.org/en/v1.x/loop.html */
#include "task.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

static uv_loop_t loop;
static uv_timer_t timer;
static uv_async_t async;
static uv_prepare_t prepare;
static uv_check_t check;
static uv_idle_t idle;
static int count;

static void on_timer(uv_timer_t* handle) {
  note("timer");
}

static void on_async(uv_async_t* handle) {
  note("async");
}

static void on_prepare(uv_prepare_t* handle) {
  note("prepare");
}

static void on_check(uv_check_t* handle) {
  note("check");
}

static void on_idle(uv_idle_t* handle) {
  note("idle");
}

static void on_close(uv_handle_t* handle) {
  note("closed");
}

static void start_timer(uint64_t timeout, uint64_t repeat) {
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, timeout, repeat));
}

/* A loop that has run once: until then the poll timeout is 0. */
static void init_loop(void) {
  ASSERT_OK(uv_loop_init(&loop));
  start_timer(0, 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
  uv_close((uv_handle_t*) &timer, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("timer");
}

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Making and closing -------------------------------------------------------------------- */

TEST_IMPL(the_time_of_a_closed_loop_may_be_updated) {
  ASSERT_OK(uv_loop_init(&loop));
  uint64_t before = uv_now(&loop);
  ASSERT_OK(uv_loop_close(&loop));
  uv_update_time(&loop);
  ASSERT_GE(uv_now(&loop), before);
}

TEST_IMPL(a_new_loop_is_not_alive) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_GE(uv_backend_fd(&loop), 0);
  ASSERT_NE(fcntl(uv_backend_fd(&loop), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(uv_loop_size(), sizeof(uv_loop_t));
  end();
}

TEST_IMPL(data_is_the_users) {
  int mine;
  memset(&loop, 0xa5, sizeof(loop));
  loop.data = &mine;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_PTR_EQ(loop.data, &mine);
  ASSERT_PTR_EQ(uv_loop_get_data(&loop), &mine);
  uv_loop_set_data(&loop, &loop);
  ASSERT_PTR_EQ(loop.data, &loop);
  ASSERT_PTR_EQ(uv_loop_get_data(&loop), &loop);
  ASSERT_OK(uv_loop_close(&loop));
  ASSERT_PTR_EQ(uv_loop_get_data(&loop), &loop);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(closing_gives_every_descriptor_back) {
  int before;
  int i;
  /* What the library keeps for all loops is there after the first one. */
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_close(&loop));
  before = fd_count();
  for (i = 0; i < 20; i++) {
    ASSERT_OK(uv_loop_init(&loop));
    ASSERT_OK(uv_async_init(&loop, &async, on_async));
    start_timer(0, 0);
    ASSERT_OK(uv_async_send(&async));
    ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
    close_loop(&loop);
    ASSERT_EQ(fd_count(), before);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(close_is_refused_while_there_are_handles) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  /* Even inactive handles, and those whose close callback has not come yet. */
  ASSERT_EQ(uv_loop_close(&loop), UV_EBUSY);
  ASSERT_OK(uv_timer_start(&timer, on_timer, 0, 0));
  ASSERT_EQ(uv_loop_close(&loop), UV_EBUSY);
  uv_unref((uv_handle_t*) &timer);
  ASSERT_EQ(uv_loop_close(&loop), UV_EBUSY);
  uv_close((uv_handle_t*) &timer, on_close);
  ASSERT_EQ(uv_loop_close(&loop), UV_EBUSY);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("closed");
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

static void do_nothing(uv_work_t* req) {
}

static void on_worked(uv_work_t* req, int status) {
  ASSERT_OK(status);
  note("worked");
}

TEST_IMPL(close_is_refused_while_there_are_requests) {
  uv_work_t req;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_queue_work(&loop, &req, do_nothing, on_worked));
  ASSERT_NE(uv_loop_alive(&loop), 0);
  ASSERT_EQ(uv_loop_close(&loop), UV_EBUSY);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("worked");
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

static void try_to_close_the_loop(uv_handle_t* handle) {
  ASSERT_EQ(uv_loop_close(handle->loop), UV_EBUSY);
  count++;
}

TEST_IMPL(close_is_refused_in_a_close_callback_while_others_are_to_come) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_idle_init(&loop, &idle));
  uv_close((uv_handle_t*) &timer, on_close);
  uv_close((uv_handle_t*) &idle, try_to_close_the_loop);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, 1);
  ASSERT_NOTES("closed");
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_default_loop_is_one) {
  uv_loop_t* first = uv_default_loop();
  ASSERT_NOT_NULL(first);
  ASSERT_PTR_EQ(uv_default_loop(), first);
  ASSERT_OK(uv_loop_close(first));
  /* Once closed, it is made anew. */
  ASSERT_NOT_NULL(uv_default_loop());
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 0, 0));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_NOTES("timer");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(uv_loop_new_and_delete) {
  uv_loop_t* made = uv_loop_new();
  ASSERT_NOT_NULL(made);
  ASSERT_EQ(made == uv_default_loop(), 0);
  ASSERT_OK(uv_timer_init(made, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 0, 0));
  ASSERT_OK(uv_run(made, UV_RUN_DEFAULT));
  ASSERT_NOTES("timer");
  uv_close((uv_handle_t*) &timer, NULL);
  ASSERT_OK(uv_run(made, UV_RUN_DEFAULT));
  uv_loop_delete(made);
  MAKE_SURE_NOTHING_LEAKED();
}

static void* use_a_loop(void* arg) {
  uv_loop_t mine;
  uv_timer_t here;
  int i;
  for (i = 0; i < 5; i++) {
    ASSERT_OK(uv_loop_init(&mine));
    ASSERT_OK(uv_timer_init(&mine, &here));
    ASSERT_OK(uv_timer_start(&here, (uv_timer_cb) arg, 1, 0));
    ASSERT_OK(uv_run(&mine, UV_RUN_DEFAULT));
    uv_close((uv_handle_t*) &here, NULL);
    ASSERT_OK(uv_run(&mine, UV_RUN_DEFAULT));
    ASSERT_OK(uv_loop_close(&mine));
  }
  return NULL;
}

static void quiet(uv_timer_t* handle) {
}

TEST_IMPL(loops_in_many_threads) {
  pthread_t threads[8];
  int i;
  for (i = 0; i < 8; i++)
    ASSERT_OK(pthread_create(&threads[i], NULL, use_a_loop, (void*) (uintptr_t) quiet));
  for (i = 0; i < 8; i++) ASSERT_OK(pthread_join(threads[i], NULL));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Running ------------------------------------------------------------------------------- */

TEST_IMPL(run_default_ends_when_nothing_is_alive) {
  ASSERT_OK(uv_loop_init(&loop));
  start_timer(1, 1);
  ASSERT_OK(uv_idle_init(&loop, &idle));
  uv_unref((uv_handle_t*) &timer);
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  uv_ref((uv_handle_t*) &timer);
  ASSERT_NE(uv_loop_alive(&loop), 0);
  end();
}

TEST_IMPL(run_once_and_nowait_return_whether_something_is_alive) {
  ASSERT_OK(uv_loop_init(&loop));
  start_timer(0, 1);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_timer_stop(&timer));
  ASSERT_EQ(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_NOWAIT), 0);
  end();
}

TEST_IMPL(run_nowait_does_not_wait) {
  ASSERT_OK(uv_loop_init(&loop));
  start_timer(100000, 0);
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  end();
}

TEST_IMPL(closing_handles_keep_the_loop_alive) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  uv_unref((uv_handle_t*) &timer);
  uv_close((uv_handle_t*) &timer, on_close);
  ASSERT_NE(uv_loop_alive(&loop), 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("closed");
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  end();
}

TEST_IMPL(close_without_callback) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  uv_close((uv_handle_t*) &timer, NULL);
  ASSERT_EQ(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- uv_stop ------------------------------------------------------------------------------- */

TEST_IMPL(stop_before_run_lets_it_return_at_once) {
  ASSERT_OK(uv_loop_init(&loop));
  start_timer(0, 0);
  uv_stop(&loop);
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("");
  /* It counts for one run. */
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("timer");
  end();
}

static void stop_in_prepare(uv_prepare_t* handle) {
  note("prepare");
  uv_stop(handle->loop);
}

TEST_IMPL(stop_before_polling_ends_the_iteration_without_waiting) {
  ASSERT_OK(uv_loop_init(&loop));
  start_timer(100000, 0);
  ASSERT_OK(uv_prepare_init(&loop, &prepare));
  ASSERT_OK(uv_check_init(&loop, &check));
  ASSERT_OK(uv_prepare_start(&prepare, stop_in_prepare));
  ASSERT_OK(uv_check_start(&check, on_check));
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("prepare check");
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("prepare check");
  end();
}

static void stop_in_check(uv_check_t* handle) {
  note("check");
  uv_stop(handle->loop);
}

TEST_IMPL(stop_after_polling_ends_the_run_after_the_iteration) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_prepare_init(&loop, &prepare));
  ASSERT_OK(uv_check_init(&loop, &check));
  ASSERT_OK(uv_idle_init(&loop, &idle));
  ASSERT_OK(uv_prepare_start(&prepare, on_prepare));
  ASSERT_OK(uv_check_start(&check, stop_in_check));
  ASSERT_OK(uv_idle_start(&idle, on_idle));
  start_timer(0, 0);
  uv_close((uv_handle_t*) &timer, on_close);
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("idle prepare check closed");
  end();
}

static void stop_and_end(uv_prepare_t* handle) {
  uv_stop(handle->loop);
  ASSERT_OK(uv_prepare_stop(handle));
}

TEST_IMPL(stop_of_a_loop_that_ends_anyway_returns_zero) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_prepare_init(&loop, &prepare));
  ASSERT_OK(uv_prepare_start(&prepare, stop_and_end));
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  /* The stop was used up. */
  start_timer(0, 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("timer");
  end();
}

/* --- uv_walk ------------------------------------------------------------------------------- */

static void visit(uv_handle_t* handle, void* arg) {
  ASSERT_PTR_EQ(arg, &count);
  note("%s%s", uv_handle_type_name(handle->type), uv_is_closing(handle) ? "-closing" : "");
}

static void make_three(void) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_prepare_init(&loop, &prepare));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_idle_init(&loop, &idle));
}

TEST_IMPL(walk_visits_every_handle_in_the_order_of_their_making) {
  ASSERT_OK(uv_loop_init(&loop));
  uv_walk(&loop, visit, &count);
  ASSERT_NOTES("");
  ASSERT_OK(uv_loop_close(&loop));
  make_three();
  uv_walk(&loop, visit, &count);
  ASSERT_NOTES("prepare timer idle");
  /* A walk visits active, unreferenced and closing handles. */
  ASSERT_OK(uv_idle_start(&idle, on_idle));
  uv_unref((uv_handle_t*) &timer);
  uv_close((uv_handle_t*) &prepare, on_close);
  uv_walk(&loop, visit, &count);
  ASSERT_NOTES("prepare-closing timer idle");
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("idle closed");
  uv_walk(&loop, visit, &count);
  ASSERT_NOTES("timer idle");
  end();
}

static void close_in_walk(uv_handle_t* handle, void* arg) {
  note("%s", uv_handle_type_name(handle->type));
  uv_close(handle, on_close);
}

TEST_IMPL(walk_allows_to_close_what_it_visits) {
  make_three();
  uv_walk(&loop, close_in_walk, NULL);
  ASSERT_NOTES("prepare timer idle");
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("closed closed closed");
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

static void close_all_in_walk(uv_handle_t* handle, void* arg) {
  note("%s", uv_handle_type_name(handle->type));
  if (uv_is_closing(handle)) return;
  uv_close((uv_handle_t*) &prepare, on_close);
  uv_close((uv_handle_t*) &timer, on_close);
  uv_close((uv_handle_t*) &idle, on_close);
}

TEST_IMPL(walk_allows_to_close_what_it_has_yet_to_visit) {
  make_three();
  uv_walk(&loop, close_all_in_walk, NULL);
  ASSERT_NOTES("prepare timer idle");
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

static void init_in_walk(uv_handle_t* handle, void* arg) {
  note("%s", uv_handle_type_name(handle->type));
  if (handle->type == UV_PREPARE) ASSERT_OK(uv_check_init(handle->loop, &check));
}

TEST_IMPL(walk_does_not_visit_what_is_made_meanwhile) {
  make_three();
  uv_walk(&loop, init_in_walk, NULL);
  ASSERT_NOTES("prepare timer idle");
  clear_notes();
  uv_walk(&loop, visit, &count);
  ASSERT_EQ(strlen(notes()), strlen("prepare timer idle check"));
  end();
}

static void walk_in_timer(uv_timer_t* handle) {
  uv_walk(handle->loop, close_in_walk, NULL);
}

TEST_IMPL(walk_in_a_callback_may_close_everything) {
  make_three();
  ASSERT_OK(uv_timer_start(&timer, walk_in_timer, 0, 0));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("prepare timer idle closed closed closed");
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Time ---------------------------------------------------------------------------------- */

TEST_IMPL(now_is_cached_until_updated) {
  uint64_t first;
  ASSERT_OK(uv_loop_init(&loop));
  first = uv_now(&loop);
  spin(5);
  ASSERT_EQ(uv_now(&loop), first);
  uv_update_time(&loop);
  ASSERT_GE(uv_now(&loop), first + 3);
  end();
}

TEST_IMPL(now_is_updated_by_a_run_with_nothing_to_do) {
  uint64_t first;
  ASSERT_OK(uv_loop_init(&loop));
  first = uv_now(&loop);
  spin(5);
  ASSERT_EQ(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_GE(uv_now(&loop), first + 3);
  end();
}

TEST_IMPL(backend_timeout_is_that_of_the_next_timer) {
  init_loop();
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(uv_backend_timeout(&loop), -1);
  start_timer(700, 0);
  ASSERT_EQ(uv_backend_timeout(&loop), 700);
  /* A timer that does not keep the loop alive ends the wait nevertheless. */
  uv_unref((uv_handle_t*) &timer);
  ASSERT_EQ(uv_backend_timeout(&loop), 700);
  uv_unref((uv_handle_t*) &async);
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  end();
}

TEST_IMPL(backend_timeout_is_zero_when_there_is_something_to_do) {
  init_loop();
  start_timer(700, 0);
  uv_stop(&loop);
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(uv_backend_timeout(&loop) > 0, 1);
  ASSERT_OK(uv_idle_init(&loop, &idle));
  ASSERT_OK(uv_idle_start(&idle, on_idle));
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_OK(uv_idle_stop(&idle));
  ASSERT_GT(uv_backend_timeout(&loop), 0);
  uv_close((uv_handle_t*) &idle, NULL);
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_GT(uv_backend_timeout(&loop), 0);
  ASSERT_OK(uv_timer_start(&timer, on_timer, UINT64_MAX, 0));
  ASSERT_EQ(uv_backend_timeout(&loop), INT_MAX);
  end();
}

/* --- uv_loop_configure --------------------------------------------------------------------- */

TEST_IMPL(configure_knows_its_options) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_loop_configure(&loop, UV_LOOP_BLOCK_SIGNAL, SIGPROF));
  ASSERT_EQ(uv_loop_configure(&loop, UV_LOOP_BLOCK_SIGNAL, SIGUSR1), UV_EINVAL);
  ASSERT_EQ(uv_loop_configure(&loop, UV_LOOP_BLOCK_SIGNAL, 0), UV_EINVAL);
  ASSERT_OK(uv_loop_configure(&loop, UV_LOOP_USE_IO_URING_SQPOLL));
  ASSERT_EQ(uv_loop_configure(&loop, (uv_loop_option) 1000), UV_ENOSYS);
  ASSERT_EQ(uv_loop_configure(&loop, (uv_loop_option) -1), UV_ENOSYS);
  start_timer(1, 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("timer");
  end();
}

static pid_t loop_thread;
static volatile sig_atomic_t profiled;
static volatile sig_atomic_t waiting;

static void on_sigprof(int signum) {
  profiled = 1;
}

static void announce_waiting(uv_prepare_t* handle) {
  waiting = 1;
}

/* The value behind a name in the kernel's status of the loop's thread. */
static const char* thread_status(const char* name) {
  static char text[8192];
  char path[64];
  const char* found;
  size_t size;
  FILE* file;

  snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int) loop_thread);
  file = fopen(path, "r");
  ASSERT_NOT_NULL(file);
  size = fread(text, 1, sizeof(text) - 1, file);
  text[size] = '\0';
  fclose(file);
  found = strstr(text, name);
  ASSERT_NOT_NULL(found);
  return found + strlen(name);
}

/* Signals the loop's thread while it is blocked in the poller. `arg` is a descriptor that ends the
 * wait, or NULL if the async handle does. */
static void* profile(void* arg) {
  while (!waiting || *thread_status("\nState:\t") != 'S') continue;
  syscall(SYS_tgkill, getpid(), loop_thread, SIGPROF);
  /* The signal waits as well. */
  ASSERT_NE(strtoull(thread_status("\nSigPnd:\t"), NULL, 16) & (1ull << (SIGPROF - 1)), 0);
  ASSERT_EQ(*thread_status("\nState:\t"), 'S');
  ASSERT_EQ(profiled, 0);
  if (arg != NULL) {
    ASSERT_OK(eventfd_write(*(int*) arg, 1));
  } else {
    ASSERT_OK(uv_async_send(&async));
  }
  return NULL;
}

static void on_poked(uv_async_t* handle) {
  /* The async callback comes from within polling, but after the wait, so the signal has been let
   * in by then. */
  ASSERT_EQ(profiled, 1);
  note("async");
  uv_close((uv_handle_t*) handle, NULL);
  uv_close((uv_handle_t*) &prepare, NULL);
}

/* Whether the system itself lets a signal in at the end of a wait that kept it out. */
static int waits_let_signals_in(void) {
  struct epoll_event event = {.events = EPOLLIN};
  int epoll_fd = epoll_create1(0);
  int fd = eventfd(0, 0);
  pthread_t thread;
  sigset_t mask;
  int result;

  ASSERT_OK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event));
  ASSERT_OK(sigemptyset(&mask));
  ASSERT_OK(sigaddset(&mask, SIGPROF));
  waiting = 1;
  ASSERT_OK(pthread_create(&thread, NULL, profile, &fd));
  ASSERT_EQ(epoll_pwait(epoll_fd, &event, 1, -1, &mask), 1);
  result = profiled;
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_OK(close(fd));
  ASSERT_OK(close(epoll_fd));
  waiting = 0;
  profiled = 0;
  return result;
}

TEST_IMPL(a_blocked_sigprof_is_delivered_after_the_wait) {
  pthread_t thread;
  NOT_WITH_THREAD_SANITIZER("delivers signals when it sees fit");
  signal(SIGPROF, on_sigprof);
  loop_thread = (pid_t) syscall(SYS_gettid);
  if (!waits_let_signals_in()) SKIP("a signal is kept out for longer than epoll_pwait lasts");
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_LOOP_BLOCK_SIGNAL, SIGPROF));
  ASSERT_OK(uv_async_init(&loop, &async, on_poked));
  ASSERT_OK(uv_prepare_init(&loop, &prepare));
  ASSERT_OK(uv_prepare_start(&prepare, announce_waiting));
  ASSERT_OK(pthread_create(&thread, NULL, profile, NULL));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_NOTES("async");
  end();
}

/* --- uv_loop_fork -------------------------------------------------------------------------- */

/* Runs `body` in a forked child, which has to end with 0. */
static void in_child(void (*body)(void)) {
  int status;
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    body();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

static void on_last_async(uv_async_t* handle) {
  note("async");
  uv_close((uv_handle_t*) handle, NULL);
}

static void fork_and_run(void) {
  ASSERT_OK(uv_loop_fork(&loop));
  ASSERT_GE(uv_backend_fd(&loop), 0);
  ASSERT_OK(uv_async_send(&async));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  /* In either order: the timer may be due by now. */
  ASSERT_EQ(strlen(notes()), strlen("async timer"));
  close_loop(&loop);
}

TEST_IMPL(a_forked_loop_runs_what_was_started_before) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_async_init(&loop, &async, on_last_async));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_timer_start(&timer, on_timer, 20, 0));
  in_child(fork_and_run);
  /* The parent's loop has seen nothing of the child's send. */
  uv_unref((uv_handle_t*) &async);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("timer");
  end();
}

static uv_poll_t poll_handle;
static int sockets[2];

static void on_readable(uv_poll_t* handle, int status, int events) {
  char byte;
  ASSERT_OK(status);
  ASSERT_EQ(events, UV_READABLE);
  ASSERT_EQ(read(sockets[0], &byte, 1), 1);
  note("%c", byte);
  uv_close((uv_handle_t*) handle, NULL);
}

static void fork_and_poll(void) {
  ASSERT_OK(uv_loop_fork(&loop));
  ASSERT_EQ(write(sockets[1], "c", 1), 1);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("c");
}

TEST_IMPL(a_forked_loop_goes_on_polling) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  ASSERT_OK(uv_poll_init(&loop, &poll_handle, sockets[0]));
  ASSERT_OK(uv_poll_start(&poll_handle, UV_READABLE, on_readable));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  in_child(fork_and_poll);
  ASSERT_EQ(write(sockets[1], "p", 1), 1);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("p");
  close(sockets[0]);
  close(sockets[1]);
  end();
}

static void new_loop_in_child(void) {
  uv_loop_t other;
  ASSERT_OK(uv_loop_init(&other));
  ASSERT_OK(uv_timer_init(&other, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 1, 0));
  ASSERT_OK(uv_run(&other, UV_RUN_DEFAULT));
  ASSERT_NOTES("timer");
  close_loop(&other);
}

TEST_IMPL(a_child_may_make_a_new_loop) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  in_child(new_loop_in_child);
  end();
}

/* --- Embedding ----------------------------------------------------------------------------- */

static void* send_later(void* arg) {
  ASSERT_OK(uv_async_send(&async));
  return NULL;
}

/* Waits for the loop's descriptor in a poller of the test's own, and runs the loop then. */
static void drive(int outer) {
  struct epoll_event event;
  int ready;
  do {
    ready = epoll_wait(outer, &event, 1, uv_backend_timeout(&loop));
    ASSERT_GE(ready, 0);
  } while (uv_run(&loop, UV_RUN_NOWAIT) != 0);
}

static int embed(void) {
  struct epoll_event event = {.events = EPOLLIN};
  int outer = epoll_create1(EPOLL_CLOEXEC);
  ASSERT_GE(outer, 0);
  ASSERT_OK(epoll_ctl(outer, EPOLL_CTL_ADD, uv_backend_fd(&loop), &event));
  return outer;
}

TEST_IMPL(an_outer_poller_drives_timers_and_wakeups) {
  pthread_t thread;
  int outer;
  ASSERT_OK(uv_loop_init(&loop));
  outer = embed();
  ASSERT_OK(uv_async_init(&loop, &async, on_last_async));
  start_timer(50, 0);
  ASSERT_OK(pthread_create(&thread, NULL, send_later, NULL));
  drive(outer);
  ASSERT_OK(pthread_join(thread, NULL));
  /* In either order, if the thread was slow. */
  ASSERT_EQ(strlen(notes()), strlen("async timer"));
  close(outer);
  end();
}

static void write_to_socket(uv_timer_t* handle) {
  note("timer");
  ASSERT_EQ(write(sockets[1], "x", 1), 1);
}

TEST_IMPL(the_backend_descriptor_is_readable_when_polling_would_deliver) {
  struct epoll_event event;
  int outer;
  ASSERT_OK(uv_loop_init(&loop));
  outer = embed();
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  ASSERT_OK(uv_poll_init(&loop, &poll_handle, sockets[0]));
  ASSERT_OK(uv_poll_start(&poll_handle, UV_READABLE, on_readable));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(epoll_wait(outer, &event, 1, 0), 0);
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, write_to_socket, 5, 0));
  drive(outer);
  ASSERT_NOTES("timer x");
  close(outer);
  close(sockets[0]);
  close(sockets[1]);
  end();
}

/* --- Closed loops -------------------------------------------------------------------------- */

TEST_IMPL(a_closed_loop_has_nothing_to_do) {
  uv_poll_t poll;
  int ends[2];
  ASSERT_OK(pipe(ends));
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_close(&loop));
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_run(&loop, UV_RUN_ONCE));
  ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
  ASSERT_EQ(uv_backend_fd(&loop), -1);
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_EQ(uv_poll_init(&loop, &poll, ends[0]), UV_EBADF);
  uv_update_time(&loop);
  uv_stop(&loop);
  close(ends[0]);
  close(ends[1]);
}
