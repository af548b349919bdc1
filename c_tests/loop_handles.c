/* Idle, prepare and check handles. What they have in common is tested for all three kinds.
 * https://docs.libuv.org/en/v1.x/idle.html, prepare.html, check.html */
#include "task.h"

enum { kinds = 3 };
static const char* const kind_names[kinds] = {"idle", "prepare", "check"};
static const uv_handle_type kind_types[kinds] = {UV_IDLE, UV_PREPARE, UV_CHECK};

union phase {
  uv_handle_t handle;
  uv_idle_t idle;
  uv_prepare_t prepare;
  uv_check_t check;
};

typedef void (*phase_cb)(union phase* phase);

static union phase a, b, c;
/* Called for any handle; its data points to what is to be done. */
struct tag {
  const char* name;
  phase_cb call;
};
static struct tag tag_a, tag_b, tag_c;
static int kind;
static int count;

static void call(uv_handle_t* handle) {
  struct tag* tag = handle->data;
  note("%s", tag->name);
  if (tag->call != NULL) tag->call((union phase*) handle);
}

static void call_idle(uv_idle_t* handle) {
  call((uv_handle_t*) handle);
}

static void call_prepare(uv_prepare_t* handle) {
  call((uv_handle_t*) handle);
}

static void call_check(uv_check_t* handle) {
  call((uv_handle_t*) handle);
}

static int init(uv_loop_t* loop, union phase* phase) {
  if (kind == 0) return uv_idle_init(loop, &phase->idle);
  if (kind == 1) return uv_prepare_init(loop, &phase->prepare);
  return uv_check_init(loop, &phase->check);
}

static int start(union phase* phase) {
  if (phase->handle.type == UV_IDLE) return uv_idle_start(&phase->idle, call_idle);
  if (phase->handle.type == UV_PREPARE) return uv_prepare_start(&phase->prepare, call_prepare);
  return uv_check_start(&phase->check, call_check);
}

static int start_without_callback(union phase* phase) {
  if (phase->handle.type == UV_IDLE) return uv_idle_start(&phase->idle, NULL);
  if (phase->handle.type == UV_PREPARE) return uv_prepare_start(&phase->prepare, NULL);
  return uv_check_start(&phase->check, NULL);
}

static int stop(union phase* phase) {
  if (phase->handle.type == UV_IDLE) return uv_idle_stop(&phase->idle);
  if (phase->handle.type == UV_PREPARE) return uv_prepare_stop(&phase->prepare);
  return uv_check_stop(&phase->check);
}

static void on_close(uv_handle_t* handle) {
  note("%s-closed", ((struct tag*) handle->data)->name);
}

static void close_phase(union phase* phase) {
  uv_close(&phase->handle, on_close);
}

static void make(uv_loop_t* loop, union phase* phase, struct tag* tag, const char* name) {
  ASSERT_OK(init(loop, phase));
  tag->name = name;
  tag->call = NULL;
  phase->handle.data = tag;
}

static void on_timer(uv_timer_t* handle) {
}

/* Three handles of the kind at hand in a loop of their own. */
static void make_three(uv_loop_t* loop) {
  ASSERT_OK(uv_loop_init(loop));
  make(loop, &a, &tag_a, "a");
  make(loop, &b, &tag_b, "b");
  make(loop, &c, &tag_c, "c");
  count = 0;
}

static void start_three(void) {
  ASSERT_OK(start(&a));
  ASSERT_OK(start(&b));
  ASSERT_OK(start(&c));
}

/* A test of the three kinds in turn: the body gets a loop with a, b and c. */
#define TEST_OF_ALL_KINDS(name)                                                                    \
  static void all_##name(uv_loop_t* loop);                                                         \
  TEST_IMPL(name) {                                                                                \
    uv_loop_t loop;                                                                                \
    for (kind = 0; kind < kinds; kind++) {                                                         \
      make_three(&loop);                                                                           \
      all_##name(&loop);                                                                           \
      close_loop(&loop);                                                                           \
      clear_notes();                                                                               \
    }                                                                                              \
    MAKE_SURE_NOTHING_LEAKED();                                                                    \
  }                                                                                                \
  static void all_##name(uv_loop_t* loop)

