/* https://docs.libuv.org/en/v1.x/process.html: starting processes, their exit callbacks, signals to
 * them. What a child begins with is in process_options.c and process_stdio.c. */
#include "task.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

static int exit_count;
static int64_t exit_status;
static int exit_signal;

static void on_exit_close(uv_process_t* process, int64_t status, int signum) {
  ASSERT(!uv_is_active((uv_handle_t*) process));
  exit_count++;
  exit_status = status;
  exit_signal = signum;
  uv_close((uv_handle_t*) process, NULL);
}

static void on_exit_never(uv_process_t* process, int64_t status, int signum) {
  FAIL("%d has ended: %d, signal %d", (int) process->pid, (int) status, signum);
}

static uv_process_options_t options_for(char** args, uv_exit_cb exit_cb) {
  uv_process_options_t options;
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  options.exit_cb = exit_cb;
  return options;
}

static int spawn(uv_process_t* process, char** args, uv_exit_cb exit_cb) {
  uv_process_options_t options = options_for(args, exit_cb);
  return uv_spawn(uv_default_loop(), process, &options);
}

static int spawn_shell(uv_process_t* process, const char* script, uv_exit_cb exit_cb) {
  char* args[] = {"/bin/sh", "-c", (char*) script, NULL};
  return spawn(process, args, exit_cb);
}

static void run(void) {
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
}

/* There is neither a running child nor one that has not been waited for. */
static void expect_no_children(void) {
  ASSERT_EQ(waitpid(-1, NULL, WNOHANG), -1);
  ASSERT_EQ(errno, ECHILD);
}

static void wait_until_dead(pid_t pid) {
  siginfo_t info;
  ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
}

/* valgrind makes its own fork of whatever makes a child, and dies when execve fails. */
#define NOT_UNDER_VALGRIND()                                                                       \
  do {                                                                                             \
    if (is_under_valgrind()) SKIP("not possible under valgrind");                                  \
  } while (0)

/* --- How processes end --------------------------------------------------------------------- */

