/* https://docs.libuv.org/en/v1.x/timer.html */
#include "task.h"

static uv_timer_t a, b, c;
static int count;

static void on_close(uv_handle_t* handle) {
  note("%s-closed", (const char*) handle->data);
}

static void note_name(uv_timer_t* timer) {
  note("%s", (const char*) timer->data);
}

static void never(uv_timer_t* timer) {
  FAIL("the callback of %s was called", (const char*) timer->data);
}

static uv_loop_t* three_timers(void) {
  uv_loop_t* loop = uv_default_loop();
  ASSERT_OK(uv_timer_init(loop, &a));
  ASSERT_OK(uv_timer_init(loop, &b));
  ASSERT_OK(uv_timer_init(loop, &c));
  a.data = "a";
  b.data = "b";
  c.data = "c";
  return loop;
}

TEST_IMPL(init_makes_an_inactive_referenced_handle) {
  uv_timer_t timer;
  memset(&timer, 0xa5, sizeof(timer));
  timer.data = &count;
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_PTR_EQ(timer.data, &count);
  ASSERT_PTR_EQ(timer.loop, uv_default_loop());
  ASSERT_EQ(timer.type, UV_TIMER);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &timer), 0);
  ASSERT_EQ(uv_is_closing((uv_handle_t*) &timer), 0);
  ASSERT_NE(uv_has_ref((uv_handle_t*) &timer), 0);
  ASSERT_EQ(uv_timer_get_repeat(&timer), 0);
  ASSERT_EQ(uv_timer_get_due_in(&timer), 0);
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(start_without_callback_is_invalid) {
  three_timers();
  ASSERT_EQ(uv_timer_start(&a, NULL, 0, 0), UV_EINVAL);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  /* An active timer goes on as it was. */
  ASSERT_OK(uv_timer_start(&a, note_name, 1, 0));
  ASSERT_EQ(uv_timer_start(&a, NULL, 100000, 0), UV_EINVAL);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_NOTES("a");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(start_of_a_closing_timer_is_invalid) {
  three_timers();
  uv_close((uv_handle_t*) &a, on_close);
  ASSERT_EQ(uv_timer_start(&a, never, 0, 0), UV_EINVAL);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_NOTES("a-closed");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(timeout_zero_is_due_in_the_next_iteration) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, note_name, 0, 0));
  ASSERT_NOTES("");
  ASSERT_NE(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_EQ(uv_timer_get_due_in(&a), 0);
  ASSERT_EQ(uv_backend_timeout(loop), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_NOWAIT));
  ASSERT_NOTES("a");
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

static uint64_t started_at;

static void on_not_before(uv_timer_t* timer) {
  ASSERT_GE(uv_now(timer->loop), started_at + (uint64_t) (uintptr_t) timer->data);
  count++;
}

