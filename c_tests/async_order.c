/* https://docs.libuv.org/en/v1.x/async.html: in which order handles are called that are pending
 * together. Programs rely on that of their making (the message channels of Node.js). */
#include "task.h"

#include <pthread.h>

enum { letters = 26 };

static uv_loop_t loop;
/* Handles are named a, b, c … */
static uv_async_t handles[letters];
/* What the next callback of a handle does: see `act`. */
static const char* acts[letters];

static uv_async_t* handle_of(char name) {
  return &handles[name - 'a'];
}

static void act(const char* text);

static void on_async(uv_async_t* handle) {
  int index = (int) (handle - handles);
  const char* text = acts[index];
  note("%c", 'a' + index);
  acts[index] = NULL;
  if (text != NULL) act(text);
}

static void on_closed(uv_handle_t* handle) {
  note("closed-%c", 'a' + (int) ((uv_async_t*) handle - handles));
}

static void make(const char* names) {
  for (; *names != 0; names++) ASSERT_OK(uv_async_init(&loop, handle_of(*names), on_async));
}

static void send_all(const char* names) {
  for (; *names != 0; names++) ASSERT_OK(uv_async_send(handle_of(*names)));
}

static void* send_from_thread(void* arg) {
  ASSERT_OK(uv_async_send(arg));
  return NULL;
}

static void send_by_thread(uv_async_t* handle) {
  pthread_t thread;
  ASSERT_OK(pthread_create(&thread, NULL, send_from_thread, handle));
  ASSERT_OK(pthread_join(thread, NULL));
}

static uv_async_t* signal_sends;

static void on_signal(int number) {
  uv_async_send(signal_sends);
}

static void send_by_signal(uv_async_t* handle) {
  signal_sends = handle;
  ASSERT(signal(SIGUSR1, on_signal) != SIG_ERR);
  ASSERT_OK(raise(SIGUSR1));
}

/* Pairs of a letter for what to do and the handle to do it with. */
static void act(const char* text) {
  for (; *text != 0; text += 2) {
    uv_async_t* handle = handle_of(text[1]);
    switch (text[0]) {
      case '+': ASSERT_OK(uv_async_init(&loop, handle, on_async)); break;
      case '-': uv_close((uv_handle_t*) handle, on_closed); break;
      case '!': ASSERT_OK(uv_async_send(handle)); break;
      case 'T': send_by_thread(handle); break;
      case 'S': send_by_signal(handle); break;
      case '.': uv_stop(&loop); break;
      default: FAIL("what is %c?", text[0]);
    }
  }
}

static void on_callback(char name, const char* text) {
  acts[name - 'a'] = text;
}

static void poll_once(void) {
  uv_run(&loop, UV_RUN_NOWAIT);
}

static void begin(const char* names) {
  ASSERT_OK(uv_loop_init(&loop));
  make(names);
}

static void end(void) {
  close_loop(&loop);
  clear_notes();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_order_is_that_of_their_making) {
  begin("abcdef");
  send_all("fedcba");
  poll_once();
  ASSERT_NOTES("a b c d e f");
  send_all("dbe");
  poll_once();
  ASSERT_NOTES("b d e");
  send_all("cafc");
  poll_once();
  ASSERT_NOTES("a c f");
  poll_once();
  ASSERT_NOTES("");
  end();
}

TEST_IMPL(the_order_is_the_same_however_the_loop_runs) {
  begin("abc");
  send_all("cba");
  uv_run(&loop, UV_RUN_ONCE);
  ASSERT_NOTES("a b c");
  send_all("bca");
  on_callback('c', "-a-b-c");
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("a b c closed-c closed-b closed-a");
  end();
}

TEST_IMPL(the_order_with_unreferenced_handles) {
  begin("abc");
  uv_unref((uv_handle_t*) handle_of('a'));
  uv_unref((uv_handle_t*) handle_of('c'));
  uv_ref((uv_handle_t*) handle_of('a'));
  send_all("cba");
  poll_once();
  ASSERT_NOTES("a b c");
  end();
}

