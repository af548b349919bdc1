/* https://docs.libuv.org/en/v1.x/threadpool.html and uv_cancel() */
#include "task.h"

#include <pthread.h>
#include <semaphore.h>

static sem_t begun;
static sem_t may_end;
static int callbacks;

static void wait_for(sem_t* sem) {
  while (sem_wait(sem) != 0) ASSERT_EQ(errno, EINTR);
}

static void init_gate(void) {
  ASSERT_OK(sem_init(&begun, 0, 0));
  ASSERT_OK(sem_init(&may_end, 0, 0));
}

static void no_work(uv_work_t* req) {
  (void) req;
}

static void never_work(uv_work_t* req) {
  (void) req;
  FAIL("cancelled work was done");
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

static void count_cancelled(uv_work_t* req, int status) {
  (void) req;
  ASSERT_EQ(status, UV_ECANCELED);
  callbacks++;
}

/* Occupies all threads of a pool of this size, at most 64. */
static uv_work_t blockers[64];

static void saturate(uv_loop_t* loop, int size) {
  char text[16];
  int i;
  snprintf(text, sizeof(text), "%d", size);
  ASSERT_OK(setenv("UV_THREADPOOL_SIZE", text, 1));
  init_gate();
  for (i = 0; i < size; i++)
    ASSERT_OK(uv_queue_work(loop, &blockers[i], gated_work, NULL));
  for (i = 0; i < size; i++) wait_for(&begun);
}

static void release(int count) {
  while (count-- > 0) sem_post(&may_end);
}

/* --- uv_queue_work ------------------------------------------------------------------------- */

static pthread_t main_thread;
static int data;
static int work_count;

static void simple_work(uv_work_t* req) {
  ASSERT_PTR_EQ(req->data, &data);
  ASSERT_EQ(pthread_equal(pthread_self(), main_thread), 0);
  work_count++;
}

static void simple_after(uv_work_t* req, int status) {
  ASSERT_OK(status);
  ASSERT_PTR_EQ(req->data, &data);
  ASSERT_PTR_EQ(req->loop, uv_default_loop());
  ASSERT_EQ(uv_req_get_type((uv_req_t*) req), UV_WORK);
  ASSERT_EQ(pthread_equal(pthread_self(), main_thread) != 0, 1);
  ASSERT_EQ(work_count, 1);
  /* The request does not keep the loop alive any more. */
  ASSERT_EQ(uv_loop_alive(req->loop), 0);
  callbacks++;
}

TEST_IMPL(work_runs_on_a_thread_and_is_reported_on_the_loop) {
  uv_work_t req;
  main_thread = pthread_self();
  req.data = &data;
  ASSERT_OK(uv_queue_work(uv_default_loop(), &req, simple_work, simple_after));
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 1);
  ASSERT_EQ(uv_loop_close(uv_default_loop()), UV_EBUSY);
  ASSERT_EQ(callbacks, 0);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(work_without_a_function_is_refused) {
  uv_work_t req;
  ASSERT_EQ(uv_queue_work(uv_default_loop(), &req, NULL, count_after), UV_EINVAL);
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 0);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(work_needs_no_after_callback) {
  uv_work_t req;
  init_gate();
  ASSERT_OK(uv_queue_work(uv_default_loop(), &req, gated_work, NULL));
  wait_for(&begun);
  ASSERT_NE(uv_run(uv_default_loop(), UV_RUN_NOWAIT), 0);
  release(1);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

/* Work begins whether or not the loop runs. */
TEST_IMPL(work_does_not_wait_for_the_loop) {
  uv_work_t req;
  init_gate();
  release(1);
  ASSERT_OK(uv_queue_work(uv_default_loop(), &req, gated_work, count_after));
  wait_for(&begun);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Order --------------------------------------------------------------------------------- */

#define JOBS 10000
static uv_work_t* order_reqs;
static int begin_order[JOBS];
static int begin_count;
static int after_order[JOBS];

static void note_begin(uv_work_t* req) {
  begin_order[begin_count++] = (int) (req - order_reqs);
}

static void note_after(uv_work_t* req, int status) {
  ASSERT_OK(status);
  after_order[callbacks++] = (int) (req - order_reqs);
}

TEST_IMPL(one_thread_takes_ten_thousand_jobs_in_order) {
  int i;
  ASSERT_OK(setenv("UV_THREADPOOL_SIZE", "1", 1));
  order_reqs = calloc(JOBS, sizeof(*order_reqs));
  ASSERT_NOT_NULL(order_reqs);
  for (i = 0; i < JOBS; i++)
    ASSERT_OK(uv_queue_work(uv_default_loop(), &order_reqs[i], note_begin, note_after));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, JOBS);
  for (i = 0; i < JOBS; i++) {
    ASSERT_EQ(begin_order[i], i);
    ASSERT_EQ(after_order[i], i);
  }
  free(order_reqs);
  MAKE_SURE_NOTHING_LEAKED();
}

static void again_after(uv_work_t* req, int status) {
  ASSERT_OK(status);
  callbacks++;
  /* The request is the user's again: use it anew, or free it. */
  if (callbacks < 1000)
    ASSERT_OK(uv_queue_work(req->loop, req, no_work, again_after));
  else
    free(req);
}

TEST_IMPL(a_callback_may_submit_its_request_again_or_free_it) {
  uv_work_t* req = malloc(sizeof(*req));
  ASSERT_NOT_NULL(req);
  ASSERT_OK(uv_queue_work(uv_default_loop(), req, no_work, again_after));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1000);
  MAKE_SURE_NOTHING_LEAKED();
}

/* What a callback submits is reported in a later iteration, so that the loop's other phases get
 * their turn. */
static int check_count;
static int checks_before;
static uv_check_t check;

static void check_cb(uv_check_t* handle) {
  (void) handle;
  check_count++;
}

static void chained_after(uv_work_t* req, int status) {
  ASSERT_OK(status);
  if (callbacks > 0) ASSERT_GT(check_count, checks_before);
  checks_before = check_count;
  if (++callbacks == 10)
    uv_close((uv_handle_t*) &check, NULL);
  else
    ASSERT_OK(uv_queue_work(req->loop, req, no_work, chained_after));
}

static uv_work_t chained;

static void submit_first(uv_timer_t* timer) {
  uv_close((uv_handle_t*) timer, NULL);
  ASSERT_OK(uv_queue_work(timer->loop, &chained, no_work, chained_after));
}

TEST_IMPL(pool_callbacks_do_not_keep_the_loop_to_themselves) {
  uv_timer_t timer;
  uv_loop_t* loop = uv_default_loop();
  ASSERT_OK(uv_check_init(loop, &check));
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_check_start(&check, check_cb));
  ASSERT_OK(uv_timer_start(&timer, submit_first, 0, 0));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 10);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- uv_cancel ----------------------------------------------------------------------------- */

