/* The threads of the pool: how many, when, how they end, and what a fork makes of them.
 * https://docs.libuv.org/en/v1.x/threadpool.html */
#include "refuse.h"
#include "task.h"

#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>

static sem_t begun;
static sem_t may_end;
static int callbacks;
/* Threads that were there before the first count. */
static int other_threads;

static void wait_for(sem_t* sem) {
  while (sem_wait(sem) != 0) ASSERT_EQ(errno, EINTR);
}

/* ThreadSanitizer traces no thread that a forked child starts, if there were threads before. */
static void needs_threads_after_fork(void) {
  NOT_WITH_THREAD_SANITIZER("cannot trace such threads");
}

static void* get_id(void* arg) {
  snprintf(arg, 64, "/proc/self/task/%ld", syscall(SYS_gettid));
  return NULL;
}

/* The first thread ever may bring one of a sanitizer's along. */
static void count_other_threads(void) {
  pthread_t thread;
  char path[64];
  ASSERT_OK(pthread_create(&thread, NULL, get_id, path));
  ASSERT_OK(pthread_join(thread, NULL));
  while (access(path, F_OK) == 0) sched_yield();
  other_threads = thread_count();
}

static void init_gate(void) {
  ASSERT_OK(sem_init(&begun, 0, 0));
  ASSERT_OK(sem_init(&may_end, 0, 0));
  if (other_threads == 0) count_other_threads();
}

static void release(int count) {
  while (count-- > 0) sem_post(&may_end);
}

static int pool_threads(void) {
  return thread_count() - other_threads;
}

/* A thread that has been joined may be visible for another moment. */
static void wait_for_pool_threads(int count) {
  while (pool_threads() != count) sched_yield();
}

static void no_work(uv_work_t* req) {
  (void) req;
}

static void gated_work(uv_work_t* req) {
  (void) req;
  sem_post(&begun);
  wait_for(&may_end);
}

static void count_after(uv_work_t* req, int status) {
  (void) req;
  ASSERT_OK(status);
  callbacks++;
}

static void set_size(const char* size) {
  if (size == NULL)
    ASSERT_OK(unsetenv("UV_THREADPOOL_SIZE"));
  else
    ASSERT_OK(setenv("UV_THREADPOOL_SIZE", size, 1));
}

/* --- How many ------------------------------------------------------------------------------ */

static uv_work_t many[1200];

/* Has more jobs than threads wait for each other, and counts. */
static void expect_threads(int jobs, int expected) {
  uv_loop_t* loop = uv_default_loop();
  int i;
  init_gate();
  callbacks = 0;
  for (i = 0; i < jobs; i++) ASSERT_OK(uv_queue_work(loop, &many[i], gated_work, count_after));
  for (i = 0; i < expected; i++) wait_for(&begun);
  ASSERT_EQ(pool_threads(), expected);
  ASSERT_EQ(sem_trywait(&begun), -1);
  release(jobs);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, jobs);
}

/* The pool starts in the child, which has the variable that is set here. */
static void expect_size(const char* size, int expected) {
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    set_size(size);
    expect_threads(expected + 5, expected);
    MAKE_SURE_NOTHING_LEAKED();
    _exit(0);
  }
  wait_for_child(pid);
}

TEST_IMPL(the_size_is_read_from_the_environment) {
  expect_size(NULL, 4);
  expect_size("1", 1);
  expect_size("2", 2);
  expect_size("7", 7);
  expect_size("64", 64);
  expect_size("0", 1);
}

/* Valgrind has a limit of its own. */
static void needs_a_thousand_threads(void) {
  if (getenv("OXUV_TEST_WRAPPER") != NULL) SKIP("too many threads for the wrapper");
  if (sizeof(void*) < 8) SKIP("no addresses for their stacks");
}

TEST_IMPL_LIMIT(the_size_is_limited, 60) {
  needs_a_thousand_threads();
  expect_size("1025", 1024);
}

TEST_IMPL_LIMIT(a_huge_number_is_a_number, 60) {
  OXUV_ONLY();
  needs_a_thousand_threads();
  expect_size("4294967299", 1024);
}

