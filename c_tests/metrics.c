/* https://docs.libuv.org/en/v1.x/metrics.html */
#include "task.h"

#include <pthread.h>

static uv_loop_t loop;
static uv_timer_t timer;
static uv_prepare_t prepare;
static uv_async_t async;
static uv_poll_t poll_handle;
static int pair[2];
static int calls;

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_metrics_t metrics(void) {
  uv_metrics_t now;
  memset(&now, 0xa5, sizeof(now));
  ASSERT_OK(uv_metrics_info(&loop, &now));
  return now;
}

static uint64_t clock_ns(void) {
  struct timespec now;
  ASSERT_OK(clock_gettime(CLOCK_MONOTONIC, &now));
  return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static void on_timer(uv_timer_t* handle) {
  calls++;
}

/* --- Counters ------------------------------------------------------------------------------ */

TEST_IMPL(a_new_loop_has_counted_nothing) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_EQ(metrics().loop_count, 0);
  ASSERT_EQ(metrics().events, 0);
  ASSERT_EQ(metrics().events_waiting, 0);
  ASSERT_EQ(uv_metrics_idle_time(&loop), 0);
  /* A run that finds nothing alive is no iteration. */
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_run(&loop, UV_RUN_NOWAIT));
  ASSERT_EQ(metrics().loop_count, 0);
  end();
}

static void count_iterations(uv_prepare_t* handle) {
  /* The iteration under way is counted when it polls. */
  ASSERT_EQ(metrics().loop_count, calls);
  if (++calls == 5) ASSERT_OK(uv_prepare_stop(handle));
}

TEST_IMPL(loop_count_is_the_number_of_iterations) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_prepare_init(&loop, &prepare));
  ASSERT_OK(uv_prepare_start(&prepare, count_iterations));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(metrics().loop_count, 1);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(metrics().loop_count, 2);
  while (uv_run(&loop, UV_RUN_NOWAIT) != 0) continue;
  ASSERT_EQ(calls, 5);
  ASSERT_EQ(metrics().loop_count, 5);
  end();
}

static void on_readable(uv_poll_t* handle, int status, int events) {
  ASSERT_OK(status);
  calls++;
}

/* A poll handle that is readable all the time. */
static void make_readable(void) {
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  ASSERT_OK(uv_poll_init(&loop, &poll_handle, pair[0]));
  ASSERT_OK(uv_poll_start(&poll_handle, UV_READABLE, on_readable));
}

static void end_readable(void) {
  uv_close((uv_handle_t*) &poll_handle, NULL);
  close(pair[0]);
  close(pair[1]);
  end();
}

TEST_IMPL(events_are_those_that_were_processed) {
  uint64_t i;
  ASSERT_OK(uv_loop_init(&loop));
  make_readable();
  for (i = 1; i <= 4; i++) {
    ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ASSERT_EQ(calls, i);
    ASSERT_EQ(metrics().events, i);
    ASSERT_EQ(metrics().loop_count, i);
  }
  ASSERT_OK(uv_poll_stop(&poll_handle));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 1, 0));
  /* A timer is no event. */
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(metrics().events, 4);
  end_readable();
}

static void on_async(uv_async_t* handle) {
  calls++;
}

TEST_IMPL(a_wakeup_is_an_event) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(metrics().events, 0);
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 1);
  ASSERT_EQ(metrics().events, 1);
  end();
}

TEST_IMPL(events_that_were_there_before_the_wait_are_counted_as_waiting) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  make_readable();
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(calls, 1);
  ASSERT_EQ(metrics().events, 1);
  ASSERT_EQ(metrics().events_waiting, 1);
  ASSERT_EQ(uv_metrics_idle_time(&loop), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(metrics().events, 2);
  ASSERT_EQ(metrics().events_waiting, 2);
  end_readable();
}

TEST_IMPL(events_of_a_run_that_does_not_wait_were_waiting) {
  uint64_t i;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  make_readable();
  for (i = 1; i <= 3; i++) {
    ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ASSERT_EQ(metrics().events, i);
    ASSERT_EQ(metrics().events_waiting, i);
  }
  ASSERT_EQ(uv_metrics_idle_time(&loop), 0);
  end_readable();
}

TEST_IMPL(a_wakeup_of_a_run_that_does_not_wait_was_waiting) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 1);
  ASSERT_EQ(metrics().events, 1);
  ASSERT_EQ(metrics().events_waiting, 1);
  end();
}

static void* send_when_idle(void* arg) {
  /* The call is thread-safe, and counts the wait under way. */
  while (uv_metrics_idle_time(&loop) == 0) continue;
  ASSERT_OK(uv_async_send(&async));
  return NULL;
}

TEST_IMPL(events_that_end_the_wait_are_not_counted_as_waiting) {
  pthread_t thread;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_OK(pthread_create(&thread, NULL, send_when_idle, NULL));
  run_until(&loop, &calls, 1);
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_EQ(metrics().events, 1);
  ASSERT_EQ(metrics().events_waiting, 0);
  ASSERT_GT(uv_metrics_idle_time(&loop), 0);
  end();
}

/* --- Idle time ----------------------------------------------------------------------------- */

TEST_IMPL(idle_time_is_not_measured_unasked) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 10, 0));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(uv_metrics_idle_time(&loop), 0);
  end();
}

static void check_idle_in_callback(uv_timer_t* handle) {
  uint64_t idle = uv_metrics_idle_time(&loop);
  calls++;
  spin(3);
  ASSERT_EQ(uv_metrics_idle_time(&loop), idle);
}

TEST_IMPL(idle_time_is_the_time_waited) {
  uint64_t before;
  uint64_t idle;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  before = clock_ns();
  uv_update_time(&loop);
  ASSERT_OK(uv_timer_start(&timer, check_idle_in_callback, 50, 10));
  /* Once, unless the machine was too busy for the loop to have to wait. */
  while (calls < 1 || uv_metrics_idle_time(&loop) == 0) ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  idle = uv_metrics_idle_time(&loop);
  ASSERT_LE(idle, clock_ns() - before);
  /* It stays while the loop does not run. */
  spin(3);
  ASSERT_EQ(uv_metrics_idle_time(&loop), idle);
  end();
}

TEST_IMPL(idle_time_leaves_busy_callbacks_out) {
  uint64_t before;
  uint64_t total;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  before = clock_ns();
  ASSERT_OK(uv_timer_start(&timer, check_idle_in_callback, 5, 5));
  while (calls < 4 || uv_metrics_idle_time(&loop) == 0) ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  total = clock_ns() - before;
  /* The three milliseconds of each callback were no idle time. */
  ASSERT_LE(uv_metrics_idle_time(&loop), total - (uint64_t) calls * 3 * 1000000);
  end();
}

TEST_IMPL(a_run_that_does_not_wait_is_not_idle) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 100000, 0));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(uv_metrics_idle_time(&loop), 0);
  end();
}

TEST_IMPL(each_loop_counts_for_itself) {
  uv_loop_t second;
  uv_timer_t there;
  uv_metrics_t now;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_init(&second));
  ASSERT_OK(uv_loop_configure(&second, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_timer_init(&second, &there));
  ASSERT_OK(uv_timer_start(&there, on_timer, 5, 5));
  while (uv_metrics_idle_time(&second) == 0) ASSERT_NE(uv_run(&second, UV_RUN_ONCE), 0);
  ASSERT_EQ(uv_metrics_idle_time(&loop), 0);
  ASSERT_OK(uv_metrics_info(&second, &now));
  ASSERT_GE(now.loop_count, 1);
  ASSERT_EQ(metrics().loop_count, 0);
  close_loop(&second);
  end();
}