TEST_IMPL(cancelled_work_is_not_done_but_reported) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t reqs[16];
  int i;
  saturate(loop, 2);
  for (i = 0; i < 16; i++)
    ASSERT_OK(uv_queue_work(loop, &reqs[i], i % 4 == 0 ? no_work : never_work,
                            i % 4 == 0 ? count_after : count_cancelled));
  for (i = 15; i >= 0; i--)
    if (i % 4 != 0) ASSERT_OK(uv_cancel((uv_req_t*) &reqs[i]));
  ASSERT_EQ(callbacks, 0);
  run_until(loop, &callbacks, 12);
  ASSERT_EQ(callbacks, 12);
  release(2);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 16);
  MAKE_SURE_NOTHING_LEAKED();
}

/* The report comes from the loop even when nothing else wakes it. */
TEST_IMPL(cancelling_needs_no_free_thread) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t req;
  saturate(loop, 1);
  ASSERT_OK(uv_queue_work(loop, &req, never_work, count_cancelled));
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  ASSERT_EQ(callbacks, 0);
  ASSERT_NE(uv_run(loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(callbacks, 1);
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(cancelling_twice_reports_once) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t req;
  saturate(loop, 1);
  ASSERT_OK(uv_queue_work(loop, &req, never_work, count_cancelled));
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  ASSERT_OK(uv_cancel((uv_req_t*) &req));
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(running_and_finished_work_cannot_be_cancelled) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t next;
  saturate(loop, 1);
  ASSERT_EQ(uv_cancel((uv_req_t*) &blockers[0]), UV_EBUSY);
  /* The second one begins only when the first one is finished. */
  ASSERT_OK(uv_queue_work(loop, &next, gated_work, count_after));
  release(1);
  wait_for(&begun);
  ASSERT_EQ(uv_cancel((uv_req_t*) &blockers[0]), UV_EBUSY);
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(reported_work_cannot_be_cancelled) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t done, cancelled;
  OXUV_ONLY();
  saturate(loop, 1);
  ASSERT_OK(uv_queue_work(loop, &done, no_work, count_after));
  ASSERT_OK(uv_queue_work(loop, &cancelled, never_work, count_cancelled));
  ASSERT_OK(uv_cancel((uv_req_t*) &cancelled));
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 2);
  ASSERT_EQ(uv_cancel((uv_req_t*) &done), UV_EBUSY);
  ASSERT_EQ(uv_cancel((uv_req_t*) &cancelled), UV_EBUSY);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_work_t victims[2];

static void cancel_other(uv_work_t* req, int status) {
  uv_work_t* other = req == &victims[0] ? &victims[1] : &victims[0];
  ASSERT_OK(status);
  if (callbacks++ == 0) ASSERT_EQ(uv_cancel((uv_req_t*) other), UV_EBUSY);
}

/* Both are finished and wait for their callbacks, of which the first tries to cancel the other. */
TEST_IMPL(a_callback_cannot_cancel_what_is_finished) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t last;
  saturate(loop, 1);
  ASSERT_OK(uv_queue_work(loop, &victims[0], no_work, cancel_other));
  ASSERT_OK(uv_queue_work(loop, &victims[1], no_work, cancel_other));
  ASSERT_OK(uv_queue_work(loop, &last, gated_work, NULL));
  release(1);
  wait_for(&begun);
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

static void cancelled_addresses(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  (void) req;
  ASSERT_EQ(status, UV_EAI_CANCELED);
  ASSERT_NULL(list);
  callbacks++;
}

static void cancelled_names(uv_getnameinfo_t* req, int status, const char* host,
                            const char* service) {
  (void) req;
  ASSERT_EQ(status, UV_EAI_CANCELED);
  ASSERT_NULL(host);
  ASSERT_NULL(service);
  callbacks++;
}

static char random_buffer[4];

static void cancelled_random(uv_random_t* req, int status, void* buf, size_t length) {
  (void) req;
  ASSERT_EQ(status, UV_ECANCELED);
  ASSERT_PTR_EQ(buf, random_buffer);
  ASSERT_EQ(length, sizeof(random_buffer));
  callbacks++;
}

TEST_IMPL(all_requests_of_the_pool_can_be_cancelled) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address = loopback(80);
  uv_getaddrinfo_t by_name, by_service;
  uv_getnameinfo_t names;
  uv_random_t random;
  saturate(loop, 4);
  ASSERT_OK(uv_getaddrinfo(loop, &by_name, cancelled_addresses, "fail", NULL, NULL));
  ASSERT_OK(uv_getaddrinfo(loop, &by_service, cancelled_addresses, NULL, "fail", NULL));
  ASSERT_OK(uv_getnameinfo(loop, &names, cancelled_names, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_random(loop, &random, random_buffer, sizeof(random_buffer), 0, cancelled_random));
  ASSERT_OK(uv_cancel((uv_req_t*) &by_service));
  ASSERT_OK(uv_cancel((uv_req_t*) &by_name));
  ASSERT_OK(uv_cancel((uv_req_t*) &random));
  ASSERT_OK(uv_cancel((uv_req_t*) &names));
  ASSERT_EQ(callbacks, 0);
  release(4);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 4);
  ASSERT_EQ(uv_req_get_type((uv_req_t*) &names), UV_GETNAMEINFO);
  ASSERT_EQ(uv_req_get_type((uv_req_t*) &random), UV_RANDOM);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(other_requests_cannot_be_cancelled) {
  uv_req_type kinds[] = {UV_CONNECT, UV_SHUTDOWN, UV_UDP_SEND, UV_UNKNOWN_REQ};
  union uv_any_req req;
  size_t i;
  memset(&req, 0, sizeof(req));
  for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    req.req.type = kinds[i];
    ASSERT_EQ(uv_cancel(&req.req), UV_EINVAL);
  }
}