TEST_IMPL(a_size_that_is_no_number_is_ignored) {
  OXUV_ONLY();
  expect_size("", 4);
  expect_size(" ", 4);
  expect_size("-1", 4);
  expect_size(" -99999999999", 4);
  expect_size("many", 4);
  expect_size("x2", 4);
  expect_size("+-2", 4);
  expect_size("+ 2", 4);
}

/* The value is read as by atoi(3). */
TEST_IMPL(the_size_is_the_number_that_the_text_begins_with) {
  expect_size("2 ", 2);
  expect_size(" 2", 2);
  expect_size("\t\n\v\f\r 2", 2);
  expect_size("+2", 2);
  expect_size("2x", 2);
  expect_size("2 threads", 2);
  expect_size("2.9", 2);
  expect_size("2-1", 2);
  expect_size("0002", 2);
  expect_size("0x8", 1);
  expect_size("-0", 1);
}

/* The variable may be set by the program itself, after the loop was made. */
TEST_IMPL(the_size_is_read_when_the_pool_starts) {
  set_size("5");
  ASSERT_NOT_NULL(uv_default_loop());
  set_size("3");
  expect_threads(6, 3);
  set_size("6");
  expect_threads(8, 3);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- When ---------------------------------------------------------------------------------- */

/* Starts `jobs` jobs, one after the other, each of which blocks. */
static void expect_threads_one_by_one(const char* size, int jobs, const int expected[]) {
  uv_loop_t* loop = uv_default_loop();
  int i;
  set_size(size);
  init_gate();
  ASSERT_EQ(pool_threads(), 0);
  for (i = 0; i < jobs; i++) {
    ASSERT_OK(uv_queue_work(loop, &many[i], gated_work, count_after));
    wait_for(&begun);
    ASSERT_EQ(pool_threads(), expected[i]);
  }
  release(jobs);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, jobs);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(four_threads_are_made_with_the_first_job) {
  const int expected[] = {4, 4, 4, 4};
  expect_threads_one_by_one("4", 4, expected);
}

TEST_IMPL(a_small_pool_is_made_with_the_first_job) {
  const int expected[] = {2, 2};
  expect_threads_one_by_one("2", 2, expected);
}

/* Beyond four there is one more than there are jobs: it is a worker that makes it. */
TEST_IMPL(a_large_pool_grows_with_its_jobs) {
  const int expected[] = {4, 4, 4, 5, 6, 6};
  OXUV_ONLY();
  expect_threads_one_by_one("6", 6, expected);
}

/* What the program does to its threads after the first job is not what later jobs run with. */
static int mask_of_workers_is_empty = 1;

static void check_mask(uv_work_t* req) {
  sigset_t mask;
  ASSERT_OK(pthread_sigmask(SIG_SETMASK, NULL, &mask));
  if (sigismember(&mask, SIGTERM)) __atomic_store_n(&mask_of_workers_is_empty, 0, __ATOMIC_SEQ_CST);
  gated_work(req);
}

static void submit_with_signals_blocked(const char* size, int jobs) {
  uv_loop_t* loop = uv_default_loop();
  sigset_t all;
  int i;
  set_size(size);
  init_gate();
  ASSERT_OK(uv_queue_work(loop, &many[0], no_work, count_after));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  sigfillset(&all);
  ASSERT_OK(pthread_sigmask(SIG_BLOCK, &all, NULL));
  for (i = 0; i < jobs; i++) ASSERT_OK(uv_queue_work(loop, &many[i], check_mask, count_after));
  for (i = 0; i < jobs; i++) wait_for(&begun);
  release(jobs);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, jobs + 1);
  ASSERT_EQ(mask_of_workers_is_empty, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(late_jobs_run_with_the_signal_mask_of_the_first_submitter) {
  submit_with_signals_blocked("4", 4);
}

TEST_IMPL(so_do_those_of_a_large_pool) {
  submit_with_signals_blocked("7", 7);
}

static uv_tcp_t server, client, peer;
static uv_connect_t connect_req;
static uv_write_t write_req;

static void read_cb(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  (void) buf;
  ASSERT_EQ(nread, 4);
  ASSERT_EQ(pool_threads(), 0);
  callbacks++;
  uv_close((uv_handle_t*) stream, NULL);
  uv_close((uv_handle_t*) &client, NULL);
  uv_close((uv_handle_t*) &server, NULL);
}

static void connection_cb(uv_stream_t* stream, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(stream->loop, &peer));
  ASSERT_OK(uv_accept(stream, (uv_stream_t*) &peer));
  ASSERT_OK(uv_read_start((uv_stream_t*) &peer, alloc_static, read_cb));
}

static void write_cb(uv_write_t* req, int status) {
  (void) req;
  ASSERT_OK(status);
  callbacks++;
}

static void connect_cb(uv_connect_t* req, int status) {
  uv_buf_t buf = uv_buf_init("ping", 4);
  ASSERT_OK(status);
  ASSERT_OK(uv_write(&write_req, req->handle, &buf, 1, write_cb));
}

TEST_IMPL(network_io_starts_no_thread) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address = loopback(0);
  init_gate();
  ASSERT_OK(uv_tcp_init(loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, connection_cb));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, connect_cb));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 2);
  ASSERT_EQ(pool_threads(), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- What they are ------------------------------------------------------------------------- */

static void check_thread(uv_work_t* req) {
  char name[32];
  sigset_t mask;
  pthread_attr_t attributes;
  size_t stack_size;
  (void) req;
  ASSERT_OK(pthread_getname_np(pthread_self(), name, sizeof(name)));
  ASSERT_STR_EQ(name, "libuv-worker");
  ASSERT_OK(pthread_sigmask(SIG_SETMASK, NULL, &mask));
  ASSERT_EQ(sigismember(&mask, SIGUSR1), 1);
  ASSERT_EQ(sigismember(&mask, SIGTERM), 0);
  ASSERT_EQ(sigismember(&mask, SIGSEGV), 0);
  ASSERT_OK(pthread_getattr_np(pthread_self(), &attributes));
  ASSERT_OK(pthread_attr_getstacksize(&attributes, &stack_size));
  ASSERT_GE(stack_size, 8 << 20);
  ASSERT_OK(pthread_attr_destroy(&attributes));
}

/* The signal mask is that of the first submitter: work may start processes, which inherit it,
 * and may need handlers of its own for SIGSEGV and the like. */
TEST_IMPL(workers_have_a_name_a_large_stack_and_the_usual_signals) {
  uv_work_t req;
  sigset_t mask;
  ASSERT_OK(sigemptyset(&mask));
  ASSERT_OK(sigaddset(&mask, SIGUSR1));
  ASSERT_OK(pthread_sigmask(SIG_BLOCK, &mask, NULL));
  ASSERT_OK(uv_queue_work(uv_default_loop(), &req, check_thread, count_after));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Slow jobs ----------------------------------------------------------------------------- */

/* The library's lookups end up here, as with programs that interpose libc: a name server that
 * does not answer. */
static sem_t lookup_begun;
static sem_t lookup_may_end;

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints,
                struct addrinfo** list) {
  (void) node;
  (void) service;
  (void) hints;
  *list = NULL;
  sem_post(&lookup_begun);
  wait_for(&lookup_may_end);
  return EAI_AGAIN;
}

static int lookups;
static int cancelled_lookups;

static void lookup_cb(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  (void) req;
  ASSERT_NULL(list);
  if (status == UV_EAI_CANCELED) {
    cancelled_lookups++;
  } else {
    ASSERT_EQ(status, UV_EAI_AGAIN);
    lookups++;
  }
}

static uv_getaddrinfo_t lookup_reqs[8];

static void start_lookups(int count) {
  int i;
  ASSERT_OK(sem_init(&lookup_begun, 0, 0));
  ASSERT_OK(sem_init(&lookup_may_end, 0, 0));
  for (i = 0; i < count; i++)
    ASSERT_OK(uv_getaddrinfo(uv_default_loop(), &lookup_reqs[i], lookup_cb, "host", NULL, NULL));
}

static void expect_no_starvation(const char* size, int slow) {
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    uv_loop_t* loop = uv_default_loop();
    uv_work_t reqs[20];
    int i;
    set_size(size);
    start_lookups(8);
    for (i = 0; i < slow; i++) wait_for(&lookup_begun);
    for (i = 0; i < 20; i++) ASSERT_OK(uv_queue_work(loop, &reqs[i], no_work, count_after));
    run_until(loop, &callbacks, 20);
    ASSERT_EQ(sem_trywait(&lookup_begun), -1);
    ASSERT_EQ(lookups, 0);
    /* The rest of them come one by one, as threads become free for them. */
    for (i = slow; i < 8; i++) {
      sem_post(&lookup_may_end);
      wait_for(&lookup_begun);
      ASSERT_EQ(sem_trywait(&lookup_begun), -1);
    }
    for (i = 0; i < slow; i++) sem_post(&lookup_may_end);
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    ASSERT_EQ(lookups, 8);
    MAKE_SURE_NOTHING_LEAKED();
    _exit(0);
  }
  wait_for_child(pid);
}

