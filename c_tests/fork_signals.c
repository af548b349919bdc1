/* Forks while another thread changes which signals are caught.
 * https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_fork */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>

#include "task.h"

static int held_signum;
static sem_t is_held;
static sem_t may_go_on;

/* Stops the thread that changes what happens on the signal, once, right after the change. */
int sigaction(int signum, const struct sigaction* action, struct sigaction* old) {
  int (*real)(int, const struct sigaction*, struct sigaction*);
  int result;
  int expected = signum;
  *(void**) &real = dlsym(RTLD_NEXT, "sigaction");
  result = real(signum, action, old);
  if (action != NULL &&
      __atomic_compare_exchange_n(&held_signum, &expected, 0, 0, __ATOMIC_SEQ_CST,
                                  __ATOMIC_SEQ_CST)) {
    ASSERT_OK(sem_post(&is_held));
    while (sem_wait(&may_go_on) != 0) ASSERT_EQ(errno, EINTR);
  }
  return result;
}

static void on_signal(uv_signal_t* handle, int signum) { (*(int*) handle->data)++; }

static void* start_and_stop(void* argument) {
  /* The child, which does not have the thread, does not lose them. */
  static uv_loop_t loop;
  static uv_signal_t handle;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_signal_init(&loop, &handle));
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR2));
  __atomic_store_n(&held_signum, SIGUSR2, __ATOMIC_SEQ_CST);
  ASSERT_OK(uv_signal_stop(&handle));
  uv_close((uv_handle_t*) &handle, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
  return argument;
}

/* Forks while a thread is held within uv_signal_stop(); the child does `work`. */
static void fork_meanwhile(void (*work)(void)) {
  pthread_t thread;
  pid_t pid;
  int status;
  ASSERT_OK(sem_init(&is_held, 0, 0));
  ASSERT_OK(sem_init(&may_go_on, 0, 0));
  ASSERT_OK(pthread_create(&thread, NULL, start_and_stop, NULL));
  ASSERT_OK(sem_wait(&is_held));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    alarm(20);
    work();
    _exit(0);
  }
  ASSERT_OK(sem_post(&may_go_on));
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  ASSERT_OK(pthread_join(thread, NULL));
}

static void catch_a_signal(void) {
  uv_loop_t loop;
  uv_signal_t handle;
  int caught = 0;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_signal_init(&loop, &handle));
  handle.data = &caught;
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR2));
  ASSERT_OK(raise(SIGUSR2));
  run_until(&loop, &caught, 1);
  uv_close((uv_handle_t*) &handle, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
}

TEST_IMPL(a_child_catches_a_signal_that_the_parent_was_ceasing_to_catch) {
  NOT_WITH_THREAD_SANITIZER("starts nothing in a fork of a process that has several threads");
  fork_meanwhile(catch_a_signal);
}

static void raise_in_child(void) {
  alarm(20);
  ASSERT_OK(raise(SIGUSR1));
}

TEST_IMPL(a_signal_may_reach_a_child_before_the_library_knows_of_the_fork) {
  uv_loop_t loop;
  uv_signal_t handle;
  int caught = 0;
  OXUV_ONLY(); /* libuv's child waits for ever for the thread that it does not have. */
  NOT_WITH_THREAD_SANITIZER("starts nothing in a fork of a process that has several threads");
  /* Functions for the child run in the order of their registration. */
  ASSERT_OK(pthread_atfork(NULL, NULL, raise_in_child));
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_signal_init(&loop, &handle));
  handle.data = &caught;
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR1));
  fork_meanwhile(catch_a_signal);
  /* The parent catches its own signals, of which this is the first. */
  ASSERT_OK(raise(SIGUSR1));
  run_until(&loop, &caught, 1);
  uv_close((uv_handle_t*) &handle, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
}
