/* Locks and the like, and what they do between threads:
 * https://docs.libuv.org/en/v1.x/threading.html */
#include "task.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#define MILLISECOND UINT64_C(1000000)
#define THREADS 4
#define ROUNDS 2000

static uv_mutex_t mutex;
static uv_rwlock_t rwlock;
static uv_sem_t sem;
static uv_cond_t cond;
static uv_barrier_t barrier;
static int number;

static void run_threads(uv_thread_cb entry, int count, void* arg) {
  uv_thread_t threads[THREADS];
  int i;
  ASSERT_LE(count, THREADS);
  for (i = 0; i < count; i++) ASSERT_OK(uv_thread_create(&threads[i], entry, arg));
  for (i = 0; i < count; i++) ASSERT_OK(uv_thread_join(&threads[i]));
}

/* --- Mutexes ------------------------------------------------------------------------------- */

static void count_locked(void* arg) {
  int i;
  (void) arg;
  for (i = 0; i < ROUNDS; i++) {
    uv_mutex_lock(&mutex);
    number++;
    uv_mutex_unlock(&mutex);
  }
}

TEST_IMPL(one_thread_at_a_time_has_a_mutex) {
  ASSERT_OK(uv_mutex_init(&mutex));
  run_threads(count_locked, THREADS, NULL);
  ASSERT_EQ(number, THREADS * ROUNDS);
  uv_mutex_destroy(&mutex);
}

static void expect_busy_mutex(void* arg) {
  ASSERT_EQ(uv_mutex_trylock(arg), UV_EBUSY);
}

static void expect_free_mutex(void* arg) {
  ASSERT_OK(uv_mutex_trylock(arg));
  uv_mutex_unlock(arg);
}

TEST_IMPL(trying_a_mutex_does_not_wait) {
  ASSERT_OK(uv_mutex_init(&mutex));
  ASSERT_OK(uv_mutex_trylock(&mutex));
  run_threads(expect_busy_mutex, 1, &mutex);
  uv_mutex_unlock(&mutex);
  run_threads(expect_free_mutex, 1, &mutex);
  uv_mutex_destroy(&mutex);
}

TEST_IMPL(a_recursive_mutex_is_free_after_as_many_unlocks) {
  ASSERT_OK(uv_mutex_init_recursive(&mutex));
  uv_mutex_lock(&mutex);
  uv_mutex_lock(&mutex);
  ASSERT_OK(uv_mutex_trylock(&mutex));
  uv_mutex_unlock(&mutex);
  uv_mutex_unlock(&mutex);
  run_threads(expect_busy_mutex, 1, &mutex);
  uv_mutex_unlock(&mutex);
  run_threads(expect_free_mutex, 1, &mutex);
  uv_mutex_destroy(&mutex);
}

/* The types are the system's own. */
TEST_IMPL(locks_work_with_functions_of_the_system) {
  ASSERT_OK(uv_mutex_init(&mutex));
  ASSERT_OK(pthread_mutex_lock(&mutex));
  run_threads(expect_busy_mutex, 1, &mutex);
  ASSERT_OK(pthread_mutex_unlock(&mutex));
  uv_mutex_destroy(&mutex);

  ASSERT_OK(uv_sem_init(&sem, 1));
  ASSERT_OK(sem_wait(&sem));
  ASSERT_EQ(uv_sem_trywait(&sem), UV_EAGAIN);
  uv_sem_destroy(&sem);
}

/* --- Read-write locks ---------------------------------------------------------------------- */

static void expect_readable(void* arg) {
  (void) arg;
  ASSERT_EQ(uv_rwlock_trywrlock(&rwlock), UV_EBUSY);
  ASSERT_OK(uv_rwlock_tryrdlock(&rwlock));
  uv_rwlock_rdunlock(&rwlock);
  uv_rwlock_rdlock(&rwlock);
  uv_rwlock_rdunlock(&rwlock);
}