TEST_IMPL(a_handle_made_anew_is_the_last) {
  begin("abcd");
  act("-b");
  poll_once();
  make("b");
  clear_notes();
  send_all("bdca");
  poll_once();
  ASSERT_NOTES("a c d b");
  end();
}

TEST_IMPL(handles_of_other_loops_are_another_matter) {
  uv_loop_t other;
  begin("abc");
  ASSERT_OK(uv_loop_init(&other));
  ASSERT_OK(uv_async_init(&other, handle_of('y'), on_async));
  make("d");
  ASSERT_OK(uv_async_init(&other, handle_of('z'), on_async));
  send_all("zydcba");
  uv_run(&other, UV_RUN_NOWAIT);
  ASSERT_NOTES("y z");
  poll_once();
  ASSERT_NOTES("a b c d");
  close_loop(&other);
  end();
}

/* --- What callbacks do ------------------------------------------------------------------- */

/* The loop goes through its handles once: later ones are called in the same iteration. */
TEST_IMPL(sends_in_a_callback_are_for_this_iteration_or_the_next) {
  begin("abcde");
  on_callback('b', "!a!c!b!e");
  send_all("db");
  poll_once();
  ASSERT_NOTES("b c d e");
  poll_once();
  ASSERT_NOTES("a b");
  poll_once();
  ASSERT_NOTES("");
  end();
}

TEST_IMPL(each_sends_to_the_next_one) {
  begin("abcde");
  on_callback('a', "!b");
  on_callback('b', "!c");
  on_callback('c', "!d");
  on_callback('d', "!e");
  on_callback('e', "!a");
  send_all("a");
  poll_once();
  ASSERT_NOTES("a b c d e");
  poll_once();
  ASSERT_NOTES("a");
  end();
}

TEST_IMPL(sends_of_threads_and_of_signal_handlers_during_a_callback) {
  begin("abcde");
  on_callback('a', "TcSd");
  on_callback('c', "TbSa");
  send_all("ea");
  poll_once();
  ASSERT_NOTES("a c d e");
  poll_once();
  ASSERT_NOTES("a b");
  end();
}

TEST_IMPL(handles_closed_in_a_callback_are_not_called) {
  begin("abcde");
  on_callback('b', "-a-b-d!d!e");
  send_all("edcb");
  poll_once();
  ASSERT_NOTES("b c e closed-d closed-b closed-a");
  poll_once();
  ASSERT_NOTES("");
  send_all("ec");
  poll_once();
  ASSERT_NOTES("c e");
  end();
}

TEST_IMPL(handles_closed_while_others_are_pending) {
  begin("abcdef");
  send_all("fedcba");
  act("-a-d-f");
  poll_once();
  ASSERT_NOTES("b c e closed-f closed-d closed-a");
  end();
}

TEST_IMPL(stopping_the_loop_does_not_end_the_iteration) {
  begin("abc");
  on_callback('a', ".a");
  send_all("cba");
  uv_run(&loop, UV_RUN_DEFAULT);
  ASSERT_NOTES("a b c");
  end();
}

/* As if the loop had them in a list, to whose end each goes when its turn comes: what is made in a
 * callback goes there as well. */
TEST_IMPL(handles_made_in_a_callback_come_right_after) {
  begin("abcd");
  on_callback('b', "+e!e+f!f");
  send_all("dcba");
  poll_once();
  ASSERT_NOTES("a b c d");
  /* But not in the same iteration. */
  poll_once();
  ASSERT_NOTES("e f");
  send_all("fedcba");
  poll_once();
  ASSERT_NOTES("a b e f c d");
  on_callback('b', "+g");
  on_callback('f', "+h");
  on_callback('d', "+i");
  send_all("fdb");
  poll_once();
  ASSERT_NOTES("b f d");
  send_all("ihgfedcba");
  poll_once();
  ASSERT_NOTES("a b g e f h c d i");
  end();
}

