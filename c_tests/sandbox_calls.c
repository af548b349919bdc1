/* A loop at work under a filter of system calls that lets pass what libuv 1.53 was seen to call,
 * and ends the process for anything else. Programs put such filters around a libuv that they know.
 * Everything runs once before the filter: calls that a loop makes only once are made then.
 * https://docs.libuv.org/en/v1.x/design.html */
#include "refuse.h"

#include <sys/un.h>

static uv_loop_t* loop;
static int left;

/* --- Work of each kind --------------------------------------------------------------------- */

static uv_tcp_t server, client, peer;
static uv_connect_t connect_req;

static void answer(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) {
  uv_buf_t one = uv_buf_init(buf->base, 1);
  if (nread <= 0) return;
  if (--left <= 0) {
    if (left == 0) uv_stop(loop);
    return;
  }
  ASSERT_EQ(uv_try_write(stream, &one, 1), 1);
}

static void on_connection(uv_stream_t* stream, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(loop, &peer));
  ASSERT_OK(uv_accept(stream, (uv_stream_t*) &peer));
  ASSERT_OK(uv_read_start((uv_stream_t*) &peer, alloc_static, answer));
}

static void on_connect(uv_connect_t* req, int status) {
  uv_buf_t one = uv_buf_init("x", 1);
  ASSERT_OK(status);
  ASSERT_OK(uv_read_start(req->handle, alloc_static, answer));
  ASSERT_EQ(uv_try_write(req->handle, &one, 1), 1);
}

static void close_all(uv_handle_t* a, uv_handle_t* b, uv_handle_t* c) {
  uv_close(a, NULL);
  if (b != NULL) uv_close(b, NULL);
  if (c != NULL) uv_close(c, NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
}

static void ping_pong_over_tcp(int rounds) {
  struct sockaddr_in address = loopback(0);
  left = rounds;
  ASSERT_OK(uv_tcp_init(loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_connection));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_connect));
  uv_run(loop, UV_RUN_DEFAULT);
  close_all((uv_handle_t*) &server, (uv_handle_t*) &client, (uv_handle_t*) &peer);
}

static uv_udp_t udp;
static struct sockaddr_in udp_address;

static void on_datagram(uv_udp_t* handle, ssize_t nread, const uv_buf_t* buf,
                        const struct sockaddr* from, unsigned flags) {
  uv_buf_t one = uv_buf_init(buf->base, 1);
  (void) flags;
  if (from == NULL || nread <= 0) return;
  if (--left <= 0) uv_stop(loop);
  else ASSERT_EQ(uv_udp_try_send(handle, &one, 1, (struct sockaddr*) &udp_address), 1);
}

static void ping_pong_over_udp(int rounds) {
  uv_buf_t one = uv_buf_init("x", 1);
  int size = sizeof(udp_address);
  left = rounds;
  udp_address = loopback(0);
  ASSERT_OK(uv_udp_init(loop, &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &udp_address, 0));
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &udp_address, &size));
  ASSERT_OK(uv_udp_recv_start(&udp, alloc_static, on_datagram));
  ASSERT_EQ(uv_udp_try_send(&udp, &one, 1, (struct sockaddr*) &udp_address), 1);
  uv_run(loop, UV_RUN_DEFAULT);
  close_all((uv_handle_t*) &udp, NULL, NULL);
}

static uv_async_t here;
static uv_work_t work_req;

static void send_here(uv_work_t* req) {
  (void) req;
  ASSERT_OK(uv_async_send(&here));
}

static void on_work_done(uv_work_t* req, int status) {
  ASSERT_OK(status);
  if (--left > 0) ASSERT_OK(uv_queue_work(loop, req, send_here, on_work_done));
  else uv_close((uv_handle_t*) &here, NULL);
}

static void on_here(uv_async_t* handle) {
  (void) handle;
}

/* A worker and the loop, one after the other: both find out that spinning pays. */
static void hand_over(int rounds) {
  left = rounds;
  ASSERT_OK(uv_async_init(loop, &here, on_here));
  ASSERT_OK(uv_queue_work(loop, &work_req, send_here, on_work_done));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
}

static uv_timer_t timer;

static void on_timer(uv_timer_t* handle) {
  if (--left <= 0) uv_close((uv_handle_t*) handle, NULL);
}

static void wait_for_timers(int rounds) {
  left = rounds;
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 1, 1));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
}

static uv_fs_t fs_req;
static ssize_t fs_result;

static void on_fs(uv_fs_t* req) {
  fs_result = req->result;
  uv_fs_req_cleanup(req);
}

static ssize_t fs_done(int result) {
  ASSERT_OK(result);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  return fs_result;
}

static void use_files(int rounds) {
  const char* path = test_path("file");
  char text[16] = "text";
  uv_buf_t buf = uv_buf_init(text, 4);
  int i;
  for (i = 0; i < rounds; i++) {
    const int flags = O_RDWR | O_CREAT | O_TRUNC;
    ssize_t fd = fs_done(uv_fs_open(loop, &fs_req, path, flags, 0600, on_fs));
    ASSERT_GE(fd, 0);
    ASSERT_EQ(fs_done(uv_fs_write(loop, &fs_req, (uv_file) fd, &buf, 1, 0, on_fs)), 4);
    ASSERT_EQ(fs_done(uv_fs_read(loop, &fs_req, (uv_file) fd, &buf, 1, 0, on_fs)), 4);
    ASSERT_EQ(fs_done(uv_fs_fstat(loop, &fs_req, (uv_file) fd, on_fs)), 0);
    ASSERT_EQ(fs_done(uv_fs_close(loop, &fs_req, (uv_file) fd, on_fs)), 0);
    ASSERT_EQ(fs_done(uv_fs_stat(loop, &fs_req, path, on_fs)), 0);
    ASSERT_EQ(fs_done(uv_fs_lstat(loop, &fs_req, path, on_fs)), 0);
    ASSERT_EQ(fs_done(uv_fs_access(loop, &fs_req, path, R_OK, on_fs)), 0);
    ASSERT_EQ(fs_done(uv_fs_readlink(loop, &fs_req, path, on_fs)), UV_EINVAL);
    ASSERT_EQ(fs_done(uv_fs_unlink(loop, &fs_req, path, on_fs)), 0);
    ASSERT_EQ(fs_done(uv_fs_stat(loop, &fs_req, path, on_fs)), UV_ENOENT);
  }
}

