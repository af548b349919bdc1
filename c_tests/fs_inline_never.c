/* What is never done in the loop's own thread: what could make the loop wait, end the process, or
* overtake what waits. https://docs.libuv.org/en/v1.x/design.html#file-i-o */
#include "inline.h"

#include "refuse.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>

static uv_timer_t timer;
static int ticks;

static void on_tick(uv_timer_t* handle) {
  ticks++;
}

static void start_ticking(void) {
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, on_tick, 1, 1));
}

static void set_up(void) {
  need_inline();
  write_file(test_path("file"), "hello, world", 12);
}

static const char* file(void) {
  return test_path("file");
}

static int64_t reported_somehow(int started) {
  int before = inline_calls;
  ASSERT_OK(started);
  ASSERT_EQ(inline_calls, before);
  run_until(uv_default_loop(), &inline_calls, before + 1);
  return inline_req.result;
}

/* --- What would wait ----------------------------------------------------------------------- */

/* The loop goes on while an operation waits. */
static void check_waiting(int started) {
  int before = inline_calls;
  ASSERT_OK(started);
  run_until(uv_default_loop(), &ticks, ticks + 10);
  ASSERT_EQ(inline_calls, before);
}

TEST_IMPL_SERIAL(opening_a_fifo) {
  int reader;
  int writer;
  set_up();
  ASSERT_OK(mkfifo(test_path("fifo"), 0600));
  learn_mount(uv_default_loop(), test_tmpdir());
  start_ticking();
  check_waiting(START(open, test_path("fifo"), O_RDONLY, 0));
  writer = open(test_path("fifo"), O_WRONLY);
  ASSERT_GE(writer, 0);
  run_until(uv_default_loop(), &inline_calls, 2);
  reader = (int) inline_req.result;
  ASSERT_GE(reader, 0);
  uv_fs_req_cleanup(&inline_req);
  ASSERT_EQ(fcntl(reader, F_GETFL) & O_NONBLOCK, 0);
  /* Reading from a FIFO is not done inline either. */
  {
    char memory[10];
    uv_buf_t buf = uv_buf_init(memory, sizeof(memory));
    check_waiting(START(read, reader, &buf, 1, -1));
    ASSERT_EQ(write(writer, "x", 1), 1);
    run_until(uv_default_loop(), &inline_calls, 3);
    ASSERT_EQ(inline_req.result, 1);
  }
  close(reader);
  close(writer);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A link to a FIFO, and a FIFO that takes a file's place. */
TEST_IMPL_SERIAL(what_becomes_a_fifo) {
  enum { rounds = 200 };
  int writer;
  int i;
  set_up();
  ASSERT_OK(mkfifo(test_path("fifo"), 0600));
  ASSERT_OK(symlink("fifo", test_path("link")));
  learn_mount(uv_default_loop(), test_tmpdir());
  start_ticking();
  check_waiting(START(open, test_path("link"), O_RDONLY, 0));
  writer = open(test_path("fifo"), O_WRONLY);
  run_until(uv_default_loop(), &inline_calls, 2);
  close((int) inline_req.result);
  uv_fs_req_cleanup(&inline_req);
  /* While there is a writer, opening does not wait, in whatever thread. */
  for (i = 0; i < rounds; i++) {
    struct stat s;
    ASSERT_OK(rename(test_path(i % 2 == 0 ? "fifo" : "other"), test_path("file")));
    if (i % 2 == 0) write_file(test_path("other"), "x", 1);
    else ASSERT_OK(mkfifo(test_path("fifo"), 0600));
    if (i % 2 == 0) continue;
    ASSERT_OK(stat(file(), &s));
    ASSERT_GE(reported_somehow(START(open, file(), O_RDONLY, 0)), 0);
    ASSERT_EQ(fcntl((int) inline_req.result, F_GETFL) & O_NONBLOCK, 0);
    close((int) inline_req.result);
    uv_fs_req_cleanup(&inline_req);
  }
  close(writer);
  MAKE_SURE_NOTHING_LEAKED();
}

HELPER_IMPL(lease_holder) {
  sigset_t set;
  int signum;
  int fd = open(getenv("OXUV_TEST_FILE"), O_RDWR);
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  helper_ready(fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0 ? 0 : errno);
  /* Another process wants the file; it gets it when the test says so. */
  do sigwait(&set, &signum);
  while (signum != SIGUSR1);
  fcntl(fd, F_SETLEASE, F_UNLCK);
  for (;;) pause();
}

TEST_IMPL_SERIAL(a_lease_of_another_process) {
  pid_t holder;
  int refused;
  set_up();
  learn_mount(uv_default_loop(), test_tmpdir());
  setenv("OXUV_TEST_FILE", file(), 1);
  holder = start_helper("lease_holder", &refused);
  if (refused != 0) SKIP("no lease: %s", strerror(refused));
  start_ticking();
  ASSERT_OK(reported_somehow(START(stat, file())));
  uv_fs_req_cleanup(&inline_req);
  check_waiting(START(open, file(), O_RDONLY, 0));
  ASSERT_OK(kill(holder, SIGUSR1));
  run_until(uv_default_loop(), &inline_calls, 3);
  ASSERT_GE(inline_req.result, 0);
  ASSERT_EQ(fcntl((int) inline_req.result, F_GETFL) & O_NONBLOCK, 0);
  close((int) inline_req.result);
  uv_fs_req_cleanup(&inline_req);
  end_helper(holder);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Order --------------------------------------------------------------------------------- */

static void note_job(uv_work_t* req, int status) {
  note("job%d", (int) (req - jobs));
}

static void note_fs(uv_fs_t* req) {
  note("fs");
  inline_calls++;
  uv_fs_req_cleanup(req);
}

/* Where one thread does everything, it does so in the order of the submissions. */
TEST_IMPL_SERIAL(a_single_thread_is_not_overtaken) {
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t req;
  int i;
  set_up();
  set_pool_size(1);
  learn_mount(loop, test_tmpdir());
  ASSERT_OK(sem_init(&jobs_begun, 0, 0));
  ASSERT_OK(sem_init(&jobs_may_end, 0, 0));
  ASSERT_OK(uv_queue_work(loop, &jobs[0], job, note_job));
  ASSERT_OK(uv_queue_work(loop, &jobs[1], job, note_job));
  wait_for(&jobs_begun);
  ASSERT_OK(uv_fs_stat(loop, &req, file(), note_fs));
  for (i = 0; i < 3; i++) ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  sem_post(&jobs_may_end);
  sem_post(&jobs_may_end);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("job0 job1 fs");
  MAKE_SURE_NOTHING_LEAKED();
}

/* What one thread has written is there for the read that was started after the write. */
TEST_IMPL_SERIAL(a_single_thread_reads_what_it_wrote) {
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t write_req, read_req;
  char memory[4];
  uv_buf_t out = uv_buf_init("abcd", 4);
  uv_buf_t in = uv_buf_init(memory, 4);
  int i;
  int fd;
  set_up();
  set_pool_size(1);
  learn_mount(loop, test_tmpdir());
  fd = open(file(), O_RDWR);
  for (i = 0; i < 100; i++) {
    ASSERT_EQ(pwrite(fd, "....", 4, 0), 4);
    ASSERT_OK(uv_fs_write(loop, &write_req, fd, &out, 1, 0, note_fs));
    ASSERT_OK(uv_fs_read(loop, &read_req, fd, &in, 1, 0, note_fs));
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    ASSERT_NOTES("fs fs");
    ASSERT_MEM_EQ(memory, "abcd", 4);
  }
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Turned off ---------------------------------------------------------------------------- */

TEST_IMPL_SERIAL(turned_off_by_the_environment) {
  need_cached_calls();
  write_file(file(), "hello, world", 12);
  ASSERT_OK(setenv("OXUV_FS_INLINE", "0", 1));
  block_pool();
  ASSERT_OK(BY_POOL(stat, file()));
  ASSERT_OK(BY_POOL(access, file(), F_OK));
  ASSERT_EQ(BY_POOL(stat, test_path("nothing")), UV_ENOENT);
  end_inline();
}

/* --- Filters of system calls --------------------------------------------------------------- */

#define ALLOW__ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ON_CALL__(number, what)                                                                    \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),                           \
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, what)

static void install(struct sock_filter* filter, size_t length) {
  struct sock_fprog program = {(unsigned short) length, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    SKIP("no filter of system calls: %s", strerror(errno));
}

/* From here on this thread's call of `number` ends the process, or has the error. */
static void filter_call(unsigned number, unsigned what) {
  struct sock_filter filter[] = {ON_CALL__(number, what), ALLOW__};
  install(filter, sizeof(filter) / sizeof(filter[0]));
}

/* The calls that libuv does not make. */
static void forbid_inline_calls(void) {
  filter_call(SYS_openat2, SECCOMP_RET_KILL_PROCESS);
  filter_call(SYS_name_to_handle_at, SECCOMP_RET_KILL_PROCESS);
}

static void use_everything(void) {
  char memory[20];
  uv_buf_t buf = uv_buf_init(memory, sizeof(memory));
  int fd;
  ASSERT_OK(reported_somehow(START(stat, file())));
  uv_fs_req_cleanup(&inline_req);
  ASSERT_OK(reported_somehow(START(lstat, file())));
  uv_fs_req_cleanup(&inline_req);
  ASSERT_OK(reported_somehow(START(access, file(), R_OK)));
  uv_fs_req_cleanup(&inline_req);
  fd = (int) reported_somehow(START(open, file(), O_RDONLY, 0));
  ASSERT_GE(fd, 0);
  uv_fs_req_cleanup(&inline_req);
  ASSERT_OK(reported_somehow(START(fstat, fd)));
  uv_fs_req_cleanup(&inline_req);
  ASSERT_EQ(reported_somehow(START(read, fd, &buf, 1, -1)), 12);
  uv_fs_req_cleanup(&inline_req);
  ASSERT_EQ(reported_somehow(START(readlink, file())), UV_EINVAL);
  uv_fs_req_cleanup(&inline_req);
  close(fd);
}

static void set_up_default(void) {
  need_cached_calls();
  write_file(file(), "hello, world", 12);
  ASSERT_OK(unsetenv("OXUV_FS_INLINE"));
}

TEST_IMPL_SERIAL(a_filter_before_the_start) {
  set_up_default();
  forbid_inline_calls();
  use_everything();
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

/* To ask whether there is a filter ends the process. */
static void forbid_asking(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER_HALF(0)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_GET_SECCOMP, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    ALLOW__,
  };
  install(filter, sizeof(filter) / sizeof(filter[0]));
}

TEST_IMPL_SERIAL(a_filter_of_prctl) {
  set_up_default();
  forbid_asking();
  use_everything();
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL_SERIAL(a_filter_of_prctl_between_operations) {
  set_up_default();
  use_everything();
  forbid_asking();
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL_SERIAL(a_filter_between_operations) {
  set_up_default();
  use_everything();
  use_everything();
  forbid_inline_calls();
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

/* Neither does the loop's time pass. */
TEST_IMPL_SERIAL(a_filter_between_operations_that_start_before_the_loop_runs) {
  uv_fs_t req;
  set_up_default();
  use_everything();
  ASSERT_OK(uv_fs_stat(uv_default_loop(), &req, file(), note_fs));
  forbid_inline_calls();
  ASSERT_OK(START(stat, file()));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_NOTES("fs");
  uv_fs_req_cleanup(&inline_req);
  MAKE_SURE_NOTHING_LEAKED();
}

static void forbid_and_go_on(uv_timer_t* handle) {
  forbid_inline_calls();
  ASSERT_OK(uv_fs_stat(handle->loop, handle->data, file(), note_fs));
  ASSERT_OK(START(stat, file()));
  uv_close((uv_handle_t*) handle, NULL);
}

TEST_IMPL_SERIAL(a_filter_within_a_callback) {
  uv_fs_t req;
  set_up_default();
  use_everything();
  timer.data = &req;
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, forbid_and_go_on, 20, 0));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_NOTES("fs");
  ASSERT_OK(inline_req.result);
  uv_fs_req_cleanup(&inline_req);
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

static const char* common_path;

static void close_own_loop(uv_fs_t* req) {
  ASSERT_OK(req->result);
  uv_fs_req_cleanup(req);
}

/* A thread with a loop and a filter of its own. */
static void* in_a_sandbox(void* arg) {
  uv_loop_t loop;
  uv_fs_t req;
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  forbid_inline_calls();
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_fs_stat(&loop, &req, common_path, close_own_loop));
    ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  }
  ASSERT_OK(uv_loop_close(&loop));
  return NULL;
}

TEST_IMPL_SERIAL(a_filter_of_another_thread) {
  pthread_t thread;
  set_up_default();
  common_path = file();
  use_everything();
  ASSERT_OK(pthread_create(&thread, NULL, in_a_sandbox, NULL));
  ASSERT_OK(pthread_join(thread, NULL));
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

/* What comes before a filter is enough. */
TEST_IMPL_SERIAL(new_privileges_given_up) {
  set_up_default();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) SKIP("prctl: %s", strerror(errno));
  block_pool();
  ASSERT_OK(BY_POOL(stat, file()));
  ASSERT_OK(BY_POOL(access, file(), F_OK));
  end_inline();
}

TEST_IMPL_SERIAL(the_environment_leaves_these_exceptions_out) {
  set_up();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) SKIP("prctl: %s", strerror(errno));
  block_pool();
  ASSERT_OK(INLINE(stat, file()));
  end_inline();
}

/* --- Tracers ------------------------------------------------------------------------------- */

/* Lets the child that it traces go on until it ends. */
static void trace(pid_t pid) {
  int status;
  for (;;) {
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status)) break;
    ASSERT_OK(ptrace(PTRACE_CONT, pid, 0, WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status)));
  }
  ASSERT_EQ(status, 0);
}

