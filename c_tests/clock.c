/* Time as it hardly ever is while tests run: clocks that jump, machines that sleep for hours, months
 * between two timers. The program's own clock_gettime and epoll_pwait take the place of the C
 * library's: no wait takes time, and the clock goes on as if it had. */
#include "refuse.h"

#include <limits.h>
#include <stdatomic.h>
#include <time.h>

#define SECOND_MS ((uint64_t) 1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define MS_NS ((uint64_t) 1000000)

/* A library that keeps milliseconds in 32 bits begins anew after this time: 50 days. */
#define WRAP_MS ((uint64_t) 1 << 32)

/* --- The clock ----------------------------------------------------------------------------- */

/* The true time in nanoseconds; 0 before the test has set it. */
static _Atomic uint64_t true_ns;
/* How much later the time of day is than it was, in seconds. */
static int64_t day_offset_s;

static uv_loop_t loop;
static int waits;
static int longest_wait;
/* How much longer than asked for the next waits take, in milliseconds, and how many do. */
static int64_t error_ms;
static int errors;

/* What the library takes for the time or for a wait: as if it had a mistake, which must be found. */
static enum mistake {
  NONE,
  WRAPS_AT_32_BITS, /* the time in milliseconds */
  TRUSTS_WAITS,     /* takes them for as long as it has asked for */
  WAITS_FOR_EVER    /* where a wait would be very long */
} mistake;
/* By how much waits were longer than asked for, in nanoseconds. */
static int64_t total_error_ns;

static uint64_t true_ms(void) {
  return true_ns / MS_NS;
}

static uint64_t told_ns(void) {
  /* Reading it takes a moment. */
  uint64_t now = atomic_fetch_add(&true_ns, 1);
  if (mistake == WRAPS_AT_32_BITS) return now % (WRAP_MS * MS_NS);
  if (mistake == TRUSTS_WAITS) return now - (uint64_t) total_error_ns;
  return now;
}

int clock_gettime(clockid_t clock, struct timespec* to) {
  uint64_t now;
  int result;
  if (true_ns == 0 || clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
    result = (int) syscall(SYS_clock_gettime, clock, to);
    if (clock == CLOCK_REALTIME) to->tv_sec += day_offset_s;
    return result;
  }
  now = told_ns();
  to->tv_sec = (time_t) (now / 1000000000);
  to->tv_nsec = (long) (now % 1000000000);
  return 0;
}

static int look(int fd, struct epoll_event* events, int most, int timeout, const sigset_t* mask) {
  return (int) syscall(SYS_epoll_pwait, fd, events, most, timeout, mask, 8);
}

int epoll_pwait(int fd, struct epoll_event* events, int most, int timeout, const sigset_t* mask) {
  int64_t error = 0;
  int found;
  if (true_ns == 0) return look(fd, events, most, timeout, mask);
  found = look(fd, events, most, 0, mask);
  if (found != 0 || timeout == 0) return found;
  /* What the pool does takes no time either. */
  if (loop.active_reqs.count > 0) return look(fd, events, most, 20000, mask);
  if (mistake == WAITS_FOR_EVER && timeout > 1 << 30) timeout = -1;
  if (timeout < 0) FAIL("the loop waits for ever");
  if (++waits > 1000000) FAIL("the loop waits again and again");
  if (timeout > longest_wait) longest_wait = timeout;
  if (errors > 0) {
    errors--;
    error = error_ms;
  }
  total_error_ns += error * (int64_t) MS_NS;
  true_ns += (uint64_t) (timeout + error) * MS_NS;
  return 0;
}

/* Sets the clock, and makes a loop. */
static void begin(uint64_t ms) {
#ifdef OXUV_PORTABLE_POLLER
  SKIP("this poller waits by other calls");
#endif
  true_ns = ms * MS_NS;
  ASSERT_OK(uv_loop_init(&loop));
}

static void pass(uint64_t ms) {
  true_ns += ms * MS_NS;
}

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Long times ---------------------------------------------------------------------------- */

struct regular {
  uv_timer_t timer; /* first */
  uint64_t start_ms, every_ms, calls;
};

static void on_regular(uv_timer_t* timer) {
  struct regular* it = (struct regular*) timer;
  it->calls++;
  ASSERT_EQ(true_ms(), it->start_ms + it->calls * it->every_ms);
}

