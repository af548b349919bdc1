/* https://docs.libuv.org/en/v1.x/signal.html: signals in several loops, threads and forked
 * children. */
#include "task.h"

#include <pthread.h>
#include <sched.h>

static int delivered;

static void on_signal(uv_signal_t* handle, int signum) {
  (void) handle, (void) signum;
  __atomic_add_fetch(&delivered, 1, __ATOMIC_SEQ_CST);
}

static void start(uv_loop_t* loop, uv_signal_t* handle, uv_signal_cb callback, int signum) {
  ASSERT_OK(uv_signal_init(loop, handle));
  ASSERT_OK(uv_signal_start(handle, callback, signum));
}

static int is_default(int signum) {
  struct sigaction action;
  ASSERT_OK(sigaction(signum, NULL, &action));
  return action.sa_handler == SIG_DFL;
}

/* Ends a forked child without what is at the test's exit. */
#define END_CHILD() _exit(0)

static void wait_for_child(pid_t pid) {
  int status;
  ASSERT_GT(pid, 0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

TEST_IMPL(a_signal_is_delivered_in_every_loop) {
  uv_loop_t loops[3];
  uv_signal_t handles[3][2];
  int i;
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_loop_init(&loops[i]));
    start(&loops[i], &handles[i][0], on_signal, SIGUSR1);
    start(&loops[i], &handles[i][1], on_signal, SIGUSR1);
  }
  raise(SIGUSR1);
  for (i = 0; i < 3; i++) {
    uv_run(&loops[i], UV_RUN_NOWAIT);
    ASSERT_EQ(delivered, 2 * (i + 1));
  }
  /* One loop less. */
  close_loop(&loops[1]);
  ASSERT(!is_default(SIGUSR1));
  raise(SIGUSR1);
  uv_run(&loops[0], UV_RUN_NOWAIT);
  uv_run(&loops[2], UV_RUN_NOWAIT);
  ASSERT_EQ(delivered, 10);
  close_loop(&loops[0]);
  close_loop(&loops[2]);
  ASSERT(is_default(SIGUSR1));
}

TEST_IMPL(a_loop_with_caught_signals_may_be_closed) {
  uv_loop_t loop;
  uv_signal_t handle;
  uv_signal_t other;
  ASSERT_OK(uv_loop_init(&loop));
  start(&loop, &handle, on_signal, SIGUSR1);
  start(uv_default_loop(), &other, on_signal, SIGUSR1);
  raise(SIGUSR1);
  close_loop(&loop);
  memset(&loop, 0x5a, sizeof(loop));
  memset(&handle, 0x5a, sizeof(handle));
  ASSERT_EQ(delivered, 0);
  raise(SIGUSR1);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(delivered, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Threads ------------------------------------------------------------------------------- */

static int ready;
static int should_end;

struct worker {
  pthread_t thread;
  int delivered;
};

static void count_and_stop(uv_signal_t* handle, int signum) {
  (void) signum;
  ++*(int*) handle->data;
  uv_close((uv_handle_t*) handle, NULL);
}

static void* run_loop_with_signal(void* arg) {
  struct worker* worker = arg;
  uv_loop_t loop;
  uv_signal_t handle;
  ASSERT_OK(uv_loop_init(&loop));
  start(&loop, &handle, count_and_stop, SIGUSR1);
  handle.data = &worker->delivered;
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
  return NULL;
}

TEST_IMPL(every_thread_with_a_loop_gets_it) {
  struct worker workers[8] = {{0}};
  int i;
  for (i = 0; i < 8; i++)
    ASSERT_OK(pthread_create(&workers[i].thread, NULL, run_loop_with_signal, &workers[i]));
  while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 8) sched_yield();
  ASSERT_OK(kill(getpid(), SIGUSR1));
  for (i = 0; i < 8; i++) {
    ASSERT_OK(pthread_join(workers[i].thread, NULL));
    ASSERT_EQ(workers[i].delivered, 1);
  }
  ASSERT(is_default(SIGUSR1));
}

static void* start_and_stop(void* arg) {
  uv_loop_t* loop = arg;
  uv_signal_t handle;
  ASSERT_OK(uv_loop_init(loop));
  ASSERT_OK(uv_signal_init(loop, &handle));
  while (!__atomic_load_n(&should_end, __ATOMIC_SEQ_CST)) {
    ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR2));
    uv_run(loop, UV_RUN_NOWAIT);
    ASSERT_OK(uv_signal_start_oneshot(&handle, on_signal, SIGUSR1));
    ASSERT_OK(uv_signal_stop(&handle));
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  }
  close_loop(loop);
  return NULL;
}

