/* Timers: many that expire, and few that are started anew. */
#include "uv_bench.h"

static uint64_t called;

static void count(uv_timer_t* handle) {
  (void) handle;
  called++;
}

/* Started ten thousand to each millisecond, run, closed. libuv's own benchmark differs only in
 * the time in which nothing is due yet, which takes ten of its eleven seconds: here the clocks
 * stand still until everything is due. */
static void many_timers(const struct bench* bench) {
  long number = bench_scaled(bench->n);
  uv_timer_t* timers = malloc((size_t) number * sizeof(*timers));
  CHECK(timers != NULL);
  /* The pages of the timers themselves are no cost of the library's. */
  memset(timers, 0, (size_t) number * sizeof(*timers));
  do {
    uv_loop_t loop;
    OK(uv_loop_init(&loop));
    called = 0;
    uint64_t due = bench_now() + ((uint64_t) number / 10000 + 2) * 1000000;
    bench_resume();
    for (long i = 0; i < number; i++) {
      OK(uv_timer_init(&loop, &timers[i]));
      OK(uv_timer_start(&timers[i], count, (uint64_t) (i / 10000 + 1), 0));
    }
    bench_pause(0);
    while (bench_now() < due) usleep(1000);
    bench_resume();
    uv_run(&loop, UV_RUN_DEFAULT);
    for (long i = 0; i < number; i++) uv_close((uv_handle_t*) &timers[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_pause((uint64_t) number);
    CHECK(called == (uint64_t) number);
    OK(uv_loop_close(&loop));
  } while (bench_round());
}

/* The usual life of a timeout: started, put off again and again, stopped before its time. */
static void timer_again(const struct bench* bench) {
  long number = bench_scaled(bench->n);
  uv_timer_t* timers = malloc((size_t) number * sizeof(*timers));
  uv_loop_t loop;
  CHECK(timers != NULL);
  OK(uv_loop_init(&loop));
  for (long i = 0; i < number; i++) {
    OK(uv_timer_init(&loop, &timers[i]));
    OK(uv_timer_start(&timers[i], count, 60000 + (uint64_t) (i % 1000), 0));
  }
  uint32_t random = 1;
  bench_start();
  do {
    random = random * 214013 + 2531011;
    uv_timer_t* timer = &timers[(random >> 4) % (uint32_t) number];
    OK(uv_timer_start(timer, count, 60000 + (random >> 8) % 1000, 0));
  } while (bench_more(1));
}

#define AGAIN(number)                                                                              \
  {.name = "timer_again_" #number,                                                                 \
   .text = "one uv_timer_start of a running timer, of " #number,                                   \
   .run = timer_again,                                                                             \
   .n = number,                                                                                    \
   .series = "timers"}

const struct bench benches[] = {
    {.name = "million_timers",
     .text = "one timer's whole life, of a million",
     .run = many_timers,
     .n = 1000000},
    {.name = "ten_million_timers",
     .text = "one timer's whole life, of ten million",
     .run = many_timers,
     .n = 10000000},
    AGAIN(10),
    AGAIN(100),
    AGAIN(1000),
    AGAIN(10000),
    AGAIN(100000),
    AGAIN(1000000),
    {.name = NULL},
};
