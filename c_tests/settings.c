/* This library's own variables of the environment: a wrong value is reported once, on one line of
 * the standard error stream, and counts as not set. */
#include "task.h"

static int calls;

static void on_stat(uv_fs_t* req) {
  ASSERT_OK(req->result);
  uv_fs_req_cleanup(req);
  calls++;
}

static void work(uv_work_t* req) {
  (void) req;
}

static void after_work(uv_work_t* req, int status) {
  ASSERT_OK(status);
  calls++;
}

/* In a child, whose standard error stream is kept: something of all that settings are about,
 * twice. */
static void use(const char* name, const char* value, char* said, size_t room) {
  ssize_t count, total = 0;
  int ends[2];
  int status;
  pid_t pid;

  ASSERT_OK(pipe(ends));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    uv_work_t job;
    uv_fs_t req;
    int i;
    dup2(ends[1], 2);
    ASSERT_OK(value == NULL ? unsetenv(name) : setenv(name, value, 1));
    for (i = 0; i < 2; i++) {
      ASSERT_OK(uv_fs_stat(uv_default_loop(), &req, "/", on_stat));
      ASSERT_OK(uv_queue_work(uv_default_loop(), &job, work, after_work));
      ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
    }
    ASSERT_EQ(calls, 4);
    _exit(0);
  }
  close(ends[1]);
  while ((count = read(ends[0], said + total, room - 1 - total)) > 0) total += count;
  said[total] = '\0';
  close(ends[0]);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

static void expect_silence(const char* name, const char* value) {
  char said[1024];
  use(name, value, said, sizeof(said));
  ASSERT_STR_EQ(said, "");
}

static void expect_line(const char* name, const char* value, const char* line) {
  char said[1024];
  use(name, value, said, sizeof(said));
  ASSERT_STR_EQ(said, line);
}

TEST_IMPL(right_values_are_taken_in_silence) {
  OXUV_ONLY();
  expect_silence("OXUV_FS_INLINE", NULL);
  expect_silence("OXUV_FS_INLINE", "0");
  expect_silence("OXUV_FS_INLINE", "1");
  expect_silence("OXUV_SPIN_US", NULL);
  expect_silence("OXUV_SPIN_US", "0");
  expect_silence("OXUV_SPIN_US", "1000");
  /* A variable that is libuv's own is read as libuv reads it. */
  expect_silence("UV_THREADPOOL_SIZE", "many");
}

#define INLINE "OXUV_FS_INLINE"
#define INLINE_LINE(value)                                                                         \
  "oxuv: " INLINE "=" value                                                                        \
  ": not a number from 0 to 1; using the default, where it is safe\n"
#define SPIN "OXUV_SPIN_US"
#define SPIN_LINE(value)                                                                           \
  "oxuv: " SPIN "=" value ": not a number from 0 to 1000; using the default, 50\n"

TEST_IMPL(wrong_values_are_reported_on_one_line) {
  OXUV_ONLY();
  expect_line(INLINE, "yes", INLINE_LINE("yes"));
  expect_line(INLINE, "", INLINE_LINE(""));
  expect_line(INLINE, "2", INLINE_LINE("2"));
  expect_line(INLINE, "-1", INLINE_LINE("-1"));
  expect_line(INLINE, "1 ", INLINE_LINE("1 "));
  expect_line(INLINE, "99999999999999999999", INLINE_LINE("99999999999999999999"));
  expect_line(SPIN, "1001", SPIN_LINE("1001"));
  expect_line(SPIN, "50us", SPIN_LINE("50us"));
  expect_line(SPIN, "a\nb\x1b", SPIN_LINE("a\\nb\\x1b"));
  /* However long. */
  expect_line(SPIN, "0123456789012345678901234567890123456789x",
              SPIN_LINE("01234567890123456789012345678901"));
}
