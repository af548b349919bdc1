/* Wake-ups of a loop by other threads. */
#include "uv_bench.h"

#include <stdatomic.h>

static atomic_int is_over;

/* --- A loop and others that wake each other in turn ---------------------------------------- */

struct pair {
  uv_loop_t loop;
  uv_thread_t thread;
  uv_async_t here;
  uv_async_t there;
  uint64_t sent;
  atomic_int ends;
};

static void on_there(uv_async_t* handle) {
  struct pair* pair = CONTAINER(handle, struct pair, there);
  if (atomic_load_explicit(&pair->ends, memory_order_relaxed))
    uv_close((uv_handle_t*) handle, NULL);
  else
    OK(uv_async_send(&pair->here));
}

static void on_here(uv_async_t* handle) {
  struct pair* pair = CONTAINER(handle, struct pair, here);
  uint64_t now = bench_now();
  if (pair->sent != 0) bench_latency((now - pair->sent) / 2);
  pair->sent = now;
  /* A round is two wake-ups. */
  if (!bench_more(2)) {
    atomic_store(&pair->ends, 1);
    uv_close((uv_handle_t*) handle, NULL);
  }
  OK(uv_async_send(&pair->there));
}

static void run_there(void* argument) {
  struct pair* pair = argument;
  OK(uv_async_send(&pair->here));
  uv_run(&pair->loop, UV_RUN_DEFAULT);
  OK(uv_loop_close(&pair->loop));
}

static void async_pairs(const struct bench* bench) {
  uv_loop_t loop;
  struct pair* pairs = calloc((size_t) bench->n, sizeof(*pairs));
  CHECK(pairs != NULL);
  OK(uv_loop_init(&loop));
  for (long i = 0; i < bench->n; i++) {
    OK(uv_loop_init(&pairs[i].loop));
    OK(uv_async_init(&pairs[i].loop, &pairs[i].there, on_there));
    OK(uv_async_init(&loop, &pairs[i].here, on_here));
  }
  bench_start();
  for (long i = 0; i < bench->n; i++) OK(uv_thread_create(&pairs[i].thread, run_there, &pairs[i]));
  uv_run(&loop, UV_RUN_DEFAULT);
  for (long i = 0; i < bench->n; i++) OK(uv_thread_join(&pairs[i].thread));
}

/* --- Threads that send as fast as they can ------------------------------------------------- */

static void pummel(void* argument) {
  while (!atomic_load_explicit(&is_over, memory_order_relaxed)) OK(uv_async_send(argument));
}

static void on_pummel(uv_async_t* handle) {
  if (bench_more(1)) return;
  atomic_store(&is_over, 1);
  uv_stop(handle->loop);
}

static void async_pummel(const struct bench* bench) {
  uv_loop_t loop;
  uv_async_t async;
  uv_thread_t threads[8];
  OK(uv_loop_init(&loop));
  OK(uv_async_init(&loop, &async, on_pummel));
  bench_start();
  for (long i = 0; i < bench->n; i++) OK(uv_thread_create(&threads[i], pummel, &async));
  uv_run(&loop, UV_RUN_DEFAULT);
  for (long i = 0; i < bench->n; i++) OK(uv_thread_join(&threads[i]));
}

/* --- Many handles, of which one at a time is sent ------------------------------------------ */

struct crowd {
  uv_async_t* handles;
  long number;
};

static void send_at_random(void* argument) {
  struct crowd* crowd = argument;
  uint32_t random = 1;
  while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    random = random * 214013 + 2531011;
    OK(uv_async_send(&crowd->handles[random % (uint32_t) crowd->number]));
  }
}

static void many_asyncs(const struct bench* bench) {
  uv_loop_t loop;
  uv_thread_t thread;
  struct crowd crowd = {.number = bench_scaled(bench->n)};
  crowd.handles = malloc((size_t) crowd.number * sizeof(*crowd.handles));
  CHECK(crowd.handles != NULL);
  OK(uv_loop_init(&loop));
  for (long i = 0; i < crowd.number; i++) OK(uv_async_init(&loop, &crowd.handles[i], on_pummel));
  bench_start();
  OK(uv_thread_create(&thread, send_at_random, &crowd));
  uv_run(&loop, UV_RUN_DEFAULT);
  OK(uv_thread_join(&thread));
}

/* Sends to one handle of many on the loop's own thread: what a wake-up costs by itself. */
static uv_async_t* next_handle;

static void send_next(uv_async_t* handle) {
  if (bench_more(1))
    OK(uv_async_send(next_handle));
  else
    uv_stop(handle->loop);
}

static void async_among(const struct bench* bench) {
  uv_loop_t loop;
  long number = bench_scaled(bench->n);
  uv_async_t* handles = malloc((size_t) number * sizeof(*handles));
  CHECK(handles != NULL);
  OK(uv_loop_init(&loop));
  for (long i = 0; i < number; i++) OK(uv_async_init(&loop, &handles[i], send_next));
  next_handle = &handles[number / 2];
  bench_start();
  OK(uv_async_send(next_handle));
  uv_run(&loop, UV_RUN_DEFAULT);
}

#define PAIRS(number)                                                                              \
  {.name = "async" #number,                                                                        \
   .text = "one wake-up between a loop and " #number " others in turn",                            \
   .run = async_pairs,                                                                             \
   .n = number,                                                                                    \
   .bare = "threads::eventfd_" #number}
#define PUMMEL(number)                                                                             \
  {.name = "async_pummel_" #number,                                                                \
   .text = "one callback, sent by " #number " threads without a pause",                            \
   .run = async_pummel,                                                                            \
   .n = number}
#define AMONG(number)                                                                              \
  {.name = "async_among_" #number,                                                                 \
   .text = "one send and its callback, among " #number " handles",                                 \
   .run = async_among,                                                                             \
   .n = number,                                                                                    \
   .series = "asyncs"}

const struct bench benches[] = {
    PAIRS(1),
    PAIRS(2),
    PAIRS(4),
    PAIRS(8),
    PUMMEL(1),
    PUMMEL(2),
    PUMMEL(4),
    PUMMEL(8),
    {.name = "million_async",
     .text = "one callback, a thread sends to a million handles at random",
     .run = many_asyncs,
     .n = 1000000},
    AMONG(10),
    AMONG(100),
    AMONG(1000),
    AMONG(10000),
    AMONG(100000),
    AMONG(1000000),
    {.name = NULL},
};