static void expect_written(void* arg) {
  (void) arg;
  ASSERT_EQ(uv_rwlock_tryrdlock(&rwlock), UV_EBUSY);
  ASSERT_EQ(uv_rwlock_trywrlock(&rwlock), UV_EBUSY);
}

static void expect_unlocked(void* arg) {
  (void) arg;
  ASSERT_OK(uv_rwlock_trywrlock(&rwlock));
  uv_rwlock_wrunlock(&rwlock);
}

TEST_IMPL(readers_share_a_lock_and_writers_do_not) {
  ASSERT_OK(uv_rwlock_init(&rwlock));
  uv_rwlock_rdlock(&rwlock);
  uv_rwlock_rdlock(&rwlock);
  run_threads(expect_readable, 1, NULL);
  uv_rwlock_rdunlock(&rwlock);
  run_threads(expect_readable, 1, NULL);
  uv_rwlock_rdunlock(&rwlock);
  run_threads(expect_unlocked, 1, NULL);
  uv_rwlock_wrlock(&rwlock);
  run_threads(expect_written, 1, NULL);
  uv_rwlock_wrunlock(&rwlock);
  run_threads(expect_unlocked, 1, NULL);
  uv_rwlock_destroy(&rwlock);
}

static void write_or_read(void* arg) {
  static int other;
  int i;
  (void) arg;
  for (i = 0; i < ROUNDS; i++) {
    if (i % 4 == 0) {
      uv_rwlock_wrlock(&rwlock);
      number++;
      other++;
      uv_rwlock_wrunlock(&rwlock);
    } else {
      uv_rwlock_rdlock(&rwlock);
      ASSERT_EQ(number, other);
      uv_rwlock_rdunlock(&rwlock);
    }
  }
}

TEST_IMPL(readers_never_see_half_a_change) {
  ASSERT_OK(uv_rwlock_init(&rwlock));
  run_threads(write_or_read, THREADS, NULL);
  ASSERT_EQ(number, THREADS * ROUNDS / 4);
  uv_rwlock_destroy(&rwlock);
}

/* --- Semaphores ---------------------------------------------------------------------------- */

TEST_IMPL(a_semaphore_counts) {
  ASSERT_OK(uv_sem_init(&sem, 2));
  uv_sem_wait(&sem);
  ASSERT_OK(uv_sem_trywait(&sem));
  ASSERT_EQ(uv_sem_trywait(&sem), UV_EAGAIN);
  uv_sem_post(&sem);
  uv_sem_post(&sem);
  uv_sem_wait(&sem);
  uv_sem_wait(&sem);
  ASSERT_EQ(uv_sem_trywait(&sem), UV_EAGAIN);
  uv_sem_destroy(&sem);
}

TEST_IMPL(a_semaphore_has_a_largest_count) {
  ASSERT_EQ(uv_sem_init(&sem, UINT32_MAX), UV_EINVAL);
  ASSERT_OK(uv_sem_init(&sem, INT32_MAX));
  uv_sem_wait(&sem);
  uv_sem_destroy(&sem);
}

static void post_twice(void* arg) {
  (void) arg;
  uv_sem_post(&sem);
  number = 1;
  uv_sem_post(&sem);
}

TEST_IMPL(a_semaphore_is_waited_for) {
  uv_thread_t thread;
  ASSERT_OK(uv_sem_init(&sem, 0));
  ASSERT_OK(uv_thread_create(&thread, post_twice, NULL));
  uv_sem_wait(&sem);
  uv_sem_wait(&sem);
  ASSERT_EQ(number, 1);
  ASSERT_OK(uv_thread_join(&thread));
  uv_sem_destroy(&sem);
}

static volatile sig_atomic_t signals;

static void on_signal(int signum) {
  (void) signum;
  signals++;
}

struct signalled {
  pthread_t waiter;
  uv_sem_t* post_at_end;
};

