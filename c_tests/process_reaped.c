/* Children that other code of the process waits for, or whose SIGCHLD it handles: the exit callback
 * comes nevertheless. libuv's loop waits for ever. */
#include "task.h"

#include <pthread.h>

static int exit_count;
static int lost_count;

static void on_exit_close(uv_process_t* process, int64_t status, int signum) {
  ASSERT(!uv_is_active((uv_handle_t*) process));
  ASSERT_EQ(uv_process_kill(process, 0), UV_ESRCH);
  ASSERT_EQ(signum, 0);
  if (status == UV_ESRCH) {
    lost_count++;
  } else {
    ASSERT_EQ(status, 3);
  }
  exit_count++;
  uv_close((uv_handle_t*) process, NULL);
}

static void on_exit_never(uv_process_t* process, int64_t status, int signum) {
  FAIL("%d has ended: %d, signal %d", (int) process->pid, (int) status, signum);
}

static void spawn_in(uv_loop_t* loop, uv_process_t* process, const char* script, uv_exit_cb exit_cb) {
  char* args[] = {"/bin/sh", "-c", (char*) script, NULL};
  uv_process_options_t options;
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  options.exit_cb = exit_cb;
  ASSERT_OK(uv_spawn(loop, process, &options));
}

static void spawn(uv_process_t* process, const char* script) {
  spawn_in(uv_default_loop(), process, script, on_exit_close);
}