TEST_IMPL(a_handle_that_closes_itself_leaves_its_place_to_a_new_one) {
  begin("abc");
  on_callback('b', "-b+d");
  on_callback('a', "-a+e");
  send_all("ba");
  poll_once();
  ASSERT_NOTES("a b closed-b closed-a");
  send_all("edc");
  poll_once();
  ASSERT_NOTES("e d c");
  /* The handle before it is gone as well. */
  on_callback('d', "-e-d+f+g");
  send_all("d");
  poll_once();
  ASSERT_NOTES("d closed-d closed-e");
  send_all("gfc");
  poll_once();
  ASSERT_NOTES("f g c");
  end();
}

static void no_work(uv_work_t* request) {}

static void after_work(uv_work_t* request, int status) {
  note("work");
  act(request->data);
}

static void wait_for_work(const char* text) {
  static uv_work_t request;
  request.data = (void*) text;
  ASSERT_OK(uv_queue_work(&loop, &request, no_work, after_work));
  while (strstr(notes(), "work") == NULL) uv_run(&loop, UV_RUN_ONCE);
}

static void on_file(uv_fs_t* request) {
  note("file");
  act(request->data);
  uv_fs_req_cleanup(request);
}

/* Finished jobs are reported before any handle is called. */
TEST_IMPL(handles_made_when_work_is_done_are_the_first) {
  uv_fs_t request;
  begin("abc");
  wait_for_work("+d+e!e!b!d");
  if (strstr(notes(), "b") == NULL) poll_once();
  poll_once();
  ASSERT_NOTES("work b d e");
  send_all("edcba");
  poll_once();
  ASSERT_NOTES("d e a b c");
  request.data = "+f!f!a";
  ASSERT_OK(uv_fs_stat(&loop, &request, "/", on_file));
  while (strstr(notes(), "f") == NULL) uv_run(&loop, UV_RUN_ONCE);
  poll_once();
  ASSERT_NOTES("file a f");
  send_all("fedcba");
  poll_once();
  ASSERT_NOTES("f d e a b c");
  end();
}

static void on_timer(uv_timer_t* timer) {
  note("timer");
  act(timer->data);
}

static void on_check(uv_check_t* check) {
  note("check");
  act(check->data);
  uv_check_stop(check);
}

TEST_IMPL(handles_made_in_other_phases_are_the_last) {
  uv_timer_t timer;
  uv_check_t check;
  begin("abc");
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_check_init(&loop, &check));
  timer.data = "+d";
  check.data = "+e";
  ASSERT_OK(uv_timer_start(&timer, on_timer, 0, 0));
  ASSERT_OK(uv_check_start(&check, on_check));
  send_all("b");
  poll_once();
  ASSERT_NOTES("b check timer");
  send_all("edcba");
  poll_once();
  ASSERT_NOTES("a b c e d");
  end();
}

/* --- Forks ------------------------------------------------------------------------------- */

TEST_IMPL(the_order_after_a_fork) {
  pid_t pid;
  int status;
  NOT_WITH_THREAD_SANITIZER("starts no threads in a forked child");
  begin("abcd");
  act("-b");
  poll_once();
  make("b");
  clear_notes();
  send_all("db");
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(&loop));
    poll_once();
    ASSERT_NOTES("");
    on_callback('c', "+e");
    send_all("bdca");
    poll_once();
    ASSERT_NOTES("a c d b");
    send_all("ebdca");
    poll_once();
    ASSERT_NOTES("a c e d b");
    fflush(stdout);
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  poll_once();
  ASSERT_NOTES("d b");
  end();
}

static pid_t forked = -1;

static void fork_in_callback(uv_async_t* handle) {
  note("fork");
  forked = fork();
  ASSERT_GE(forked, 0);
  if (forked == 0) {
    ASSERT_OK(uv_loop_fork(&loop));
    act("+f!e!b");
  }
}