/* Interrupts the waiter again and again before it gets what it waits for. */
static void interrupt(void* arg) {
  struct signalled* s = arg;
  int i;
  for (i = 0; i < 20; i++) {
    ASSERT_OK(pthread_kill(s->waiter, SIGUSR1));
    uv_sleep(1);
  }
  uv_sem_post(s->post_at_end);
}

TEST_IMPL(signals_do_not_end_the_wait_for_a_semaphore) {
  struct signalled s = {pthread_self(), &sem};
  struct sigaction action;
  uv_thread_t thread;

  memset(&action, 0, sizeof(action));
  action.sa_handler = on_signal;
  ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
  ASSERT_OK(uv_sem_init(&sem, 0));
  ASSERT_OK(uv_thread_create(&thread, interrupt, &s));
  uv_sem_wait(&sem);
  /* Had the wait ended early, there would be a count left. */
  ASSERT_OK(uv_thread_join(&thread));
  ASSERT_EQ(uv_sem_trywait(&sem), UV_EAGAIN);
  ASSERT_GT(signals, 0);
  uv_sem_destroy(&sem);
}

/* --- Condition variables ------------------------------------------------------------------- */

static void init_condition(void) {
  ASSERT_OK(uv_mutex_init(&mutex));
  ASSERT_OK(uv_cond_init(&cond));
}

static void destroy_condition(void) {
  uv_cond_destroy(&cond);
  uv_mutex_destroy(&mutex);
}

static void answer(void* arg) {
  (void) arg;
  uv_mutex_lock(&mutex);
  while (number != 1) uv_cond_wait(&cond, &mutex);
  number = 2;
  uv_cond_signal(&cond);
  uv_mutex_unlock(&mutex);
}

TEST_IMPL(a_signal_wakes_a_waiting_thread) {
  uv_thread_t thread;
  init_condition();
  uv_mutex_lock(&mutex);
  ASSERT_OK(uv_thread_create(&thread, answer, NULL));
  number = 1;
  uv_cond_signal(&cond);
  while (number != 2) uv_cond_wait(&cond, &mutex);
  uv_mutex_unlock(&mutex);
  ASSERT_OK(uv_thread_join(&thread));
  destroy_condition();
}

static int waiting;

static void wait_for_number(void* arg) {
  (void) arg;
  uv_mutex_lock(&mutex);
  waiting++;
  uv_sem_post(&sem);
  while (number == 0) uv_cond_wait(&cond, &mutex);
  waiting--;
  uv_mutex_unlock(&mutex);
}

TEST_IMPL(a_broadcast_wakes_all_waiting_threads) {
  uv_thread_t threads[THREADS];
  int i;
  init_condition();
  ASSERT_OK(uv_sem_init(&sem, 0));
  for (i = 0; i < THREADS; i++) ASSERT_OK(uv_thread_create(&threads[i], wait_for_number, NULL));
  for (i = 0; i < THREADS; i++) uv_sem_wait(&sem);
  /* A thread that has counted itself waits by the time that the mutex can be locked. */
  uv_mutex_lock(&mutex);
  ASSERT_EQ(waiting, THREADS);
  number = 1;
  uv_cond_broadcast(&cond);
  uv_mutex_unlock(&mutex);
  for (i = 0; i < THREADS; i++) ASSERT_OK(uv_thread_join(&threads[i]));
  ASSERT_EQ(waiting, 0);
  uv_sem_destroy(&sem);
  destroy_condition();
}

TEST_IMPL(a_timed_wait_ends_when_the_time_is_up) {
  const uint64_t timeout = 30 * MILLISECOND;
  uint64_t begin;
  init_condition();
  uv_mutex_lock(&mutex);
  begin = uv_hrtime();
  /* Waits may end early without a signal; then there is another. */
  while (uv_cond_timedwait(&cond, &mutex, timeout) != UV_ETIMEDOUT) begin = uv_hrtime();
  ASSERT_GE(uv_hrtime() - begin, timeout);
  /* The mutex is locked again. */
  run_threads(expect_busy_mutex, 1, &mutex);
  ASSERT_EQ(uv_cond_timedwait(&cond, &mutex, 0), UV_ETIMEDOUT);
  uv_mutex_unlock(&mutex);
  destroy_condition();
}

