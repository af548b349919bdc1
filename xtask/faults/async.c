/* Threads that wake a loop which has nothing else to do, one after the other. */
#include "program.h"

enum { rounds = 20 };

static uv_async_t async;
static uv_sem_t go_on;
static uv_thread_t thread;
static int called;
static int must_stop;

static void send_all(void* unused) {
  int i;
  (void) unused;
  for (i = 0; i < rounds; i++) {
    uv_async_send(&async);
    uv_sem_wait(&go_on);
    if (__atomic_load_n(&must_stop, __ATOMIC_SEQ_CST)) return;
  }
}

static void on_closed(uv_handle_t* handle) {
  (void) handle;
  uv_thread_join(&thread);
  uv_sem_destroy(&go_on);
  finish();
}

static void end(void) {
  __atomic_store_n(&must_stop, 1, __ATOMIC_SEQ_CST);
  uv_sem_post(&go_on);
  uv_close((uv_handle_t*) &async, on_closed);
}

static void on_async(uv_async_t* handle) {
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "a message after uv_close");
  if (++called == rounds)
    end();
  else
    uv_sem_post(&go_on);
}

void program(void) {
  MUST(uv_async_init(&loop, &async, on_async));
  MUST(uv_sem_init(&go_on, 0));
  if (fails(uv_thread_create(&thread, send_all, NULL), "uv_thread_create"))
    uv_sem_destroy(&go_on);
}