/* --- Metrics ------------------------------------------------------------------------------- */

/* Each callback of the pool counts as an event, however many one wake-up brings. */
TEST_IMPL(each_job_counts_as_an_event) {
  uv_loop_t* loop = uv_default_loop();
  uv_work_t reqs[8], last;
  uv_metrics_t metrics;
  int i;
  ASSERT_OK(uv_loop_configure(loop, UV_METRICS_IDLE_TIME));
  saturate(loop, 1);
  for (i = 0; i < 8; i++) ASSERT_OK(uv_queue_work(loop, &reqs[i], no_work, count_after));
  ASSERT_OK(uv_queue_work(loop, &last, gated_work, count_after));
  release(1);
  wait_for(&begun);
  /* The blocker and the eight are finished and were waiting when the loop polled. */
  ASSERT_NE(uv_run(loop, UV_RUN_ONCE), 0);
  ASSERT_EQ(callbacks, 8);
  ASSERT_OK(uv_metrics_info(loop, &metrics));
  ASSERT_EQ(metrics.events, 9);
  ASSERT_EQ(metrics.events_waiting, 9);
  release(1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 9);
  ASSERT_OK(uv_metrics_info(loop, &metrics));
  ASSERT_GE(metrics.events, 10);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Loops that come and go ---------------------------------------------------------------- */

/* The loop is gone as soon as the last callback has run; no worker may still be at it. */
TEST_IMPL(a_loop_may_be_freed_right_after_its_last_job) {
  int round;
  for (round = 0; round < 300; round++) {
    uv_loop_t* loop = malloc(sizeof(*loop));
    uv_work_t reqs[4];
    int i;
    ASSERT_NOT_NULL(loop);
    ASSERT_OK(uv_loop_init(loop));
    for (i = 0; i < 4; i++) ASSERT_OK(uv_queue_work(loop, &reqs[i], no_work, count_after));
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    ASSERT_OK(uv_loop_close(loop));
    memset(loop, 0xee, sizeof(*loop));
    free(loop);
  }
  ASSERT_EQ(callbacks, 1200);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_fresh_loop_is_not_alive_and_shows_no_handles) {
  uv_loop_t loop;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_EQ(uv_backend_timeout(&loop), 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
}