static void reap(pid_t pid) {
  ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

/* So that the next SIGCHLD callback finds it dead. */
static void kill_and_wait_until_dead(uv_process_t* process) {
  siginfo_t info;
  ASSERT_OK(uv_process_kill(process, SIGKILL));
  ASSERT_OK(waitid(P_PID, process->pid, &info, WEXITED | WNOWAIT));
}

static void run(void) {
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
}

static void expect_no_children(void) {
  ASSERT_EQ(waitpid(-1, NULL, WNOHANG), -1);
  ASSERT_EQ(errno, ECHILD);
}

/* --- Other code waits -------------------------------------------------------------------- */

TEST_IMPL(before_the_loop_runs) {
  uv_process_t process;
  OXUV_ONLY();
  spawn(&process, "exit 3");
  reap(process.pid);
  run();
  ASSERT_EQ(lost_count, 1);
  ASSERT_EQ(exit_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(there_need_not_be_a_callback) {
  uv_process_t process;
  OXUV_ONLY();
  spawn_in(uv_default_loop(), &process, "exit 3", NULL);
  reap(process.pid);
  run();
  ASSERT(!uv_is_active((uv_handle_t*) &process));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(others_have_their_status) {
  uv_process_t processes[8];
  int i;
  OXUV_ONLY();
  for (i = 0; i < 8; i++) spawn(&processes[i], "exit 3");
  reap(processes[0].pid);
  reap(processes[3].pid);
  reap(processes[7].pid);
  run();
  ASSERT_EQ(exit_count, 8);
  ASSERT_EQ(lost_count, 3);
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_process_t siblings[6];

static void on_exit_close_siblings(uv_process_t* process, int64_t status, int signum) {
  int i;
  (void) process, (void) signum;
  ASSERT_EQ(status, UV_ESRCH);
  exit_count++;
  for (i = 0; i < 6; i++) uv_close((uv_handle_t*) &siblings[i], NULL);
}

TEST_IMPL(a_callback_may_close_others) {
  int i;
  OXUV_ONLY();
  for (i = 0; i < 6; i++)
    spawn_in(uv_default_loop(), &siblings[i], "exit 3", on_exit_close_siblings);
  for (i = 0; i < 6; i++) reap(siblings[i].pid);
  run();
  ASSERT_EQ(exit_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_exit_start_next(uv_process_t* process, int64_t status, int signum) {
  (void) signum;
  ASSERT_EQ(status, UV_ESRCH);
  uv_close((uv_handle_t*) process, NULL);
  if (++exit_count == 10) return;
  spawn_in(uv_default_loop(), process + 1, "exit 3", on_exit_start_next);
  reap(process[1].pid);
}

TEST_IMPL(a_callback_may_start_the_next) {
  static uv_process_t processes[11];
  OXUV_ONLY();
  spawn_in(uv_default_loop(), &processes[0], "exit 3", on_exit_start_next);
  reap(processes[0].pid);
  run();
  ASSERT_EQ(exit_count, 10);
  MAKE_SURE_NOTHING_LEAKED();
}

static void reap_in_timer(uv_timer_t* timer) {
  reap(((uv_process_t*) timer->data)->pid);
  uv_close((uv_handle_t*) timer, NULL);
}

TEST_IMPL(while_the_loop_runs) {
  uv_process_t process;
  uv_timer_t timer;
  OXUV_ONLY();
  spawn(&process, "exit 3");
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  timer.data = &process;
  ASSERT_OK(uv_timer_start(&timer, reap_in_timer, 0, 0));
  run();
  ASSERT_EQ(lost_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void* reap_everything(void* gate) {
  ASSERT_EQ(write(*(int*) gate, "x", 1), 1);
  for (;;) {
    pid_t pid = waitpid(-1, NULL, 0);
    if (pid == -1 && errno == ECHILD) return NULL;
  }
}

/* Each end is reported once, whichever of the two was first. */
TEST_IMPL(a_thread_waits_for_every_child) {
  enum { count = 30 };
  static uv_process_t processes[count];
  pthread_t thread;
  int gate[2];
  char byte;
  int i;
  OXUV_ONLY();
  ASSERT_OK(pipe2(gate, O_CLOEXEC));
  for (i = 0; i < count; i++) spawn(&processes[i], "exit 3");
  ASSERT_OK(pthread_create(&thread, NULL, reap_everything, &gate[1]));
  ASSERT_EQ(read(gate[0], &byte, 1), 1);
  run();
  ASSERT_EQ(exit_count, count);
  ASSERT_OK(pthread_join(thread, NULL));
  close(gate[0]);
  close(gate[1]);
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

static void* spawn_in_own_loop(void* arg) {
  uv_process_t process;
  uv_loop_t loop;
  (void) arg;
  ASSERT_OK(uv_loop_init(&loop));
  spawn_in(&loop, &process, "exit 3", on_exit_close);
  reap(process.pid);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
  return NULL;
}

TEST_IMPL(in_another_loop) {
  pthread_t thread;
  OXUV_ONLY();
  ASSERT_OK(pthread_create(&thread, NULL, spawn_in_own_loop, NULL));
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_EQ(lost_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_unreferenced_process_does_not_keep_the_loop_alive) {
  uv_process_t process;
  OXUV_ONLY();
  spawn_in(uv_default_loop(), &process, "exit 3", on_exit_close);
  uv_unref((uv_handle_t*) &process);
  reap(process.pid);
  run();
  uv_ref((uv_handle_t*) &process);
  run();
  ASSERT_EQ(exit_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(closing_before_the_callback_means_no_callback) {
  uv_process_t process;
  spawn_in(uv_default_loop(), &process, "exit 3", on_exit_never);
  reap(process.pid);
  uv_close((uv_handle_t*) &process, NULL);
  run();
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- The program waits in its callback for SIGCHLD --------------------------------------- */

static uv_process_t watched;
static uv_signal_t watcher;
static int closes_at_once;
static int reaped;

static void on_sigchld(uv_signal_t* handle, int signum) {
  ASSERT_EQ(signum, SIGCHLD);
  (void) handle;
  ASSERT_EQ(exit_count, 0);
  if (waitpid(watched.pid, NULL, WNOHANG) != watched.pid) return;
  reaped++;
  if (closes_at_once) uv_close((uv_handle_t*) &watched, NULL);
}

static void watch_for_sigchld(void) {
  ASSERT_OK(uv_signal_init(uv_default_loop(), &watcher));
  ASSERT_OK(uv_signal_start(&watcher, on_sigchld, SIGCHLD));
  uv_unref((uv_handle_t*) &watcher);
}

TEST_IMPL(the_program_waits_in_a_signal_callback) {
  OXUV_ONLY();
  watch_for_sigchld();
  spawn(&watched, "exit 3");
  run();
  ASSERT_EQ(reaped, 1);
  ASSERT_EQ(lost_count, 1);
  ASSERT_EQ(exit_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Neovim takes the end that it finds out itself for the end, and closes the handle. */
TEST_IMPL(a_process_closed_after_waiting_in_a_signal_callback_is_not_reported) {
  closes_at_once = 1;
  watch_for_sigchld();
  spawn_in(uv_default_loop(), &watched, "exec sleep 100", on_exit_never);
  kill_and_wait_until_dead(&watched);
  run();
  ASSERT_EQ(reaped, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static int turns;

static void on_turn(uv_prepare_t* prepare) {
  if (reaped == 0 || ++turns < 20) return;
  uv_close((uv_handle_t*) &watched, NULL);
  uv_close((uv_handle_t*) prepare, NULL);
}

static void on_idle(uv_idle_t* idle) {
  uv_update_time(idle->loop);
}

/* It may read what the child has written before that, which takes a few iterations. */
TEST_IMPL(a_program_that_waits_in_a_signal_callback_has_time_to_close) {
  uv_prepare_t prepare;
  uv_idle_t idle;
  watch_for_sigchld();
  spawn_in(uv_default_loop(), &watched, "exec sleep 100", on_exit_never);
  kill_and_wait_until_dead(&watched);
  ASSERT_OK(uv_prepare_init(uv_default_loop(), &prepare));
  ASSERT_OK(uv_prepare_start(&prepare, on_turn));
  ASSERT_OK(uv_idle_init(uv_default_loop(), &idle));
  ASSERT_OK(uv_idle_start(&idle, on_idle));
  uv_unref((uv_handle_t*) &idle);
  while (!uv_is_closing((uv_handle_t*) &watched)) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  uv_close((uv_handle_t*) &idle, NULL);
  run();
  ASSERT_EQ(reaped, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_exit_note(uv_process_t* process, int64_t status, int signum) {
  note("exit:%d/%d", (int) status, signum);
  uv_close((uv_handle_t*) process, NULL);
}

static void on_sigchld_first(uv_signal_t* handle, int signum) {
  (void) handle, (void) signum;
  note("first");
}

static void on_sigchld_last(uv_signal_t* handle, int signum) {
  (void) handle, (void) signum;
  note("last");
}

static struct {
  uv_signal_t first;
  uv_loop_t loop;
  uv_signal_t last;
} editor;

static void start_handles(void) {
  ASSERT_OK(uv_signal_start(&editor.last, on_sigchld_last, SIGCHLD));
  ASSERT_OK(uv_signal_start(&editor.first, on_sigchld_first, SIGCHLD));
}

/* Handles for a signal are called by their addresses, and the library checks for children when it
 * would be the turn of a handle in the loop. So it does not come after Neovim, which has its own
 * handle behind the loop. */
TEST_IMPL(children_are_checked_between_handles_before_and_behind_the_loop) {
  uv_process_t process;
  int starts_later;
  for (starts_later = 0; starts_later < 2; starts_later++) {
    memset(&editor, 0, sizeof(editor));
    ASSERT_OK(uv_loop_init(&editor.loop));
    ASSERT_OK(uv_signal_init(&editor.loop, &editor.first));
    ASSERT_OK(uv_signal_init(&editor.loop, &editor.last));
    if (!starts_later) start_handles();
    spawn_in(&editor.loop, &process, "exec sleep 100", on_exit_note);
    while (uv_run(&editor.loop, UV_RUN_NOWAIT), notes()[0] != '\0') clear_notes();
    if (starts_later) start_handles();
    kill_and_wait_until_dead(&process);
    while (strstr(notes(), "last") == NULL) uv_run(&editor.loop, UV_RUN_NOWAIT);
    ASSERT_NOTES("first exit:0/9 last");
    uv_close((uv_handle_t*) &editor.first, NULL);
    uv_close((uv_handle_t*) &editor.last, NULL);
    ASSERT_OK(uv_run(&editor.loop, UV_RUN_DEFAULT));
    ASSERT_OK(uv_loop_close(&editor.loop));
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Other code has the signal ----------------------------------------------------------- */

/* The kernel then reaps the child. */
TEST_IMPL(sigchld_is_ignored_later) {
  uv_process_t process;
  OXUV_ONLY();
  spawn(&process, "exec sleep 100");
  signal(SIGCHLD, SIG_IGN);
  ASSERT_OK(uv_process_kill(&process, SIGKILL));
  run();
  ASSERT_EQ(lost_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void ignore_and_kill(uv_timer_t* timer) {
  signal(SIGCHLD, SIG_IGN);
  ASSERT_OK(uv_process_kill(timer->data, SIGKILL));
  uv_close((uv_handle_t*) timer, NULL);
}

TEST_IMPL(sigchld_is_ignored_in_a_callback) {
  uv_process_t process;
  uv_timer_t timer;
  OXUV_ONLY();
  spawn(&process, "exec sleep 100");
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  timer.data = &process;
  ASSERT_OK(uv_timer_start(&timer, ignore_and_kill, 10, 0));
  run();
  ASSERT_EQ(lost_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_loop_that_does_not_wait_checks_as_well) {
  uv_process_t process;
  OXUV_ONLY();
  spawn(&process, "exec sleep 100");
  signal(SIGCHLD, SIG_IGN);
  ASSERT_OK(uv_process_kill(&process, SIGKILL));
  while (exit_count == 0) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  run();
  ASSERT_EQ(lost_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void do_nothing(int signum) {
  (void) signum;
}

static void wait_for_all(int signum) {
  int saved = errno;
  (void) signum;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
  errno = saved;
}

TEST_IMPL(another_handler_takes_the_place_of_ours) {
  uv_process_t processes[2];
  OXUV_ONLY();
  /* A handler that leaves the child alone. */
  spawn(&processes[0], "exit 3");
  signal(SIGCHLD, do_nothing);
  run();
  ASSERT_EQ(exit_count, 1);
  ASSERT_EQ(lost_count, 0);
  /* A handler that waits for the child. */
  spawn(&processes[1], "exec sleep 100");
  signal(SIGCHLD, wait_for_all);
  ASSERT_OK(uv_process_kill(&processes[1], SIGKILL));
  run();
  ASSERT_EQ(exit_count, 2);
  ASSERT_EQ(lost_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(sigchld_was_ignored_before) {
  uv_process_t process;
  signal(SIGCHLD, SIG_IGN);
  spawn(&process, "exit 3");
  run();
  ASSERT_EQ(exit_count, 1);
  ASSERT_EQ(lost_count, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Numbers and forks ------------------------------------------------------------------- */

/* Has the next process get this number, if it is free; whether that can be asked for. */
static int make_next(pid_t pid) {
  FILE* file = fopen("/proc/sys/kernel/ns_last_pid", "we");
  int result;
  if (file == NULL) return 0;
  result = fprintf(file, "%d", pid - 1);
  return fclose(file) == 0 && result > 0;
}

/* A process that has the number of a child that other code has reaped is not taken for it. */
TEST_IMPL(a_number_is_used_again) {
  uv_process_t first, second;
  int tries;
  OXUV_ONLY();
  for (tries = 0; tries < 200; tries++) {
    int before = exit_count;
    spawn(&first, "exit 9");
    reap(first.pid);
    if (!make_next(first.pid)) SKIP("only root may choose the number of the next process");
    spawn(&second, "exit 3");
    lost_count = 0;
    run();
    ASSERT_EQ(exit_count, before + 2);
    ASSERT_EQ(lost_count, 1);
    if (first.pid == second.pid) break;
  }
  if (first.pid != second.pid) SKIP("others start too many processes");
  MAKE_SURE_NOTHING_LEAKED();
}

/* The children of the parent have not ended for a forked child, which cannot wait for them. */
TEST_IMPL(a_forked_child_gets_no_exits_of_its_parents_children) {
  uv_process_t process, own;
  int status;
  pid_t pid;
  spawn_in(uv_default_loop(), &process, "exec sleep 100", on_exit_close);
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(uv_default_loop()));
    process.exit_cb = on_exit_never;
    spawn(&own, "exit 3");
    while (exit_count == 0) uv_run(uv_default_loop(), UV_RUN_ONCE);
    ASSERT_EQ(lost_count, 0);
    uv_close((uv_handle_t*) &process, NULL);
    run();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  ASSERT_OK(uv_process_kill(&process, SIGKILL));
  process.exit_cb = on_exit_note;
  run();
  ASSERT_NOTES("exit:0/9");
  MAKE_SURE_NOTHING_LEAKED();
}