static void start_regular(struct regular* it, uint64_t every_ms) {
  it->start_ms = true_ms();
  it->every_ms = every_ms;
  ASSERT_OK(uv_timer_init(&loop, &it->timer));
  ASSERT_OK(uv_timer_start(&it->timer, on_regular, every_ms, every_ms));
}

static void stop_loop(uv_timer_t* timer) {
  uv_stop(timer->loop);
}

/* The time in milliseconds exceeds 32 bits on the way. */
static void run_for_a_month(void) {
  static struct regular minute, hour, week;
  uv_timer_t last;
  begin(WRAP_MS - 12 * HOUR_MS - 7);
  start_regular(&minute, MINUTE_MS);
  start_regular(&hour, HOUR_MS);
  start_regular(&week, 7 * DAY_MS);
  ASSERT_OK(uv_timer_init(&loop, &last));
  ASSERT_OK(uv_timer_start(&last, stop_loop, 30 * DAY_MS + 1, 0));
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_EQ(minute.calls, 30 * 24 * 60);
  ASSERT_EQ(hour.calls, 30 * 24);
  ASSERT_EQ(week.calls, 4);
  ASSERT_EQ(uv_now(&loop), true_ms());
  end();
}

TEST_IMPL(timers_are_exact_for_a_month) {
  run_for_a_month();
}

struct once {
  uv_timer_t timer; /* first */
  uint64_t due_ms;
};

static int called;

static void on_once(uv_timer_t* timer) {
  ASSERT_EQ(true_ms(), ((struct once*) timer)->due_ms);
  called++;
}

static void wait_for_long_timeouts(void) {
  static const uint64_t timeouts[] = {
    INT_MAX - 1ull, INT_MAX, INT_MAX + 1ull, UINT_MAX, WRAP_MS, WRAP_MS + 1, 2 * WRAP_MS, 8 * WRAP_MS};
  enum { count = sizeof(timeouts) / sizeof(timeouts[0]) };
  static struct once all[count];
  int i;
  begin(1);
  for (i = count - 1; i >= 0; i--) {
    all[i].due_ms = true_ms() + timeouts[i];
    ASSERT_OK(uv_timer_init(&loop, &all[i].timer));
    ASSERT_OK(uv_timer_start(&all[i].timer, on_once, timeouts[i], 0));
    ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ASSERT_EQ(uv_backend_timeout(&loop), timeouts[i] < INT_MAX ? (int) timeouts[i] : INT_MAX);
    ASSERT_EQ(uv_timer_get_due_in(&all[i].timer), timeouts[i]);
  }
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(called, count);
  ASSERT_EQ(longest_wait, INT_MAX);
  end();
}

TEST_IMPL(timeouts_longer_than_the_longest_wait) {
  wait_for_long_timeouts();
}

TEST_IMPL(a_run_once_may_end_before_a_timer_that_is_far_away) {
  struct once far;
  begin(1);
  far.due_ms = true_ms() + 3ull * INT_MAX;
  ASSERT_OK(uv_timer_init(&loop, &far.timer));
  ASSERT_OK(uv_timer_start(&far.timer, on_once, 3ull * INT_MAX, 0));
  while (called == 0) ASSERT_LT(uv_run(&loop, UV_RUN_ONCE), 2);
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  end();
}

/* --- Waits that are shorter or longer than asked for --------------------------------------- */

static void wait_too_shortly(void) {
  struct once one;
  begin(HOUR_MS);
  one.due_ms = true_ms() + 10;
  error_ms = -2;
  errors = 4;
  ASSERT_OK(uv_timer_init(&loop, &one.timer));
  ASSERT_OK(uv_timer_start(&one.timer, on_once, 10, 0));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(called, 1);
  ASSERT_EQ(errors, 0);
  end();
}

TEST_IMPL(no_timer_is_early_after_a_wait_that_was) {
  wait_too_shortly();
}

static uv_timer_t repeated, first, second, later;
static uint64_t called_ms[8];

static void on_repeated(uv_timer_t* timer) {
  note("r");
  ASSERT_LT(called, 8);
  called_ms[called++] = true_ms();
  if (called == 3) ASSERT_OK(uv_timer_stop(timer));
}

static void on_named(uv_timer_t* timer) {
  note("%s", (const char*) timer->data);
}

