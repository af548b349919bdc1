/* https://docs.libuv.org/en/v1.x/signal.html: handles of one loop. Several loops, threads and
 * forked children are in signal_loops.c. */
#include "task.h"

#include <pthread.h>

/* What was delivered, in order. */
static struct {
  uv_signal_t* handle;
  int signum;
} delivered[64];
static int delivered_count;

static void on_signal(uv_signal_t* handle, int signum) {
  ASSERT_EQ(handle->signum, signum);
  if (delivered_count < 64) {
    delivered[delivered_count].handle = handle;
    delivered[delivered_count].signum = signum;
  }
  delivered_count++;
}

static void on_signal_never(uv_signal_t* handle, int signum) {
  FAIL("signal %d of handle %p", signum, (void*) handle);
}

static void expect_delivered(int index, uv_signal_t* handle, int signum) {
  ASSERT_LT(index, delivered_count);
  ASSERT_PTR_EQ(delivered[index].handle, handle);
  ASSERT_EQ(delivered[index].signum, signum);
}

static struct sigaction disposition(int signum) {
  struct sigaction action;
  ASSERT_OK(sigaction(signum, NULL, &action));
  return action;
}

static int is_default(int signum) {
  return disposition(signum).sa_handler == SIG_DFL;
}

static void started(uv_signal_t* handle, uv_signal_cb callback, int signum) {
  ASSERT_OK(uv_signal_init(uv_default_loop(), handle));
  ASSERT_OK(uv_signal_start(handle, callback, signum));
}

static int is_active(uv_signal_t* handle) {
  return uv_is_active((uv_handle_t*) handle);
}