TEST_IMPL(lookups_leave_half_of_the_threads_to_others) {
  expect_no_starvation("2", 1);
  expect_no_starvation("3", 2);
  expect_no_starvation("4", 2);
  expect_no_starvation("7", 4);
}

TEST_IMPL(a_single_thread_lets_others_pass_between_lookups) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t req;
  set_size("1");
  start_lookups(8);
  ASSERT_OK(uv_queue_work(loop, &req, no_work, count_after));
  wait_for(&lookup_begun);
  sem_post(&lookup_may_end);
  /* The work has been done before the second lookup. */
  wait_for(&lookup_begun);
  run_until(loop, &callbacks, 1);
  ASSERT_LE(lookups, 1);
  while (lookups < 8) {
    sem_post(&lookup_may_end);
    uv_run(loop, UV_RUN_NOWAIT);
  }
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(deferred_lookups_can_be_cancelled) {
  int i;
  set_size("4");
  start_lookups(8);
  wait_for(&lookup_begun);
  wait_for(&lookup_begun);
  ASSERT_EQ(uv_cancel((uv_req_t*) &lookup_reqs[0]), UV_EBUSY);
  ASSERT_EQ(uv_cancel((uv_req_t*) &lookup_reqs[1]), UV_EBUSY);
  for (i = 7; i >= 4; i--) ASSERT_OK(uv_cancel((uv_req_t*) &lookup_reqs[i]));
  for (i = 0; i < 4; i++) sem_post(&lookup_may_end);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(lookups, 4);
  ASSERT_EQ(cancelled_lookups, 4);
  MAKE_SURE_NOTHING_LEAKED();
}

