/* https://docs.libuv.org/en/v1.x/async.html */
#include "task.h"

#include <pthread.h>
#include <stdatomic.h>

static uv_loop_t loop;
static uv_async_t async;
static uv_async_t other;
static int calls;
static int other_calls;
static pthread_t loop_thread;

static void on_async(uv_async_t* handle) {
  ASSERT_NE(pthread_equal(pthread_self(), loop_thread), 0);
  calls++;
}

static void on_other(uv_async_t* handle) {
  other_calls++;
}

static void on_close(uv_handle_t* handle) {
  note("closed");
}

static void init_loop(void) {
  loop_thread = pthread_self();
  ASSERT_OK(uv_loop_init(&loop));
}

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

static pthread_t start_thread(void* (*run)(void*), void* arg) {
  pthread_t thread;
  ASSERT_OK(pthread_create(&thread, NULL, run, arg));
  return thread;
}

static void join_thread(pthread_t thread) {
  ASSERT_OK(pthread_join(thread, NULL));
}

TEST_IMPL(init_starts_the_handle) {
  init_loop();
  memset(&async, 0xa5, sizeof(async));
  async.data = &calls;
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_PTR_EQ(async.data, &calls);
  ASSERT_PTR_EQ(async.loop, &loop);
  ASSERT_EQ(async.type, UV_ASYNC);
  ASSERT_NE(uv_is_active((uv_handle_t*) &async), 0);
  ASSERT_NE(uv_has_ref((uv_handle_t*) &async), 0);
  ASSERT_EQ(uv_is_closing((uv_handle_t*) &async), 0);
  ASSERT_NE(uv_loop_alive(&loop), 0);
  /* Without a send there is no callback. */
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 0);
  end();
}

TEST_IMPL(a_callback_is_not_required) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, NULL));
  ASSERT_OK(uv_async_send(&async));
  /* It wakes the loop all the same. */
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  end();
}

TEST_IMPL(sends_before_the_callback_are_one) {
  int i;
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  for (i = 0; i < 5; i++) ASSERT_OK(uv_async_send(&async));
  /* The callback is never made by the send itself. */
  ASSERT_EQ(calls, 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(calls, 1);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 1);
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 2);
  end();
}

static void send_in_callback(uv_async_t* handle) {
  if (++calls < 3) ASSERT_OK(uv_async_send(handle));
}

TEST_IMPL(a_send_in_the_callback_is_for_another_call) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, send_in_callback));
  ASSERT_OK(uv_async_send(&async));
  run_until(&loop, &calls, 3);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 3);
  end();
}

static void send_endlessly(uv_async_t* handle) {
  calls++;
  ASSERT_OK(uv_async_send(handle));
}

TEST_IMPL(endless_sends_do_not_starve_the_loop) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, send_endlessly));
  ASSERT_OK(uv_async_init(&loop, &other, on_other));
  ASSERT_OK(uv_async_send(&async));
  ASSERT_OK(uv_async_send(&other));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_GE(calls, 1);
  ASSERT_EQ(other_calls, 1);
  end();
}

TEST_IMPL(many_handles_each_have_their_call) {
  enum { total = 1000 };
  static uv_async_t handles[total];
  int i;
  init_loop();
  for (i = 0; i < total; i++) ASSERT_OK(uv_async_init(&loop, &handles[i], on_async));
  for (i = 0; i < total; i += 2) ASSERT_OK(uv_async_send(&handles[i]));
  ASSERT_OK(uv_async_send(&handles[0]));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(calls, total / 2);
  for (i = 0; i < total; i++) ASSERT_OK(uv_async_send(&handles[i]));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(calls, total / 2 + total);
  end();
}

TEST_IMPL(an_unreferenced_handle_is_called_while_the_loop_lives) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_OK(uv_async_init(&loop, &other, on_other));
  uv_unref((uv_handle_t*) &async);
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 1);
  uv_unref((uv_handle_t*) &other);
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  end();
}

/* --- Other threads ------------------------------------------------------------------------- */

static void* send_once(void* arg) {
  ASSERT_OK(uv_async_send(arg));
  return NULL;
}

