/* Children: one that sends back what it gets, one that is killed, one that cannot be started. */
#include "program.h"

enum { total = 5000 };

static uv_process_t cat, sleeper, missing;
static uv_pipe_t to_child, from_child;
static uv_write_t write_request;
static uv_shutdown_t shutdown_request;
static char sent[total];
static size_t received;
static int ends;

static void one_end(void) {
  if (++ends == 3) finish();
}

static void on_exit_of(uv_process_t* process, int64_t status, int signal) {
  int is_sleeper = process == &sleeper;
  EXPECT(!uv_is_closing((uv_handle_t*) process), "twice: an exit callback");
  /* How it ended is not known. */
  notes(status, "uv_exit_cb");
  EXPECT_UNLESS_TOLD(status == 0 && signal == (is_sleeper ? SIGTERM : 0),
                     "a child ended with %lld and signal %d", (long long) status, signal);
  close_handle(process);
  one_end();
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  if (size > 0) {
    check(buf->base, received, (size_t) size, "from the child");
    received += (size_t) size;
  } else if (size == UV_EOF) {
    EXPECT_UNLESS_TOLD(received == total, "lost: %zu bytes came back of %d", received, total);
    uv_read_stop(stream);
    one_end();
  } else {
    fails(size, "uv_read_cb");
  }
}

static void on_written(uv_write_t* request, int status) {
  ended(request);
  fails(status, "uv_write_cb");
}

static void on_shutdown(uv_shutdown_t* request, int status) {
  ended(request);
  fails(status, "uv_shutdown_cb");
}

/* The program of the child itself is not what is tried, so its handle is closed if it is refused. */
static int start(uv_process_t* process, char** arguments, uv_stdio_container_t* stdio) {
  uv_process_options_t options;
  int code;
  memset(&options, 0, sizeof(options));
  options.file = arguments[0];
  options.args = arguments;
  options.exit_cb = on_exit_of;
  options.cwd = "/";
  options.stdio = stdio;
  options.stdio_count = stdio == NULL ? 0 : 3;
  options.flags = stdio == NULL ? UV_PROCESS_DETACHED : 0;
  code = uv_spawn(&loop, process, &options);
  if (code != 0) close_handle(process);
  return code;
}

static int start_cat(void) {
  char* arguments[] = {"/bin/cat", NULL};
  uv_stdio_container_t stdio[3];
  stdio[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
  stdio[0].data.stream = (uv_stream_t*) &to_child;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*) &from_child;
  stdio[2].flags = UV_IGNORE;
  return start(&cat, arguments, stdio);
}

static void kill_sleeper(void) {
  if (notes(uv_process_kill(&sleeper, SIGTERM), "uv_process_kill"))
    own_kill(sleeper.pid, SIGKILL);
}

void program(void) {
  char* sleep_arguments[] = {"/bin/sleep", "60", NULL};
  char* missing_arguments[] = {"/no/such/program", NULL};
  uv_buf_t buf = uv_buf_init(sent, total);
  int code;
  fill(sent, 0, total);
  MUST(uv_pipe_init(&loop, &to_child, 0));
  MUST(uv_pipe_init(&loop, &from_child, 0));
  code = start(&missing, missing_arguments, NULL);
  EXPECT(code != 0, "a program was started that is not there");
  if (code != UV_ENOENT) notes(code, "uv_spawn");
  if (notes(start(&sleeper, sleep_arguments, NULL), "uv_spawn"))
    ends++;
  else
    kill_sleeper();
  MUST(start_cat());
  MUST(uv_read_start((uv_stream_t*) &from_child, give_buffer, on_read));
  BEGIN(&write_request, uv_write(&write_request, (uv_stream_t*) &to_child, &buf, 1, on_written));
  BEGIN(&shutdown_request, uv_shutdown(&shutdown_request, (uv_stream_t*) &to_child, on_shutdown));
}