static int is_first_lookup;

static void begin_work(uv_work_t* req) {
  (void) req;
  sem_post(&begun);
}

/* The worker that has done the first lookup goes on with the one that was deferred. */
static void work_after_first_lookup(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  static uv_work_t work;
  lookup_cb(req, status, list);
  if (!is_first_lookup) return;
  is_first_lookup = 0;
  ASSERT_OK(uv_queue_work(uv_default_loop(), &work, begin_work, count_after));
  wait_for(&begun);
  sem_post(&lookup_may_end);
  sem_post(&lookup_may_end);
}

TEST_IMPL(work_does_not_wait_for_a_lookup_that_goes_first) {
  uv_loop_t* loop = uv_default_loop();
  int round, i;
  set_size("4");
  init_gate();
  start_lookups(0);
  for (round = 1; round <= 200; round++) {
    is_first_lookup = 1;
    for (i = 0; i < 3; i++)
      ASSERT_OK(
          uv_getaddrinfo(loop, &lookup_reqs[i], work_after_first_lookup, "host", NULL, NULL));
    wait_for(&lookup_begun);
    wait_for(&lookup_begun);
    sem_post(&lookup_may_end);
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    wait_for(&lookup_begun);
    ASSERT_EQ(lookups, 3 * round);
    ASSERT_EQ(callbacks, round);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Where no thread can be had ------------------------------------------------------------ */

static void with_four_of_eight_threads(void) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t first, reqs[20];
  int i;
  set_size("8");
  init_gate();
  ASSERT_OK(uv_queue_work(loop, &first, gated_work, count_after));
  wait_for(&begun);
  wait_for_pool_threads(4);
  refuse_threads();
  for (i = 0; i < 20; i++) ASSERT_OK(uv_queue_work(loop, &reqs[i], no_work, count_after));
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(pool_threads(), 4);
  ASSERT_EQ(callbacks, 21);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_lack_of_threads_leaves_the_work_to_those_that_are_there) {
  OXUV_ONLY();
  run_in_child(with_four_of_eight_threads);
}

static int done_inside;

static void count_inside(uv_work_t* req) {
  (void) req;
  done_inside++;
}

static void cancelled_after(uv_work_t* req, int status) {
  (void) req;
  ASSERT_EQ(status, UV_ECANCELED);
  callbacks++;
}

static void without_any_thread(void) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t reqs[20], cancelled;
  int i;
  init_gate();
  refuse_threads();
  for (i = 0; i < 20; i++) ASSERT_OK(uv_queue_work(loop, &reqs[i], count_inside, count_after));
  ASSERT_OK(uv_queue_work(loop, &cancelled, count_inside, cancelled_after));
  ASSERT_EQ(done_inside, 0);
  ASSERT_OK(uv_cancel((uv_req_t*) &cancelled));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(done_inside, 20);
  ASSERT_EQ(callbacks, 21);
  ASSERT_EQ(pool_threads(), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(without_any_thread_the_loop_does_the_work) {
  OXUV_ONLY();
  run_in_child(without_any_thread);
}

/* --- Fork ---------------------------------------------------------------------------------- */

static void run_one(uv_loop_t* loop) {
  uv_work_t req;
  callbacks = 0;
  ASSERT_OK(uv_queue_work(loop, &req, no_work, count_after));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
}

/* The child forks while all threads of the parent are at work and others wait, which nothing in
 * the child may trip over. */
TEST_IMPL(a_forked_child_has_a_pool_of_its_own) {
  uv_loop_t busy, idle, fresh;
  uv_work_t reqs[8];
  pid_t pid;
  int i;
  needs_threads_after_fork();
  set_size("4");
  init_gate();
  ASSERT_OK(uv_loop_init(&busy));
  ASSERT_OK(uv_loop_init(&idle));
  run_one(&idle);
  for (i = 0; i < 8; i++) ASSERT_OK(uv_queue_work(&busy, &reqs[i], gated_work, count_after));
  for (i = 0; i < 4; i++) wait_for(&begun);

  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_init(&fresh));
    run_one(&fresh);
    ASSERT_OK(uv_loop_close(&fresh));
    ASSERT_OK(uv_loop_fork(&idle));
    run_one(&idle);
    ASSERT_OK(uv_loop_close(&idle));
    uv_library_shutdown();
    exit(0);
  }
  wait_for_child(pid);
  release(8);
  callbacks = 0;
  ASSERT_OK(uv_run(&busy, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 8);
  run_one(&idle);
  ASSERT_OK(uv_loop_close(&busy));
  ASSERT_OK(uv_loop_close(&idle));
  MAKE_SURE_NOTHING_LEAKED();
}

static void cancelled_after_fork(uv_work_t* req, int status) {
  (void) req;
  ASSERT_EQ(status, UV_ECANCELED);
  callbacks++;
}

/* What the child's own pool has to do is not touched by that. */
static void take_back_in_child(uv_loop_t* inherited, uv_work_t* reqs, int count) {
  uv_loop_t fresh;
  uv_work_t own[2];
  int i;
  set_size("1");
  init_gate();
  callbacks = 0;
  ASSERT_OK(uv_loop_fork(inherited));
  ASSERT_OK(uv_loop_init(&fresh));
  ASSERT_OK(uv_queue_work(&fresh, &own[0], gated_work, count_after));
  wait_for(&begun);
  ASSERT_OK(uv_queue_work(&fresh, &own[1], no_work, count_after));
  for (i = 0; i < count; i++) ASSERT_OK(uv_cancel((uv_req_t*) &reqs[i]));
  release(1);
  ASSERT_OK(uv_run(&fresh, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 2);
  run_until(inherited, &callbacks, 2 + count);
  ASSERT_OK(uv_loop_close(&fresh));
  _exit(0);
}

TEST_IMPL(a_forked_child_may_take_back_what_was_queued) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t reqs[8];
  uv_work_t queued[4];
  pid_t pid;
  int i;
  needs_threads_after_fork();
  set_size("4");
  init_gate();
  for (i = 0; i < 4; i++) ASSERT_OK(uv_queue_work(loop, &reqs[i], gated_work, count_after));
  for (i = 0; i < 4; i++) wait_for(&begun);
  for (i = 0; i < 4; i++)
    ASSERT_OK(uv_queue_work(loop, &queued[i], gated_work, cancelled_after_fork));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) take_back_in_child(loop, queued, 4);
  wait_for_child(pid);
  callbacks = 0;
  for (i = 0; i < 4; i++) ASSERT_OK(uv_cancel((uv_req_t*) &queued[i]));
  release(4);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 8);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_was_finished_before_the_fork_is_reported_in_both) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t done[3], last;
  pid_t pid;
  int i;
  OXUV_ONLY();
  set_size("1");
  init_gate();
  for (i = 0; i < 3; i++) ASSERT_OK(uv_queue_work(loop, &done[i], no_work, count_after));
  ASSERT_OK(uv_queue_work(loop, &last, gated_work, count_after));
  wait_for(&begun);
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(loop));
    run_until(loop, &callbacks, 3);
    _exit(0);
  }
  wait_for_child(pid);
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 4);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(forking_again_and_again_works) {
  int depth = 0;
  pid_t pid = 0;
  needs_threads_after_fork();
  run_one(uv_default_loop());
  while (pid == 0 && depth++ < 5) {
    pid = fork();
    ASSERT_GE(pid, 0);
    if (pid != 0) break;
    ASSERT_OK(uv_loop_fork(uv_default_loop()));
    run_one(uv_default_loop());
  }
  if (pid != 0) wait_for_child(pid);
  if (depth > 1) _exit(0);
  run_one(uv_default_loop());
  MAKE_SURE_NOTHING_LEAKED();
}

