/* The order of messages (sent async handles, jobs that are done) and readiness: a message that was
 * there before data was written is delivered before the data is.
 * https://docs.libuv.org/en/v1.x/design.html#the-i-o-loop */
#include "task.h"

#include <semaphore.h>

static uv_loop_t* loop;
static uv_pipe_t reader;
static int ends[2];
static int has_read;

static void on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  (void) buf;
  if (nread == 0) return;
  ASSERT_EQ(nread, 1);
  note("r");
  has_read = 1;
  uv_close((uv_handle_t*) stream, NULL);
}

static void open_reader(void) {
  loop = uv_default_loop();
  ASSERT_OK(pipe(ends));
  ASSERT_OK(uv_pipe_init(loop, &reader, 0));
  ASSERT_OK(uv_pipe_open(&reader, ends[0]));
  ASSERT_OK(uv_read_start((uv_stream_t*) &reader, alloc_static, on_read));
}

static void write_one(void) {
  ASSERT_EQ(write(ends[1], "x", 1), 1);
}

static void end(const char* expected) {
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES(expected);
  ASSERT_OK(close(ends[1]));
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_async_t async;

static void on_async(uv_async_t* handle) {
  note("a");
  uv_close((uv_handle_t*) handle, NULL);
}

static void send_and_write(uv_timer_t* timer) {
  ASSERT_OK(uv_async_send(&async));
  write_one();
  uv_close((uv_handle_t*) timer, NULL);
}

TEST_IMPL(a_handle_that_was_sent_comes_before_data_written_later) {
  uv_timer_t timer;
  open_reader();
  ASSERT_OK(uv_async_init(loop, &async, on_async));
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, send_and_write, 1, 0));
  end("a r");
}

TEST_IMPL(so_it_does_before_the_loop_runs) {
  open_reader();
  ASSERT_OK(uv_async_init(loop, &async, on_async));
  ASSERT_OK(uv_async_send(&async));
  write_one();
  end("a r");
}

static sem_t begun, may_end;
static uv_work_t first, second;

static void no_work(uv_work_t* req) {
  (void) req;
}

static void gated_work(uv_work_t* req) {
  (void) req;
  sem_post(&begun);
  sem_wait(&may_end);
}

static void on_first_done(uv_work_t* req, int status) {
  (void) req;
  ASSERT_OK(status);
  note("w");
}

/* With one thread, the first job is delivered when the second one begins. */
static void work_and_write(uv_timer_t* timer) {
  ASSERT_OK(uv_queue_work(loop, &first, no_work, on_first_done));
  ASSERT_OK(uv_queue_work(loop, &second, gated_work, NULL));
  sem_wait(&begun);
  write_one();
  sem_post(&may_end);
  uv_close((uv_handle_t*) timer, NULL);
}

TEST_IMPL(a_job_that_is_done_comes_before_data_written_later) {
  uv_timer_t timer;
  setenv("UV_THREADPOOL_SIZE", "1", 1);
  ASSERT_OK(sem_init(&begun, 0, 0));
  ASSERT_OK(sem_init(&may_end, 0, 0));
  open_reader();
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, work_and_write, 1, 0));
  end("w r");
}

static int sends;

static void on_read_send(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  on_read(stream, nread, buf);
  if (sends++ == 0) ASSERT_OK(uv_async_send(&async));
}

static void on_check(uv_check_t* check) {
  if (!has_read) return;
  note("c");
  uv_close((uv_handle_t*) check, NULL);
}

/* What a callback sends is for the next iteration. */
TEST_IMPL(a_handle_that_a_reader_sends_comes_in_the_next_iteration) {
  uv_check_t check;
  open_reader();
  ASSERT_OK(uv_read_stop((uv_stream_t*) &reader));
  ASSERT_OK(uv_read_start((uv_stream_t*) &reader, alloc_static, on_read_send));
  ASSERT_OK(uv_async_init(loop, &async, on_async));
  ASSERT_OK(uv_check_init(loop, &check));
  ASSERT_OK(uv_check_start(&check, on_check));
  write_one();
  end("r c a");
}
