/* A forked child whose uv_loop_fork() finds no descriptor for something. It may try again; and
 * whatever it does instead, it does nothing to what its parent has.
 * https://docs.libuv.org/en/v1.x/loop.html#c.uv_loop_fork */
#include "refuse.h"

#include <poll.h>
#include <sys/eventfd.h>

static uv_loop_t loop;
static uv_async_t async;
static uv_signal_t signal_handle;
static uv_fs_event_t watcher;
static uv_pipe_t reader;
static int ends[2];
static int sent;
static int caught;
static int changed;
static int reads;

static void on_async(uv_async_t* one) {
  sent++;
}

static void on_signal(uv_signal_t* one, int signum) {
  caught++;
}

static void on_change(uv_fs_event_t* one, const char* name, int events, int status) {
  ASSERT_OK(status);
  changed++;
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count > 0) reads++;
}

static void begin(void) {
  OXUV_ONLY(); /* libuv's child then lacks async handles, and uses its parent's descriptors. */
  NOT_WITH_THREAD_SANITIZER("does not let a child that was forked have threads");
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_async_init(&loop, &async, on_async));
  ASSERT_OK(uv_signal_init(&loop, &signal_handle));
  ASSERT_OK(uv_signal_start(&signal_handle, on_signal, SIGUSR1));
  ASSERT_OK(uv_fs_event_init(&loop, &watcher));
  ASSERT_OK(uv_fs_event_start(&watcher, on_change, test_tmpdir(), 0));
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, 0));
  ASSERT_OK(uv_pipe_init(&loop, &reader, 0));
  ASSERT_OK(uv_pipe_open(&reader, ends[0]));
  ASSERT_OK(uv_read_start((uv_stream_t*) &reader, alloc_static, on_read));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
}

/* All that the loop watches happens once, and is reported. */
static void expect_all(const char* file) {
  sent = caught = changed = reads = 0;
  ASSERT_OK(uv_async_send(&async));
  ASSERT_OK(raise(SIGUSR1));
  write_file(test_path(file), "x", 1);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  run_until(&loop, &sent, 1);
  run_until(&loop, &caught, 1);
  run_until(&loop, &changed, 1);
  run_until(&loop, &reads, 1);
  ASSERT_EQ(sent, 1);
  ASSERT_EQ(caught, 1);
  ASSERT_EQ(reads, 1);
}

static void end(void) {
  expect_all("of_the_parent");
  close(ends[1]);
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

static unsigned refused_call;

static void* fork_loop_in_vain(void* argument) {
  refuse_call(refused_call, EMFILE);
  ASSERT_EQ(uv_loop_fork(&loop), UV_EMFILE);
  return NULL;
}

static void fail(void) {
  pthread_t thread;
  ASSERT_OK(pthread_create(&thread, NULL, fork_loop_in_vain, NULL));
  ASSERT_OK(pthread_join(thread, NULL));
}

static void try_again(void) {
  fail();
  fail();
  ASSERT_OK(uv_loop_fork(&loop));
  expect_all("of_the_child");
  close_loop(&loop);
}

static void give_up(void) {
  fail();
  close_loop(&loop);
}

static void for_each_refused_call(void (*child)(void)) {
  static const unsigned calls[] = {__NR_epoll_create1, __NR_eventfd2, __NR_inotify_init1};
  size_t i;
  begin();
  for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
    refused_call = calls[i];
    run_in_child(child);
    expect_all("of_the_parent");
  }
  end();
}

TEST_IMPL(it_may_try_again) {
  for_each_refused_call(try_again);
}

TEST_IMPL(a_child_that_gives_up_leaves_its_parent_alone) {
  for_each_refused_call(give_up);
}

/* The loop's own descriptor is closed, and another one has its number. */
static void send_without_descriptor(void) {
  struct pollfd others[8];
  int i;
  fail();
  for (i = 0; i < 8; i++) {
    others[i].fd = eventfd(0, EFD_NONBLOCK);
    others[i].events = POLLIN;
  }
  ASSERT_OK(uv_async_send(&async));
  ASSERT_OK(raise(SIGUSR1));
  ASSERT_EQ(poll(others, 8, 0), 0);
  uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_EQ(sent, 1);
  close_loop(&loop);
}

TEST_IMPL(sends_without_a_descriptor_touch_no_others) {
  begin();
  refused_call = __NR_eventfd2;
  run_in_child(send_without_descriptor);
  end();
}
