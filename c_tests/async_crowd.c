/* More loops than processors, each of which waits for another all the time: no message is lost,
 * whatever they do until it comes, and a loop that has something else to do gets to it.
 * https://docs.libuv.org/en/v1.x/async.html */
#include "task.h"

#include <stdatomic.h>

enum { most = 64, rounds = 1500 };

/* A loop in a thread of its own, which answers each message. */
struct other {
  uv_loop_t loop;
  uv_thread_t thread;
  uv_async_t here;
  uv_async_t there;
  int answers;
  atomic_int questions;
};

static struct other others[most];

/* More than twice the number of processors, with the loop that asks them. */
static int number_of_others(void) {
  unsigned int number = 2 * uv_available_parallelism() + 2;
  return number < most ? (int) number : most;
}

/* The number of loops that still wait for answers. */
static int number_at_work;
/* Loops that have had all answers stay for the time being. */
static int they_stay;

static void end_one(struct other* other) {
  uv_close((uv_handle_t*) &other->here, NULL);
  ASSERT_OK(uv_async_send(&other->there));
}

static void on_question(uv_async_t* handle) {
  struct other* other = handle->data;
  if (++other->questions <= rounds)
    ASSERT_OK(uv_async_send(&other->here));
  else
    uv_close((uv_handle_t*) handle, NULL);
}

static void on_answer(uv_async_t* handle) {
  struct other* other = handle->data;
  if (++other->answers < rounds) {
    ASSERT_OK(uv_async_send(&other->there));
    return;
  }
  number_at_work--;
  if (!they_stay) end_one(other);
}

static void run_other(void* argument) {
  struct other* other = argument;
  ASSERT_OK(uv_run(&other->loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&other->loop));
}

static void start_all(uv_loop_t* loop, int number) {
  int i;
  number_at_work = number;
  for (i = 0; i < number; i++) {
    struct other* other = &others[i];
    ASSERT_OK(uv_loop_init(&other->loop));
    ASSERT_OK(uv_async_init(&other->loop, &other->there, on_question));
    ASSERT_OK(uv_async_init(loop, &other->here, on_answer));
    other->here.data = other->there.data = other;
    ASSERT_OK(uv_async_send(&other->there));
    ASSERT_OK(uv_thread_create(&other->thread, run_other, other));
  }
}

static void end_all(int number) {
  int i;
  for (i = 0; i < number; i++) {
    ASSERT_OK(uv_thread_join(&others[i].thread));
    ASSERT_EQ(others[i].answers, rounds);
    ASSERT_EQ(others[i].questions, rounds + 1);
  }
}

TEST_IMPL_SERIAL(no_message_is_lost) {
  uv_loop_t* loop = uv_default_loop();
  int number = number_of_others();
  start_all(loop, number);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  end_all(number);
  MAKE_SURE_NOTHING_LEAKED();
}

HELPER_IMPL(busy) {
  helper_ready(0);
  for (;;) {}
}

TEST_IMPL_SERIAL(not_even_where_others_want_the_processor) {
  uv_loop_t* loop = uv_default_loop();
  int number = number_of_others();
  start_helper("busy", NULL);
  start_helper("busy", NULL);
  start_all(loop, number);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  end_all(number);
  MAKE_SURE_NOTHING_LEAKED();
}

static void close_timer(uv_timer_t* handle) {
  uv_close((uv_handle_t*) handle, NULL);
}

/* All of them are alive, and none has anything to do any more. */
TEST_IMPL_TIMED(no_thread_spins_for_long, 60) {
  uv_loop_t* loop = uv_default_loop();
  int number = number_of_others();
  uv_timer_t timer;
  uint64_t used;
  int i;
  they_stay = 1;
  start_all(loop, number);
  while (number_at_work > 0) uv_run(loop, UV_RUN_ONCE);
  used = used_ns();
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, close_timer, 400, 0));
  while (uv_is_active((uv_handle_t*) &timer)) uv_run(loop, UV_RUN_ONCE);
  ASSERT_LT(used_ns() - used, 100000000);
  for (i = 0; i < number; i++) end_one(&others[i]);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  end_all(number);
  MAKE_SURE_NOTHING_LEAKED();
}