static void close_itself(uv_async_t* handle) {
  on_async(handle);
  uv_close((uv_handle_t*) handle, on_close);
}

TEST_IMPL(a_send_of_another_thread_ends_the_wait) {
  pthread_t thread;
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, close_itself));
  thread = start_thread(send_once, &async);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  join_thread(thread);
  ASSERT_EQ(calls, 1);
  ASSERT_NOTES("closed");
  end();
}

TEST_IMPL(a_send_before_the_loop_runs_is_kept) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, close_itself));
  join_thread(start_thread(send_once, &async));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 1);
  end();
}

enum { senders = 4, sends = 5000 };
/* What the senders say, written before each send without any order of its own. */
static atomic_int said[senders];
static int heard[senders];
static int finished;

static void hear(uv_async_t* handle) {
  int i;
  calls++;
  finished = 0;
  for (i = 0; i < senders; i++) {
    int now = atomic_load_explicit(&said[i], memory_order_relaxed);
    ASSERT_GE(now, heard[i]);
    heard[i] = now;
    finished += now == sends;
  }
}

static void* say(void* arg) {
  atomic_int* mine = arg;
  int i;
  for (i = 1; i <= sends; i++) {
    atomic_store_explicit(mine, i, memory_order_relaxed);
    ASSERT_OK(uv_async_send(&async));
  }
  return NULL;
}

TEST_IMPL(the_last_call_sees_what_was_written_before_the_last_send) {
  pthread_t threads[senders];
  int i;
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, hear));
  for (i = 0; i < senders; i++) threads[i] = start_thread(say, &said[i]);
  run_until(&loop, &finished, senders);
  for (i = 0; i < senders; i++) join_thread(threads[i]);
  ASSERT_LE(calls, senders * sends);
  end();
}

static uv_async_t pool_of_handles[32];

static void* send_to_all(void* arg) {
  int i;
  int round;
  for (round = 0; round < 50; round++)
    for (i = 0; i < 32; i++) ASSERT_OK(uv_async_send(&pool_of_handles[i]));
  return NULL;
}

static int called_handles;

static void count_handle(uv_async_t* handle) {
  if (handle->data == NULL) called_handles++;
  handle->data = handle;
}

TEST_IMPL(threads_that_send_to_many_handles_lose_none) {
  pthread_t threads[senders];
  int i;
  init_loop();
  for (i = 0; i < 32; i++) {
    ASSERT_OK(uv_async_init(&loop, &pool_of_handles[i], count_handle));
    pool_of_handles[i].data = NULL;
  }
  for (i = 0; i < senders; i++) threads[i] = start_thread(send_to_all, NULL);
  run_until(&loop, &called_handles, 32);
  for (i = 0; i < senders; i++) join_thread(threads[i]);
  end();
}

/* Two loops in two threads that call each other by turns. */
enum { turns = 2000 };
static uv_async_t ping;
static uv_async_t pong;
static int pings;
static int pongs;

static void on_ping(uv_async_t* handle) {
  int last = ++pings == turns;
  ASSERT_OK(uv_async_send(&pong));
  if (last) uv_close((uv_handle_t*) handle, NULL);
}

static void on_pong(uv_async_t* handle) {
  if (++pongs == turns) uv_close((uv_handle_t*) handle, NULL);
  else ASSERT_OK(uv_async_send(&ping));
}

static void* run_loop(void* arg) {
  ASSERT_OK(uv_run(arg, UV_RUN_DEFAULT));
  return NULL;
}

TEST_IMPL(two_loops_call_each_other) {
  uv_loop_t second;
  pthread_t thread;
  init_loop();
  ASSERT_OK(uv_loop_init(&second));
  ASSERT_OK(uv_async_init(&second, &ping, on_ping));
  ASSERT_OK(uv_async_init(&loop, &pong, on_pong));
  ASSERT_OK(uv_async_send(&ping));
  thread = start_thread(run_loop, &second);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  join_thread(thread);
  ASSERT_EQ(pings, turns);
  ASSERT_EQ(pongs, turns);
  close_loop(&second);
  end();
}

/* --- Signal handlers ----------------------------------------------------------------------- */