TEST_IMPL(the_order_after_a_fork_in_a_callback) {
  int status;
  /* In libuv the child gets what was sent to its parent, of handles that come later. */
  OXUV_ONLY();
  NOT_WITH_THREAD_SANITIZER("starts no threads in a forked child");
  begin("ab");
  ASSERT_OK(uv_async_init(&loop, handle_of('c'), fork_in_callback));
  make("de");
  send_all("dac");
  poll_once();
  if (forked == 0) {
    ASSERT_NOTES("a fork e");
    poll_once();
    ASSERT_NOTES("b");
    send_all("fedba");
    poll_once();
    ASSERT_NOTES("a b f d e");
    fflush(stdout);
    _exit(0);
  }
  ASSERT_NOTES("a fork d");
  ASSERT_EQ(waitpid(forked, &status, 0), forked);
  ASSERT_EQ(status, 0);
  end();
}

/* --- Many -------------------------------------------------------------------------------- */

enum { many = 4000 };

static uv_async_t crowd[many];
/* Their order, as numbers: a plain list. */
static int order[many];
static int count;
/* The place in it that the iteration has come to, and the number of the handle that is called. */
static int place = -1;
static char is_sent[many];
static int calls;
static unsigned seed = 12345;

static unsigned random_below(unsigned limit) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % limit;
}

static void on_crowd(uv_async_t* handle);

static void send_to(int number) {
  ASSERT_OK(uv_async_send(&crowd[number]));
  is_sent[number] = 1;
}

/* Each one is called when the list says so, does some of what callbacks do, and notes it there. */
static void make_one(void) {
  int at = place >= 0 ? place : count;
  if (count == many) return;
  memmove(&order[at + 1], &order[at], (count - at) * sizeof(order[0]));
  order[at] = count;
  ASSERT_OK(uv_async_init(&loop, &crowd[count], on_crowd));
  count++;
  if (place >= 0) place++;
}

static void on_crowd(uv_async_t* handle) {
  int number = (int) (handle - crowd);
  int i;
  calls++;
  for (; order[place] != number; place++) {
    ASSERT_LT(place, count - 1);
    ASSERT_EQ(is_sent[order[place]], 0);
  }
  ASSERT_EQ(is_sent[number], 1);
  is_sent[number] = 0;
  place++;
  if (calls % 4 == 0) send_to(order[random_below(count)]);
  if (calls % 7 == 0)
    for (i = 0; i < 3; i++) make_one();
}

TEST_IMPL(a_crowd_is_called_in_order_whatever_its_callbacks_do) {
  int round;
  int i;
  begin("");
  for (i = 0; i < many / 4; i++) make_one();
  for (round = 0; round < 200; round++) {
    int sends = round % 3 == 0 ? 3 : 300;
    for (i = 0; i < sends; i++) send_to(random_below(count));
    place = 0;
    poll_once();
    for (; place < count; place++) ASSERT_EQ(is_sent[order[place]], 0);
    place = -1;
    make_one();
  }
  ASSERT_EQ(count, many);
  end();
}

/* --- Without memory ---------------------------------------------------------------------- */

static int may_allocate = 1;

static void* allocate(size_t size) {
  return may_allocate ? malloc(size) : NULL;
}

static void* allocate_again(void* memory, size_t size) {
  return may_allocate ? realloc(memory, size) : NULL;
}

static void* allocate_zeroed(size_t number, size_t size) {
  return may_allocate ? calloc(number, size) : NULL;
}

TEST_IMPL(a_handle_that_finds_no_memory_is_not_made) {
  int made = 0;
  /* libuv needs no memory there. */
  OXUV_ONLY();
  ASSERT_OK(uv_replace_allocator(allocate, allocate_again, allocate_zeroed, free));
  begin("a");
  may_allocate = 0;
  while (uv_async_init(&loop, &crowd[made], on_crowd) == 0) ASSERT_LT(++made, many);
  ASSERT_EQ(uv_async_init(&loop, &crowd[made], on_crowd), UV_ENOMEM);
  /* Memory may be lacking in a full part of the order as well as at its end. */
  on_callback('a', ".a");
  send_all("a");
  poll_once();
  ASSERT_NOTES("a");
  may_allocate = 1;
  make("b");
  send_all("ba");
  poll_once();
  ASSERT_NOTES("a b");
  end();
}
