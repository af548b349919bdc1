/* Timers that tick while the thread pool counts primes: the loop stays responsive.
 *
 *   timers_and_work JOBS */
#include "common.h"

struct job {
  uv_work_t work;
  unsigned int from;
  unsigned int to;
  unsigned int primes;
};

static uv_timer_t ticker;
static int ticks;
static int jobs_left;
static unsigned int primes;

static void count_primes(uv_work_t* work) {
  struct job* job = work->data;
  unsigned int n;
  unsigned int d;

  for (n = job->from; n < job->to; n++) {
    for (d = 2; d * d <= n && n % d != 0; d++) continue;
    if (n >= 2 && d * d > n) job->primes++;
  }
}

static void on_counted(uv_work_t* work, int status) {
  struct job* job = work->data;
  check(status, "work");
  primes += job->primes;
  free(job);
  if (--jobs_left == 0) uv_close((uv_handle_t*) &ticker, NULL);
}

static void on_tick(uv_timer_t* timer) {
  (void) timer;
  ticks++;
}

int main(int argc, char** argv) {
  uv_loop_t* loop = uv_default_loop();
  int jobs = argc > 1 ? atoi(argv[1]) : 8;
  unsigned int each = 1000000 / (unsigned int) jobs;
  int i;

  check(uv_timer_init(loop, &ticker), "timer");
  check(uv_timer_start(&ticker, on_tick, 1, 1), "timer");
  for (i = 0; i < jobs; i++) {
    struct job* job = calloc(1, sizeof(*job));
    job->work.data = job;
    job->from = (unsigned int) i * each;
    job->to = i == jobs - 1 ? 1000000 : job->from + each;
    jobs_left++;
    check(uv_queue_work(loop, &job->work, count_primes, on_counted), "work");
  }
  uv_run(loop, UV_RUN_DEFAULT);
  printf("%u primes below 1000000, the timer ticked %s meanwhile\n", primes,
         ticks > 0 ? "on" : "never");
  return primes != 78498 || ticks == 0;
}