/* Signals that this process sends itself are there when raise() returns. */
static void run_once(void) {
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

TEST_IMPL(a_handle_is_called_each_time) {
  uv_signal_t handle;
  int i;
  ASSERT_OK(uv_signal_init(uv_default_loop(), &handle));
  ASSERT_EQ(handle.type, UV_SIGNAL);
  ASSERT_EQ(handle.signum, 0);
  ASSERT(!is_active(&handle));
  ASSERT(uv_has_ref((uv_handle_t*) &handle));
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 0);
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR1));
  ASSERT(is_active(&handle));
  ASSERT_EQ(handle.signum, SIGUSR1);
  ASSERT_NE(uv_loop_alive(uv_default_loop()), 0);
  run_once();
  ASSERT_EQ(delivered_count, 0);
  for (i = 1; i <= 3; i++) {
    raise(SIGUSR1);
    ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_ONCE), 1);
    ASSERT_EQ(delivered_count, i);
  }
  /* Three that came before the loop polled are three. */
  for (i = 0; i < 3; i++) raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 6);
  expect_delivered(5, &handle, SIGUSR1);
  ASSERT_OK(uv_signal_stop(&handle));
  ASSERT(!is_active(&handle));
  ASSERT_EQ(handle.signum, 0);
  ASSERT_OK(uv_signal_stop(&handle));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(every_handle_of_a_signal_is_called) {
  uv_signal_t handles[5];
  int counts[5] = {0};
  int i;
  int j;
  for (i = 0; i < 5; i++) started(&handles[i], on_signal, i < 3 ? SIGUSR1 : SIGUSR2);
  raise(SIGUSR1);
  raise(SIGUSR2);
  run_once();
  ASSERT_EQ(delivered_count, 5);
  for (i = 0; i < 5; i++)
    for (j = 0; j < 5; j++)
      if (delivered[i].handle == &handles[j]) counts[j]++;
  for (i = 0; i < 5; i++) ASSERT_EQ(counts[i], 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Whichever was started first; those that are called once come after the others. */
TEST_IMPL(handles_of_a_signal_are_called_by_their_addresses) {
  static const int order_of_starts[] = {3, 1, 5, 0, 2, 4};
  static const int order_of_calls[] = {0, 1, 3, 5, 2, 4};
  uv_signal_t handles[6];
  int i;
  for (i = 0; i < 6; i++) {
    uv_signal_t* handle = &handles[order_of_starts[i]];
    int is_one_shot = order_of_starts[i] == 2 || order_of_starts[i] == 4;
    ASSERT_OK(uv_signal_init(uv_default_loop(), handle));
    ASSERT_OK((is_one_shot ? uv_signal_start_oneshot : uv_signal_start)(handle, on_signal, SIGUSR1));
  }
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 6);
  for (i = 0; i < 6; i++) expect_delivered(i, &handles[order_of_calls[i]], SIGUSR1);
  /* One that is started anew takes its place again. */
  ASSERT_OK(uv_signal_stop(&handles[1]));
  ASSERT_OK(uv_signal_start(&handles[1], on_signal, SIGUSR1));
  delivered_count = 0;
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 4);
  for (i = 0; i < 4; i++) expect_delivered(i, &handles[order_of_calls[i]], SIGUSR1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(signals_are_delivered_in_the_order_of_arrival) {
  uv_signal_t first;
  uv_signal_t second;
  started(&first, on_signal, SIGUSR2);
  started(&second, on_signal, SIGUSR1);
  raise(SIGUSR2);
  raise(SIGUSR1);
  run_once();
  expect_delivered(0, &first, SIGUSR2);
  expect_delivered(1, &second, SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR2);
  run_once();
  expect_delivered(2, &second, SIGUSR1);
  expect_delivered(3, &first, SIGUSR2);
  ASSERT_EQ(delivered_count, 4);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_is_no_signal_is_refused) {
  static const int bad[] = {0, -1, -15, 32, 33, 65, 1000, SIGKILL, SIGSTOP};
  uv_signal_t handle;
  size_t i;
  ASSERT_OK(uv_signal_init(uv_default_loop(), &handle));
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    ASSERT_EQ(uv_signal_start(&handle, on_signal, bad[i]), UV_EINVAL);
    ASSERT_EQ(uv_signal_start_oneshot(&handle, on_signal, bad[i]), UV_EINVAL);
    ASSERT(!is_active(&handle));
    ASSERT_EQ(handle.signum, 0);
  }
  /* A started handle goes on. */
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR1));
  ASSERT_EQ(uv_signal_start(&handle, on_signal_never, 0), UV_EINVAL);
  ASSERT(is_active(&handle));
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_closing_handle_cannot_be_started) {
  uv_signal_t handle;
  OXUV_ONLY();
  started(&handle, on_signal_never, SIGUSR1);
  uv_close((uv_handle_t*) &handle, NULL);
  ASSERT_EQ(uv_signal_start(&handle, on_signal_never, SIGUSR1), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_posix_signal(int signum) {
  (void) signum;
}

TEST_IMPL(every_signal_that_can_be_caught_can_be_watched) {
  uv_signal_t handle;
  int signum;
  int expected = 0;
  ASSERT_OK(uv_signal_init(uv_default_loop(), &handle));
  for (signum = 1; signum <= 64; signum++) {
    /* Besides SIGKILL and SIGSTOP, libc keeps two for itself, valgrind one. */
    sighandler_t usual = signal(signum, on_posix_signal);
    if (usual == SIG_ERR) continue;
    signal(signum, usual);
    ASSERT_OK(uv_signal_start(&handle, on_signal, signum));
    raise(signum);
    run_once();
    delivered_count = delivered_count > 60 ? 60 : delivered_count;
    expected = expected == 60 ? 60 : expected + 1;
    ASSERT_EQ(delivered_count, expected);
    expect_delivered(delivered_count - 1, &handle, signum);
  }
  ASSERT_OK(uv_signal_stop(&handle));
  /* SIGABRT is the test program's own. */
  for (signum = 1; signum <= 31; signum++) ASSERT(signum == SIGABRT || is_default(signum));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(queued_real_time_signals_are_all_delivered) {
  uv_signal_t handle;
  sigset_t set;
  union sigval value = {0};
  int i;
  NOT_WITH_THREAD_SANITIZER("makes one of several pending signals");
  started(&handle, on_signal, SIGRTMIN + 3);
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 3);
  ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  for (i = 0; i < 50; i++) ASSERT_OK(sigqueue(getpid(), SIGRTMIN + 3, value));
  ASSERT_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  run_once();
  ASSERT_EQ(delivered_count, 50);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_default_action_is_restored_after_the_last_handle) {
  uv_signal_t first;
  uv_signal_t second;
  ASSERT(is_default(SIGUSR1));
  started(&first, on_signal, SIGUSR1);
  started(&second, on_signal, SIGUSR1);
  ASSERT(!is_default(SIGUSR1));
  ASSERT(disposition(SIGUSR1).sa_flags & SA_RESTART);
  ASSERT(!(disposition(SIGUSR1).sa_flags & SA_RESETHAND));
  ASSERT_OK(uv_signal_stop(&first));
  ASSERT(!is_default(SIGUSR1));
  uv_close((uv_handle_t*) &second, NULL);
  ASSERT(is_default(SIGUSR1));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(starting_with_another_signal_moves_the_handle) {
  uv_signal_t handle;
  started(&handle, on_signal_never, SIGUSR1);
  raise(SIGUSR1);
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR2));
  ASSERT(is_default(SIGUSR1));
  ASSERT_EQ(handle.signum, SIGUSR2);
  run_once();
  ASSERT_EQ(delivered_count, 0);
  raise(SIGUSR2);
  run_once();
  ASSERT_EQ(delivered_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(starting_with_the_same_signal_changes_the_callback) {
  uv_signal_t handle;
  started(&handle, on_signal_never, SIGUSR1);
  raise(SIGUSR1);
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR1));
  run_once();
  ASSERT_EQ(delivered_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Handles that are called once -------------------------------------------------------- */

TEST_IMPL(a_oneshot_handle_is_called_once) {
  uv_signal_t handle;
  ASSERT_OK(uv_signal_init(uv_default_loop(), &handle));
  ASSERT_OK(uv_signal_start_oneshot(&handle, on_signal, SIGUSR1));
  ASSERT(is_active(&handle));
  ASSERT(disposition(SIGUSR1).sa_flags & SA_RESETHAND);
  raise(SIGUSR1);
  /* From the moment that the signal came. */
  ASSERT(is_default(SIGUSR1));
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  ASSERT_EQ(delivered_count, 1);
  ASSERT(!is_active(&handle));
  ASSERT_OK(uv_signal_start_oneshot(&handle, on_signal, SIGUSR1));
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 2);
  ASSERT(is_default(SIGUSR1));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(oneshot_and_lasting_handles_share_a_signal) {
  uv_signal_t lasting;
  uv_signal_t once;
  ASSERT_OK(uv_signal_init(uv_default_loop(), &once));
  ASSERT_OK(uv_signal_start_oneshot(&once, on_signal, SIGUSR1));
  started(&lasting, on_signal, SIGUSR1);
  ASSERT(!(disposition(SIGUSR1).sa_flags & SA_RESETHAND));
  raise(SIGUSR1);
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 3);
  ASSERT(!is_active(&once));
  ASSERT(is_active(&lasting));
  ASSERT(!is_default(SIGUSR1));
  /* Left alone, a oneshot handle makes the action one for once again. */
  ASSERT_OK(uv_signal_start_oneshot(&once, on_signal, SIGUSR1));
  ASSERT(!(disposition(SIGUSR1).sa_flags & SA_RESETHAND));
  ASSERT_OK(uv_signal_stop(&lasting));
  ASSERT(disposition(SIGUSR1).sa_flags & SA_RESETHAND);
  raise(SIGUSR1);
  ASSERT(is_default(SIGUSR1));
  run_once();
  ASSERT_EQ(delivered_count, 4);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_oneshot_handle_that_is_due_may_be_joined_by_another) {
  uv_signal_t first;
  uv_signal_t second;
  OXUV_ONLY();
  ASSERT_OK(uv_signal_init(uv_default_loop(), &first));
  ASSERT_OK(uv_signal_init(uv_default_loop(), &second));
  ASSERT_OK(uv_signal_start_oneshot(&first, on_signal, SIGUSR1));
  raise(SIGUSR1);
  ASSERT_OK(uv_signal_start_oneshot(&second, on_signal, SIGUSR1));
  ASSERT(disposition(SIGUSR1).sa_flags & SA_RESETHAND);
  raise(SIGUSR1);
  ASSERT(is_default(SIGUSR1));
  run_once();
  ASSERT_EQ(delivered_count, 2);
  expect_delivered(0, &first, SIGUSR1);
  expect_delivered(1, &second, SIGUSR1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void start_again(uv_signal_t* handle, int signum) {
  delivered_count++;
  if (delivered_count < 3) ASSERT_OK(uv_signal_start_oneshot(handle, start_again, signum));
  else ASSERT_OK(uv_signal_start(handle, on_signal, signum));
}

TEST_IMPL(a_oneshot_handle_may_be_started_in_its_callback) {
  uv_signal_t handle;
  int i;
  OXUV_ONLY();
  ASSERT_OK(uv_signal_init(uv_default_loop(), &handle));
  ASSERT_OK(uv_signal_start_oneshot(&handle, start_again, SIGUSR1));
  for (i = 1; i <= 5; i++) {
    raise(SIGUSR1);
    run_once();
    ASSERT_EQ(delivered_count, i);
    ASSERT(is_active(&handle));
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_oneshot_handle_may_become_a_lasting_one) {
  uv_signal_t handle;
  OXUV_ONLY();
  ASSERT_OK(uv_signal_init(uv_default_loop(), &handle));
  ASSERT_OK(uv_signal_start_oneshot(&handle, on_signal_never, SIGUSR1));
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR1));
  raise(SIGUSR1);
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 2);
  ASSERT_OK(uv_signal_start_oneshot(&handle, on_signal, SIGUSR1));
  ASSERT(disposition(SIGUSR1).sa_flags & SA_RESETHAND);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Stopping and closing while signals are due --------------------------------------------- */

TEST_IMPL(a_stopped_handle_does_not_get_what_was_caught) {
  uv_signal_t handle;
  uv_signal_t other;
  OXUV_ONLY();
  started(&handle, on_signal_never, SIGUSR1);
  started(&other, on_signal, SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR1);
  ASSERT_OK(uv_signal_stop(&handle));
  /* Started again, it does not get these signals either. */
  ASSERT_OK(uv_signal_start(&handle, on_signal_never, SIGUSR1));
  run_once();
  ASSERT_EQ(delivered_count, 2);
  expect_delivered(0, &other, SIGUSR1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void stop_in_callback(uv_signal_t* handle, int signum) {
  (void) signum;
  delivered_count++;
  ASSERT_OK(uv_signal_stop(handle));
}

TEST_IMPL(a_handle_may_be_stopped_in_its_callback) {
  uv_signal_t handle;
  int i;
  started(&handle, stop_in_callback, SIGUSR1);
  for (i = 0; i < 10; i++) raise(SIGUSR1);
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  ASSERT_EQ(delivered_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_close_free(uv_handle_t* handle) {
  /* Anything that is still linked to it is found by what reads it next. */
  memset(handle, 0x5a, sizeof(uv_signal_t));
  free(handle);
  delivered_count += 100;
}

TEST_IMPL(a_handle_may_be_closed_while_signals_are_due) {
  uv_signal_t* handles[3];
  int i;
  for (i = 0; i < 3; i++) {
    handles[i] = malloc(sizeof(uv_signal_t));
    started(handles[i], on_signal_never, SIGUSR1);
  }
  for (i = 0; i < 10; i++) raise(SIGUSR1);
  for (i = 0; i < 3; i++) uv_close((uv_handle_t*) handles[i], on_close_free);
  ASSERT_NE(uv_loop_alive(uv_default_loop()), 0);
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  ASSERT_EQ(delivered_count, 300);
  ASSERT_OK(uv_loop_close(uv_default_loop()));
}

static uv_signal_t* crowd[20];

static void close_the_crowd(uv_signal_t* handle, int signum) {
  int i;
  (void) handle, (void) signum;
  delivered_count++;
  for (i = 0; i < 20; i++) uv_close((uv_handle_t*) crowd[i], on_close_free);
}

TEST_IMPL(a_callback_may_close_all_handles_of_the_signal) {
  int i;
  for (i = 0; i < 20; i++) {
    crowd[i] = malloc(sizeof(uv_signal_t));
    started(crowd[i], close_the_crowd, SIGUSR1);
  }
  for (i = 0; i < 5; i++) raise(SIGUSR1);
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  ASSERT_EQ(delivered_count, 1 + 20 * 100);
  ASSERT(is_default(SIGUSR1));
  ASSERT_OK(uv_loop_close(uv_default_loop()));
}

static void raise_again(uv_signal_t* handle, int signum) {
  (void) handle;
  delivered_count++;
  raise(signum);
}

static void on_check(uv_check_t* check) {
  ++*(int*) check->data;
}

/* A callback that causes the next signal does not keep the loop's other phases from running. */
TEST_IMPL(signals_of_callbacks_wait_for_the_next_iteration) {
  uv_signal_t handle;
  uv_check_t check;
  int iterations = 0;
  int i;
  ASSERT_OK(uv_check_init(uv_default_loop(), &check));
  check.data = &iterations;
  ASSERT_OK(uv_check_start(&check, on_check));
  started(&handle, raise_again, SIGUSR1);
  raise(SIGUSR1);
  for (i = 1; i <= 5; i++) {
    run_once();
    ASSERT_EQ(delivered_count, i);
    ASSERT_EQ(iterations, i);
  }
  ASSERT_OK(uv_signal_stop(&handle));
  MAKE_SURE_NOTHING_LEAKED();
}

/* However many come before the loop polls: no pipe that could be full. */
TEST_IMPL(no_signal_is_lost) {
  uv_signal_t handle;
  int i;
  OXUV_ONLY();
  started(&handle, on_signal, SIGUSR1);
  for (i = 0; i < 100000; i++) raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 100000);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(one_signal_for_many_handles) {
  enum { count = 5000 };
  uv_signal_t* handles = calloc(count, sizeof(uv_signal_t));
  int i;
  OXUV_ONLY(); /* They do not fit into a pipe. */
  for (i = 0; i < count; i++) started(&handles[i], on_signal, SIGUSR1);
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, count);
  for (i = 0; i < count; i += 2) uv_close((uv_handle_t*) &handles[i], NULL);
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, count + count / 2);
  MAKE_SURE_NOTHING_LEAKED();
  free(handles);
}

/* --- The loop ------------------------------------------------------------------------------ */

static void on_idle(uv_idle_t* idle) {
  (void) idle;
}

TEST_IMPL(an_unreferenced_handle_does_not_keep_the_loop_alive) {
  uv_signal_t handle;
  uv_idle_t idle;
  started(&handle, on_signal, SIGUSR1);
  uv_unref((uv_handle_t*) &handle);
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 0);
  /* It is delivered while something else does. */
  ASSERT_OK(uv_idle_init(uv_default_loop(), &idle));
  ASSERT_OK(uv_idle_start(&idle, on_idle));
  raise(SIGUSR1);
  run_once();
  ASSERT_EQ(delivered_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void count_handle(uv_handle_t* handle, void* count) {
  ASSERT_EQ(handle->type, UV_SIGNAL);
  ++*(int*) count;
}

TEST_IMPL(a_loop_shows_the_programs_signal_handles_only) {
  uv_signal_t handle;
  int count = 0;
  uv_walk(uv_default_loop(), count_handle, &count);
  ASSERT_EQ(count, 0);
  started(&handle, on_signal, SIGUSR1);
  uv_walk(uv_default_loop(), count_handle, &count);
  ASSERT_EQ(count, 1);
  ASSERT_EQ(uv_loop_close(uv_default_loop()), UV_EBUSY);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(loops_give_their_descriptors_back) {
  int before = 0;
  uv_loop_t loop;
  uv_signal_t handle;
  int i;
  for (i = 0; i < 5; i++) {
    ASSERT_OK(uv_loop_init(&loop));
    ASSERT_OK(uv_signal_init(&loop, &handle));
    ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR1));
    raise(SIGUSR1);
    uv_close((uv_handle_t*) &handle, NULL);
    ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
    ASSERT_OK(uv_loop_close(&loop));
    /* libuv has some descriptors for all loops, from the first on. */
    if (i == 0) before = fd_count();
    ASSERT_EQ(fd_count(), before);
  }
  ASSERT_EQ(delivered_count, 0);
}

/* --- The signal handler -------------------------------------------------------------------- */

TEST_IMPL(errno_is_kept) {
  uv_signal_t handle;
  started(&handle, on_signal, SIGUSR1);
  errno = 12345;
  raise(SIGUSR1);
  ASSERT_EQ(errno, 12345);
  run_once();
  ASSERT_EQ(delivered_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static int pipe_fds[2];

static void* read_byte(void* arg) {
  char byte;
  *(pid_t*) arg = gettid();
  return (void*) (intptr_t) read(pipe_fds[0], &byte, 1);
}

/* Whether a thread of this process waits in a system call that can be interrupted. */
static int is_blocked(pid_t thread) {
  char path[64];
  char text[512] = "";
  char* state;
  FILE* file;
  snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
  file = fopen(path, "r");
  if (file == NULL) return 0;
  state = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
  fclose(file);
  return state != NULL && state[2] == 'S';
}

TEST_IMPL(system_calls_go_on_after_a_signal) {
  uv_signal_t handle;
  volatile pid_t thread_id = 0;
  pthread_t thread;
  void* result;
  NOT_WITH_THREAD_SANITIZER("keeps signals back while a thread reads");
  started(&handle, on_signal, SIGUSR1);
  ASSERT_OK(pipe(pipe_fds));
  ASSERT_OK(pthread_create(&thread, NULL, read_byte, (void*) &thread_id));
  while (thread_id == 0 || !is_blocked(thread_id)) sched_yield();
  ASSERT_OK(pthread_kill(thread, SIGUSR1));
  while (delivered_count == 0) uv_run(uv_default_loop(), UV_RUN_ONCE);
  ASSERT_EQ(write(pipe_fds[1], "x", 1), 1);
  ASSERT_OK(pthread_join(thread, &result));
  ASSERT_EQ((intptr_t) result, 1);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(dispositions_that_were_not_to_change_stay) {
  uv_signal_t handle;
  signal(SIGUSR2, SIG_IGN);
  started(&handle, on_signal, SIGUSR1);
  ASSERT(is_default(SIGPIPE));
  ASSERT(is_default(SIGCHLD));
  ASSERT(disposition(SIGUSR2).sa_handler == SIG_IGN);
  MAKE_SURE_NOTHING_LEAKED();
  ASSERT(is_default(SIGPIPE));
  ASSERT(disposition(SIGUSR2).sa_handler == SIG_IGN);
}