TEST_IMPL(no_timer_is_early_by_the_time_of_the_loop) {
  enum { total = 60 };
  uv_timer_t timers[total];
  uv_loop_t* loop = uv_default_loop();
  int i;

  started_at = uv_now(loop);
  for (i = 0; i < total; i++) {
    ASSERT_OK(uv_timer_init(loop, &timers[i]));
    timers[i].data = (void*) (uintptr_t) i;
    ASSERT_OK(uv_timer_start(&timers[i], on_not_before, i, 0));
  }
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, total);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(order_is_that_of_the_timeouts) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, note_name, 3, 0));
  ASSERT_OK(uv_timer_start(&b, note_name, 2, 0));
  ASSERT_OK(uv_timer_start(&c, note_name, 1, 0));
  spin(5);
  uv_update_time(loop);
  ASSERT_OK(uv_run(loop, UV_RUN_NOWAIT));
  ASSERT_NOTES("c b a");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(order_of_equal_timeouts_is_that_of_the_starts) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&b, note_name, 1, 0));
  ASSERT_OK(uv_timer_start(&c, note_name, 1, 0));
  ASSERT_OK(uv_timer_start(&a, note_name, 1, 0));
  /* A new start puts it at the end. */
  ASSERT_OK(uv_timer_start(&b, note_name, 1, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("c a b");
  MAKE_SURE_NOTHING_LEAKED();
}

static uint64_t last_due;

static void on_ordered(uv_timer_t* timer) {
  uint64_t due = (uint64_t) (uintptr_t) timer->data;
  ASSERT_GE(due, last_due);
  last_due = due;
  count++;
}

TEST_IMPL(order_of_many_is_kept_when_some_are_stopped) {
  enum { total = 5000 };
  uv_timer_t* timers = calloc(total, sizeof(*timers));
  uv_loop_t* loop = uv_default_loop();
  int expected = 0;
  int i;

  for (i = 0; i < total; i++) {
    uint64_t timeout = (uint64_t) i * 7919 % 40;
    ASSERT_OK(uv_timer_init(loop, &timers[i]));
    /* By timeout, then by start. */
    timers[i].data = (void*) (uintptr_t) (timeout * total + i);
    ASSERT_OK(uv_timer_start(&timers[i], on_ordered, timeout, 0));
  }
  for (i = 0; i < total; i++) {
    if (i % 3 == 1) ASSERT_OK(uv_timer_stop(&timers[i]));
    else expected++;
  }
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, expected);
  close_loop(loop);
  free(timers);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_timer_t* many;
static uv_timer_t* expected_next;

static void on_next(uv_timer_t* timer) {
  ASSERT_PTR_EQ(timer, expected_next);
  expected_next = timer->data;
  count++;
}

TEST_IMPL_LIMIT(order_of_a_million_is_exact, 120) {
  enum { spread = 100 };
  /* Tools that check each access take their time. */
  int total = getenv("OXUV_TEST_WRAPPER") == NULL ? 1000000 : 50000;
  static uv_timer_t* last[spread];
  uv_loop_t* loop = uv_default_loop();
  uv_timer_t* first[spread] = {NULL};
  int i;

  many = malloc(total * sizeof(*many));
  ASSERT_NOT_NULL(many);
  for (i = 0; i < total; i++) {
    ASSERT_OK(uv_timer_init(loop, &many[i]));
    /* To be started anew below. */
    if (i % 5 == 0) ASSERT_OK(uv_timer_start(&many[i], never, (uint64_t) i % 70, 0));
  }
  for (i = 0; i < total; i++) {
    /* Each timer knows its successor: a list for each timeout, and the lists in a row. */
    int timeout = (int) ((uint64_t) i * 2654435761u % 4294967291u % spread);
    uv_timer_t* timer = &many[i];
    ASSERT_OK(uv_timer_start(timer, on_next, timeout, 0));
    timer->data = NULL;
    if (first[timeout] == NULL) first[timeout] = timer;
    else last[timeout]->data = timer;
    last[timeout] = timer;
  }
  for (i = spread - 1; i > 0; i--) last[i - 1]->data = first[i];
  expected_next = first[0];
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, total);
  close_loop(loop);
  free(many);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(start_of_an_active_timer_updates_it) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, never, 0, 7));
  ASSERT_OK(uv_timer_start(&a, note_name, 50, 0));
  ASSERT_EQ(uv_timer_get_due_in(&a), 50);
  ASSERT_EQ(uv_timer_get_repeat(&a), 0);
  ASSERT_OK(uv_timer_start(&b, note_name, 1, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("b a");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(start_counts_from_the_time_of_the_loop) {
  uv_loop_t* loop = three_timers();
  uint64_t now;

  uv_update_time(loop);
  now = uv_now(loop);
  spin(5);
  ASSERT_EQ(uv_now(loop), now);
  ASSERT_OK(uv_timer_start(&a, note_name, 1000, 0));
  ASSERT_EQ(uv_timer_get_due_in(&a), 1000);
  uv_update_time(loop);
  ASSERT_GE(uv_now(loop), now + 3);
  ASSERT_EQ(uv_timer_get_due_in(&a), now + 1000 - uv_now(loop));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(due_in_is_zero_once_expired) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, note_name, 2, 0));
  ASSERT_EQ(uv_timer_get_due_in(&a), 2);
  spin(4);
  uv_update_time(loop);
  ASSERT_EQ(uv_timer_get_due_in(&a), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a");
  ASSERT_EQ(uv_timer_get_due_in(&a), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(huge_timeouts_do_not_wrap) {
  uv_loop_t* loop = three_timers();
  /* The timeout is 0 until the loop has run once. */
  ASSERT_OK(uv_timer_start(&a, note_name, 0, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_NOWAIT));
  ASSERT_NOTES("a");
  ASSERT_OK(uv_timer_start(&a, never, UINT64_MAX, UINT64_MAX));
  ASSERT_OK(uv_timer_start(&b, never, UINT64_MAX - 1, 0));
  ASSERT_OK(uv_timer_start(&c, note_name, 1, 0));
  ASSERT_EQ(uv_backend_timeout(loop), 1);
  ASSERT_EQ(a.timeout == UINT64_MAX, 1);
  ASSERT_EQ(uv_timer_get_repeat(&a) == UINT64_MAX, 1);
  while (uv_is_active((uv_handle_t*) &c)) ASSERT_NE(uv_run(loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("c");
  ASSERT_EQ(uv_backend_timeout(loop), INT_MAX);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Stop ---------------------------------------------------------------------------------- */

TEST_IMPL(stop_of_an_inactive_timer_does_nothing) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_stop(&a));
  ASSERT_OK(uv_timer_start(&a, never, 0, 0));
  ASSERT_OK(uv_timer_stop(&a));
  ASSERT_OK(uv_timer_stop(&a));
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

static void stop_b(uv_timer_t* timer) {
  note_name(timer);
  ASSERT_OK(uv_timer_stop(&b));
}

TEST_IMPL(stop_of_another_that_is_due_takes_it_back) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, stop_b, 0, 0));
  ASSERT_OK(uv_timer_start(&b, never, 0, 0));
  ASSERT_OK(uv_timer_start(&c, note_name, 0, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a c");
  MAKE_SURE_NOTHING_LEAKED();
}

static void stop_itself(uv_timer_t* timer) {
  note_name(timer);
  ASSERT_OK(uv_timer_stop(timer));
  ASSERT_EQ(uv_is_active((uv_handle_t*) timer), 0);
}

TEST_IMPL(stop_in_the_own_callback_ends_the_repeats) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, stop_itself, 1, 1));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a");
  MAKE_SURE_NOTHING_LEAKED();
}

static void stop_the_loop(uv_timer_t* timer) {
  note_name(timer);
  uv_stop(timer->loop);
}

TEST_IMPL(uv_stop_leaves_the_others_that_are_due_to_be_called) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, stop_the_loop, 0, 0));
  ASSERT_OK(uv_timer_start(&b, note_name, 0, 0));
  ASSERT_OK(uv_timer_start(&c, note_name, 100000, 0));
  ASSERT_NE(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("a b");
  ASSERT_OK(uv_timer_start(&c, note_name, 0, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("c");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Start in callbacks -------------------------------------------------------------------- */

static void start_again_at_once(uv_timer_t* timer) {
  note_name(timer);
  if (++count < 3) ASSERT_OK(uv_timer_start(timer, start_again_at_once, 0, 0));
}

TEST_IMPL(start_in_the_own_callback_waits_for_the_next_iteration) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, start_again_at_once, 0, 0));
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  ASSERT_EQ(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  MAKE_SURE_NOTHING_LEAKED();
}

static void start_b_at_once(uv_timer_t* timer) {
  note_name(timer);
  ASSERT_OK(uv_timer_start(&b, note_name, 0, 0));
}

TEST_IMPL(start_of_another_in_a_callback_waits_for_the_next_iteration) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, start_b_at_once, 0, 0));
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  ASSERT_EQ(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("b");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(start_of_another_that_is_due_moves_it_to_the_next_iteration) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, start_b_at_once, 0, 0));
  ASSERT_OK(uv_timer_start(&b, never, 0, 0));
  ASSERT_OK(uv_timer_start(&c, note_name, 0, 0));
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a c");
  ASSERT_EQ(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("b");
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_became_due(uv_timer_t* timer) {
  note_name(timer);
  if (timer == &a) spin(5);
}

TEST_IMPL(what_becomes_due_during_callbacks_waits_for_the_next_iteration) {
  uv_loop_t* loop = three_timers();
  uv_update_time(loop);
  ASSERT_OK(uv_timer_start(&a, on_became_due, 0, 0));
  ASSERT_OK(uv_timer_start(&b, on_became_due, 3, 0));
  /* Unless the thread was kept from running meanwhile, b is not due yet. */
  uv_run(loop, UV_RUN_NOWAIT);
  if (uv_now(loop) < b.timeout) ASSERT_NOTES("a");
  uv_run(loop, UV_RUN_DEFAULT);
  ASSERT_NOTES(notes()[0] == 'a' ? "a b" : "b");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Repeat -------------------------------------------------------------------------------- */

static void on_repeat(uv_timer_t* timer) {
  ASSERT_NE(uv_is_active((uv_handle_t*) timer), 0);
  ASSERT_GE(uv_now(timer->loop), started_at);
  ASSERT_EQ(uv_timer_get_due_in(timer), uv_timer_get_repeat(timer));
  started_at = uv_now(timer->loop) + uv_timer_get_repeat(timer);
  if (++count == 3) uv_close((uv_handle_t*) timer, on_close);
}

TEST_IMPL(repeats_after_the_timeout_every_repeat) {
  uv_loop_t* loop = three_timers();
  started_at = uv_now(loop) + 20;
  ASSERT_OK(uv_timer_start(&a, on_repeat, 20, 5));
  ASSERT_EQ(uv_timer_get_repeat(&a), 5);
  ASSERT_EQ(uv_timer_get_due_in(&a), 20);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, 3);
  ASSERT_NOTES("a-closed");
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_one_shot(uv_timer_t* timer) {
  note_name(timer);
  ASSERT_EQ(uv_is_active((uv_handle_t*) timer), 0);
}

TEST_IMPL(a_one_shot_timer_is_inactive_in_its_callback) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, on_one_shot, 0, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a");
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_slow_repeat(uv_timer_t* timer) {
  note_name(timer);
  spin(6);
}

TEST_IMPL(missed_repeats_are_not_made_up_for) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, on_slow_repeat, 1, 1));
  while (strlen(notes()) == 0) uv_run(loop, UV_RUN_ONCE);
  ASSERT_NOTES("a");
  /* Several repeats have passed by, one callback is made for them. */
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  MAKE_SURE_NOTHING_LEAKED();
}

