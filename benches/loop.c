/* Iterations of the loop. */
#include "uv_bench.h"

static void count_tick(uv_idle_t* handle) {
  if (!bench_more(1)) uv_stop(handle->loop);
}

static void never(uv_timer_t* handle) { (void) handle; }

static void loop_count(const struct bench* bench) {
  uv_loop_t loop;
  uv_idle_t idle;
  uv_timer_t timer;
  OK(uv_loop_init(&loop));
  OK(uv_idle_init(&loop, &idle));
  OK(uv_idle_start(&idle, count_tick));
  if (bench->n) {
    OK(uv_timer_init(&loop, &timer));
    OK(uv_timer_start(&timer, never, 3600 * 1000, 0));
  }
  bench_start();
  uv_run(&loop, UV_RUN_DEFAULT);
}

static void loop_nowait(const struct bench* bench) {
  uv_loop_t loop;
  uv_async_t keeps_alive;
  (void) bench;
  OK(uv_loop_init(&loop));
  OK(uv_async_init(&loop, &keeps_alive, NULL));
  bench_start();
  do {
    uv_run(&loop, UV_RUN_NOWAIT);
  } while (bench_more(1));
}

static void loop_alive(const struct bench* bench) {
  uv_loop_t loop;
  uv_idle_t idle;
  (void) bench;
  OK(uv_loop_init(&loop));
  OK(uv_idle_init(&loop, &idle));
  OK(uv_idle_start(&idle, count_tick));
  bench_start();
  do {
    CHECK(uv_loop_alive(&loop));
  } while (bench_more(1));
}

static void loop_init(const struct bench* bench) {
  (void) bench;
  bench_start();
  do {
    uv_loop_t loop;
    OK(uv_loop_init(&loop));
    OK(uv_loop_close(&loop));
  } while (bench_more(1));
}

const struct bench benches[] = {
    {.name = "loop_count", .text = "one iteration with an idle handle", .run = loop_count},
    {.name = "loop_count_timed",
     .text = "one iteration with an idle handle and a timer",
     .run = loop_count,
     .n = 1},
    {.name = "loop_nowait",
     .text = "one uv_run in mode NOWAIT with nothing to do",
     .run = loop_nowait,
     .bare = "poll::epoll_wait"},
    {.name = "loop_alive", .text = "one uv_loop_alive", .run = loop_alive},
    {.name = "loop_init", .text = "one uv_loop_init and uv_loop_close", .run = loop_init},
    {.name = NULL},
};
