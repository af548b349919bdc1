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

static void null_mutex(void) {
  uv_mutex_lock(NULL);
}

static void null_semaphore(void) {
  uv_sem_init(NULL, 1);
}

static void null_thread(void) {
  uv_thread_join(NULL);
}

static void null_key(void) {
  uv_key_get(NULL);
}

static void null_library(void) {
  uv_dlclose(NULL);
}

static void null_result(void) {
  uv_uptime(NULL);
}

static void null_list(void) {
  int count;
  uv_cpu_info(NULL, &count);
}

static void null_count(void) {
  uv_interface_address_t* list;
  uv_interface_addresses(&list, NULL);
}

static void null_address(void) {
  uv_ip4_addr("127.0.0.1", 0, NULL);
}

static void null_metrics(void) {
  uv_metrics_info(uv_default_loop(), NULL);
}

static void null_buffer(void) {
  uv_err_name_r(UV_EINVAL, NULL, 10);
}

static void null_request(void) {
  uv_pipe_t handle;
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) _exit(1);
  uv_pipe_init(uv_default_loop(), &handle, 0);
  uv_pipe_open(&handle, fds[0]);
  uv_shutdown(NULL, (uv_stream_t*) &handle, NULL);
}

static void connect_of_a_timer(void) {
  union uv_any_handle handle;
  uv_connect_t req;
  memset(&handle, 0, sizeof(handle));
  uv_timer_init(uv_default_loop(), &handle.timer);
  uv_pipe_connect(&req, &handle.pipe, "/nowhere", NULL);
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

TEST_IMPL(null_pointers_to_anything_are_named) {
  expect_abort(null_mutex, "uv_mutex_lock", "null pointer");
  expect_abort(null_semaphore, "uv_sem_init", "null pointer");
  expect_abort(null_thread, "uv_thread_join", "null pointer");
  expect_abort(null_key, "uv_key_get", "null pointer");
  expect_abort(null_library, "uv_dlclose", "null pointer");
  expect_abort(null_result, "uv_uptime", "null pointer");
  expect_abort(null_list, "uv_cpu_info", "null pointer");
  expect_abort(null_count, "uv_interface_addresses", "null pointer");
  expect_abort(null_address, "uv_ip4_addr", "null pointer");
  expect_abort(null_metrics, "uv_metrics_info", "null pointer");
  expect_abort(null_buffer, "uv_err_name_r", "null pointer");
  expect_abort(null_request, "uv_shutdown", "uv_shutdown_t");
}

TEST_IMPL(what_is_no_pipe_is_not_connected) {
  expect_abort(connect_of_a_timer, "uv_pipe_connect", "not a pipe");
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