static void change_repeat(uv_timer_t* timer) {
  /* The next timeout was scheduled with the old value. */
  if (count == 0) ASSERT_EQ(uv_timer_get_due_in(timer), 5);
  if (count == 1) ASSERT_EQ(uv_timer_get_due_in(timer), 9);
  uv_timer_set_repeat(timer, 9);
  ASSERT_EQ(uv_timer_get_repeat(timer), 9);
  if (count == 0) ASSERT_EQ(uv_timer_get_due_in(timer), 5);
  if (++count == 2) ASSERT_OK(uv_timer_stop(timer));
}

TEST_IMPL(set_repeat_in_a_callback_counts_from_the_next_timeout_on) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, change_repeat, 1, 5));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

static void begin_to_repeat(uv_timer_t* timer) {
  note_name(timer);
  uv_timer_set_repeat(timer, 2);
  ASSERT_EQ(uv_is_active((uv_handle_t*) timer), 0);
}

TEST_IMPL(set_repeat_in_the_callback_of_a_one_shot_timer_does_not_start_it) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, begin_to_repeat, 1, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a");
  ASSERT_EQ(uv_timer_get_repeat(&a), 2);
  MAKE_SURE_NOTHING_LEAKED();
}

static void end_to_repeat(uv_timer_t* timer) {
  note_name(timer);
  uv_timer_set_repeat(timer, 0);
}

