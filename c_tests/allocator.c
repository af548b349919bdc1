/* https://docs.libuv.org/en/v1.x/misc.html#c.uv_replace_allocator: every byte of the library's own
 * comes from the replaced functions and goes back to them, and can be refused. */
#include "task.h"

#include <pthread.h>
#include <stdatomic.h>

/* Blocks are marked, so that what did not come from here cannot go back here. */
struct block {
  size_t size;
  uint64_t mark;
} __attribute__((aligned(16)));

static const uint64_t live_mark = 0x6c6976652d626c6b;

static atomic_long live;
static atomic_long taken;
/* The number of allocations that succeed before the others fail; unlimited if negative. */
static atomic_long budget = -1;

static int may_allocate(void) {
  long left = atomic_load(&budget);
  while (left > 0)
    if (atomic_compare_exchange_weak(&budget, &left, left - 1)) return 1;
  return left < 0;
}

static void* give(size_t size, int fill) {
  struct block* block;
  if (!may_allocate()) return NULL;
  block = malloc(sizeof(*block) + size);
  ASSERT_NOT_NULL(block);
  block->size = size;
  block->mark = live_mark;
  memset(block + 1, fill, size);
  atomic_fetch_add(&live, 1);
  atomic_fetch_add(&taken, 1);
  return block + 1;
}

static struct block* block_of(void* pointer) {
  struct block* block = (struct block*) pointer - 1;
  if (block->mark != live_mark) FAIL("%p is no block of this allocator", pointer);
  return block;
}

static void* my_malloc(size_t size) {
  return give(size, 0xa5);
}

static void* my_calloc(size_t count, size_t size) {
  return give(count * size, 0);
}

static void my_free(void* pointer) {
  struct block* block;
  if (pointer == NULL) return;
  block = block_of(pointer);
  block->mark = 0;
  memset(pointer, 0xee, block->size);
  atomic_fetch_sub(&live, 1);
  free(block);
}

static void* my_realloc(void* pointer, size_t size) {
  size_t old;
  void* fresh;
  if (pointer == NULL) return my_malloc(size);
  old = block_of(pointer)->size;
  fresh = give(size, 0xa5);
  if (fresh == NULL) return NULL;
  memcpy(fresh, pointer, old < size ? old : size);
  my_free(pointer);
  return fresh;
}

static void replace(void) {
  ASSERT_OK(uv_replace_allocator(my_malloc, my_realloc, my_calloc, my_free));
}

static void make_sure_all_is_freed(void) {
  uv_library_shutdown();
  ASSERT_EQ(atomic_load(&live), 0);
}

static uv_loop_t loop;
static int calls;

static void on_timer(uv_timer_t* handle) {
  calls++;
}

TEST_IMPL(null_functions_are_invalid) {
  ASSERT_EQ(uv_replace_allocator(NULL, my_realloc, my_calloc, my_free), UV_EINVAL);
  ASSERT_EQ(uv_replace_allocator(my_malloc, NULL, my_calloc, my_free), UV_EINVAL);
  ASSERT_EQ(uv_replace_allocator(my_malloc, my_realloc, NULL, my_free), UV_EINVAL);
  ASSERT_EQ(uv_replace_allocator(my_malloc, my_realloc, my_calloc, NULL), UV_EINVAL);
  ASSERT_EQ(uv_replace_allocator(NULL, NULL, NULL, NULL), UV_EINVAL);
  /* None of these functions was taken over. */
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_close(&loop));
  ASSERT_EQ(atomic_load(&taken), 0);
}

TEST_IMPL(a_loop_gives_everything_back) {
  int i;
  replace();
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_loop_init(&loop));
    ASSERT_GT(atomic_load(&taken), 0);
    ASSERT_OK(uv_loop_close(&loop));
  }
  make_sure_all_is_freed();
}

TEST_IMPL(the_default_loop_and_one_made_by_the_library) {
  uv_loop_t* made;
  replace();
  made = uv_loop_new();
  ASSERT_NOT_NULL(made);
  uv_loop_delete(made);
  ASSERT_NOT_NULL(uv_default_loop());
  ASSERT_OK(uv_loop_close(uv_default_loop()));
  make_sure_all_is_freed();
}

/* --- Handles and requests ------------------------------------------------------------------ */

static void make_timers(void) {
  enum { total = 300 };
  static uv_timer_t timers[total];
  int i;
  for (i = 0; i < total; i++) {
    ASSERT_OK(uv_timer_init(&loop, &timers[i]));
    ASSERT_OK(uv_timer_start(&timers[i], on_timer, i % 3, 0));
  }
  run_until(&loop, &calls, total);
}