static uv_process_t process;
static int has_exited;

static void on_exit_close(uv_process_t* handle, int64_t status, int signum) {
  (void) status;
  (void) signum;
  has_exited = 1;
  uv_close((uv_handle_t*) handle, NULL);
}

/* What becomes of the child under the filter is its own affair. */
static void spawn_one(void) {
  char* args[] = {"/bin/true", NULL};
  uv_process_options_t options;
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  options.exit_cb = on_exit_close;
  has_exited = 0;
  ASSERT_OK(uv_spawn(loop, &process, &options));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(has_exited, 1);
}

static void do_everything(int rounds) {
  ping_pong_over_tcp(20 * rounds);
  ping_pong_over_udp(10 * rounds);
  hand_over(20 * rounds);
  wait_for_timers(3);
  use_files(rounds);
  spawn_one();
}

/* --- The filter ---------------------------------------------------------------------------- */

#ifdef __x86_64__

/* What libuv 1.53, the C library and a child's program were seen to call on x86-64 when they do all
 * of the above for the second time. */
static const int allowed[] = {
  __NR_read,           __NR_write,         __NR_close,          __NR_mmap,
  __NR_mprotect,       __NR_munmap,        __NR_brk,            __NR_rt_sigaction,
  __NR_rt_sigprocmask, __NR_rt_sigreturn,  __NR_pread64,        __NR_pwrite64,
  __NR_access,         __NR_socket,        __NR_connect,        __NR_accept4,
  __NR_sendmsg,        __NR_recvmsg,       __NR_bind,           __NR_listen,
  __NR_getsockname,    __NR_setsockopt,    __NR_getsockopt,     __NR_clone3,
  __NR_vfork,          __NR_execve,        __NR_wait4,          __NR_exit_group,
  __NR_futex,          __NR_epoll_ctl,     __NR_epoll_pwait,    __NR_statx,
  __NR_openat,         __NR_newfstatat,    __NR_unlink,         __NR_readlink,
  __NR_prlimit64,      __NR_arch_prctl,    __NR_set_tid_address, __NR_set_robust_list,
  __NR_rseq,           __NR_getrandom,     __NR_io_uring_enter, __NR_fcntl,
  __NR_dup2,
#ifdef OXUV_PORTABLE_POLLER
  /* The crate `polling` makes these as well. */
  __NR_timerfd_settime, __NR_poll,
#endif
};

static void on_violation(int signum, siginfo_t* info, void* context) {
  (void) signum;
  (void) context;
  fprintf(stderr, "system call %d is not one of libuv's\n", info->si_syscall);
  _exit(1);
}

/* For all threads, the pool's included. */
static void allow_only(const int* calls, size_t count) {
  struct sock_filter filter[2 * 64 + 2] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
  };
  struct sock_fprog program = {1, filter};
  struct sigaction action;
  size_t i;
  ASSERT_LE(count, 64);
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = on_violation;
  action.sa_flags = SA_SIGINFO;
  ASSERT_OK(sigaction(SIGSYS, &action, NULL));
  for (i = 0; i < count; i++) {
    const struct sock_filter pass[] = {
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    memcpy(&filter[program.len], pass, sizeof(pass));
    program.len += 2;
  }
  filter[program.len++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
    SKIP("no system call filters here");
}

TEST_IMPL(what_libuv_calls_is_enough) {
  if (getenv("OXUV_TEST_WRAPPER") != NULL || getenv("OXUV_TEST_SANITIZER") != NULL)
    SKIP("there are others that make calls");
  loop = uv_default_loop();
  do_everything(3);
  allow_only(allowed, sizeof(allowed) / sizeof(allowed[0]));
  do_everything(100);
  _exit(0);
}

#else

TEST_IMPL(what_libuv_calls_is_enough) {
  loop = uv_default_loop();
  do_everything(3);
  SKIP("what libuv calls on this kind of machine is not listed");
}

#endif

/* glibc's sorting asks for the size of memory, for so many entries that libuv's does not. */
static void list_a_hundred_entries(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sysinfo, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const char* folder = test_tmpdir();
  uv_fs_t req;
  char path[4096];
  int i;
  for (i = 0; i < 100; i++) {
    snprintf(path, sizeof(path), "%s/%d", folder, i);
    ASSERT_OK(mkdir(path, 0700));
  }
  install_filter(filter, sizeof(filter) / sizeof(filter[0]));
  ASSERT_EQ(uv_fs_scandir(NULL, &req, folder, 0, NULL), 100);
  uv_fs_req_cleanup(&req);
}

TEST_IMPL(a_folder_is_listed_without_sysinfo) {
  if (getenv("OXUV_TEST_WRAPPER") != NULL || getenv("OXUV_TEST_SANITIZER") != NULL)
    SKIP("there are others that make calls");
  run_in_child(list_a_hundred_entries);
}