TEST_OF_ALL_KINDS(init_makes_an_inactive_referenced_handle) {
  union phase phase;
  memset(&phase, 0xa5, sizeof(phase));
  phase.handle.data = &count;
  ASSERT_OK(init(loop, &phase));
  ASSERT_PTR_EQ(phase.handle.data, &count);
  ASSERT_PTR_EQ(phase.handle.loop, loop);
  ASSERT_EQ(phase.handle.type, kind_types[kind]);
  ASSERT_STR_EQ(uv_handle_type_name(phase.handle.type), kind_names[kind]);
  ASSERT_EQ(uv_is_active(&phase.handle), 0);
  ASSERT_EQ(uv_is_closing(&phase.handle), 0);
  ASSERT_NE(uv_has_ref(&phase.handle), 0);
  ASSERT_EQ(uv_loop_alive(loop), 0);
  uv_close(&phase.handle, NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
}

TEST_OF_ALL_KINDS(start_without_callback_is_invalid) {
  ASSERT_EQ(start_without_callback(&a), UV_EINVAL);
  ASSERT_EQ(uv_is_active(&a.handle), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
}

TEST_OF_ALL_KINDS(start_of_an_active_handle_changes_nothing) {
  ASSERT_OK(start(&a));
  ASSERT_OK(start_without_callback(&a));
  ASSERT_OK(start(&a));
  ASSERT_NE(uv_is_active(&a.handle), 0);
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
}

TEST_OF_ALL_KINDS(stop_always_succeeds) {
  ASSERT_OK(stop(&a));
  ASSERT_OK(start(&a));
  ASSERT_OK(stop(&a));
  ASSERT_EQ(uv_is_active(&a.handle), 0);
  ASSERT_OK(stop(&a));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("");
}

TEST_OF_ALL_KINDS(called_once_per_iteration) {
  ASSERT_OK(start(&a));
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  ASSERT_OK(stop(&a));
  ASSERT_EQ(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  ASSERT_OK(start(&a));
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
}

TEST_OF_ALL_KINDS(order_is_the_reverse_of_the_starts) {
  start_three();
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("c b a");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("c b a");
  ASSERT_OK(stop(&b));
  ASSERT_OK(start(&b));
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("b c a");
}

static void stop_itself(union phase* phase) {
  ASSERT_OK(stop(phase));
  ASSERT_EQ(uv_is_active(&phase->handle), 0);
}

TEST_OF_ALL_KINDS(stop_in_the_own_callback) {
  start_three();
  tag_b.call = stop_itself;
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("c b a");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("c a");
}

static void stop_the_others(union phase* phase) {
  ASSERT_OK(stop(&a));
  ASSERT_OK(stop(&c));
}

TEST_OF_ALL_KINDS(stop_of_the_others_in_a_callback_is_immediate) {
  start_three();
  tag_b.call = stop_the_others;
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("c b");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("b");
}

static void start_b(union phase* phase) {
  ASSERT_OK(start(&b));
}

TEST_OF_ALL_KINDS(start_of_another_in_a_callback_is_for_the_next_iteration) {
  ASSERT_OK(start(&a));
  tag_a.call = start_b;
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("a");
  clear_notes();
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("b a");
}

static void restart_itself(union phase* phase) {
  ASSERT_OK(stop(phase));
  ASSERT_OK(start(phase));
}

TEST_OF_ALL_KINDS(restart_in_the_own_callback_calls_again_in_the_next_iteration) {
  start_three();
  tag_b.call = restart_itself;
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("c b a");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(strlen(notes()), strlen("a b c"));
}

TEST_OF_ALL_KINDS(close_in_the_own_callback) {
  start_three();
  tag_b.call = close_phase;
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  /* Close callbacks come after the check phase of the same iteration. */
  ASSERT_NOTES("c b a b-closed");
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("c a");
}

static void close_the_others(union phase* phase) {
  close_phase(&a);
  close_phase(&c);
  stop_itself(phase);
}

TEST_OF_ALL_KINDS(close_of_the_others_in_a_callback) {
  start_three();
  tag_b.call = close_the_others;
  ASSERT_EQ(uv_run(loop, UV_RUN_NOWAIT), 0);
  /* Close callbacks come in the reverse order of the closes. */
  ASSERT_NOTES("c b c-closed a-closed");
}

TEST_OF_ALL_KINDS(close_of_an_active_handle_stops_it) {
  ASSERT_OK(start(&a));
  close_phase(&a);
  ASSERT_NOTES("");
  ASSERT_EQ(uv_is_active(&a.handle), 0);
  ASSERT_NE(uv_is_closing(&a.handle), 0);
  ASSERT_NE(uv_loop_alive(loop), 0);
  ASSERT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("a-closed");
}

static void free_phase(uv_handle_t* handle) {
  memset(handle, 0xee, sizeof(union phase));
  free(handle);
  count++;
}

static void close_and_free(union phase* phase) {
  uv_close(&phase->handle, free_phase);
}

TEST_OF_ALL_KINDS(the_memory_may_be_freed_in_the_close_callback) {
  static struct tag tag = {"x", close_and_free};
  int i;
  for (i = 0; i < 10; i++) {
    union phase* phase = malloc(sizeof(*phase));
    ASSERT_OK(init(loop, phase));
    phase->handle.data = &tag;
    ASSERT_OK(start(phase));
  }
  ASSERT_EQ(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(count, 10);
}

TEST_OF_ALL_KINDS(an_unreferenced_handle_does_not_keep_the_loop_alive) {
  uv_timer_t timer;
  ASSERT_OK(start(&a));
  ASSERT_NE(uv_loop_alive(loop), 0);
  uv_unref(&a.handle);
  ASSERT_NE(uv_is_active(&a.handle), 0);
  ASSERT_EQ(uv_loop_alive(loop), 0);
  ASSERT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("");
  /* It is called as long as something else does. */
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 0, 0));
  ASSERT_EQ(uv_run(loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("a");
  uv_ref(&a.handle);
  ASSERT_NE(uv_loop_alive(loop), 0);
  uv_close((uv_handle_t*) &timer, NULL);
  ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
}

static void stop_after_five(union phase* phase) {
  if (++count == 5) ASSERT_OK(stop(phase));
}

TEST_IMPL(an_active_idle_handle_keeps_the_loop_from_waiting) {
  uv_loop_t loop;
  uv_timer_t timer;

  kind = 0;
  make_three(&loop);
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 100000, 0));
  uv_unref((uv_handle_t*) &timer);
  ASSERT_OK(start(&a));
  tag_a.call = stop_after_five;
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(count, 5);
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(prepare_and_check_do_not_keep_the_loop_from_waiting) {
  uv_loop_t loop;
  uv_timer_t timer;

  ASSERT_OK(uv_loop_init(&loop));
  kind = 1;
  make(&loop, &a, &tag_a, "prepare");
  kind = 2;
  make(&loop, &b, &tag_b, "check");
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(start(&a));
  ASSERT_OK(start(&b));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 10, 0));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &timer), 0);
  ASSERT_NOTES("prepare check");
  uv_update_time(&loop);
  ASSERT_OK(uv_timer_start(&timer, on_timer, 100000, 0));
  ASSERT_EQ(uv_backend_timeout(&loop), 100000);
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- The order of the phases --------------------------------------------------------------- */

