/* Threads that end otherwise than by returning.
 * https://docs.libuv.org/en/v1.x/threading.html */
#include "task.h"

#include <pthread.h>

static uv_sem_t started;
static int cleaned_up;

static void clean_up(void* argument) {
  (void) argument;
  cleaned_up++;
}

static void end_itself(void* result) {
  pthread_cleanup_push(clean_up, NULL);
  pthread_exit(result);
  pthread_cleanup_pop(0);
}

static void wait_for_ever(void* argument) {
  (void) argument;
  pthread_cleanup_push(clean_up, NULL);
  uv_sem_post(&started);
  for (;;) pause();
  pthread_cleanup_pop(0);
}

TEST_IMPL(a_thread_may_end_itself) {
  uv_thread_t thread;
  void* result;
  int here;

  ASSERT_OK(uv_thread_create(&thread, end_itself, NULL));
  ASSERT_OK(uv_thread_join(&thread));
  ASSERT_EQ(cleaned_up, 1);
  ASSERT_OK(uv_thread_create(&thread, end_itself, &here));
  ASSERT_OK(pthread_join(thread, &result));
  ASSERT_PTR_EQ(result, &here);
  ASSERT_EQ(cleaned_up, 2);
}

TEST_IMPL(a_thread_may_be_cancelled) {
  uv_thread_t thread;
  void* result;

  ASSERT_OK(uv_sem_init(&started, 0));
  ASSERT_OK(uv_thread_create(&thread, wait_for_ever, NULL));
  uv_sem_wait(&started);
  ASSERT_OK(pthread_cancel(thread));
  ASSERT_OK(pthread_join(thread, &result));
  ASSERT_PTR_EQ(result, PTHREAD_CANCELED);
  ASSERT_EQ(cleaned_up, 1);
  uv_sem_destroy(&started);
}
