/* https://docs.libuv.org/en/v1.x/async.html */
#include "task.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

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
  /* The send wakes the loop nevertheless. */
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
static int received[senders];
static int finished;

static void receive(uv_async_t* handle) {
  int i;
  calls++;
  finished = 0;
  for (i = 0; i < senders; i++) {
    int now = atomic_load_explicit(&said[i], memory_order_relaxed);
    ASSERT_GE(now, received[i]);
    received[i] = now;
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
  ASSERT_OK(uv_async_init(&loop, &async, receive));
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

/* Two loops in two threads that wake each other by turns. */
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

TEST_IMPL(two_loops_wake_each_other) {
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

/* Two loops that wake each other by turns, and spin for that long before they block. */
static void wake_each_other(const char* microseconds) {
  uv_loop_t second;
  pthread_t thread;
  setenv("OXUV_SPIN_US", microseconds, 1);
  init_loop();
  ASSERT_OK(uv_loop_init(&second));
  ASSERT_OK(uv_async_init(&second, &ping, on_ping));
  ASSERT_OK(uv_async_init(&loop, &pong, on_pong));
  ASSERT_OK(uv_async_send(&ping));
  thread = start_thread(run_loop, &second);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  join_thread(thread);
  ASSERT_EQ(pongs, turns);
  close_loop(&second);
  end();
}

TEST_IMPL(two_loops_that_block_at_once_wake_each_other) {
  wake_each_other("0");
}

TEST_IMPL(two_loops_that_spin_for_long_wake_each_other) {
  wake_each_other("1000");
}

/* The number of turns is limited by two seconds. */
static atomic_int many_turns;
static uint64_t turns_end;

static atomic_int ping_ends;

static void on_endless_ping(uv_async_t* handle) {
  if (ping_ends) uv_close((uv_handle_t*) handle, NULL);
  else ASSERT_OK(uv_async_send(&pong));
}

static void on_counted_pong(uv_async_t* handle) {
  if (--many_turns > 0 && uv_hrtime() < turns_end) ASSERT_OK(uv_async_send(&ping));
  else uv_stop(handle->loop);
}

static void stop_at_last(uv_timer_t* handle) {
  if (++other_calls == 1 || other_calls == 51) uv_stop(handle->loop);
}

static uint64_t idle_percent(uv_timer_t* timer, uint64_t timeout, uint64_t repeat) {
  uint64_t used = used_ns();
  uint64_t began = uv_hrtime();
  ASSERT_OK(uv_timer_start(timer, stop_at_last, timeout, repeat));
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  used = used_ns() - used;
  return used * 100 / (uv_hrtime() - began);
}

/* Whatever came before, a process that waits uses no time. */
static void wait_after_a_burst(const char* microseconds) {
  uv_loop_t second;
  uv_timer_t timer;
  pthread_t thread;
  setenv("OXUV_SPIN_US", microseconds, 1);
  init_loop();
  ASSERT_OK(uv_loop_init(&second));
  ASSERT_OK(uv_async_init(&second, &ping, on_endless_ping));
  ASSERT_OK(uv_async_init(&loop, &pong, on_counted_pong));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  many_turns = 100000;
  turns_end = uv_hrtime() + 2000000000;
  ASSERT_OK(uv_async_send(&ping));
  thread = start_thread(run_loop, &second);
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_LT(many_turns, 100000);
  uv_update_time(&loop);
  ASSERT_LT(idle_percent(&timer, 500, 0), 5);
  /* Nor does one that wakes up now and then. */
  ASSERT_LT(idle_percent(&timer, 10, 10), 15);
  ASSERT_EQ(other_calls, 51);
  uv_close((uv_handle_t*) &timer, NULL);
  ping_ends = 1;
  ASSERT_OK(uv_async_send(&ping));
  join_thread(thread);
  close_loop(&second);
  end();
}

TEST_IMPL_TIMED(a_process_that_waits_uses_no_time, 60) {
  wait_after_a_burst("50");
}

TEST_IMPL_TIMED(a_process_that_spun_for_long_uses_no_time, 60) {
  wait_after_a_burst("1000");
}

/* --- Within another poller ----------------------------------------------------------------- */

static int is_readable(void) {
  struct pollfd one = {uv_backend_fd(&loop), POLLIN, 0};
  int count = poll(&one, 1, 0);
  ASSERT_GE(count, 0);
  return count;
}

/* Runs the loop until there is nothing left to do, which must not need many runs. */
static void settle(void) {
  int i;
  for (i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_EQ(is_readable(), 0);
}

TEST_IMPL(a_send_makes_the_backend_descriptor_readable) {
  int i;
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  settle();
  for (i = 1; i <= 5; i++) {
    ASSERT_OK(uv_async_send(&async));
    ASSERT_EQ(is_readable(), 1);
    ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ASSERT_EQ(calls, i);
    ASSERT_EQ(is_readable(), 0);
  }
  end();
}

TEST_IMPL(a_send_in_a_callback_makes_the_backend_descriptor_readable) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, send_in_callback));
  settle();
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 1);
  ASSERT_EQ(is_readable(), 1);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 2);
  ASSERT_EQ(is_readable(), 1);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(calls, 3);
  settle();
  end();
}