/* A worker may still be about to leave the loop when that has called back. */
TEST_IMPL(a_forked_child_may_close_a_loop_whose_work_is_done) {
  uv_loop_t loop;
  pid_t pid;
  int round;
  ASSERT_OK(uv_loop_init(&loop));
  for (round = 0; round < 200; round++) {
    run_one(&loop);
    pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      alarm(10);
      if (round % 2 == 0) ASSERT_OK(uv_loop_fork(&loop));
      ASSERT_OK(uv_loop_close(&loop));
      _exit(0);
    }
    wait_for_child(pid);
  }
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- The end ------------------------------------------------------------------------------- */

static int result_pipe[2];

static void open_gate_at_exit(void) {
  release(1);
}

static void report_when_open(uv_work_t* req) {
  gated_work(req);
  ASSERT_EQ(write(result_pipe[1], "x", 1), 1);
}

/* Work under way when the process ends is finished, and what waits is done: programs rely on it
 * for their data. */
TEST_IMPL(exit_waits_for_work) {
  char results[4];
  pid_t pid;
  ASSERT_OK(pipe(result_pipe));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    static uv_work_t reqs[3];
    int i;
    set_size("1");
    init_gate();
    release(2);
    ASSERT_OK(atexit(open_gate_at_exit));
    for (i = 0; i < 3; i++)
      ASSERT_OK(uv_queue_work(uv_default_loop(), &reqs[i], report_when_open, NULL));
    for (i = 0; i < 3; i++) wait_for(&begun);
    exit(0);
  }
  close(result_pipe[1]);
  wait_for_child(pid);
  ASSERT_EQ(read(result_pipe[0], results, sizeof(results)), 3);
  close(result_pipe[0]);
}