static void send_in_handler(int signum) {
  int before = errno;
  errno = 12345;
  uv_async_send(&async);
  if (errno != 12345) _exit(3);
  errno = before;
}

TEST_IMPL(a_signal_handler_may_send) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, close_itself));
  signal(SIGUSR1, send_in_handler);
  raise(SIGUSR1);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 1);
  end();
}

static void* signal_the_loop(void* arg) {
  int i;
  for (i = 0; i < 200; i++) ASSERT_OK(pthread_kill(loop_thread, SIGUSR1));
  ASSERT_OK(uv_async_send(&other));
  return NULL;
}

TEST_IMPL(signal_handlers_may_send_at_any_moment) {
  pthread_t thread;
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_OK(uv_async_init(&loop, &other, on_other));
  signal(SIGUSR1, send_in_handler);
  thread = start_thread(signal_the_loop, NULL);
  run_until(&loop, &other_calls, 1);
  join_thread(thread);
  run_until(&loop, &calls, 1);
  end();
}

/* --- Close --------------------------------------------------------------------------------- */

static void never(uv_async_t* handle) {
  FAIL("called after the close");
}

TEST_IMPL(close_takes_a_send_back) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, never));
  ASSERT_OK(uv_async_send(&async));
  uv_close((uv_handle_t*) &async, on_close);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &async), 0);
  ASSERT_NE(uv_is_closing((uv_handle_t*) &async), 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("closed");
  end();
}

static void close_both(uv_async_t* handle) {
  note("async");
  uv_close((uv_handle_t*) &async, on_close);
  uv_close((uv_handle_t*) &other, on_close);
}

TEST_IMPL(close_of_another_takes_its_send_back) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, close_both));
  ASSERT_OK(uv_async_init(&loop, &other, close_both));
  ASSERT_OK(uv_async_send(&async));
  ASSERT_OK(uv_async_send(&other));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("async closed closed");
  end();
}

static void free_handle(uv_handle_t* handle) {
  memset(handle, 0xee, sizeof(uv_async_t));
  free(handle);
  other_calls++;
}

static void close_and_free(uv_async_t* handle) {
  calls++;
  uv_close((uv_handle_t*) handle, free_handle);
}

TEST_IMPL(the_memory_may_be_freed_in_the_close_callback) {
  int i;
  init_loop();
  for (i = 0; i < 20; i++) {
    uv_async_t* handle = malloc(sizeof(*handle));
    ASSERT_OK(uv_async_init(&loop, handle, close_and_free));
    ASSERT_OK(uv_async_send(handle));
  }
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 20);
  ASSERT_EQ(other_calls, 20);
  end();
}

static void init_in_callback(uv_async_t* handle) {
  calls++;
  ASSERT_OK(uv_async_init(handle->loop, &other, on_other));
  ASSERT_OK(uv_async_send(&other));
}

TEST_IMPL(a_handle_made_in_a_callback) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, init_in_callback));
  ASSERT_OK(uv_async_send(&async));
  run_until(&loop, &other_calls, 1);
  ASSERT_EQ(calls, 1);
  end();
}

static atomic_int enough;

static void* send_until_enough(void* arg) {
  while (!atomic_load(&enough)) uv_async_send(arg);
  return NULL;
}

static void on_racing(uv_async_t* handle) {
  ASSERT_EQ(uv_is_closing((uv_handle_t*) handle), 0);
  calls++;
}

TEST_IMPL(close_may_race_with_sends) {
  pthread_t threads[2];
  int round;
  int i;
  init_loop();
  for (round = 0; round < 30; round++) {
    calls = 0;
    atomic_store(&enough, 0);
    ASSERT_OK(uv_async_init(&loop, &async, on_racing));
    for (i = 0; i < 2; i++) threads[i] = start_thread(send_until_enough, &async);
    run_until(&loop, &calls, 1);
    uv_close((uv_handle_t*) &async, on_close);
    ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
    ASSERT_NOTES("closed");
    atomic_store(&enough, 1);
    for (i = 0; i < 2; i++) join_thread(threads[i]);
  }
  end();
}
