/* Two more loops, one of them in a thread of its own, with files and messages. */
#include "program.h"

static uv_loop_t second;
static uv_loop_t third;
static uv_thread_t thread;
static uv_async_t to_first;
static uv_fs_t request;
static uv_timer_t timer;
static int second_code;

static void on_stat(uv_fs_t* done) {
  second_code = (int) done->result;
  uv_fs_req_cleanup(done);
}

static void run_second(void* unused) {
  int code = uv_loop_init(&second);
  (void) unused;
  second_code = code;
  if (code == 0) {
    code = uv_fs_stat(&second, &request, ".", on_stat);
    if (code != 0) {
      second_code = code;
      uv_fs_req_cleanup(&request);
    }
    uv_run(&second, UV_RUN_DEFAULT);
    code = uv_loop_close(&second);
    EXPECT(code == 0, "uv_loop_close of the second loop: %s", uv_err_name(code));
  }
  uv_async_send(&to_first);
}

static void on_async(uv_async_t* handle) {
  (void) handle;
  uv_thread_join(&thread);
  notes(second_code, "the second loop");
  finish();
}

static void on_third_timer(uv_timer_t* handle) {
  uv_close((uv_handle_t*) handle, NULL);
}

static void run_third(void) {
  int code;
  if (notes(uv_loop_init(&third), "uv_loop_init")) return;
  if (!notes(uv_timer_init(&third, &timer), "uv_timer_init")) {
    if (notes(uv_timer_start(&timer, on_third_timer, 1, 0), "uv_timer_start"))
      uv_close((uv_handle_t*) &timer, NULL);
  }
  uv_run(&third, UV_RUN_DEFAULT);
  code = uv_loop_close(&third);
  EXPECT(code == 0, "uv_loop_close of the third loop: %s", uv_err_name(code));
}

void program(void) {
  run_third();
  MUST(uv_async_init(&loop, &to_first, on_async));
  MUST(uv_thread_create(&thread, run_second, NULL));
}
