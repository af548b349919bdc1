/* Timers that come in order and not early, and the phases of an iteration. */
#include "program.h"

enum { timers = 10 };

static uv_timer_t timer[timers];
static uint64_t due[timers];
static uv_idle_t idle;
static uv_prepare_t prepare;
static uv_check_t check_handle;
static int ended_timers;
static int prepares, checks, idles;

static void on_timer(uv_timer_t* handle) {
  static int repeats;
  int which = (int) (handle - timer);
  EXPECT(uv_now(&loop) >= due[which], "timer %d is early", which);
  if (which == timers - 1 && ++repeats < 3) return;
  close_handle(handle);
  if (++ended_timers < timers) return;
  EXPECT(prepares > 0 && checks > 0 && idles > 0, "lost: a phase was left out");
  finish();
}

static void on_idle(uv_idle_t* handle) {
  if (++idles > 10) uv_idle_stop(handle);
}

static void on_prepare(uv_prepare_t* handle) {
  (void) handle;
  prepares++;
}

static void on_check(uv_check_t* handle) {
  (void) handle;
  checks++;
}

void program(void) {
  int i;
  MUST(uv_idle_init(&loop, &idle));
  MUST(uv_idle_start(&idle, on_idle));
  MUST(uv_prepare_init(&loop, &prepare));
  MUST(uv_prepare_start(&prepare, on_prepare));
  MUST(uv_check_init(&loop, &check_handle));
  MUST(uv_check_start(&check_handle, on_check));
  for (i = 0; i < timers; i++) {
    due[i] = uv_now(&loop) + (uint64_t) i * 3;
    MUST(uv_timer_init(&loop, &timer[i]));
    MUST(uv_timer_start(&timer[i], on_timer, (uint64_t) i * 3, i == timers - 1 ? 2 : 0));
  }
}