static union phase idle, prepare, check;
static struct tag tag_idle, tag_prepare, tag_check;
static uv_timer_t timer;
static uv_poll_t readable;
static uv_timer_t closing;
static int sockets[2];

static void note_timer(uv_timer_t* handle) {
  note("timer");
}

static void note_closed(uv_handle_t* handle) {
  note("closed");
}

static void note_readable(uv_poll_t* handle, int status, int events) {
  ASSERT_OK(status);
  note("poll");
  ASSERT_OK(uv_timer_init(handle->loop, &closing));
  uv_close((uv_handle_t*) &closing, note_closed);
}

static void make_phases(uv_loop_t* loop) {
  ASSERT_OK(uv_loop_init(loop));
  kind = 2;
  make(loop, &check, &tag_check, "check");
  kind = 1;
  make(loop, &prepare, &tag_prepare, "prepare");
  kind = 0;
  make(loop, &idle, &tag_idle, "idle");
  ASSERT_OK(start(&check));
  ASSERT_OK(start(&prepare));
  ASSERT_OK(start(&idle));
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, note_timer, 0, 0));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  ASSERT_OK(uv_poll_init(loop, &readable, sockets[0]));
  ASSERT_OK(uv_poll_start(&readable, UV_READABLE, note_readable));
  ASSERT_EQ(write(sockets[1], "x", 1), 1);
}