TEST_IMPL(the_exit_status_is_reported) {
  uv_process_t process;
  int statuses[] = {0, 1, 7, 255};
  int i;
  for (i = 0; i < 4; i++) {
    char script[32];
    snprintf(script, sizeof(script), "exit %d", statuses[i]);
    ASSERT_OK(spawn_shell(&process, script, on_exit_close));
    ASSERT_EQ(process.type, UV_PROCESS);
    ASSERT(uv_is_active((uv_handle_t*) &process));
    ASSERT_GT(process.pid, 0);
    ASSERT_EQ(uv_process_get_pid(&process), process.pid);
    run();
    ASSERT_EQ(exit_count, i + 1);
    ASSERT_EQ(exit_status, statuses[i]);
    ASSERT_EQ(exit_signal, 0);
  }
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_signal_that_ended_it_is_reported) {
  uv_process_t process;
  ASSERT_OK(spawn_shell(&process, "kill -9 $$", on_exit_close));
  run();
  ASSERT_EQ(exit_status, 0);
  ASSERT_EQ(exit_signal, SIGKILL);
  ASSERT_OK(spawn_shell(&process, "kill -TERM $$", on_exit_close));
  run();
  ASSERT_EQ(exit_signal, SIGTERM);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_process_that_stops_has_not_ended) {
  uv_process_t process;
  ASSERT_OK(spawn_shell(&process, "kill -STOP $$; exit 4", on_exit_close));
  ASSERT_EQ(waitpid(process.pid, NULL, WUNTRACED), process.pid);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(exit_count, 0);
  ASSERT_OK(uv_process_kill(&process, SIGCONT));
  run();
  ASSERT_EQ(exit_status, 4);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(there_need_not_be_a_callback) {
  uv_process_t process;
  ASSERT_OK(spawn_shell(&process, "exit 0", NULL));
  run();
  ASSERT(!uv_is_active((uv_handle_t*) &process));
  ASSERT(!uv_is_closing((uv_handle_t*) &process));
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_unreferenced_process_does_not_keep_the_loop_alive) {
  uv_process_t process;
  ASSERT_OK(spawn_shell(&process, "read line", on_exit_close));
  ASSERT(uv_has_ref((uv_handle_t*) &process));
  ASSERT_NE(uv_loop_alive(uv_default_loop()), 0);
  uv_unref((uv_handle_t*) &process);
  run();
  uv_ref((uv_handle_t*) &process);
  ASSERT_OK(uv_process_kill(&process, SIGKILL));
  run();
  ASSERT_EQ(exit_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_process_may_end_before_the_loop_runs) {
  uv_process_t process;
  ASSERT_OK(spawn_shell(&process, "exit 5", on_exit_close));
  wait_until_dead(process.pid);
  run();
  ASSERT_EQ(exit_status, 5);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_process_t both[2];

static void expect_the_other_to_be_active(uv_process_t* process, int64_t status, int signum) {
  on_exit_close(process, status, signum);
  if (exit_count == 1) ASSERT_EQ(uv_is_active((uv_handle_t*) (process == both ? both + 1 : both)), 1);
}

TEST_IMPL(a_process_is_active_until_its_callback) {
  int i;
  for (i = 0; i < 2; i++) ASSERT_OK(spawn_shell(&both[i], "exit 0", expect_the_other_to_be_active));
  for (i = 0; i < 2; i++) wait_until_dead(both[i].pid);
  run();
  ASSERT_EQ(exit_count, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

static void spawn_the_next(uv_process_t* process, int64_t status, int signum) {
  on_exit_close(process, status, signum);
  if (exit_count < 50) ASSERT_OK(spawn_shell(process + 1, "exit 0", spawn_the_next));
}

TEST_IMPL(a_callback_may_start_the_next_process) {
  static uv_process_t processes[51];
  ASSERT_OK(spawn_shell(&processes[0], "exit 0", spawn_the_next));
  run();
  ASSERT_EQ(exit_count, 50);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Many processes ------------------------------------------------------------------------ */

TEST_IMPL_SERIAL(a_thousand_processes_end_at_once) {
  enum { count = 1000 };
  static uv_process_t processes[count];
  char* args[] = {"/bin/cat", NULL};
  uv_stdio_container_t stdin_container;
  int gate[2];
  int i;
  ASSERT_OK(pipe2(gate, O_CLOEXEC));
  stdin_container.flags = UV_INHERIT_FD;
  stdin_container.data.fd = gate[0];
  for (i = 0; i < count; i++) {
    uv_process_options_t options = options_for(args, on_exit_close);
    options.stdio = &stdin_container;
    options.stdio_count = 1;
    ASSERT_OK(uv_spawn(uv_default_loop(), &processes[i], &options));
  }
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(exit_count, 0);
  close(gate[0]);
  close(gate[1]);
  run();
  ASSERT_EQ(exit_count, count);
  for (i = 0; i < count; i++) ASSERT_EQ(processes[i].status, 0);
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

enum { short_lived = 1000, at_a_time = 25 };

static uv_process_t comers[at_a_time];
static int started;
static int reported_of[short_lived];
static int descriptors;

static void start_comer(uv_process_t* process);

static void on_gone(uv_handle_t* handle) {
  if (started < short_lived) start_comer((uv_process_t*) handle);
}

static void on_exit_next(uv_process_t* process, int64_t status, int signum) {
  int number = (int) (intptr_t) process->data;
  ASSERT_EQ(status, number % 256);
  ASSERT_EQ(signum, 0);
  reported_of[number]++;
  exit_count++;
  if (descriptors == 0) descriptors = fd_count();
  ASSERT_EQ(fd_count(), descriptors);
  uv_close((uv_handle_t*) process, on_gone);
}

static void start_comer(uv_process_t* process) {
  char script[16];
  process->data = (void*) (intptr_t) started;
  snprintf(script, sizeof(script), "exit %d", started++ % 256);
  ASSERT_OK(spawn_shell(process, script, on_exit_next));
}

TEST_IMPL_LIMIT(a_thousand_short_lived_processes_come_and_go, 120) {
  int i;
  for (i = 0; i < at_a_time; i++) start_comer(&comers[i]);
  run();
  ASSERT_EQ(exit_count, short_lived);
  for (i = 0; i < short_lived; i++) ASSERT_EQ(reported_of[i], 1);
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

static int all_ended;

static void on_exit_count(uv_process_t* process, int64_t status, int signum) {
  ASSERT_EQ(status, 3);
  ASSERT_EQ(signum, 0);
  __atomic_add_fetch(&all_ended, 1, __ATOMIC_SEQ_CST);
  uv_close((uv_handle_t*) process, NULL);
}

static void* spawn_in_own_loop(void* arg) {
  char* args[] = {"/bin/sh", "-c", "exit 3", NULL};
  uv_process_options_t options = options_for(args, on_exit_count);
  uv_process_t processes[10];
  uv_loop_t loop;
  int i;
  (void) arg;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < 10; i++) ASSERT_OK(uv_spawn(&loop, &processes[i], &options));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
  return NULL;
}

TEST_IMPL(several_threads_start_processes_in_loops_of_their_own) {
  pthread_t threads[4];
  int i;
  for (i = 0; i < 4; i++) ASSERT_OK(pthread_create(&threads[i], NULL, spawn_in_own_loop, NULL));
  for (i = 0; i < 4; i++) ASSERT_OK(pthread_join(threads[i], NULL));
  ASSERT_EQ(all_ended, 40);
  expect_no_children();
}

/* --- Programs that cannot be executed ------------------------------------------------------- */

static int closed;

static void on_close(uv_handle_t* handle) {
  (void) handle;
  closed++;
}

static void count_handle(uv_handle_t* handle, void* count) {
  (void) handle;
  ++*(int*) count;
}

static void expect_error(const char* file, int error) {
  char* args[] = {(char*) file, NULL};
  uv_process_t process;
  int fds;
  int closed_before = closed;
  memset(&process, 0x5a, sizeof(process));
  ASSERT_OK(uv_loop_alive(uv_default_loop()));
  fds = fd_count();
  ASSERT_EQ(spawn(&process, args, on_exit_never), error);
  ASSERT(!uv_is_active((uv_handle_t*) &process));
  ASSERT_EQ(uv_process_get_pid(&process), 0);
  ASSERT_OK(uv_loop_alive(uv_default_loop()));
  expect_no_children();
  ASSERT_EQ(fd_count(), fds);
  uv_close((uv_handle_t*) &process, on_close);
  run();
  ASSERT_EQ(closed, closed_before + 1);
}

TEST_IMPL(what_cannot_be_executed_is_an_error) {
  char long_name[400];
  const char* path;
  uv_process_t first;
  NOT_UNDER_VALGRIND();
  /* libuv opens a descriptor or two with the first process. */
  ASSERT_OK(spawn_shell(&first, "exit 0", on_exit_close));
  run();

  /* A folder of the path that may not be searched would make it UV_EACCES. */
  ASSERT_OK(setenv("PATH", "/usr/bin:/bin", 1));
  expect_error("program-that-is-nowhere", UV_ENOENT);
  expect_error("/nonexistent/program", UV_ENOENT);
  expect_error("/etc/passwd/program", UV_ENOTDIR);
  expect_error(test_tmpdir(), UV_EACCES);
  memset(long_name, 'x', sizeof(long_name) - 1);
  long_name[sizeof(long_name) - 1] = '\0';
  expect_error(long_name, UV_ENAMETOOLONG);

  path = test_path("not_executable");
  write_file(path, "#!/bin/sh\n", 10);
  expect_error(path, UV_EACCES);
  path = test_path("no_format");
  write_file(path, "echo hello\n", 11);
  ASSERT_OK(chmod(path, 0755));
  expect_error(path, UV_ENOEXEC);
  path = test_path("no_interpreter");
  write_file(path, "#!/nonexistent/interpreter\n", 27);
  ASSERT_OK(chmod(path, 0755));
  expect_error(path, UV_ENOENT);
  path = test_path("around");
  ASSERT_OK(symlink("around", path));
  expect_error(path, UV_ELOOP);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(too_long_arguments_are_an_error) {
  static char text[4 << 20];
  char* args[] = {"/bin/true", text, NULL};
  uv_process_t process;
  NOT_UNDER_VALGRIND();
  memset(text, 'x', sizeof(text) - 1);
  ASSERT_EQ(spawn(&process, args, on_exit_never), UV_E2BIG);
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(options_without_sense_are_refused) {
  char* args[] = {"/bin/true", NULL};
  uv_process_options_t options = options_for(args, on_exit_never);
  uv_process_t process;
  OXUV_ONLY();
  options.flags = 1 << 8;
  ASSERT_EQ(uv_spawn(uv_default_loop(), &process, &options), UV_EINVAL);
  options = options_for(args, on_exit_never);
  options.args = NULL;
  ASSERT_EQ(uv_spawn(uv_default_loop(), &process, &options), UV_EINVAL);
  options = options_for(args, on_exit_never);
  options.file = NULL;
  ASSERT_EQ(uv_spawn(uv_default_loop(), &process, &options), UV_ENOENT);
  options = options_for(args, on_exit_never);
  options.stdio_count = 1;
  ASSERT_EQ(uv_spawn(uv_default_loop(), &process, &options), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A handle whose process could not be started is in no list, and need not be closed. */
TEST_IMPL(a_failed_handle_is_not_on_the_loop) {
  uv_process_t* process = malloc(sizeof(*process));
  char* args[] = {"/nonexistent", NULL};
  int count = 0;
  OXUV_ONLY();
  ASSERT_EQ(spawn(process, args, on_exit_never), UV_ENOENT);
  ASSERT_EQ(uv_process_kill(process, 0), UV_ESRCH);
  memset(process, 0x5a, sizeof(*process));
  free(process);
  uv_walk(uv_default_loop(), count_handle, &count);
  ASSERT_EQ(count, 0);
  ASSERT_OK(uv_loop_close(uv_default_loop()));
}

TEST_IMPL(running_out_of_descriptors_is_an_error) {
  uv_process_t process;
  uv_stdio_container_t stdio[2];
  uv_pipe_t pipes[2];
  char* args[] = {"/bin/true", NULL};
  uv_process_options_t options = options_for(args, on_exit_close);
  struct rlimit limit;
  rlim_t usual;
  int i;
  NOT_UNDER_VALGRIND();
  ASSERT_OK(spawn(&process, args, on_exit_close));
  run();
  for (i = 0; i < 2; i++) {
    ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipes[i], 0));
    stdio[i].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
    stdio[i].data.stream = (uv_stream_t*) &pipes[i];
  }
  options.stdio = stdio;
  options.stdio_count = 2;
  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  usual = limit.rlim_cur;
  /* Enough for one of the two, if there is no gap. */
  limit.rlim_cur = (rlim_t) dup(0) + 3;
  close((int) limit.rlim_cur - 3);
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  ASSERT_EQ(uv_spawn(uv_default_loop(), &process, &options), UV_EMFILE);
  limit.rlim_cur = usual;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  uv_close((uv_handle_t*) &process, NULL);
  run();
  /* The pipes are as they were. */
  ASSERT_OK(uv_spawn(uv_default_loop(), &process, &options));
  run();
  ASSERT_EQ(exit_count, 2);
  expect_no_children();
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Signals -------------------------------------------------------------------------------- */

TEST_IMPL(a_process_is_signalled) {
  uv_process_t process;
  pid_t pid;
  ASSERT_OK(spawn_shell(&process, "read line <&-; exec sleep 100", on_exit_close));
  pid = process.pid;
  ASSERT_OK(uv_process_kill(&process, 0));
  ASSERT_OK(uv_kill(pid, 0));
  ASSERT_EQ(uv_process_kill(&process, -1), UV_EINVAL);
  ASSERT_EQ(uv_process_kill(&process, 1000), UV_EINVAL);
  ASSERT_EQ(uv_kill(pid, -1), UV_EINVAL);
  ASSERT_EQ(uv_kill(pid, 65), UV_EINVAL);
  ASSERT_OK(uv_process_kill(&process, SIGTERM));
  run();
  ASSERT_EQ(exit_count, 1);
  ASSERT_EQ(exit_signal, SIGTERM);
  ASSERT_EQ(process.pid, pid);
  ASSERT_EQ(uv_process_kill(&process, 0), UV_ESRCH);
  ASSERT_EQ(uv_process_kill(&process, SIGTERM), UV_ESRCH);
  ASSERT_EQ(uv_kill(pid, 0), UV_ESRCH);
  MAKE_SURE_NOTHING_LEAKED();
}

static int signals_delivered;

static void on_signal(uv_signal_t* handle, int signum) {
  ASSERT_EQ(signum, SIGCHLD);
  (void) handle;
  signals_delivered++;
}

TEST_IMPL(programs_may_watch_for_sigchld_as_well) {
  uv_process_t process;
  uv_signal_t handle;
  ASSERT_OK(uv_signal_init(uv_default_loop(), &handle));
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGCHLD));
  uv_unref((uv_handle_t*) &handle);
  ASSERT_OK(spawn_shell(&process, "exit 0", on_exit_close));
  run();
  ASSERT_EQ(exit_count, 1);
  ASSERT_GE(signals_delivered, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static int sigchld_is_default(void) {
  struct sigaction action;
  ASSERT_OK(sigaction(SIGCHLD, NULL, &action));
  return action.sa_handler == SIG_DFL;
}

TEST_IMPL(sigchld_is_caught_while_there_are_processes) {
  uv_process_t processes[2];
  ASSERT_OK(uv_loop_alive(uv_default_loop()));
  ASSERT(sigchld_is_default());
  ASSERT_OK(spawn_shell(&processes[0], "exit 0", on_exit_close));
  ASSERT_OK(spawn_shell(&processes[1], "exit 0", on_exit_close));
  ASSERT(!sigchld_is_default());
  run();
  ASSERT_EQ(exit_count, 2);
  ASSERT(sigchld_is_default());
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(sigchld_may_have_been_ignored) {
  uv_process_t process;
  signal(SIGCHLD, SIG_IGN);
  ASSERT_OK(spawn_shell(&process, "exit 6", on_exit_close));
  run();
  ASSERT_EQ(exit_status, 6);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Closing -------------------------------------------------------------------------------- */

TEST_IMPL(closing_the_handle_leaves_the_process_alone) {
  uv_process_t process;
  int status;
  ASSERT_OK(spawn_shell(&process, "kill -STOP $$; exit 9", on_exit_never));
  uv_close((uv_handle_t*) &process, NULL);
  run();
  /* Its number is still good, and it is for the program to wait for it. */
  ASSERT_EQ(waitpid(process.pid, NULL, WUNTRACED), process.pid);
  ASSERT_OK(uv_process_kill(&process, SIGCONT));
  ASSERT_EQ(waitpid(process.pid, &status, 0), process.pid);
  ASSERT_EQ(WEXITSTATUS(status), 9);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_process_t siblings[10];

static void on_exit_close_siblings(uv_process_t* process, int64_t status, int signum) {
  int i;
  (void) process, (void) status, (void) signum;
  exit_count++;
  for (i = 0; i < 10; i++) uv_close((uv_handle_t*) &siblings[i], on_close);
}

TEST_IMPL(a_callback_may_close_others_that_have_ended) {
  int i;
  OXUV_ONLY(); /* libuv calls back for some of them nevertheless. */
  for (i = 0; i < 10; i++) ASSERT_OK(spawn_shell(&siblings[i], "exit 0", on_exit_close_siblings));
  for (i = 0; i < 10; i++) wait_until_dead(siblings[i].pid);
  run();
  ASSERT_EQ(exit_count, 1);
  ASSERT_EQ(closed, 10);
  ASSERT(sigchld_is_default());
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(closing_before_the_callback_means_no_callback) {
  uv_process_t process;
  ASSERT_OK(spawn_shell(&process, "exit 0", on_exit_never));
  wait_until_dead(process.pid);
  uv_close((uv_handle_t*) &process, on_close);
  run();
  ASSERT_EQ(closed, 1);
  ASSERT_EQ(waitpid(process.pid, NULL, 0), process.pid);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Others that wait for children ---------------------------------------------------------- */

TEST_IMPL(children_of_other_origin_are_not_touched) {
  uv_process_t process;
  int status;
  pid_t pid = fork();
  if (pid == 0) _exit(42);
  wait_until_dead(pid);
  ASSERT_OK(spawn_shell(&process, "exit 0", on_exit_close));
  run();
  ASSERT_EQ(exit_count, 1);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(WEXITSTATUS(status), 42);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Output and end ------------------------------------------------------------------------- */

static char output[256];
static size_t output_size;

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  if (size < 0) {
    ASSERT_EQ(size, UV_EOF);
    uv_close((uv_handle_t*) stream, NULL);
    return;
  }
  ASSERT_EQ(exit_count, 0);
  ASSERT_LT(output_size + size, sizeof(output));
  memcpy(output + output_size, buf->base, size);
  output_size += size;
}

/* What a process has written is read before its end is reported, when both are there. */
TEST_IMPL(output_comes_before_the_end) {
  char* args[] = {"/bin/sh", "-c", "echo hello", NULL};
  uv_process_options_t options = options_for(args, on_exit_close);
  uv_process_t process;
  uv_stdio_container_t stdio[2];
  uv_pipe_t pipe;
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*) &pipe;
  options.stdio = stdio;
  options.stdio_count = 2;
  ASSERT_OK(uv_spawn(uv_default_loop(), &process, &options));
  ASSERT_OK(uv_read_start((uv_stream_t*) &pipe, alloc_static, on_read));
  wait_until_dead(process.pid);
  run();
  ASSERT_EQ(exit_count, 1);
  ASSERT_STR_EQ(output, "hello\n");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- What starting a process does to this one ------------------------------------------------ */

static int atfork_calls;

static void on_fork(void) {
  atfork_calls++;
}

TEST_IMPL(functions_of_pthread_atfork_are_not_called) {
  uv_process_t process;
  ASSERT_OK(pthread_atfork(on_fork, on_fork, on_fork));
  ASSERT_OK(spawn_shell(&process, "exit 0", on_exit_close));
  run();
  ASSERT_EQ(atfork_calls, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_thread_is_left_as_it_was) {
  uv_process_t process;
  sigset_t before;
  sigset_t after;
  char folder[2][4096];
  char* args[] = {"/nonexistent", NULL};
  uv_process_options_t options = options_for(args, on_exit_never);
  sigemptyset(&before);
  sigaddset(&before, SIGUSR1);
  sigaddset(&before, SIGRTMIN + 1);
  ASSERT_OK(pthread_sigmask(SIG_SETMASK, &before, NULL));
  ASSERT_NOT_NULL(getcwd(folder[0], sizeof(folder[0])));
  options.cwd = "/";
  options.flags = UV_PROCESS_DETACHED;
  ASSERT_EQ(uv_spawn(uv_default_loop(), &process, &options), UV_ENOENT);
  ASSERT_OK(pthread_sigmask(SIG_SETMASK, NULL, &after));
  ASSERT(sigismember(&after, SIGUSR1) && sigismember(&after, SIGRTMIN + 1));
  ASSERT(!sigismember(&after, SIGUSR2) && !sigismember(&after, SIGCHLD));
  ASSERT_NOT_NULL(getcwd(folder[1], sizeof(folder[1])));
  ASSERT_STR_EQ(folder[0], folder[1]);
  uv_close((uv_handle_t*) &process, NULL);
  MAKE_SURE_NOTHING_LEAKED();
}

static int keep_going = 1;
static int handled;

static void on_posix_signal(int signum) {
  (void) signum;
  __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

static void* allocate_and_free(void* arg) {
  (void) arg;
  while (__atomic_load_n(&keep_going, __ATOMIC_SEQ_CST)) free(malloc(100000));
  return NULL;
}

static void* send_signals(void* thread) {
  while (__atomic_load_n(&keep_going, __ATOMIC_SEQ_CST)) {
    ASSERT_OK(pthread_kill(*(pthread_t*) thread, SIGUSR1));
    ASSERT_OK(kill(getpid(), SIGUSR2));
  }
  return NULL;
}

/* The child runs beside threads that have locks, and must not run this process's handlers. */
TEST_IMPL(other_threads_and_signals_go_on_meanwhile) {
  pthread_t self = pthread_self();
  pthread_t threads[3];
  uv_process_t process;
  int i;
  signal(SIGUSR1, on_posix_signal);
  signal(SIGUSR2, on_posix_signal);
  ASSERT_OK(pthread_create(&threads[0], NULL, allocate_and_free, NULL));
  ASSERT_OK(pthread_create(&threads[1], NULL, send_signals, &self));
  ASSERT_OK(pthread_create(&threads[2], NULL, send_signals, &self));
  for (i = 1; i <= 50; i++) {
    ASSERT_OK(spawn_shell(&process, "exit 0", on_exit_close));
    run();
    ASSERT_EQ(exit_count, i);
    ASSERT_EQ(exit_status, 0);
    ASSERT_EQ(exit_signal, 0);
  }
  __atomic_store_n(&keep_going, 0, __ATOMIC_SEQ_CST);
  for (i = 0; i < 3; i++) ASSERT_OK(pthread_join(threads[i], NULL));
  ASSERT_GT(handled, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t) time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The least time of several, which other load on the machine disturbs least. */
static uint64_t time_to_spawn(unsigned flags) {
  char* args[] = {"/bin/true", NULL};
  uv_process_options_t options = options_for(args, on_exit_close);
  uint64_t least = UINT64_MAX;
  int i;
  options.flags = flags;
  options.uid = getuid();
  options.gid = getgid();
  for (i = 0; i < 40; i++) {
    uv_process_t process;
    uint64_t start = now_ns();
    uint64_t time;
    ASSERT_OK(uv_spawn(uv_default_loop(), &process, &options));
    time = now_ns() - start;
    if (time < least) least = time;
    run();
  }
  return least;
}

static void* fill(size_t size) {
  char* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  size_t at;
  ASSERT(memory != MAP_FAILED);
  madvise(memory, size, MADV_NOHUGEPAGE);
  for (at = 0; at < size; at += 4096) memory[at] = 1;
  return memory;
}

static void expect_time_without_regard_to_memory(unsigned flags) {
  enum { size = 512 << 20 };
  uint64_t small = time_to_spawn(flags);
  void* memory = fill(size);
  uint64_t large = time_to_spawn(flags);
  int tries;
  /* Copying the page tables of so much memory takes milliseconds, every time; the machine may be
   * busy for some time. */
  for (tries = 0; tries < 20 && large >= 3 * small + 1000000; tries++) {
    uint64_t again = time_to_spawn(flags);
    if (again < large) large = again;
  }
  ASSERT_OK(munmap(memory, size));
  printf("%d us, with much memory %d us\n", (int) (small / 1000), (int) (large / 1000));
  ASSERT_LT(large, 3 * small + 1000000);
}

TEST_IMPL_TIMED(much_memory_does_not_make_starting_slow, 60) {
  NOT_UNDER_VALGRIND();
  expect_time_without_regard_to_memory(0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL_TIMED(much_memory_does_not_make_starting_as_another_user_slow, 60) {
  OXUV_ONLY();
  NOT_UNDER_VALGRIND();
  if (getuid() != 0) SKIP("only root may change groups");
  expect_time_without_regard_to_memory(UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_forked_child_may_start_processes) {
  uv_process_t process;
  pid_t pid;
  int status;
  ASSERT_OK(spawn_shell(&process, "exit 1", on_exit_close));
  run();
  pid = fork();
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(uv_default_loop()));
    ASSERT_OK(spawn_shell(&process, "exit 2", on_exit_close));
    run();
    ASSERT_EQ(exit_status, 2);
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(exit_status, 1);
  MAKE_SURE_NOTHING_LEAKED();
}
