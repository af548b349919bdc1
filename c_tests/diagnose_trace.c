/* OXUV_TRACE: what loops do, in a file of trace events. */
#include "diagnose.h"

#define FILE_NAME "trace.json"

static char content[1 << 20];

/* The file so far; "" before there is one. */
static const char* trace(const char* name) {
  int fd = open(name, O_RDONLY);
  ssize_t length = fd < 0 ? 0 : read(fd, content, sizeof(content) - 1);

  content[length < 0 ? 0 : length] = '\0';
  if (fd >= 0) close(fd);
  return content;
}

static void expect_part(const char* text) {
  if (strstr(content, text) == NULL) FAIL("%s is not in %s", text, content);
}

static int ends_with(const char* end) {
  size_t length = strlen(content);
  return length >= strlen(end) && strcmp(content + length - strlen(end), end) == 0;
}

static void on_timer(uv_timer_t* timer) {
  uv_close((uv_handle_t*) timer, NULL);
}

static void on_stat(uv_fs_t* req) {
  ASSERT_OK(req->result);
  uv_fs_req_cleanup(req);
}

/* Whether the main thread sleeps, as the loop does that blocks. */
static int is_loop_asleep(void) {
  char path[64], line[512];
  const char* state;
  FILE* file;

  snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int) getpid());
  file = fopen(path, "r");
  ASSERT(file != NULL);
  ASSERT(fgets(line, sizeof(line), file) != NULL);
  fclose(file);
  state = strrchr(line, ')');
  return state != NULL && state[2] == 'S';
}

/* Ends when the loop blocks, so that it is the job that wakes it. */
static void work(uv_work_t* req) {
  int times = 0;

  (void) req;
  while (times < 3) {
    usleep(1000);
    times = is_loop_asleep() ? times + 1 : 0;
  }
}

static void after_work(uv_work_t* req, int status) {
  (void) req;
  ASSERT_OK(status);
}

static void on_alloc(uv_handle_t* handle, size_t size, uv_buf_t* buffer) {
  static char bytes[64];
  (void) handle;
  (void) size;
  *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  (void) buffer;
  ASSERT_EQ(count, 5);
  uv_close((uv_handle_t*) stream, NULL);
}

static void on_write(uv_write_t* req, int status) {
  ASSERT_OK(status);
  uv_close((uv_handle_t*) req->handle, NULL);
}

static void run_some(void) {
  uv_loop_t* loop = uv_default_loop();
  uv_buf_t buffer = uv_buf_init("bytes", 5);
  uv_os_sock_t ends[2];
  uv_pipe_t reader, writer;
  uv_timer_t timer;
  uv_write_t write;
  uv_work_t job;
  uv_fs_t stat;

  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 20, 0));
  ASSERT_OK(uv_queue_work(loop, &job, work, after_work));
  ASSERT_OK(uv_fs_stat(loop, &stat, "/", on_stat));
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(loop, &reader, 0));
  ASSERT_OK(uv_pipe_open(&reader, ends[0]));
  ASSERT_OK(uv_read_start((uv_stream_t*) &reader, on_alloc, on_read));
  ASSERT_OK(uv_pipe_init(loop, &writer, 0));
  ASSERT_OK(uv_pipe_open(&writer, ends[1]));
  ASSERT_OK(uv_write(&write, (uv_stream_t*) &writer, &buffer, 1, on_write));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
}

TEST_IMPL(trace_has_iterations_callbacks_jobs_waits_and_bytes) {
  struct watched child;

  watch(&child, "OXUV_TRACE", FILE_NAME, run_some);
  expect_exit(&child);
  ASSERT_STR_EQ(child.text, "");
  trace(FILE_NAME);
  ASSERT_EQ(strncmp(content, "[{", 2), 0);
  ASSERT(ends_with("\n]\n"));
  expect_part("\"name\":\"uv_run\",\"cat\":\"run\",\"ph\":\"X\"");
  expect_part("\"name\":\"iteration\",\"cat\":\"iteration\",\"ph\":\"X\"");
  expect_part("\"name\":\"timers\",\"cat\":\"phase\",\"ph\":\"X\"");
  expect_part("\"name\":\"timer\",\"cat\":\"callback\"");
  expect_part("\"symbol\":\"on_timer");
  expect_part("\"symbol\":\"after_work");
  expect_part("\"name\":\"work\",\"cat\":\"job\"");
  expect_part("\"name\":\"fs stat");
  expect_part("\"queued_us\":");
  expect_part("\"ended_by\":\"");
  expect_part("\"type\":\"pipe\",\"bytes\":5");
  expect_part("\"name\":\"sent\",\"cat\":\"bytes\"");
  expect_part("\"args\":{\"name\":\"libuv-worker\"}");
}

static void on_timer_for_ever(uv_timer_t* timer) {
  (void) timer;
  for (;;) pause();
}

static void run_for_ever(void) {
  uv_timer_t timer;

  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer_for_ever, 0, 0));
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

TEST_IMPL(trace_of_a_killed_program_shows_what_ran) {
  struct watched child;
  int status;

  watch(&child, "OXUV_TRACE", FILE_NAME, run_for_ever);
  while (strstr(trace(FILE_NAME), "on_timer_for_ever") == NULL) usleep(1000);
  ASSERT_OK(kill(child.pid, SIGKILL));
  ASSERT_EQ(waitpid(child.pid, &status, 0), child.pid);
  close(child.said);
  trace(FILE_NAME);
  expect_part("\"name\":\"timer\",\"cat\":\"callback\",\"ph\":\"B\"");
  /* A reader adds the bracket. */
  ASSERT(ends_with("}"));
}

static void run_and_fork(void) {
  int status;
  pid_t pid;

  run_some();
  pid = fork();
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(uv_default_loop()));
    run_some();
    exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  fprintf(stderr, "%d ", (int) pid);
}

TEST_IMPL(trace_of_a_forked_child_is_a_file_of_its_own) {
  struct watched child;
  char name[64];

  watch(&child, "OXUV_TRACE", FILE_NAME, run_and_fork);
  expect_exit(&child);
  trace(FILE_NAME);
  expect_part("on_timer");
  ASSERT(ends_with("\n]\n"));
  snprintf(name, sizeof(name), FILE_NAME ".%d", atoi(child.text));
  trace(name);
  expect_part("on_timer");
  ASSERT(ends_with("\n]\n"));
}

static void fork_and_exec(void) {
  int status;
  pid_t pid;

  run_some();
  pid = fork();
  if (pid == 0) {
    execl("/bin/true", "true", (char*) NULL);
    _exit(1);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  run_some();
}

TEST_IMPL(trace_goes_on_beside_a_child_that_is_another_program) {
  struct watched child;

  watch(&child, "OXUV_TRACE", FILE_NAME, fork_and_exec);
  expect_exit(&child);
  trace(FILE_NAME);
  ASSERT(ends_with("\n]\n"));
}

TEST_IMPL(trace_that_cannot_be_written_is_told_on_one_line) {
  struct watched child;

  watch(&child, "OXUV_TRACE", "no/such/folder.json", run_some);
  expect_exit(&child);
  ASSERT_EQ(strncmp(child.text, "oxuv: OXUV_TRACE: nothing is recorded: ", 39), 0);
  ASSERT_PTR_EQ(strchr(child.text, '\n'), child.text + child.length - 1);
}
