/* Jobs for the pool. */
#include "uv_bench.h"

struct job {
  uv_work_t work;
  uint64_t queued;
  unsigned result;
};

static int is_over;

static void do_job(uv_work_t* work) {
  struct job* job = CONTAINER(work, struct job, work);
  job->result = job->result * 214013 + 2531011;
}

static void queue(uv_loop_t* loop, struct job* job);

static void after_job(uv_work_t* work, int status) {
  struct job* job = CONTAINER(work, struct job, work);
  OK(status);
  if (is_over) return;
  bench_latency(bench_now() - job->queued);
  if (bench_more(1))
    queue(work->loop, job);
  else
    is_over = 1;
}

static void queue(uv_loop_t* loop, struct job* job) {
  job->queued = bench_now();
  OK(uv_queue_work(loop, &job->work, do_job, after_job));
}

static void run_jobs(long in_flight) {
  uv_loop_t loop;
  struct job* jobs = calloc((size_t) in_flight, sizeof(*jobs));
  CHECK(jobs != NULL);
  OK(uv_loop_init(&loop));
  bench_start();
  for (long i = 0; i < in_flight; i++) queue(&loop, &jobs[i]);
  uv_run(&loop, UV_RUN_DEFAULT);
}

static void queue_work(const struct bench* bench) { run_jobs(bench_scaled(bench->n)); }

static void pool_size(const struct bench* bench) {
  char text[16];
  snprintf(text, sizeof(text), "%ld", bench->n);
  CHECK(setenv("UV_THREADPOOL_SIZE", text, 1) == 0);
  run_jobs(64);
}

#define IN_FLIGHT(number)                                                                          \
  {.name = "queue_work_" #number,                                                                  \
   .text = "one job and its callback, " #number " in flight",                                      \
   .run = queue_work,                                                                              \
   .n = number,                                                                                    \
   .series = "work"}
#define POOL(number)                                                                               \
  {.name = "pool_size_" #number,                                                                   \
   .text = "one job and its callback, 64 in flight, UV_THREADPOOL_SIZE=" #number,                  \
   .run = pool_size,                                                                               \
   .n = number,                                                                                    \
   .series = "pool_size"}

const struct bench benches[] = {
    {.name = "queue_work",
     .text = "one job and its callback, one at a time",
     .run = queue_work,
     .n = 1,
     .bare = "threads::futex"},
    IN_FLIGHT(8),
    IN_FLIGHT(64),
    IN_FLIGHT(1000),
    IN_FLIGHT(10000),
    IN_FLIGHT(100000),
    IN_FLIGHT(1000000),
    POOL(1),
    POOL(2),
    POOL(4),
    POOL(8),
    POOL(16),
    POOL(32),
    POOL(64),
    {.name = NULL},
};