TEST_IMPL(exit_does_what_is_queued) {
  char results[64];
  pid_t pid;
  int i;
  ASSERT_OK(pipe(result_pipe));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    set_size("2");
    init_gate();
    release(20);
    for (i = 0; i < 20; i++)
      ASSERT_OK(uv_queue_work(uv_default_loop(), &many[i], report_when_open, NULL));
    exit(0);
  }
  close(result_pipe[1]);
  wait_for_child(pid);
  ASSERT_EQ(read(result_pipe[0], results, sizeof(results)), 20);
  close(result_pipe[0]);
}

static void exiting_work(uv_work_t* req) {
  (void) req;
  exit(0);
}

TEST_IMPL(a_job_may_end_the_process) {
  pid_t pid;
  OXUV_ONLY();
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    static uv_work_t req;
    run_one(uv_default_loop());
    ASSERT_OK(uv_queue_work(uv_default_loop(), &req, exiting_work, NULL));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    for (;;) pause();
  }
  wait_for_child(pid);
}

TEST_IMPL(shutting_down_ends_the_threads) {
  init_gate();
  set_size("4");
  run_one(uv_default_loop());
  ASSERT_GE(pool_threads(), 1);
  ASSERT_OK(uv_loop_close(uv_default_loop()));
  uv_library_shutdown();
  wait_for_pool_threads(0);
  uv_library_shutdown();
}

