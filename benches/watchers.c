/* Many descriptors that are watched, of which one has something to say. */
#include "uv_bench.h"

#include <sys/eventfd.h>

static int busy;

static void never(uv_poll_t* handle, int status, int events) {
  (void) handle;
  (void) status;
  (void) events;
}

static void on_busy(uv_poll_t* handle, int status, int events) {
  uint64_t number = 1;
  OK(status);
  CHECK(events == UV_READABLE);
  /* Takes the event and makes the next. */
  CHECK(read(busy, &number, sizeof(number)) == sizeof(number));
  if (bench_more(1))
    CHECK(write(busy, &number, sizeof(number)) == sizeof(number));
  else
    uv_stop(handle->loop);
}

static void one_of_many(const struct bench* bench) {
  long number = bench_scaled(bench->n);
  uint64_t one = 1;
  bench_need_descriptors(number + 64);
  uv_poll_t* handles = malloc(((size_t) number + 1) * sizeof(*handles));
  uv_loop_t loop;
  CHECK(handles != NULL);
  OK(uv_loop_init(&loop));
  busy = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int idle = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  for (long i = 0; i < number; i++) {
    int fd = dup(idle);
    if (fd < 0) bench_skip("only %ld descriptors", i);
    OK(uv_poll_init(&loop, &handles[i], fd));
    OK(uv_poll_start(&handles[i], UV_READABLE, never));
  }
  OK(uv_poll_init(&loop, &handles[number], busy));
  OK(uv_poll_start(&handles[number], UV_READABLE, on_busy));
  uv_run(&loop, UV_RUN_NOWAIT);
  bench_start();
  CHECK(write(busy, &one, sizeof(one)) == sizeof(one));
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* A watcher that is started and stopped in every iteration, as a reader with back-pressure is. */
static void start_stop(const struct bench* bench) {
  uv_loop_t loop;
  uv_poll_t handle;
  (void) bench;
  OK(uv_loop_init(&loop));
  OK(uv_poll_init(&loop, &handle, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)));
  bench_start();
  do {
    OK(uv_poll_start(&handle, UV_READABLE, never));
    OK(uv_poll_stop(&handle));
  } while (bench_more(1));
}

#define AMONG(number)                                                                              \
  {.name = "poll_among_" #number,                                                                  \
   .text = "one event of one uv_poll_t among " #number,                                            \
   .run = one_of_many,                                                                             \
   .n = number,                                                                                    \
   .series = "watchers"}

const struct bench benches[] = {
    {.name = "poll_start_stop", .text = "uv_poll_start and uv_poll_stop", .run = start_stop},
    AMONG(10),
    AMONG(100),
    AMONG(1000),
    AMONG(10000),
    AMONG(100000),
    AMONG(1000000),
    {.name = NULL},
};