static void on_poll(uv_poll_t* handle, int status, int events) {
}

static void make_polls(void) {
  enum { total = 100 };
  static uv_poll_t polls[total];
  static int pairs[total][2];
  int i;
  for (i = 0; i < total; i++) {
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
    ASSERT_OK(uv_poll_init(&loop, &polls[i], pairs[i][0]));
    ASSERT_OK(uv_poll_start(&polls[i], UV_READABLE, on_poll));
  }
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  for (i = 0; i < total; i++) {
    uv_close((uv_handle_t*) &polls[i], NULL);
    close(pairs[i][0]);
    close(pairs[i][1]);
  }
}

static uv_async_t asyncs[50];

static void on_async(uv_async_t* handle) {
  calls++;
}

static void make_asyncs(void) {
  int i;
  calls = 0;
  for (i = 0; i < 50; i++) {
    ASSERT_OK(uv_async_init(&loop, &asyncs[i], on_async));
    ASSERT_OK(uv_async_send(&asyncs[i]));
  }
  run_until(&loop, &calls, 50);
}

TEST_IMPL(timers_polls_and_asyncs_give_everything_back) {
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  make_timers();
  make_polls();
  make_asyncs();
  close_loop(&loop);
  make_sure_all_is_freed();
}

static void work(uv_work_t* req) {
}

static void after_work(uv_work_t* req, int status) {
  ASSERT_OK(status);
  calls++;
}

TEST_IMPL(the_pool_gives_everything_back) {
  static uv_work_t reqs[100];
  int i;
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < 100; i++) ASSERT_OK(uv_queue_work(&loop, &reqs[i], work, after_work));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, 100);
  close_loop(&loop);
  make_sure_all_is_freed();
}

static uv_tcp_t server;
static uv_tcp_t client;
static uv_tcp_t peer;
static char received[256];
static int received_size;

static void on_allocate(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  *buf = uv_buf_init(received, sizeof(received));
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  ASSERT_GE(count, 0);
  received_size += (int) count;
}

static void on_accept(uv_stream_t* stream, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(&loop, &peer));
  ASSERT_OK(uv_accept(stream, (uv_stream_t*) &peer));
  ASSERT_OK(uv_read_start((uv_stream_t*) &peer, on_allocate, on_read));
}

static void on_connect(uv_connect_t* req, int status) {
  /* More buffers than fit into a request: their list is allocated. */
  static uv_write_t write_req;
  uv_buf_t bufs[20];
  int i;
  ASSERT_OK(status);
  for (i = 0; i < 20; i++) bufs[i] = uv_buf_init("x", 1);
  ASSERT_OK(uv_write(&write_req, req->handle, bufs, 20, NULL));
}

TEST_IMPL(streams_give_everything_back) {
  struct sockaddr_in address = loopback(0);
  uv_connect_t req;
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_tcp_init(&loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_accept));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(&loop, &client));
  ASSERT_OK(uv_tcp_connect(&req, &client, (struct sockaddr*) &address, on_connect));
  run_until(&loop, &received_size, 20);
  close_loop(&loop);
  make_sure_all_is_freed();
}

TEST_IMPL(pipes_give_their_names_back) {
  uv_pipe_t pipe;
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_pipe_init(&loop, &pipe, 0));
  ASSERT_OK(uv_pipe_bind(&pipe, test_path("socket")));
  close_loop(&loop);
  make_sure_all_is_freed();
}

/* --- No memory ----------------------------------------------------------------------------- */

TEST_IMPL(a_loop_that_gets_no_memory_says_so) {
  long allowed;
  int before;
  int result;
  replace();
  /* What is made once for all loops is there from the first one on. */
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_loop_close(&loop));
  before = fd_count();
  for (allowed = 0;; allowed++) {
    long live_before = atomic_load(&live);
    atomic_store(&budget, allowed);
    result = uv_loop_init(&loop);
    if (result == 0) break;
    ASSERT_EQ(result, UV_ENOMEM);
    ASSERT_EQ(atomic_load(&live), live_before);
    ASSERT_EQ(fd_count(), before);
  }
  ASSERT_GT(allowed, 0);
  atomic_store(&budget, -1);
  ASSERT_OK(uv_loop_close(&loop));
  make_sure_all_is_freed();
}

TEST_IMPL(uv_loop_new_without_memory_is_null) {
  replace();
  atomic_store(&budget, 0);
  ASSERT_NULL(uv_loop_new());
  atomic_store(&budget, -1);
  make_sure_all_is_freed();
}

