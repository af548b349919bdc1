/* Children that repeat what they get, a folder that is watched, and jobs of the pool that send to the
 * loop: one after the other, with short pauses. */
#include "soak.h"

#include <fcntl.h>
#include <unistd.h>

enum { pause_ms = 50, most_data = 60000 };

/* --- Children ---------------------------------------------------------------------------------- */

static struct {
  uv_process_t process;
  uv_pipe_t input, output;
  uv_write_t write;
  uv_shutdown_t shutdown;
  uv_timer_t pause;
  uint64_t random_state, seed;
  uint64_t size, received;
  int64_t status;
  unsigned handles;
  unsigned last_tick;
  char data[most_data];
} child;

static void start_child(uv_timer_t* timer);

int run_child(const char* status) {
  static char data[8192];
  ssize_t size;
  while ((size = read(0, data, sizeof(data))) > 0) {
    ssize_t at = 0;
    while (at < size) {
      ssize_t done = write(1, data + at, (size_t) (size - at));
      if (done < 0) return 100;
      at += done;
    }
  }
  return atoi(status);
}

static void on_child_closed(uv_handle_t* handle) {
  (void) handle;
  child.last_tick = ticks;
  if (--child.handles > 0) return;
  EXPECT(child.received == child.size, "lost: a child repeated %llu of %llu bytes",
         (unsigned long long) child.received, (unsigned long long) child.size);
  totals.children++;
  if (is_ending)
    uv_close((uv_handle_t*) &child.pause, NULL);
  else
    MUST(uv_timer_start(&child.pause, start_child, pause_ms, 0));
}

static void on_exit_of_child(uv_process_t* process, int64_t status, int signal) {
  EXPECT(status == child.status && signal == 0, "wrong: a child ended with %lld, signal %d",
         (long long) status, signal);
  uv_close((uv_handle_t*) process, on_child_closed);
}

static void give_buffer(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  static char memory[4096];
  (void) handle, (void) size;
  *buf = uv_buf_init(memory, sizeof(memory));
}

static void on_output(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  child.last_tick = ticks;
  if (size == UV_EOF) {
    uv_close((uv_handle_t*) stream, on_child_closed);
    return;
  }
  EXPECT(size >= 0, "the output of a child: %s", uv_err_name((int) size));
  check(buf->base, child.seed, child.received, (size_t) size, "a child's output");
  child.received += (uint64_t) size;
}

static void on_input_shut(uv_shutdown_t* request, int status) {
  EXPECT(status == 0, "the input of a child cannot be shut: %s", uv_err_name(status));
  uv_close((uv_handle_t*) request->handle, on_child_closed);
}

static void on_input_written(uv_write_t* request, int status) {
  EXPECT(status == 0, "a child takes no input: %s", uv_err_name(status));
  MUST(uv_shutdown(&child.shutdown, request->handle, on_input_shut));
}

static void spawn_child(void) {
  char path[1024];
  size_t size = sizeof(path);
  char status[8];
  char* arguments[] = {"soak", "child", status, NULL};
  uv_stdio_container_t stdio[3] = {
    {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t*) &child.input},
    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t*) &child.output},
    {.flags = UV_INHERIT_FD, .data.fd = 2},
  };
  uv_process_options_t options = {
    .exit_cb = on_exit_of_child, .file = path, .args = arguments, .stdio = stdio, .stdio_count = 3};
  MUST(uv_exepath(path, &size));
  snprintf(status, sizeof(status), "%d", (int) child.status);
  MUST(uv_spawn(&loop, &child.process, &options));
}

static void start_child(uv_timer_t* timer) {
  uv_buf_t buf;
  (void) timer;
  child.seed = draw(&child.random_state);
  child.size = 1 + draw_below(&child.random_state, most_data);
  child.status = draw_below(&child.random_state, 100);
  child.received = 0;
  child.handles = 3;
  MUST(uv_pipe_init(&loop, &child.input, 0));
  MUST(uv_pipe_init(&loop, &child.output, 0));
  spawn_child();
  MUST(uv_read_start((uv_stream_t*) &child.output, give_buffer, on_output));
  fill(child.data, child.seed, 0, child.size);
  buf = uv_buf_init(child.data, (unsigned) child.size);
  MUST(uv_write(&child.write, (uv_stream_t*) &child.input, &buf, 1, on_input_written));
}

/* --- A watched folder -------------------------------------------------------------------------- */

