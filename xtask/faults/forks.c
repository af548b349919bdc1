/* fork(2) under a loop with a timer, a signal, an async handle and a socket: both go on. */
#include "program.h"

static uv_timer_t timer;
static uv_signal_t signals;
static uv_async_t async;
static uv_udp_t udp;
static uv_work_t job;
static int parts_done;

static void one_end(void) {
  if (++parts_done == 4) finish();
}

static void on_timer(uv_timer_t* handle) {
  (void) handle;
  one_end();
}

static void on_signal(uv_signal_t* handle, int number) {
  EXPECT(number == SIGUSR1, "signal %d", number);
  uv_signal_stop(handle);
  one_end();
}

static void on_async(uv_async_t* handle) {
  close_handle(handle);
  one_end();
}

static void run_job(uv_work_t* request) {
  (void) request;
}

static void after_job(uv_work_t* request, int status) {
  ended(request);
  if (!fails(status, "uv_after_work_cb")) one_end();
}

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  (void) handle;
  (void) buf;
  (void) from;
  (void) flags;
  notes(size, "uv_udp_recv_cb");
}

static void start_all(void) {
  struct sockaddr_in address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  MUST(uv_timer_init(&loop, &timer));
  MUST(uv_timer_start(&timer, on_timer, 5, 0));
  MUST(uv_signal_init(&loop, &signals));
  MUST(uv_signal_start(&signals, on_signal, SIGUSR1));
  MUST(uv_async_init(&loop, &async, on_async));
  MUST(uv_udp_init(&loop, &udp));
  MUST(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  MUST(uv_udp_recv_start(&udp, give_buffer, on_receive));
}

static void go_on(void) {
  own_kill((pid_t) OWN3(SYS_getpid, 0, 0, 0), SIGUSR1);
  MUST(uv_async_send(&async));
  BEGIN(&job, uv_queue_work(&loop, &job, run_job, after_job));
}

void program(void) {
  pid_t pid;
  start_all();
  if (is_ending()) return;
  pid = fork();
  if (pid == 0) {
    continue_as_child();
    if (fails(uv_loop_fork(&loop), "uv_loop_fork")) return;
  } else if (pid > 0) {
    judge_child(own_wait(pid));
  } else {
    notes(-errno, "fork");
  }
  go_on();
}