static void stop_and_send(uv_async_t* handle) {
  calls++;
  uv_stop(handle->loop);
  ASSERT_OK(uv_async_send(&other));
}

/* The default mode may deliver messages without polling. */
TEST_IMPL(a_stopped_loop_leaves_the_backend_descriptor_right) {
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, stop_and_send));
  ASSERT_OK(uv_async_init(&loop, &other, on_other));
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_EQ(calls, 1);
  if (other_calls == 0) ASSERT_EQ(is_readable(), 1);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(other_calls, 1);
  settle();
  end();
}

static void* send_with_pauses(void* arg) {
  struct timespec pause = {0, 50000};
  int i;
  for (i = 0; i < 300; i++) {
    ASSERT_OK(uv_async_send(&async));
    if (i % 3 == 0) nanosleep(&pause, NULL);
  }
  ASSERT_OK(uv_async_send(&other));
  return NULL;
}

/* Blocks in poll(2) only, as toolkits do: no send is missed, and there is no needless wake-up. */
TEST_IMPL(an_outer_poller_misses_no_send) {
  pthread_t thread;
  int wakeups = 0;
  init_loop();
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_OK(uv_async_init(&loop, &other, on_other));
  settle();
  thread = start_thread(send_with_pauses, NULL);
  while (other_calls == 0) {
    struct pollfd one = {uv_backend_fd(&loop), POLLIN, 0};
    ASSERT_EQ(poll(&one, 1, 20000), 1);
    wakeups++;
    ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  }
  join_thread(thread);
  ASSERT_GE(calls, 1);
  ASSERT_LE(wakeups, 302);
  settle();
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

static void* signal_when_blocked(void* arg) {
  /* Counts the wait under way. */
  while (uv_metrics_idle_time(&loop) == 0) continue;
  ASSERT_OK(pthread_kill(loop_thread, SIGUSR1));
  return NULL;
}

TEST_IMPL(a_signal_handler_may_send_while_the_loop_is_blocked) {
  pthread_t thread;
  init_loop();
  ASSERT_OK(uv_loop_configure(&loop, UV_METRICS_IDLE_TIME));
  ASSERT_OK(uv_async_init(&loop, &async, close_itself));
  signal(SIGUSR1, send_in_handler);
  thread = start_thread(signal_when_blocked, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  join_thread(thread);
  ASSERT_EQ(calls, 1);
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

/* A backlog in which every other handle is closed, and its memory unmapped, before its turn. */
enum { BACKLOG = 64 };
static struct {
  uv_async_t* handles[BACKLOG];
  int order[BACKLOG];
  int count;
} backlog;

static void unmap_handle(uv_handle_t* handle) {
  ASSERT_OK(munmap(handle, sizeof(uv_async_t)));
  other_calls++;
}

static void note_place(uv_async_t* handle) {
  backlog.order[backlog.count++] = *(int*) handle->data;
}

static void close_every_other(uv_async_t* handle) {
  int i;
  for (i = 1; i < BACKLOG; i += 2) uv_close((uv_handle_t*) backlog.handles[i], unmap_handle);
  note_place(handle);
}

static void check_order(int from, int step) {
  int i;
  ASSERT_EQ(backlog.count, (BACKLOG - from + step - 1) / step);
  for (i = 0; i < backlog.count; i++) ASSERT_EQ(backlog.order[i], from + i * step);
  backlog.count = 0;
}

static void init_backlog(int places[BACKLOG], uv_async_cb callback) {
  int i;
  for (i = 0; i < BACKLOG; i++) {
    uv_async_t* handle = mmap(NULL, sizeof(*handle), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT(handle != MAP_FAILED);
    places[i] = i;
    handle->data = &places[i];
    ASSERT_OK(uv_async_init(&loop, handle, i == 0 ? callback : note_place));
    backlog.handles[i] = handle;
  }
}

static void close_backlog(int step) {
  int i;
  for (i = 0; i < BACKLOG; i += step) uv_close((uv_handle_t*) backlog.handles[i], unmap_handle);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(other_calls, BACKLOG);
}

TEST_IMPL(a_backlog_reads_nothing_that_is_gone) {
  int places[BACKLOG];
  int i;
  init_loop();
  init_backlog(places, close_every_other);
  for (i = 0; i < BACKLOG; i++) ASSERT_OK(uv_async_send(backlog.handles[i]));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  check_order(0, 2);
  ASSERT_EQ(other_calls, BACKLOG / 2);
  /* The loop may still have the addresses of handles whose memory is gone. */
  for (i = 2; i < BACKLOG; i += 2) ASSERT_OK(uv_async_send(backlog.handles[i]));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  check_order(2, 2);
  close_backlog(2);
  end();
}

TEST_IMPL(a_backlog_is_called_in_the_order_of_its_making) {
  int places[BACKLOG];
  int i;
  init_loop();
  init_backlog(places, note_place);
  for (i = BACKLOG - 1; i >= 0; i--) ASSERT_OK(uv_async_send(backlog.handles[i]));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(backlog.count, BACKLOG);
  for (i = 0; i < BACKLOG; i++) ASSERT_EQ(backlog.order[i], i);
  close_backlog(1);
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

/* --- A fork in a callback ---------------------------------------------------------------- */

static uv_async_t forking, also_sent;
static pid_t forked = -1;
static int reported_too;

static void fork_the_loop(uv_async_t* handle) {
  if (forked != -1) return;
  forked = fork();
  ASSERT_NE(forked, -1);
  if (forked == 0) ASSERT_OK(uv_loop_fork(handle->loop));
}

static void count_also(uv_async_t* handle) {
  reported_too++;
}

/* The child gets what was sent to it, once at most, and nothing that was sent to its parent. */
TEST_IMPL(a_fork_in_a_callback_with_others_pending) {
  uv_loop_t* loop = uv_default_loop();
  int status;

  NOT_WITH_THREAD_SANITIZER("starts no threads in a forked child");
  ASSERT_OK(uv_async_init(loop, &forking, fork_the_loop));
  ASSERT_OK(uv_async_init(loop, &also_sent, count_also));
  ASSERT_OK(uv_async_send(&forking));
  ASSERT_OK(uv_async_send(&also_sent));
  uv_run(loop, UV_RUN_NOWAIT);
  if (forked == 0) {
    if (reported_too > 1) _exit(1);
    reported_too = 0;
    uv_async_send(&also_sent);
    uv_run(loop, UV_RUN_NOWAIT);
    uv_close((uv_handle_t*) &forking, NULL);
    uv_close((uv_handle_t*) &also_sent, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    _exit(reported_too != 1 || uv_loop_close(loop) != 0);
  }
  ASSERT_EQ(reported_too, 1);
  ASSERT_EQ(waitpid(forked, &status, 0), forked);
  ASSERT_EQ(status, 0);
  MAKE_SURE_NOTHING_LEAKED();
}