TEST_IMPL(set_repeat_to_zero_leaves_one_last_call) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, end_to_repeat, 1, 1));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a a");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(set_repeat_leaves_the_timeout_that_runs) {
  three_timers();
  ASSERT_OK(uv_timer_start(&a, never, 100, 10));
  uv_timer_set_repeat(&a, 20);
  ASSERT_EQ(uv_timer_get_due_in(&a), 100);
  ASSERT_EQ(uv_timer_get_repeat(&a), 20);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Again --------------------------------------------------------------------------------- */

TEST_IMPL(again_of_a_timer_never_started_is_invalid) {
  three_timers();
  ASSERT_EQ(uv_timer_again(&a), UV_EINVAL);
  uv_timer_set_repeat(&a, 5);
  ASSERT_EQ(uv_timer_again(&a), UV_EINVAL);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(again_uses_the_repeat_as_timeout) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, never, 1000, 50));
  ASSERT_OK(uv_timer_again(&a));
  ASSERT_EQ(uv_timer_get_due_in(&a), 50);
  ASSERT_EQ(uv_timer_get_repeat(&a), 50);
  uv_timer_set_repeat(&a, 70);
  ASSERT_OK(uv_timer_again(&a));
  ASSERT_EQ(uv_timer_get_due_in(&a), 70);
  /* Also for one that was stopped. */
  ASSERT_OK(uv_timer_stop(&a));
  ASSERT_OK(uv_timer_again(&a));
  ASSERT_NE(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_EQ(uv_timer_get_due_in(&a), 70);
  ASSERT_NE(uv_loop_alive(loop), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(again_without_repeat_leaves_the_timer_as_it_is) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, note_name, 1, 0));
  ASSERT_OK(uv_timer_again(&a));
  ASSERT_NE(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a");
  ASSERT_OK(uv_timer_again(&a));
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

static void again_with_repeat(uv_timer_t* timer) {
  note_name(timer);
  if (++count == 3) return;
  uv_timer_set_repeat(timer, 1);
  ASSERT_OK(uv_timer_again(timer));
  ASSERT_NE(uv_is_active((uv_handle_t*) timer), 0);
  if (count == 2) uv_timer_set_repeat(timer, 0);
}

TEST_IMPL(again_in_the_callback_restarts) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, again_with_repeat, 1, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a a a");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(again_does_not_start_a_closing_timer) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, never, 1, 1));
  uv_close((uv_handle_t*) &a, on_close);
  uv_timer_again(&a);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a-closed");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Close --------------------------------------------------------------------------------- */

TEST_IMPL(close_of_an_active_timer_stops_it) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, never, 0, 0));
  uv_close((uv_handle_t*) &a, on_close);
  ASSERT_NOTES("");
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_NE(uv_is_closing((uv_handle_t*) &a), 0);
  ASSERT_NE(uv_loop_alive(loop), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a-closed");
  MAKE_SURE_NOTHING_LEAKED();
}