static void start_named(uv_timer_t* timer, const char* name, uint64_t timeout) {
  ASSERT_OK(uv_timer_init(&loop, timer));
  timer->data = (void*) name;
  ASSERT_OK(uv_timer_start(timer, on_named, timeout, 0));
}

/* The machine sleeps for five hours while the loop waits for a second. */
static void sleep_for_hours(void) {
  uint64_t start;
  begin(HOUR_MS);
  start = true_ms();
  ASSERT_OK(uv_timer_init(&loop, &repeated));
  ASSERT_OK(uv_timer_start(&repeated, on_repeated, SECOND_MS, SECOND_MS));
  start_named(&second, "second", 2 * HOUR_MS);
  start_named(&first, "first", HOUR_MS);
  start_named(&later, "later", 6 * HOUR_MS);
  error_ms = (int64_t) (5 * HOUR_MS);
  errors = 1;
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  /* What was missed is called once, in order; repeats go on from there. */
  ASSERT_NOTES("r first second r r later");
  ASSERT_EQ(called_ms[0], start + 5 * HOUR_MS + SECOND_MS);
  ASSERT_EQ(called_ms[1], called_ms[0] + SECOND_MS);
  ASSERT_EQ(called_ms[2], called_ms[1] + SECOND_MS);
  ASSERT_EQ(true_ms(), start + 6 * HOUR_MS);
  end();
}

TEST_IMPL(timers_are_called_in_order_after_a_sleep_of_hours) {
  sleep_for_hours();
}

TEST_IMPL(idle_time_is_that_of_long_waits) {
  uv_timer_t timer;
  uint64_t idle;
  begin(1);
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, stop_loop, 30 * DAY_MS, 0));
  error_ms = (int64_t) (5 * HOUR_MS);
  errors = 1;
  uv_run(&loop, UV_RUN_DEFAULT);
  idle = uv_metrics_idle_time(&loop) / MS_NS;
  ASSERT_GE(idle, 30 * DAY_MS);
  ASSERT_LE(idle, 30 * DAY_MS + 5 * HOUR_MS);
  ASSERT_EQ(true_ms() - 1, idle);
  end();
}

/* --- Clocks that jump ---------------------------------------------------------------------- */

static void stay_away(uv_timer_t* timer) {
  uint64_t before = uv_now(timer->loop);
  note("away");
  /* The process is stopped for three days. */
  pass(3 * DAY_MS);
  ASSERT_EQ(uv_now(timer->loop), before);
  ASSERT_EQ(uv_hrtime() / MS_NS, before + 3 * DAY_MS);
  /* It counts from the time of the loop. */
  ASSERT_OK(uv_timer_start(timer, on_named, DAY_MS, 0));
  ASSERT_EQ(uv_timer_get_due_in(timer), DAY_MS);
  uv_update_time(timer->loop);
  ASSERT_EQ(uv_now(timer->loop), before + 3 * DAY_MS);
  ASSERT_EQ(uv_timer_get_due_in(timer), 0);
  ASSERT_EQ(uv_backend_timeout(timer->loop), 0);
}

TEST_IMPL(a_callback_may_take_days) {
  uint64_t start;
  begin(WRAP_MS - DAY_MS);
  start = true_ms();
  start_named(&first, "first", 2 * DAY_MS);
  start_named(&later, "later", 4 * DAY_MS);
  ASSERT_OK(uv_timer_init(&loop, &second));
  second.data = "second";
  ASSERT_OK(uv_timer_start(&second, stay_away, 0, 0));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("away second first later");
  ASSERT_EQ(true_ms(), start + 4 * DAY_MS);
  end();
}

TEST_IMPL(the_time_between_two_runs_counts) {
  begin(HOUR_MS);
  start_named(&first, "first", DAY_MS);
  start_named(&second, "second", 3 * DAY_MS);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  pass(2 * DAY_MS);
  ASSERT_EQ(uv_backend_timeout(&loop), (int) DAY_MS);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("first");
  ASSERT_EQ(uv_backend_timeout(&loop), (int) DAY_MS);
  ASSERT_EQ(waits, 0);
  end();
}

