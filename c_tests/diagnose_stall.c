/* OXUV_STALL_MS: callbacks that take too long. */
#include "diagnose.h"

#include <time.h>

static int go_on[2];

/* Runs until the test lets it go on. */
static void on_stall(uv_timer_t* timer) {
  char byte;

  while (read(go_on[0], &byte, 1) != 1) ASSERT_EQ(errno, EAGAIN);
  uv_close((uv_handle_t*) timer, NULL);
}

static void run_timer(uv_timer_cb callback) {
  uv_timer_t timer;

  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, callback, 0, 0));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
}

static void stall(void) {
  run_timer(on_stall);
}

static void open_pipe(void) {
  ASSERT_OK(pipe(go_on));
  ASSERT_OK(fcntl(go_on[0], F_SETFL, O_NONBLOCK));
}

TEST_IMPL(stall_is_named_while_it_lasts_and_when_it_ends) {
  struct watched child;
  char* first;

  open_pipe();
  watch(&child, "OXUV_STALL_MS", "20", stall);
  wait_until_said(&child, " has run for ");
  wait_until_said(&child, "uv_run");
  ASSERT_EQ(strncmp(child.text, "oxuv: stall: the timer callback on_stall", 40), 0);
  /* Below the first line are the functions that it is in. */
  first = strchr(child.text, '\n');
  if (strstr(first, "on_stall") == NULL) FAIL("said: %s", child.text);
  ASSERT_EQ(write(go_on[1], "x", 1), 1);
  expect_exit(&child);
  if (strstr(child.text, " took ") == NULL) FAIL("said: %s", child.text);
  if (strstr(child.text, "stalls of 20 ms or more: 1,") == NULL) FAIL("said: %s", child.text);
  if (strstr(child.text, "1 x on_stall") == NULL) FAIL("said: %s", child.text);
}

static void on_nothing(uv_timer_t* timer) {
  uv_close((uv_handle_t*) timer, NULL);
}

static void fork_and_stall(void) {
  int status;
  pid_t pid;

  run_timer(on_nothing);
  pid = fork();
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(uv_default_loop()));
    run_timer(on_stall);
    exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

TEST_IMPL(stall_in_a_forked_child_is_named) {
  struct watched child;

  open_pipe();
  watch(&child, "OXUV_STALL_MS", "20", fork_and_stall);
  wait_until_said(&child, "the timer callback on_stall");
  ASSERT_EQ(write(go_on[1], "x", 1), 1);
  expect_exit(&child);
}

/* Sleeps until the test lets it go on. No sleep is cut short. */
static void on_sleep(uv_timer_t* timer) {
  struct timespec time = {0, 50 * 1000 * 1000};
  char byte;

  do {
    ASSERT_OK(nanosleep(&time, NULL));
  } while (read(go_on[0], &byte, 1) != 1);
  uv_close((uv_handle_t*) timer, NULL);
}

static void sleep_in_callback(void) {
  run_timer(on_sleep);
}

TEST_IMPL(stall_that_sleeps_is_not_interrupted) {
  struct watched child;

  open_pipe();
  watch(&child, "OXUV_STALL_MS", "10", sleep_in_callback);
  wait_until_said(&child, "the timer callback on_sleep");
  ASSERT_EQ(write(go_on[1], "x", 1), 1);
  expect_exit(&child);
}

static void do_nothing(void) {
  run_timer(on_nothing);
}

TEST_IMPL(stall_summary_says_that_there_was_none) {
  struct watched child;

  watch(&child, "OXUV_STALL_MS", "20000", do_nothing);
  expect_exit(&child);
  ASSERT_STR_EQ(child.text, "oxuv: stalls of 20000 ms or more: none\n");
}

static void expect_told(const char* value) {
  struct watched child;
  char line[128];

  watch(&child, "OXUV_STALL_MS", value, do_nothing);
  expect_exit(&child);
  snprintf(line, sizeof(line),
           "oxuv: OXUV_STALL_MS=%s: stalls are not watched for: it must be from 1 to 3600000\n",
           value);
  ASSERT_STR_EQ(child.text, line);
}

TEST_IMPL(stall_wrong_values_are_told_on_one_line) {
  expect_told("0");
  expect_told("-1");
  expect_told("50ms");
  expect_told("3600001");
}