TEST_IMPL(timers_without_memory_fail_and_can_be_started_later) {
  /* Timers that need no memory to be started need none to fail either. */
  enum { total = 100 };
  static uv_timer_t timers[total];
  int started = 0;
  int i;
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  atomic_store(&budget, 0);
  for (i = 0; i < total; i++) {
    int result;
    ASSERT_OK(uv_timer_init(&loop, &timers[i]));
    result = uv_timer_start(&timers[i], on_timer, 0, 0);
    if (result != 0) ASSERT_EQ(result, UV_ENOMEM);
    ASSERT_EQ(uv_is_active((uv_handle_t*) &timers[i]), result == 0);
    started += result == 0;
  }
  atomic_store(&budget, -1);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, started);
  for (i = 0; i < total; i++) ASSERT_OK(uv_timer_start(&timers[i], on_timer, 0, 0));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, started + total);
  close_loop(&loop);
  make_sure_all_is_freed();
}

static uint64_t last_due;

static void in_order(uv_timer_t* handle) {
  /* What was due, and in which place of the starts, is in `data`. */
  uint64_t due = (uint64_t) (uintptr_t) handle->data;
  ASSERT_GE(due, last_due);
  last_due = due;
  calls++;
}

TEST_IMPL(timers_started_without_memory_keep_their_order) {
  enum { total = 600, spread = 16 };
  static uv_timer_t timers[total];
  int started = 0;
  int i;
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < total; i++) {
    uint64_t timeout = (uint64_t) i * 7919 % spread;
    /* Allocations succeed and fail by turns. */
    atomic_store(&budget, i / 50 % 2 == 0 ? 0 : -1);
    ASSERT_OK(uv_timer_init(&loop, &timers[i]));
    timers[i].data = (void*) (uintptr_t) (timeout * total + i);
    started += uv_timer_start(&timers[i], in_order, timeout, 0) == 0;
  }
  for (i = 0; i < total; i += 3) {
    started -= uv_is_active((uv_handle_t*) &timers[i]);
    ASSERT_OK(uv_timer_stop(&timers[i]));
  }
  atomic_store(&budget, -1);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, started);
  close_loop(&loop);
  make_sure_all_is_freed();
}

TEST_IMPL(repeats_need_no_memory) {
  enum { total = 200 };
  static uv_timer_t timers[total];
  int i;
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  /* All due at once, and then at times of their own. */
  for (i = 0; i < total; i++) {
    ASSERT_OK(uv_timer_init(&loop, &timers[i]));
    ASSERT_OK(uv_timer_start(&timers[i], on_timer, 0, 100000 + i));
  }
  atomic_store(&budget, 0);
  uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_EQ(calls, total);
  for (i = 0; i < total; i++) {
    ASSERT_NE(uv_is_active((uv_handle_t*) &timers[i]), 0);
    ASSERT_EQ(uv_timer_get_due_in(&timers[i]), 100000 + i);
  }
  ASSERT_EQ(uv_backend_timeout(&loop), 100000);
  atomic_store(&budget, -1);
  close_loop(&loop);
  make_sure_all_is_freed();
}

TEST_IMPL(a_write_without_memory_is_refused) {
  struct sockaddr_in address = loopback(0);
  uv_connect_t req;
  uv_write_t write_req;
  uv_buf_t bufs[100];
  int i;
  /* There the request counts as active nevertheless, and the loop never ends. */
  OXUV_ONLY();
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_tcp_init(&loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_accept));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(&loop, &client));
  ASSERT_OK(uv_tcp_connect(&req, &client, (struct sockaddr*) &address, on_connect));
  run_until(&loop, &received_size, 20);
  for (i = 0; i < 100; i++) bufs[i] = uv_buf_init("y", 1);
  atomic_store(&budget, 0);
  ASSERT_EQ(uv_write(&write_req, (uv_stream_t*) &client, bufs, 100, NULL), UV_ENOMEM);
  atomic_store(&budget, -1);
  ASSERT_EQ(uv_stream_get_write_queue_size((uv_stream_t*) &client), 0);
  close_loop(&loop);
  make_sure_all_is_freed();
}

TEST_IMPL(steady_timers_allocate_nothing) {
  uv_timer_t timer;
  long before;
  replace();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 0, 1));
  run_until(&loop, &calls, 2);
  before = atomic_load(&taken);
  while (calls < 20) uv_run(&loop, UV_RUN_ONCE);
  ASSERT_EQ(atomic_load(&taken), before);
  close_loop(&loop);
  make_sure_all_is_freed();
}