/* --- Many loops, many threads -------------------------------------------------------------- */

struct producer {
  pthread_t thread;
  uv_loop_t loop;
  uv_work_t reqs[16];
  int submitted;
  int reported;
  int cancelled;
};

#define JOBS_EACH 3000

static int spin_result;

static void compute(uv_work_t* req) {
  struct producer* producer = req->data;
  int turns = (int) (req - producer->reqs) * 8;
  int sum = 0;
  while (turns-- > 0) sum += turns;
  __atomic_add_fetch(&spin_result, sum, __ATOMIC_RELAXED);
}

static void produce(uv_work_t* req, int status) {
  struct producer* producer = req->data;
  producer->reported++;
  if (status == UV_ECANCELED)
    producer->cancelled++;
  else
    ASSERT_OK(status);
  if (producer->submitted == JOBS_EACH) return;
  producer->submitted++;
  ASSERT_OK(uv_queue_work(&producer->loop, req, compute, produce));
  if (producer->submitted % 5 == 0) {
    int result = uv_cancel((uv_req_t*) req);
    if (result != UV_EBUSY) ASSERT_OK(result);
  }
}

static void* run_producer(void* arg) {
  struct producer* producer = arg;
  int i;
  ASSERT_OK(uv_loop_init(&producer->loop));
  for (i = 0; i < 16; i++) {
    producer->reqs[i].data = producer;
    producer->submitted++;
    ASSERT_OK(uv_queue_work(&producer->loop, &producer->reqs[i], compute, produce));
  }
  ASSERT_OK(uv_run(&producer->loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&producer->loop));
  ASSERT_EQ(producer->reported, JOBS_EACH);
  return NULL;
}

static void stress(const char* size) {
  static struct producer producers[4];
  int i;
  set_size(size);
  memset(producers, 0, sizeof(producers));
  for (i = 0; i < 4; i++)
    ASSERT_OK(pthread_create(&producers[i].thread, NULL, run_producer, &producers[i]));
  for (i = 0; i < 4; i++) ASSERT_OK(pthread_join(producers[i].thread, NULL));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL_LIMIT(four_loops_share_one_thread, 60) {
  stress("1");
}

TEST_IMPL_LIMIT(four_loops_share_two_threads, 60) {
  stress("2");
}

TEST_IMPL_LIMIT(four_loops_share_five_threads, 60) {
  stress("5");
}

TEST_IMPL_LIMIT(four_loops_share_64_threads, 60) {
  stress("64");
}