static void end_phases(uv_loop_t* loop) {
  close_loop(loop);
  close(sockets[0]);
  close(sockets[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_phases_of_an_iteration_in_their_order) {
  uv_loop_t loop;
  make_phases(&loop);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("idle prepare poll check closed timer");
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("idle prepare poll check closed");
  end_phases(&loop);
}

static void stop_the_loop(union phase* phase) {
  uv_stop(phase->handle.loop);
}

TEST_IMPL(the_default_mode_begins_with_the_timers_that_are_due) {
  uv_loop_t loop;
  make_phases(&loop);
  tag_prepare.call = stop_the_loop;
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("timer idle prepare poll check closed");
  end_phases(&loop);
}

static void start_prepare(union phase* phase) {
  ASSERT_OK(start(&prepare));
}

static void start_check(union phase* phase) {
  ASSERT_OK(start(&check));
}

TEST_IMPL(what_a_phase_starts_for_a_later_one_runs_in_the_same_iteration) {
  uv_loop_t loop;
  make_phases(&loop);
  ASSERT_OK(stop(&prepare));
  ASSERT_OK(stop(&check));
  tag_idle.call = start_prepare;
  tag_prepare.call = start_check;
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("idle prepare poll check closed timer");
  end_phases(&loop);
}

static void close_check(union phase* phase) {
  if (!uv_is_closing(&check.handle)) close_phase(&check);
  ASSERT_OK(stop(phase));
}

TEST_IMPL(a_handle_of_a_later_phase_closed_earlier_is_not_called) {
  uv_loop_t loop;
  make_phases(&loop);
  tag_idle.call = close_check;
  ASSERT_OK(uv_poll_stop(&readable));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("idle prepare check-closed timer");
  end_phases(&loop);
}

static void start_timer_in_close(uv_handle_t* handle) {
  note("closed");
  ASSERT_OK(uv_timer_start(&timer, note_timer, 0, 0));
  ASSERT_OK(start(&check));
}

TEST_IMPL(what_a_close_callback_starts) {
  uv_loop_t loop;
  make_phases(&loop);
  ASSERT_OK(stop(&idle));
  ASSERT_OK(stop(&check));
  ASSERT_OK(uv_timer_stop(&timer));
  ASSERT_OK(uv_poll_stop(&readable));
  uv_close((uv_handle_t*) &readable, start_timer_in_close);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  /* Timers come after the closing phase, checks in the next iteration. */
  ASSERT_NOTES("prepare closed timer");
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("prepare check");
  end_phases(&loop);
}

static void close_again(uv_handle_t* handle) {
  note("first");
  uv_close((uv_handle_t*) &timer, note_closed);
}

TEST_IMPL(a_close_in_a_close_callback_is_reported_in_the_next_iteration) {
  uv_loop_t loop;
  make_phases(&loop);
  ASSERT_OK(stop(&idle));
  ASSERT_OK(stop(&prepare));
  ASSERT_OK(stop(&check));
  uv_close((uv_handle_t*) &readable, close_again);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("first");
  ASSERT_EQ(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("closed");
  end_phases(&loop);
}
