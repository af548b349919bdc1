/* Events with pauses between them: does spinning before blocking pay, and what does it cost? The
 * result is the latency in the middle; processor time is that of the side that waits. */
#include "echo_server.h"
#include "load.h"

#include <pthread.h>
#include <stdatomic.h>

static uv_loop_t loop;
static atomic_int answered;
static atomic_int is_over;
static uint64_t pause_time;
static uint64_t sent;

/* --- Wake-ups from another thread -------------------------------------------------------- */

static uv_async_t async;
static uv_work_t work;
static int through_pool;

/* Never blocks, so that only the loop's waking is measured; its own time is not counted. */
static void send_with_pauses(void* argument) {
  (void) argument;
  clockid_t clock;
  CHECK(pthread_getcpuclockid(pthread_self(), &clock) == 0);
  bench_do_not_count_cpu_of(clock);
  bench_start();
  do {
    atomic_store(&answered, 0);
    sent = bench_now();
    OK(uv_async_send(&async));
    while (!atomic_load_explicit(&answered, memory_order_acquire)) {}
    bench_latency(bench_now() - sent);
    bench_spin(pause_time);
  } while (bench_more(1));
  atomic_store(&is_over, 1);
  OK(uv_async_send(&async));
}

static void do_nothing(uv_work_t* request) { (void) request; }

static void after_work(uv_work_t* request, int status) {
  (void) request;
  OK(status);
  atomic_store_explicit(&answered, 1, memory_order_release);
}

static void on_async(uv_async_t* handle) {
  if (atomic_load(&is_over)) {
    uv_stop(handle->loop);
    return;
  }
  if (through_pool)
    OK(uv_queue_work(&loop, &work, do_nothing, after_work));
  else
    atomic_store_explicit(&answered, 1, memory_order_release);
}

static void wake_ups(const struct bench* bench) {
  uv_thread_t thread;
  pause_time = (uint64_t) bench->n * 1000;
  through_pool = (int) bench->m;
  OK(uv_loop_init(&loop));
  OK(uv_async_init(&loop, &async, on_async));
  OK(uv_thread_create(&thread, send_with_pauses, NULL));
  uv_run(&loop, UV_RUN_DEFAULT);
  OK(uv_thread_join(&thread));
  bench_value_is_latency();
}

/* --- Jobs that take a while -------------------------------------------------------------- */

static void take_a_while(uv_work_t* request) {
  (void) request;
  bench_spin(pause_time);
}

static void queue_job(void);

static void after_job(uv_work_t* request, int status) {
  (void) request;
  OK(status);
  uint64_t taken = bench_now() - sent;
  bench_latency(taken > pause_time ? taken - pause_time : 0);
  if (bench_more(1)) queue_job();
}

static void queue_job(void) {
  sent = bench_now();
  OK(uv_queue_work(&loop, &work, take_a_while, after_job));
}

static void jobs(const struct bench* bench) {
  pause_time = (uint64_t) bench->n * 1000;
  OK(uv_loop_init(&loop));
  bench_start();
  queue_job();
  uv_run(&loop, UV_RUN_DEFAULT);
  bench_value_is_latency();
}

/* --- A socket ---------------------------------------------------------------------------- */

static void socket_pauses(const struct bench* bench) {
  long port;
  bench_count_cpu_only_of(bench_child(echo_serve, 1, &port));
  load_with_pauses(port, (uint64_t) bench->n * 1000);
  bench_value_is_latency();
}

#define ROWS(microseconds)                                                                         \
  {.name = "async_" #microseconds "us",                                                            \
   .text = "a wake-up from another thread, " #microseconds " µs after the last",                   \
   .run = wake_ups,                                                                                \
   .n = microseconds,                                                                              \
   .series = "gap_async",                                                                          \
   .kind = BENCH_NANOSECONDS},                                                                     \
      {.name = "work_" #microseconds "us",                                                         \
       .text = "a wake-up and a job, " #microseconds " µs after the last",                         \
       .run = wake_ups,                                                                            \
       .n = microseconds,                                                                          \
       .m = 1,                                                                                     \
       .series = "gap_work",                                                                       \
       .kind = BENCH_NANOSECONDS},                                                                 \
      {.name = "job_" #microseconds "us",                                                          \
       .text = "what a job of " #microseconds " µs takes longer than that",                        \
       .run = jobs,                                                                                \
       .n = microseconds,                                                                          \
       .series = "gap_job",                                                                        \
       .kind = BENCH_NANOSECONDS},                                                                 \
  {                                                                                                \
    .name = "tcp_" #microseconds "us",                                                             \
    .text = "an echo over TCP, " #microseconds " µs after the last", .run = socket_pauses,         \
    .n = microseconds, .bare = "gap::tcp_" #microseconds "us", .series = "gap_tcp",                \
    .kind = BENCH_NANOSECONDS                                                                      \
  }

const struct bench benches[] = {
    ROWS(1),
    ROWS(2),
    ROWS(5),
    ROWS(10),
    ROWS(20),
    ROWS(50),
    ROWS(100),
    ROWS(200),
    ROWS(1000),
    {.name = NULL},
};
