/* Mistakes that no error code can report: the process ends with one line that names the function
 * and the mistake. */
#include "task.h"

/* Runs `call` in a child; what it printed, and how it ended. */
static int end_of(void (*call)(void), char* said, size_t room) {
  ssize_t length = 0;
  ssize_t count;
  int ends[2];
  int status;
  pid_t pid;

  OXUV_ONLY();
  ASSERT_OK(pipe(ends));
  pid = fork();
  if (pid == 0) {
    signal(SIGABRT, SIG_DFL);
    dup2(ends[1], 2);
    call();
    _exit(0);
  }
  close(ends[1]);
  while ((count = read(ends[0], said + length, room - 1 - length)) > 0) length += count;
  said[length] = '\0';
  close(ends[0]);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

static void expect_abort(void (*call)(void), const char* function, const char* mistake) {
  char said[1024];
  int status = end_of(call, said, sizeof(said));

  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) FAIL("status %d: %s", status, said);
  if (strncmp(said, "oxuv: ", 6) != 0) FAIL("said: %s", said);
  if (strncmp(said + 6, function, strlen(function)) != 0 || said[6 + strlen(function)] != ':')
    FAIL("said: %s", said);
  if (strstr(said, mistake) == NULL) FAIL("said: %s", said);
  /* One line. */
  ASSERT_PTR_EQ(strchr(said, '\n'), said + strlen(said) - 1);
}

static void null_loop(void) {
  uv_timer_t timer;
  uv_timer_init(NULL, &timer);
}

static void null_handle(void) {
  uv_timer_start(NULL, NULL, 0, 0);
}

static void not_a_handle(void) {
  uv_handle_t handle;
  memset(&handle, 0, sizeof(handle));
  uv_close(&handle, NULL);
}

static void delete_in_use(void) {
  uv_loop_t* loop = uv_loop_new();
  uv_timer_t timer;
  uv_timer_init(loop, &timer);
  uv_loop_delete(loop);
}

static void unlock_of_another(void) {
  uv_mutex_t mutex;
  uv_mutex_init_recursive(&mutex);
  uv_mutex_unlock(&mutex);
}

TEST_IMPL(null_pointers_are_named) {
  expect_abort(null_loop, "uv_timer_init", "uv_loop_t");
  expect_abort(null_handle, "uv_timer_start", "uv_timer_t");
}

TEST_IMPL(what_is_no_handle_is_not_closed) {
  expect_abort(not_a_handle, "uv_close", "not a handle");
}

TEST_IMPL(a_loop_in_use_is_not_deleted) {
  expect_abort(delete_in_use, "uv_loop_delete", "still has handles");
}

TEST_IMPL(a_mutex_of_another_is_not_unlocked) {
  NOT_WITH_THREAD_SANITIZER("reports it first");
  expect_abort(unlock_of_another, "uv_mutex_unlock", "not this thread's");
}