TEST_IMPL_SERIAL(a_tracer) {
  pid_t pid;
  set_up_default();
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(0);
    raise(SIGSTOP);
    block_pool();
    ASSERT_OK(BY_POOL(stat, file()));
    let_go();
    _exit(0);
  }
  trace(pid);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- /proc that cannot be read, or says nothing -------------------------------------------- */

TEST_IMPL_SERIAL(without_proc) {
  set_up_default();
  if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0)
    SKIP("no mount namespace: %s", strerror(errno));
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", "/proc", "tmpfs", 0, NULL) != 0)
    SKIP("no mount: %s", strerror(errno));
  block_pool();
  ASSERT_OK(BY_POOL(stat, file()));
  let_go();
  use_everything();
  ASSERT_OK(umount("/proc"));
  end_inline();
}

/* --- Calls that the system does without ---------------------------------------------------- */

/* Kernels before 6.12 do not know the flag that has mounts numbered for good. */
static void refuse_unique_numbers(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_name_to_handle_at, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER_HALF(4)),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
    ALLOW__,
  };
  install(filter, sizeof(filter) / sizeof(filter[0]));
}

TEST_IMPL_SERIAL(numbers_of_mounts_that_are_used_again) {
  int fd;
  set_up();
  refuse_unique_numbers();
  block_pool();
  ASSERT_OK(INLINE(stat, file()));
  ASSERT_OK(INLINE(access, file(), R_OK));
  fd = (int) INLINE(open, file(), O_RDONLY, 0);
  ASSERT_GE(fd, 0);
  ASSERT_OK(INLINE(fstat, fd));
  close(fd);
  ASSERT_OK(BY_POOL(stat, "/proc/version"));
  ASSERT_OK(BY_POOL(stat, "/proc/version"));
  end_inline();
}