static void set_and_signal(void* arg) {
  (void) arg;
  uv_mutex_lock(&mutex);
  number = 1;
  uv_cond_signal(&cond);
  uv_mutex_unlock(&mutex);
}

static void expect_signal_within(uint64_t timeout) {
  uv_thread_t thread;
  init_condition();
  number = 0;
  uv_mutex_lock(&mutex);
  ASSERT_OK(uv_thread_create(&thread, set_and_signal, NULL));
  while (number == 0) ASSERT_OK(uv_cond_timedwait(&cond, &mutex, timeout));
  uv_mutex_unlock(&mutex);
  ASSERT_OK(uv_thread_join(&thread));
  destroy_condition();
}

TEST_IMPL(a_timed_wait_ends_with_a_signal) {
  expect_signal_within(20 * 1000 * MILLISECOND);
}

/* The end of such a wait is beyond what the clock can count. */
TEST_IMPL(a_timed_wait_may_be_for_ever) {
  OXUV_ONLY();
  expect_signal_within(UINT64_MAX);
}

/* --- Barriers ------------------------------------------------------------------------------ */

static int leaders;

static void meet_often(void* arg) {
  int i;
  (void) arg;
  for (i = 1; i <= 100; i++) {
    uv_mutex_lock(&mutex);
    number++;
    uv_mutex_unlock(&mutex);
    if (uv_barrier_wait(&barrier) > 0) {
      /* All have come, and none goes on to the next round before this one. */
      ASSERT_EQ(number, i * THREADS);
      leaders++;
    }
    uv_barrier_wait(&barrier);
  }
}

TEST_IMPL(one_thread_of_a_barrier_gets_one) {
  ASSERT_OK(uv_mutex_init(&mutex));
  ASSERT_OK(uv_barrier_init(&barrier, THREADS));
  run_threads(meet_often, THREADS, NULL);
  ASSERT_EQ(leaders, 100);
  uv_barrier_destroy(&barrier);
  uv_mutex_destroy(&mutex);
}

static void meet_and_destroy(void* arg) {
  (void) arg;
  if (uv_barrier_wait(&barrier) > 0) uv_barrier_destroy(&barrier);
}

TEST_IMPL(the_thread_that_gets_one_may_destroy_the_barrier) {
  int i;
  NOT_WITH_THREAD_SANITIZER("takes the last steps of the others out of the barrier for a race");
  for (i = 0; i < 50; i++) {
    ASSERT_OK(uv_barrier_init(&barrier, THREADS));
    run_threads(meet_and_destroy, THREADS, NULL);
  }
}

TEST_IMPL(a_barrier_for_one_blocks_no_thread) {
  int i;
  ASSERT_OK(uv_barrier_init(&barrier, 1));
  for (i = 0; i < 3; i++) ASSERT_GT(uv_barrier_wait(&barrier), 0);
  uv_barrier_destroy(&barrier);
}

TEST_IMPL(a_barrier_for_no_thread_is_an_error) {
  ASSERT_EQ(uv_barrier_init(&barrier, 0), UV_EINVAL);
}

/* --- Once ---------------------------------------------------------------------------------- */

static uv_once_t once = UV_ONCE_INIT;

static void count_slowly(void) {
  uv_sleep(20);
  number++;
}

static void call_once(void* arg) {
  (void) arg;
  uv_once(&once, count_slowly);
  /* Not before it is done, by whichever thread. */
  ASSERT_EQ(number, 1);
}

TEST_IMPL(once_is_once_for_all_threads) {
  run_threads(call_once, THREADS, NULL);
  uv_once(&once, count_slowly);
  ASSERT_EQ(number, 1);
}