TEST_IMPL(the_time_of_day_does_not_matter) {
  uv_timespec64_t before, now;
  struct once one;
  begin(HOUR_MS);
  one.due_ms = true_ms() + DAY_MS;
  ASSERT_OK(uv_timer_init(&loop, &one.timer));
  ASSERT_OK(uv_timer_start(&one.timer, on_once, DAY_MS, 0));
  ASSERT_OK(uv_clock_gettime(UV_CLOCK_REALTIME, &before));
  day_offset_s = -10 * 365 * 86400;
  ASSERT_OK(uv_clock_gettime(UV_CLOCK_REALTIME, &now));
  ASSERT_LE(now.tv_sec - before.tv_sec, 100 + day_offset_s);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  day_offset_s = 10 * 365 * 86400;
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(called, 1);
  end();
}

TEST_IMPL(clocks_have_all_their_digits) {
  /* 146 years: the half of what nanoseconds in 64 bits can tell. */
  static const uint64_t times_ms[] = {1,           INT_MAX,     WRAP_MS - 1, WRAP_MS,
                                      WRAP_MS + 1, 5000000000000, 9223372036853};
  size_t i;
  begin(1);
  for (i = 0; i < sizeof(times_ms) / sizeof(times_ms[0]); i++) {
    uv_timespec64_t told;
    /* Where a time has 32 bits, a clock is wrong after 68 years, and programs with it. */
    if (sizeof(time_t) == 4 && times_ms[i] / 1000 > INT_MAX) break;
    true_ns = times_ms[i] * MS_NS + 123456;
    ASSERT_EQ(uv_hrtime() / 1000, times_ms[i] * 1000 + 123);
    ASSERT_OK(uv_clock_gettime(UV_CLOCK_MONOTONIC, &told));
    ASSERT_EQ(told.tv_sec, (int64_t) (times_ms[i] / 1000));
    uv_update_time(&loop);
    ASSERT_EQ(uv_now(&loop), times_ms[i]);
  }
  end();
}

/* --- A path that is asked about at intervals ----------------------------------------------- */

static uint64_t changed_ms;

static void on_change(uv_fs_poll_t* handle, int status, const uv_stat_t* before,
                      const uv_stat_t* now) {
  ASSERT_OK(status);
  ASSERT_EQ(before->st_size, 1);
  ASSERT_EQ(now->st_size, 2);
  changed_ms = true_ms();
  uv_close((uv_handle_t*) handle, NULL);
}

/* Changes a file between two questions that are an interval apart. */
static void expect_change_after(unsigned interval) {
  uv_fs_poll_t handle;
  uint64_t start;
  write_file(test_path("file"), "a", 1);
  ASSERT_OK(uv_fs_poll_init(&loop, &handle));
  ASSERT_OK(uv_fs_poll_start(&handle, on_change, test_path("file"), interval));
  start = true_ms();
  while (loop.active_reqs.count > 0) uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_EQ(true_ms(), start);
  write_file(test_path("file"), "ab", 2);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(changed_ms, start + interval);
}

TEST_IMPL(paths_are_asked_about_at_long_intervals) {
  begin(WRAP_MS - HOUR_MS);
  expect_change_after((unsigned) DAY_MS);
  expect_change_after(INT_MAX);
  expect_change_after(UINT_MAX);
  end();
}

/* --- Mistakes ------------------------------------------------------------------------------ */

/* Whether a test notices a mistake of the library's: it ends its process. */
static int notices(enum mistake which, void (*test)(void)) {
  int status;
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    mistake = which;
    /* What it says is no news. */
    ASSERT_EQ(dup2(nowhere, 2), 2);
    close(nowhere);
    test();
    _exit(0);
  }
  close(nowhere);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) SKIP("not possible here");
  if (WIFEXITED(status)) ASSERT_OK(WEXITSTATUS(status));
  return WIFSIGNALED(status);
}

static void expect_notice(enum mistake which, void (*test)(void)) {
  ASSERT(!notices(NONE, test));
  ASSERT(notices(which, test));
}

TEST_IMPL(mistakes_with_time_would_be_noticed) {
  expect_notice(WRAPS_AT_32_BITS, run_for_a_month);
  expect_notice(TRUSTS_WAITS, wait_too_shortly);
  expect_notice(TRUSTS_WAITS, sleep_for_hours);
  expect_notice(WAITS_FOR_EVER, wait_for_long_timeouts);
}