static unsigned refused_call;
static unsigned refusal;

static void use_everything_without(void) {
  filter_call(refused_call, SECCOMP_RET_ERRNO | refusal);
  use_everything();
  use_everything();
}

TEST_IMPL_SERIAL(calls_that_are_refused) {
  static const unsigned calls[] = {SYS_openat2, SYS_name_to_handle_at, SYS_faccessat2,
#ifdef __LP64__ /* Elsewhere libc's own stat is made of it. */
                                   SYS_statx
#endif
  };
  static const unsigned errors[] = {ENOSYS, EPERM, EINVAL};
  size_t i, k;
  NOT_WITH_THREAD_SANITIZER("cannot trace threads of a forked child");
  set_up();
  for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
    for (k = 0; k < sizeof(errors) / sizeof(errors[0]); k++) {
      refused_call = calls[i];
      refusal = errors[k];
      run_in_child(use_everything_without);
    }
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- File systems that may ask others ------------------------------------------------------ */

/* Before it is known that a mount is local, the loop's thread asks nothing that may go to a server.
 * The pool's threads are there already: the filter is this thread's. */
static void forbid_questions(void) {
#ifndef __LP64__
  SKIP("libc's own fstat, which the test needs, calls statx here");
#endif
  filter_call(SYS_statx, SECCOMP_RET_KILL_PROCESS);
  filter_call(SYS_fstatfs, SECCOMP_RET_KILL_PROCESS);
  filter_call(SYS_faccessat2, SECCOMP_RET_KILL_PROCESS);
  filter_call(SYS_readlinkat, SECCOMP_RET_KILL_PROCESS);
}

static void ask_about(const char* path) {
  int fd = open(path, O_RDONLY);
  int i;
  for (i = 0; i < 3; i++) {
    ASSERT_OK(reported_somehow(START(stat, path)));
    uv_fs_req_cleanup(&inline_req);
    ASSERT_OK(reported_somehow(START(access, path, F_OK)));
    uv_fs_req_cleanup(&inline_req);
    ASSERT_EQ(reported_somehow(START(readlink, path)), UV_EINVAL);
    uv_fs_req_cleanup(&inline_req);
    ASSERT_OK(reported_somehow(START(fstat, fd)));
    uv_fs_req_cleanup(&inline_req);
    ASSERT_GE(reported_somehow(START(open, path, O_RDONLY, 0)), 0);
    close((int) inline_req.result);
    uv_fs_req_cleanup(&inline_req);
  }
  close(fd);
}

TEST_IMPL_SERIAL(nothing_is_asked_of_other_file_systems) {
  set_up();
  learn_mount(uv_default_loop(), test_tmpdir());
  forbid_questions();
  ask_about("/proc/version");
  if (access("/sys/kernel/notes", R_OK) == 0) ask_about("/sys/kernel/notes");
  MAKE_SURE_NOTHING_LEAKED();
}

/* The first operation of all is about a mount of which nothing is known. */
TEST_IMPL_SERIAL(nothing_is_asked_the_first_time) {
  uv_work_t req;
  set_up();
  jobs_ended = 0;
  ASSERT_OK(sem_init(&jobs_begun, 0, 0));
  ASSERT_OK(sem_init(&jobs_may_end, 0, 1));
  ASSERT_OK(uv_queue_work(uv_default_loop(), &req, job, after_job));
  run_until(uv_default_loop(), &jobs_ended, 1);
  forbid_questions();
  ASSERT_OK(reported_somehow(START(stat, file())));
  uv_fs_req_cleanup(&inline_req);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Forks --------------------------------------------------------------------------------- */

static void check_child(pid_t pid) {
  int status;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

/* ThreadSanitizer traces no thread that a forked child starts, if there were threads before. */
static void need_threads_after_fork(void) {
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
  SKIP("not possible with ThreadSanitizer");
#endif
#endif
}

TEST_IMPL_SERIAL(a_forked_child_goes_on) {
  uv_loop_t* loop = uv_default_loop();
  pid_t pid;
  int i;
  need_threads_after_fork();
  set_up();
  learn_mount(loop, test_tmpdir());
  for (i = 0; i < 3; i++) {
    pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ASSERT_OK(uv_loop_fork(loop));
      use_everything();
      block_pool();
      ASSERT_OK(INLINE(stat, file()));
      let_go();
      ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
      _exit(0);
    }
    check_child(pid);
    use_everything();
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* What was done and not reported when the process forked is reported in both. */
TEST_IMPL_SERIAL(a_fork_before_it_is_reported) {
  uv_loop_t* loop = uv_default_loop();
  pid_t pid;
  set_up();
  learn_mount(loop, test_tmpdir());
  ASSERT_OK(START(stat, file()));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) ASSERT_OK(uv_loop_fork(loop));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(inline_calls, 2);
  ASSERT_OK(inline_req.result);
  uv_fs_req_cleanup(&inline_req);
  if (pid == 0) _exit(0);
  check_child(pid);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A child is about to give up rights, and no longer relies on what the parent found out. */
TEST_IMPL_SERIAL(a_child_that_enters_a_sandbox) {
  uv_loop_t* loop = uv_default_loop();
  pid_t pid;
  need_threads_after_fork();
  set_up_default();
  use_everything();
  use_everything();
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    forbid_inline_calls();
    ASSERT_OK(uv_loop_fork(loop));
    use_everything();
    _exit(0);
  }
  check_child(pid);
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}