/* Handlers run on threads that change the registry, in the middle of it. */
TEST_IMPL(signals_while_threads_start_and_stop) {
  static uv_loop_t loops[3];
  pthread_t threads[3];
  uv_signal_t handles[2];
  int i;
  /* Whatever the threads stop: the default actions would end the test. */
  start(uv_default_loop(), &handles[0], on_signal, SIGUSR1);
  start(uv_default_loop(), &handles[1], on_signal, SIGUSR2);
  for (i = 0; i < 3; i++) ASSERT_OK(pthread_create(&threads[i], NULL, start_and_stop, &loops[i]));
  while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 3000) {
    for (i = 0; i < 3; i++) {
      ASSERT_OK(pthread_kill(threads[i], SIGUSR1));
      ASSERT_OK(pthread_kill(threads[i], SIGUSR2));
    }
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  }
  __atomic_store_n(&should_end, 1, __ATOMIC_SEQ_CST);
  for (i = 0; i < 3; i++) ASSERT_OK(pthread_join(threads[i], NULL));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Forked children ----------------------------------------------------------------------- */

TEST_IMPL(a_forked_child_gets_its_own_signals) {
  uv_loop_t* loop = uv_default_loop();
  uv_signal_t handle;
  uv_signal_t once;
  pid_t pid;
  start(loop, &handle, on_signal, SIGUSR1);
  ASSERT_OK(uv_signal_init(loop, &once));
  ASSERT_OK(uv_signal_start_oneshot(&once, on_signal, SIGUSR2));
  pid = fork();
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(loop));
    raise(SIGUSR1);
    raise(SIGUSR2);
    uv_run(loop, UV_RUN_NOWAIT);
    ASSERT_EQ(delivered, 2);
    ASSERT(is_default(SIGUSR2));
    raise(SIGUSR1);
    uv_run(loop, UV_RUN_ONCE);
    ASSERT_EQ(delivered, 3);
    ASSERT_OK(uv_signal_stop(&handle));
    ASSERT(is_default(SIGUSR1));
    close_loop(loop);
    END_CHILD();
  }
  wait_for_child(pid);
  /* Nothing of that is delivered in the parent. */
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_EQ(delivered, 0);
  raise(SIGUSR1);
  raise(SIGUSR2);
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_EQ(delivered, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(signals_caught_before_a_fork_are_the_parents) {
  uv_loop_t* loop = uv_default_loop();
  uv_signal_t handle;
  pid_t pid;
  start(loop, &handle, on_signal, SIGUSR1);
  raise(SIGUSR1);
  pid = fork();
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(loop));
    uv_run(loop, UV_RUN_NOWAIT);
    ASSERT_EQ(delivered, 0);
    raise(SIGUSR1);
    uv_run(loop, UV_RUN_NOWAIT);
    ASSERT_EQ(delivered, 1);
    close_loop(loop);
    END_CHILD();
  }
  wait_for_child(pid);
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_EQ(delivered, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_forked_child_may_use_a_loop_of_its_own) {
  uv_loop_t* loop = uv_default_loop();
  uv_signal_t handle;
  pid_t pid;
  OXUV_ONLY(); /* libuv's child wakes the parent's loop as well. */
  start(loop, &handle, on_signal, SIGUSR1);
  pid = fork();
  if (pid == 0) {
    uv_loop_t own;
    uv_signal_t other;
    ASSERT_OK(uv_loop_init(&own));
    start(&own, &other, on_signal, SIGUSR1);
    raise(SIGUSR1);
    uv_run(&own, UV_RUN_NOWAIT);
    ASSERT_EQ(delivered, 1);
    close_loop(&own);
    END_CHILD();
  }
  wait_for_child(pid);
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_EQ(delivered, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A child has the parent's handles, but not the thread that was in the middle of starting one. */
TEST_IMPL(forks_while_a_thread_starts_and_stops) {
  static uv_loop_t threads_loop;
  uv_loop_t* loop = uv_default_loop();
  uv_signal_t handles[2];
  pthread_t thread;
  int i;
  start(loop, &handles[0], on_signal, SIGUSR1);
  start(loop, &handles[1], on_signal, SIGUSR2);
  ASSERT_OK(pthread_create(&thread, NULL, start_and_stop, &threads_loop));
  for (i = 0; i < 50; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      alarm(20);
      delivered = 0;
      ASSERT_OK(uv_loop_fork(loop));
      raise(SIGUSR1);
      uv_run(loop, UV_RUN_NOWAIT);
      ASSERT_EQ(delivered, 1);
      close_loop(loop);
      END_CHILD();
    }
    wait_for_child(pid);
  }
  __atomic_store_n(&should_end, 1, __ATOMIC_SEQ_CST);
  ASSERT_OK(pthread_join(thread, NULL));
  MAKE_SURE_NOTHING_LEAKED();
}
