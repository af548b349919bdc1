/* Sandboxes whose rules were written for libuv: they end a process for a system call that starting
 * a child with libuv does not make. */
#include "refuse.h"

#include "task.h"

static void install(struct sock_filter* filter, size_t count) {
  struct sock_fprog program = {(unsigned short) count, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    SKIP("no system call filters here");
}

static void forbid_what_libuv_does_not_need(void) {
#define FORBID(call)                                                                               \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),                                                 \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __NR_dup2
    FORBID(__NR_dup3),
#endif
    FORBID(__NR_eventfd2),
    FORBID(__NR_timerfd_create),
    FORBID(__NR_signalfd4),
    FORBID(__NR_memfd_create),
    FORBID(__NR_unshare),
    FORBID(__NR_waitid),
#ifdef __NR_pidfd_open
    FORBID(__NR_pidfd_open),
    FORBID(__NR_pidfd_send_signal),
#endif
#ifdef __NR_close_range
    FORBID(__NR_close_range),
#endif
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  install(filter, sizeof(filter) / sizeof(filter[0]));
}

static int exit_count;

static void on_exit_close(uv_process_t* handle, int64_t status, int signum) {
  ASSERT_EQ(status, 7);
  ASSERT_EQ(signum, 0);
  exit_count++;
  uv_close((uv_handle_t*) handle, NULL);
}

static void start(uv_loop_t* loop, unsigned flags) {
  char* args[] = {"/bin/sh", "-c", ": <&3 && : >&4 && exit 7", NULL};
  uv_process_options_t options;
  uv_stdio_container_t stdio[5];
  uv_process_t process;
  uv_pipe_t pipe;
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  memset(&options, 0, sizeof(options));
  ASSERT_GE(fd, 0);
  ASSERT_OK(uv_pipe_init(loop, &pipe, 0));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*) &pipe;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  stdio[3].flags = UV_INHERIT_FD;
  stdio[3].data.fd = fd;
  stdio[4].flags = UV_INHERIT_FD;
  stdio[4].data.fd = 1;
  options.file = args[0];
  options.args = args;
  options.exit_cb = on_exit_close;
  options.stdio = stdio;
  options.stdio_count = 5;
  options.cwd = "/";
  options.flags = flags;
  options.uid = getuid();
  options.gid = getgid();
  ASSERT_OK(uv_spawn(loop, &process, &options));
  uv_close((uv_handle_t*) &pipe, NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_OK(close(fd));
}

static void start_children(void) {
  uv_loop_t loop;
  ASSERT_OK(uv_loop_init(&loop));
  forbid_what_libuv_does_not_need();
  start(&loop, 0);
  start(&loop, UV_PROCESS_DETACHED);
  start(&loop, UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  ASSERT_EQ(exit_count, 3);
  ASSERT_OK(uv_loop_close(&loop));
}

TEST_IMPL(children_take_no_calls_that_libuv_does_not_make) {
  run_in_child(start_children);
  MAKE_SURE_NOTHING_LEAKED();
}

#if defined(__x86_64__) && defined(__LP64__)

static void start_without_clone(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    FORBID(__NR_clone),
    FORBID(__NR_clone3),
    FORBID(__NR_fork),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  uv_loop_t loop;
  ASSERT_OK(uv_loop_init(&loop));
  install(filter, sizeof(filter) / sizeof(filter[0]));
  start(&loop, 0);
  start(&loop, UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  ASSERT_EQ(exit_count, 2);
  ASSERT_OK(uv_loop_close(&loop));
}

/* libuv makes children by other calls, one or the other by its age and that of the C library; but
 * it always tries this one before. */
TEST_IMPL(vfork_is_enough_to_make_children) {
  const char* preload = getenv("LD_PRELOAD");
  OXUV_ONLY();
  if (preload != NULL && strstr(preload, "vgpreload") != NULL)
    SKIP("valgrind makes children in its own way");
  run_in_child(start_without_clone);
  MAKE_SURE_NOTHING_LEAKED();
}

#endif

#define REFUSE_CALL(call, number)                                                                  \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),                                                 \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))

/* Which argument of clone(2) has the flags. */
#ifdef __s390x__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

static void start_without_sharing(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __NR_vfork
    REFUSE_CALL(__NR_vfork, EPERM),
#endif
    REFUSE_CALL(__NR_clone3, ENOSYS),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER_HALF(CLONE_FLAGS)),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x4000 /* CLONE_VFORK */, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  uv_loop_t loop;
  ASSERT_OK(uv_loop_init(&loop));
  install(filter, sizeof(filter) / sizeof(filter[0]));
  start(&loop, 0);
  start(&loop, UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  start(&loop, UV_PROCESS_DETACHED);
  ASSERT_EQ(exit_count, 3);
  ASSERT_OK(uv_loop_close(&loop));
}

/* The child then has a copy of this process's memory. */
TEST_IMPL(children_may_be_refused_the_parents_memory) {
  NOT_WITH_THREAD_SANITIZER("has a forked child make calls of its own");
  OXUV_ONLY(); /* The C library's functions that libuv calls need it. */
  run_in_child(start_without_sharing);
  MAKE_SURE_NOTHING_LEAKED();
}

static void start_without_prctl(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    REFUSE_CALL(__NR_prctl, EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  uv_loop_t loop;
  ASSERT_OK(uv_loop_init(&loop));
  install(filter, sizeof(filter) / sizeof(filter[0]));
  start(&loop, UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  start(&loop, 0);
  ASSERT_EQ(exit_count, 2);
  ASSERT_OK(uv_loop_close(&loop));
}

/* It is asked whether this process may be dumped, where the child uses its memory. */
TEST_IMPL(another_user_does_not_take_prctl) {
  NOT_WITH_THREAD_SANITIZER("has a forked child make calls of its own");
  run_in_child(start_without_prctl);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_signal(uv_signal_t* handle, int signum) {
  (void) signum;
  uv_close((uv_handle_t*) handle, NULL);
}

static void watch_for_a_signal(void) {
  uv_signal_t handle;
  uv_loop_t loop;
  ASSERT_OK(uv_loop_init(&loop));
  forbid_what_libuv_does_not_need();
  ASSERT_OK(uv_signal_init(&loop, &handle));
  ASSERT_OK(uv_signal_start(&handle, on_signal, SIGUSR1));
  ASSERT_OK(raise(SIGUSR1));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
}

TEST_IMPL(signals_take_no_calls_that_libuv_does_not_make) {
  run_in_child(watch_for_a_signal);
  MAKE_SURE_NOTHING_LEAKED();
}
