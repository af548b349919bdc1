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

/* --- Loops that are closed, or zeroed memory ----------------------------------------------- */

static uv_loop_t no_loop;
static int is_closed_first;

static void make_no_loop(void) {
  memset(&no_loop, 0, sizeof(no_loop));
  if (is_closed_first && (uv_loop_init(&no_loop) != 0 || uv_loop_close(&no_loop) != 0)) _exit(1);
}

static void on_work(uv_work_t* req) {
  (void) req;
}

static void on_fs(uv_fs_t* req) {
  (void) req;
}

static void on_random(uv_random_t* req, int status, void* bytes, size_t size) {
  (void) req, (void) status, (void) bytes, (void) size;
}

static void on_handle(uv_handle_t* handle, void* arg) {
  (void) handle, (void) arg;
}

static void on_async(uv_async_t* handle) {
  (void) handle;
}

static void run_it(void) {
  make_no_loop();
  uv_run(&no_loop, UV_RUN_DEFAULT);
}

static void close_it(void) {
  make_no_loop();
  uv_loop_close(&no_loop);
}

static void fork_it(void) {
  make_no_loop();
  uv_loop_fork(&no_loop);
}

static void configure_it(void) {
  make_no_loop();
  uv_loop_configure(&no_loop, UV_METRICS_IDLE_TIME);
}

static void measure_it(void) {
  make_no_loop();
  uv_metrics_idle_time(&no_loop);
}

static void work_on_it(void) {
  uv_work_t req;
  make_no_loop();
  uv_queue_work(&no_loop, &req, on_work, NULL);
}

static void ask_on_it(void) {
  uv_fs_t req;
  make_no_loop();
  uv_fs_stat(&no_loop, &req, "/", on_fs);
}

static void random_on_it(void) {
  uv_random_t req;
  char bytes[8];
  make_no_loop();
  uv_random(&no_loop, &req, bytes, sizeof(bytes), 0, on_random);
}

static void async_on_it(void) {
  uv_async_t handle;
  make_no_loop();
  uv_async_init(&no_loop, &handle, on_async);
}

static void timer_on_it(void) {
  uv_timer_t handle;
  make_no_loop();
  uv_timer_init(&no_loop, &handle);
}

static void stream_on_it(void) {
  uv_tcp_t handle;
  make_no_loop();
  uv_tcp_init(&no_loop, &handle);
}

static void walk_it(void) {
  make_no_loop();
  uv_walk(&no_loop, on_handle, NULL);
}

static void print_it(void) {
  make_no_loop();
  uv_print_all_handles(&no_loop, stderr);
}

#define NO_LOOP "the loop was closed, or never initialised"

static void expect_no_loop(void) {
  expect_abort(close_it, "uv_loop_close", NO_LOOP);
  expect_abort(fork_it, "uv_loop_fork", NO_LOOP);
  expect_abort(configure_it, "uv_loop_configure", NO_LOOP);
  expect_abort(measure_it, "uv_metrics_idle_time", NO_LOOP);
  expect_abort(work_on_it, "uv_queue_work", NO_LOOP);
  expect_abort(ask_on_it, "uv_fs_stat", NO_LOOP);
  expect_abort(random_on_it, "uv_random", NO_LOOP);
  expect_abort(async_on_it, "uv_async_init", NO_LOOP);
}

TEST_IMPL(a_closed_loop_is_named) {
  is_closed_first = 1;
  expect_no_loop();
}

TEST_IMPL(a_zeroed_loop_is_named) {
  expect_no_loop();
  expect_abort(run_it, "uv_run", NO_LOOP);
  expect_abort(timer_on_it, "uv_timer_init", NO_LOOP);
  expect_abort(stream_on_it, "uv_tcp_init", NO_LOOP);
  expect_abort(walk_it, "uv_walk", NO_LOOP);
  expect_abort(print_it, "uv_print_all_handles", NO_LOOP);
}

/* --- Started timers that are initialised anew ---------------------------------------------- */

static int again_of;
static int again_timeout;
static uv_timer_t again[3];

static void on_again(uv_timer_t* handle) {
  (void) handle;
}

/* Three timers, of which the first two are due at the same time. One is initialised anew. */
static void initialise_anew(void) {
  uv_loop_t* loop = uv_default_loop();
  int i;
  for (i = 0; i < 3; i++) {
    uv_timer_init(loop, &again[i]);
    uv_timer_start(&again[i], on_again, i < 2 ? 1 : 2, 0);
  }
  uv_timer_init(loop, &again[again_of]);
  if (again_timeout > 0) uv_timer_start(&again[again_of], on_again, again_timeout, 0);
  uv_run(loop, UV_RUN_DEFAULT);
  /* What is left of the others may have hidden it. */
  write(2, "no abort", 8);
}

static void overwrite(void) {
  uv_timer_init(uv_default_loop(), &again[0]);
  uv_timer_start(&again[0], on_again, 1, 0);
  memset(&again[0], 0xdd, sizeof(again[0]));
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

TEST_IMPL(a_started_timer_that_is_initialised_anew_is_named) {
  for (again_of = 0; again_of < 3; again_of++)
    for (again_timeout = 0; again_timeout < 4; again_timeout++)
      expect_abort(initialise_anew, "uv_run", "initialised anew");
  expect_abort(overwrite, "uv_run", "overwritten");
}