static struct {
  uv_fs_event_t event;
  uv_timer_t pause;
  uint64_t random_state;
  unsigned last_tick;
  char folder[200], name[32];
} watch;

static void start_watch(uv_timer_t* timer);

static void path_of_watched(char* path, size_t size) {
  snprintf(path, size, "%s/%s", watch.folder, watch.name);
}

static void on_watch_closed(uv_handle_t* handle) {
  char path[300];
  (void) handle;
  path_of_watched(path, sizeof(path));
  EXPECT(unlink(path) == 0, "%s is not there", path);
  totals.watches++;
  watch.last_tick = ticks;
  if (is_ending)
    uv_close((uv_handle_t*) &watch.pause, NULL);
  else
    MUST(uv_timer_start(&watch.pause, start_watch, pause_ms, 0));
}

static void on_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  (void) events;
  EXPECT(status == 0, "watching: %s", uv_err_name(status));
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "an event after uv_close");
  EXPECT(name != NULL && strcmp(name, watch.name) == 0, "wrong: an event of %s, not of %s", name,
         watch.name);
  uv_close((uv_handle_t*) handle, on_watch_closed);
}

static void start_watch(uv_timer_t* timer) {
  char path[300];
  int file;
  (void) timer;
  snprintf(watch.name, sizeof(watch.name), "%016llx",
           (unsigned long long) draw(&watch.random_state));
  MUST(uv_fs_event_init(&loop, &watch.event));
  MUST(uv_fs_event_start(&watch.event, on_event, watch.folder, 0));
  path_of_watched(path, sizeof(path));
  file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  EXPECT(file >= 0, "%s cannot be made", path);
  close(file);
}

/* --- The pool ---------------------------------------------------------------------------------- */

static struct {
  uv_work_t work;
  uv_async_t async;
  uv_timer_t pause;
  uint64_t random_state, seed;
  unsigned last_tick;
  int is_done, is_sent;
  char data[10000];
} job;

static void start_job(uv_timer_t* timer);

static void on_half(void) {
  job.last_tick = ticks;
  if (!job.is_done || !job.is_sent) return;
  check(job.data, job.seed, 0, sizeof(job.data), "a job's result");
  totals.jobs++;
  if (is_ending) {
    uv_close((uv_handle_t*) &job.pause, NULL);
    uv_close((uv_handle_t*) &job.async, NULL);
  } else {
    MUST(uv_timer_start(&job.pause, start_job, pause_ms, 0));
  }
}

static void on_sent(uv_async_t* async) {
  (void) async;
  EXPECT(!job.is_sent, "twice: a message");
  job.is_sent = 1;
  on_half();
}

static void after_work(uv_work_t* work, int status) {
  (void) work;
  EXPECT(status == 0 && !job.is_done, "twice: the end of a job, or an error of it");
  job.is_done = 1;
  on_half();
}

static void do_work(uv_work_t* work) {
  (void) work;
  fill(job.data, job.seed, 0, sizeof(job.data));
  MUST(uv_async_send(&job.async));
}

static void start_job(uv_timer_t* timer) {
  (void) timer;
  job.seed = draw(&job.random_state);
  job.is_done = job.is_sent = 0;
  MUST(uv_queue_work(&loop, &job.work, do_work, after_work));
}

/* ----------------------------------------------------------------------------------------------- */

void start_jobs(void) {
  uv_fs_t request;
  MUST(uv_timer_init(&loop, &child.pause));
  MUST(uv_timer_init(&loop, &watch.pause));
  MUST(uv_timer_init(&loop, &job.pause));
  MUST(uv_async_init(&loop, &job.async, on_sent));
  child.random_state = settings.seed + 200;
  watch.random_state = settings.seed + 201;
  job.random_state = settings.seed + 202;
  snprintf(watch.folder, sizeof(watch.folder), "%s/watched", settings.folder);
  MUST(uv_fs_mkdir(NULL, &request, watch.folder, 0700, NULL));
  uv_fs_req_cleanup(&request);
  start_child(NULL);
  start_watch(NULL);
  start_job(NULL);
}

void check_jobs(void) {
  if (is_ending) return;
  EXPECT(!is_tired(child.last_tick), "hang: a child waits");
  EXPECT(!is_tired(watch.last_tick), "hang: no event of %s", watch.name);
  EXPECT(!is_tired(job.last_tick), "hang: a job waits, done %d, sent %d", job.is_done, job.is_sent);
}