static void close_b(uv_timer_t* timer) {
  note_name(timer);
  uv_close((uv_handle_t*) &b, on_close);
}

TEST_IMPL(close_of_another_that_is_due_takes_it_back) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, close_b, 0, 0));
  ASSERT_OK(uv_timer_start(&b, never, 0, 0));
  ASSERT_OK(uv_timer_start(&c, note_name, 0, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a c b-closed");
  MAKE_SURE_NOTHING_LEAKED();
}

static void free_timer(uv_handle_t* handle) {
  memset(handle, 0xee, sizeof(uv_timer_t));
  free(handle);
  count++;
}

static void close_itself(uv_timer_t* timer) {
  uv_close((uv_handle_t*) timer, free_timer);
}

TEST_IMPL(the_memory_may_be_freed_in_the_close_callback) {
  uv_loop_t* loop = uv_default_loop();
  int i;
  for (i = 0; i < 20; i++) {
    uv_timer_t* timer = malloc(sizeof(*timer));
    ASSERT_OK(uv_timer_init(loop, timer));
    ASSERT_OK(uv_timer_start(timer, close_itself, i / 4, i % 3));
  }
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, 20);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(stop_of_a_closed_timer_is_harmless) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, never, 5, 5));
  uv_close((uv_handle_t*) &a, on_close);
  ASSERT_OK(uv_timer_stop(&a));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a-closed");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- The loop ------------------------------------------------------------------------------ */

TEST_IMPL(an_unreferenced_timer_does_not_keep_the_loop_alive) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, never, 100000, 0));
  uv_unref((uv_handle_t*) &a);
  ASSERT_NE(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_EQ(uv_has_ref((uv_handle_t*) &a), 0);
  ASSERT_EQ(uv_loop_alive(loop), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_unreferenced_timer_is_called_while_the_loop_lives) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, note_name, 1, 0));
  uv_unref((uv_handle_t*) &a);
  ASSERT_OK(uv_timer_start(&b, note_name, 3, 0));
  /* What is started again keeps to be unreferenced. */
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a b");
  ASSERT_OK(uv_timer_start(&a, never, 100000, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(run_once_waits_for_a_timer_and_calls_it) {
  uv_loop_t* loop = three_timers();
  ASSERT_OK(uv_timer_start(&a, note_name, 10, 0));
  ASSERT_EQ(uv_run(loop, UV_RUN_NOWAIT) != 0, strlen(notes()) == 0);
  clear_notes();
  ASSERT_OK(uv_timer_start(&a, note_name, 10, 0));
  ASSERT_EQ(uv_run(loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("a");
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_wait(uv_timer_t* timer) {
  /* The loop's time is that of the wake-up. */
  ASSERT_GE(uv_now(timer->loop), started_at + 30);
  note_name(timer);
}

TEST_IMPL(the_time_is_updated_before_timers_are_called) {
  uv_loop_t* loop = three_timers();
  uv_update_time(loop);
  started_at = uv_now(loop);
  ASSERT_OK(uv_timer_start(&a, on_wait, 30, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a");
  ASSERT_GE(uv_now(loop), started_at + 30);
  MAKE_SURE_NOTHING_LEAKED();
}
