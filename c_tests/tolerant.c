/* Calls on the wrong kind of handle, on memory that is no handle, and without what they need: a
 * table of their results. Every row is a process of its own, whose descriptor 0 is a socket that
 * nothing may touch: in zeroed memory, the descriptor is 0. */
#include "task.h"

#include <netinet/in.h>
#include <sys/mman.h>

enum kind {
  NONE, /* NULL */
  ZERO,
  GARBAGE,
  TIMER,
  ASYNC,
  CHECK,
  FS_EVENT,
  FS_POLL,
  IDLE,
  PIPE,
  POLL,
  PREPARE,
  SIGNAL,
  TCP,
  TTY,
  UDP,
  OPEN_PIPE,
  OPEN_TCP,
  OPEN_UDP,
  KINDS
};

static const char* const kind_names[KINDS] = {
  "NULL",     "zero",    "garbage", "timer", "async", "check",  "fs_event",
  "fs_poll",  "idle",    "pipe",    "poll",  "prepare", "signal", "tcp",
  "tty",      "udp",     "open pipe", "open tcp", "open udp",
};

#define BIT(kind) (1u << (kind))
#define PHASES (BIT(CHECK) | BIT(IDLE) | BIT(PREPARE))
#define OTHERS (BIT(TIMER) | BIT(ASYNC) | PHASES | BIT(FS_EVENT) | BIT(FS_POLL) | BIT(SIGNAL))
#define STREAMS (BIT(PIPE) | BIT(TCP) | BIT(TTY) | BIT(OPEN_PIPE) | BIT(OPEN_TCP))
#define UDPS (BIT(UDP) | BIT(OPEN_UDP))
#define OPEN (BIT(POLL) | BIT(TTY) | BIT(OPEN_PIPE) | BIT(OPEN_TCP) | BIT(OPEN_UDP))
#define CLOSED (BIT(PIPE) | BIT(TCP) | BIT(UDP))
#define LIVE (OTHERS | STREAMS | UDPS | BIT(POLL))
#define ALL (LIVE | BIT(ZERO))
#define NOT(kinds) (ALL & ~(kinds))
#define OTHER_THAN(kinds) ((ALL | BIT(GARBAGE)) & ~(kinds))

/* One of each for every kind. */
static union uv_any_handle handles[KINDS];
static uv_loop_t loops[KINDS];
/* What is being called, in memory that the process that checks how it ends can see. */
static int* current;
#define h (handles[*current])
#define loop (loops[*current])

static union uv_any_req q;
static struct sockaddr_in address;
static struct sockaddr* addr = (struct sockaddr*) &address;
static struct sockaddr_storage name;
static uv_buf_t buf;
static uv_buf_t* bufs = &buf;
static unsigned int one = 1;
static char text[256];
static size_t size;
static int length;
static int value;

static void never(void) {
  abort();
}

#define NEVER(type) ((type) never)

static int open_tty(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) SKIP("no terminal");
  return open(ptsname(master), O_RDWR | O_NOCTTY);
}

/* A handle of that kind, in zeroed memory; or memory that is no handle. */
static void* make(enum kind kind) {
  int fds[2];

  memset(&h, 0, sizeof(h));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  switch (kind) {
  case NONE: return NULL;
  case GARBAGE: memset(&h, 0xa5, sizeof(h)); break;
  case TIMER: ASSERT_OK(uv_timer_init(&loop, &h.timer)); break;
  case ASYNC: ASSERT_OK(uv_async_init(&loop, &h.async, NEVER(uv_async_cb))); break;
  case CHECK: ASSERT_OK(uv_check_init(&loop, &h.check)); break;
  case FS_EVENT: ASSERT_OK(uv_fs_event_init(&loop, &h.fs_event)); break;
  case FS_POLL: ASSERT_OK(uv_fs_poll_init(&loop, &h.fs_poll)); break;
  case IDLE: ASSERT_OK(uv_idle_init(&loop, &h.idle)); break;
  case PREPARE: ASSERT_OK(uv_prepare_init(&loop, &h.prepare)); break;
  case SIGNAL: ASSERT_OK(uv_signal_init(&loop, &h.signal)); break;
  case POLL: ASSERT_OK(uv_poll_init(&loop, &h.poll, fds[0])); break;
  case TTY: ASSERT_OK(uv_tty_init(&loop, &h.tty, open_tty(), 0)); break;
  case PIPE:
  case OPEN_PIPE:
    ASSERT_OK(uv_pipe_init(&loop, &h.pipe, 0));
    if (kind == OPEN_PIPE) ASSERT_OK(uv_pipe_open(&h.pipe, fds[0]));
    break;
  case TCP:
  case OPEN_TCP:
    ASSERT_OK(uv_tcp_init(&loop, &h.tcp));
    if (kind == OPEN_TCP) ASSERT_OK(uv_tcp_open(&h.tcp, fds[0]));
    break;
  case UDP:
  case OPEN_UDP:
    ASSERT_OK(uv_udp_init(&loop, &h.udp));
    if (kind == OPEN_UDP) ASSERT_OK(uv_udp_bind(&h.udp, addr, 0));
    break;
  default: break;
  }
  return &h;
}

/* Descriptor 0 is a socket that is not bound, and blocks. */
static void watch_descriptor_0(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(dup2(fd, 0), 0);
  close(fd);
}

static void check_descriptor_0(void) {
  struct sockaddr_in own;
  socklen_t own_length = sizeof(own);
  socklen_t option_length = sizeof(int);
  int option = 0;

  ASSERT_OK(getsockname(0, (struct sockaddr*) &own, &own_length));
  ASSERT_EQ(own.sin_port, 0);
  ASSERT_EQ(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
  ASSERT_OK(getsockopt(0, IPPROTO_TCP, 1 /* TCP_NODELAY */, &option, &option_length));
  ASSERT_EQ(option, 0);
  ASSERT_OK(getsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &option, &option_length));
  ASSERT_EQ(option, 0);
  ASSERT_OK(getsockopt(0, SOL_SOCKET, SO_BROADCAST, &option, &option_length));
  ASSERT_EQ(option, 0);
}

static union uv_any_handle before;

/* Makes the handle, and the arguments of the calls. */
static void* begin(enum kind kind) {
  void* handle;
  *current = kind;
  address = loopback(0);
  buf = uv_buf_init(text, 1);
  size = sizeof(text);
  length = sizeof(name);
  ASSERT_OK(uv_loop_init(&loop));
  handle = make(kind);
  before = h;
  return handle;
}

/* Checks the result, and that neither the handle nor descriptor 0 was changed. */
static void end(int result, int expected, const char* call) {
  check_descriptor_0();
  if (result != expected)
    FAIL("%s of %s: %d, not %d", call, kind_names[*current], result, expected);
  if (result == UV_EINVAL && getenv("OXUV_TEST_OTHER") == NULL)
    ASSERT_MEM_EQ(&h, &before, sizeof(h));
}

/* Whether this is the process that makes the calls of a row. */
static int begin_row(const char* calls) {
  int status;
  pid_t pid;

  current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT(current != MAP_FAILED);
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    signal(SIGABRT, SIG_DFL);
    watch_descriptor_0();
    return 1;
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) SKIP("not possible here");
  if (status != 0) FAIL("%s of %s ended with status %d", calls, kind_names[*current], status);
  ASSERT_OK(munmap(current, sizeof(*current)));
  return 0;
}

/* The call, in which `handle` is a handle of each of these kinds, answers just that. */
#define ROW(kinds, expected, call)                                                                 \
  do {                                                                                             \
    int kind__;                                                                                    \
    if (!begin_row(#call)) break;                                                                  \
    for (kind__ = 0; kind__ < KINDS; kind__++) {                                                   \
      void* handle;                                                                                \
      if (((kinds) & BIT(kind__)) == 0) continue;                                                  \
      handle = begin(kind__);                                                                      \
      (void) handle;                                                                               \
      end((int) (call), expected, #call);                                                          \
    }                                                                                              \
    fflush(stdout);                                                                                \
    _exit(0);                                                                                      \
  } while (0)

/* A row for a call that returns nothing. */
#define VOID_ROW(kinds, call) ROW(kinds, 0, ((call), 0))

/* --- Both libraries ---------------------------------------------------------------------- */

TEST_IMPL(another_kind_is_bound_to_no_address) {
  ROW(NOT(BIT(TCP) | BIT(OPEN_TCP)), UV_EINVAL, uv_tcp_bind(handle, addr, 0));
  ROW(NOT(BIT(TCP) | BIT(OPEN_TCP)), UV_EINVAL,
      uv_tcp_connect(&q.connect, handle, addr, NEVER(uv_connect_cb)));
  ROW(NOT(BIT(TCP) | BIT(OPEN_TCP)), UV_EINVAL, uv_tcp_connect(NULL, handle, addr, NULL));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_bind(handle, addr, 0));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_connect(handle, addr));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_connect(handle, NULL));
}

TEST_IMPL(another_kind_sends_and_receives_no_datagrams) {
  ROW(NOT(UDPS), UV_EINVAL,
      uv_udp_send(&q.udp_send, handle, &buf, 1, addr, NEVER(uv_udp_send_cb)));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_send(&q.udp_send, handle, &buf, 1, NULL, NULL));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_send(NULL, handle, &buf, 1, addr, NULL));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_try_send(handle, &buf, 1, addr));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_try_send(handle, &buf, 1, NULL));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_try_send2(handle, 1, &bufs, &one, &addr, 0));
  ROW(NOT(UDPS) | BIT(NONE), UV_EINVAL, uv_udp_try_send2(handle, 1, &bufs, &one, &addr, 1));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_recv_start(handle, alloc_static, NEVER(uv_udp_recv_cb)));
  ROW(NOT(UDPS), UV_EINVAL, uv_udp_recv_stop(handle));
}

TEST_IMPL(descriptors_of_any_handle) {
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_fileno(handle, &value));
  ROW(CLOSED, UV_EBADF, uv_fileno(handle, &value));
  ROW(OPEN, 0, uv_fileno(handle, &value));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL) | BIT(TTY), UV_ENOTSUP, uv_send_buffer_size(handle, &value));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL) | BIT(TTY), UV_ENOTSUP, uv_recv_buffer_size(handle, &value));
  ROW(CLOSED, UV_EBADF, uv_send_buffer_size(handle, &value));
  ROW(BIT(NONE), UV_EINVAL, uv_send_buffer_size(handle, &value));
  ROW(BIT(NONE), UV_EINVAL, uv_recv_buffer_size(handle, &value));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_send_buffer_size(handle, NULL));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_recv_buffer_size(handle, NULL));
}

TEST_IMPL(names_of_any_handle) {
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_tcp_getsockname(handle, (void*) &name, &length));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_tcp_getpeername(handle, (void*) &name, &length));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_udp_getsockname(handle, (void*) &name, &length));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_udp_getpeername(handle, (void*) &name, &length));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_udp_getsockname(handle, NULL, NULL));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_udp_getpeername(handle, NULL, NULL));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_pipe_getsockname(handle, text, &size));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_pipe_getpeername(handle, text, &size));
  ROW(CLOSED, UV_EBADF, uv_tcp_getsockname(handle, (void*) &name, &length));
  ROW(CLOSED, UV_EBADF, uv_udp_getsockname(handle, (void*) &name, &length));
  ROW(CLOSED, UV_EBADF, uv_udp_getsockname(handle, (void*) &name, NULL));
  ROW(CLOSED, UV_EBADF, uv_udp_getpeername(handle, NULL, NULL));
  ROW(CLOSED, UV_EBADF, uv_pipe_getsockname(handle, text, &size));
  ROW(BIT(TTY), UV_ENOTSOCK, uv_udp_getsockname(handle, (void*) &name, &length));
  ROW(BIT(OPEN_PIPE) | BIT(OPEN_TCP), 0, uv_udp_getpeername(handle, (void*) &name, &length));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_getsockname(handle, NULL, &size));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_getsockname(handle, text, NULL));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_getpeername(handle, NULL, &size));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_fs_event_getpath(handle, NULL, &size));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_fs_event_getpath(handle, text, NULL));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_fs_poll_getpath(handle, NULL, &size));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_fs_poll_getpath(handle, text, NULL));
}

TEST_IMPL(what_is_no_stream_does_what_none_does) {
  ROW(BIT(ZERO) | OTHERS | BIT(POLL) | UDPS, UV_EINVAL,
      uv_listen(handle, 1, NEVER(uv_connection_cb)));
  ROW(STREAMS, UV_EAGAIN, uv_accept(handle, NULL));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL), UV_EINVAL, uv_accept(handle, handle));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_read_start(handle, NULL, NEVER(uv_read_cb)));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_read_start(handle, alloc_static, NULL));
  ROW(BIT(ZERO) | PHASES | BIT(SIGNAL) | CLOSED, UV_ENOTCONN,
      uv_read_start(handle, alloc_static, NEVER(uv_read_cb)));
  ROW(BIT(ZERO) | PHASES | BIT(SIGNAL) | STREAMS | UDPS, 0, uv_read_stop(handle));
  ROW(BIT(ZERO) | PHASES | BIT(TIMER) | BIT(SIGNAL), UV_EPIPE, uv_try_write(handle, &buf, 1));
  ROW(BIT(ZERO) | PHASES | BIT(TIMER) | BIT(SIGNAL), UV_EINVAL, uv_try_write(handle, &buf, 0));
  ROW(BIT(ZERO) | PHASES | BIT(TIMER) | BIT(SIGNAL), UV_EPIPE,
      uv_try_write2(handle, &buf, 1, NULL));
  ROW(BIT(PIPE) | BIT(TCP), UV_EBADF, uv_try_write(handle, &buf, 1));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_write(&q.write, handle, NULL, 0, NEVER(uv_write_cb)));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL), UV_EPIPE, uv_write(NULL, handle, &buf, 1, NULL));
  ROW(BIT(PIPE) | BIT(TCP), UV_EBADF, uv_write(NULL, handle, &buf, 1, NULL));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL) | CLOSED, UV_ENOTCONN, uv_shutdown(NULL, handle, NULL));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL) | CLOSED, 0, uv_is_readable(handle));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL) | CLOSED, 0, uv_is_writable(handle));
  ROW(BIT(OPEN_PIPE) | BIT(OPEN_TCP) | BIT(TTY), 0, uv_stream_set_blocking(handle, 1));
  ROW(BIT(PIPE) | BIT(TCP), UV_EBADF, uv_stream_set_blocking(handle, 1));
}

TEST_IMPL(options_of_sockets) {
  ROW(BIT(PIPE) | BIT(TCP), 0, uv_tcp_nodelay(handle, 1));
  ROW(BIT(TTY), UV_ENOTSOCK, uv_tcp_nodelay(handle, 1));
  ROW(BIT(OPEN_PIPE) | BIT(OPEN_TCP), UV_ENOTSUP, uv_tcp_nodelay(handle, 1));
  ROW(BIT(PIPE) | BIT(TCP), 0, uv_tcp_keepalive(handle, 1, 60));
  ROW(BIT(TTY), UV_ENOTSOCK, uv_tcp_keepalive(handle, 1, 60));
  ROW(BIT(OPEN_PIPE) | BIT(OPEN_TCP), 0, uv_tcp_keepalive(handle, 0, 0));
  ROW(BIT(NONE) | ALL, 0, uv_tcp_simultaneous_accepts(handle, 1));
  ROW(LIVE, UV_EBADF, uv_tcp_open(handle, -1));
  ROW(LIVE, UV_EBADF, uv_pipe_open(handle, -1));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_bind2(handle, NULL, 0, 0));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_bind2(handle, "name", 4, 99));
  ROW(BIT(ZERO) | OTHERS | BIT(POLL), UV_EINVAL, uv_pipe_bind(handle, "name"));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_connect2(&q.connect, handle, NULL, 4, 0, NULL));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_connect2(&q.connect, handle, "name", 0, 0, NULL));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_pipe_connect2(&q.connect, handle, "name", 4, 99, NULL));
  ROW(ALL, 0, uv_pipe_pending_count(handle));
  ROW(ALL, UV_UNKNOWN_HANDLE, uv_pipe_pending_type(handle));
  VOID_ROW(BIT(NONE) | ALL, uv_pipe_pending_instances(handle, 1));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_pipe_chmod(handle, UV_READABLE));
  ROW(BIT(ZERO) | OTHERS, UV_EINVAL, uv_pipe_chmod(handle, 0));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_tty_set_mode(handle, (uv_tty_mode_t) 99));
  ROW(ALL, 0, uv_tty_set_mode(handle, UV_TTY_MODE_NORMAL));
  ROW(BIT(ZERO) | OTHERS | BIT(OPEN_PIPE) | BIT(OPEN_TCP), UV_ENOTTY,
      uv_tty_set_mode(handle, UV_TTY_MODE_RAW));
  ROW(CLOSED, UV_EBADF, uv_tty_set_mode(handle, UV_TTY_MODE_RAW));
  ROW(BIT(ZERO) | OTHERS | BIT(OPEN_PIPE) | BIT(OPEN_TCP), UV_ENOTTY,
      uv_tty_get_winsize(handle, &value, &value));
  ROW(CLOSED, UV_EBADF, uv_tty_get_winsize(handle, &value, &value));
}

TEST_IMPL(options_of_datagrams) {
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_udp_open_ex(handle, 100, 0xff00));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_udp_set_ttl(handle, 0));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_udp_set_ttl(handle, 256));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_udp_set_multicast_ttl(handle, 256));
  ROW(BIT(NONE) | ALL, UV_EINVAL, uv_udp_set_multicast_interface(handle, "nonsense"));
  ROW(BIT(NONE) | ALL, UV_EINVAL,
      uv_udp_set_source_membership(handle, "224.0.0.1", NULL, "nonsense", UV_JOIN_GROUP));
  ROW(BIT(UDP), UV_EBADF, uv_udp_set_broadcast(handle, 1));
  ROW(BIT(UDP), UV_EBADF, uv_udp_set_ttl(handle, 1));
  ROW(BIT(UDP), UV_EBADF, uv_udp_set_multicast_loop(handle, 1));
  ROW(BIT(UDP), UV_EBADF, uv_udp_set_multicast_ttl(handle, 1));
  ROW(BIT(UDP), UV_EBADF, uv_udp_set_multicast_interface(handle, NULL));
}

TEST_IMPL(any_handle_is_asked_what_it_is) {
  ROW(BIT(ZERO), 0, uv_is_active(handle));
  ROW(BIT(ZERO), 0, uv_is_closing(handle));
  ROW(BIT(ZERO), 0, uv_has_ref(handle));
  ROW(LIVE & ~BIT(ASYNC), 1, uv_has_ref(handle));
  VOID_ROW(ALL, uv_ref(handle));
  VOID_ROW(ALL, uv_unref(handle));
  ROW(BIT(ZERO), UV_UNKNOWN_HANDLE, uv_handle_get_type(handle));
  ROW(BIT(ZERO), 1, uv_handle_get_loop(handle) == NULL);
  ROW(BIT(ZERO), 0, uv_udp_using_recvmmsg(handle));
  ROW(BIT(ZERO), 0, uv_stream_get_write_queue_size(handle));
}

/* --- Without a handle -------------------------------------------------------------------- */

static uv_req_t* request(int type) {
  memset(&q, 0, sizeof(q));
  q.req.type = (uv_req_type) type;
  return &q.req;
}

TEST_IMPL(wrong_arguments_are_found_before_the_handle_is_read) {
  ROW(BIT(NONE), UV_EINVAL, uv_tcp_init_ex(NULL, handle, 0x100));
  ROW(BIT(NONE), UV_EINVAL, uv_tcp_init_ex(&loop, handle, 99));
  ROW(BIT(NONE), UV_EINVAL, uv_udp_init_ex(NULL, handle, 99));
  ROW(BIT(NONE), UV_EINVAL, uv_udp_init_ex(&loop, handle, 0x10000));
  ROW(BIT(NONE), UV_EINVAL, uv_tty_init(NULL, handle, -1, 0));
  ROW(BIT(NONE), UV_EBADF, uv_poll_init(&loop, handle, -1));
  ROW(BIT(NONE), UV_EBADF, uv_poll_init_socket(&loop, handle, -1));
  ROW(BIT(NONE), UV_EINVAL, uv_signal_start(handle, NEVER(uv_signal_cb), 0));
  ROW(BIT(NONE), UV_EINVAL, uv_signal_start_oneshot(handle, NEVER(uv_signal_cb), 0));
  ROW(BIT(NONE), UV_EINVAL, uv_queue_work(NULL, NULL, NULL, NULL));
  ROW(BIT(NONE), UV_EINVAL, uv_queue_work(&loop, &q.work, NULL, NULL));
  ROW(BIT(NONE), UV_EINVAL, uv_getaddrinfo(&loop, NULL, NULL, "host", NULL, NULL));
  ROW(BIT(NONE), UV_EINVAL,
      uv_getaddrinfo(NULL, &q.getaddrinfo, NEVER(uv_getaddrinfo_cb), "127.0.0.1", NULL, NULL));
  ROW(BIT(NONE), UV_EINVAL, uv_getnameinfo(&loop, NULL, NULL, addr, 0));
  ROW(BIT(NONE), UV_EINVAL, uv_getnameinfo(&loop, &q.getnameinfo, NULL, NULL, 0));
  ROW(BIT(NONE), UV_E2BIG, uv_random(&loop, NULL, text, 0x80000000u, 0, NEVER(uv_random_cb)));
  ROW(BIT(NONE), UV_EINVAL, uv_random(&loop, NULL, text, 4, 7, NEVER(uv_random_cb)));
  ROW(BIT(NONE), UV_EINVAL, uv_replace_allocator(NULL, NULL, NULL, NULL));
  ROW(BIT(NONE), UV_EOF, uv_fs_scandir_next((uv_fs_t*) request(0), (uv_dirent_t*) text));
  ROW(BIT(NONE), UV_EINVAL, uv_fs_stat(NULL, NULL, "/", NULL));
  ROW(BIT(NONE), UV_EINVAL, uv_fs_stat(&loop, NULL, "/", NEVER(uv_fs_cb)));
}

TEST_IMPL(odd_options_and_requests_are_refused) {
  ROW(BIT(NONE), UV_EINVAL, uv_loop_configure(&loop, UV_LOOP_BLOCK_SIGNAL, SIGUSR1));
  ROW(BIT(NONE), UV_EINVAL, uv_loop_configure(&loop, UV_LOOP_BLOCK_SIGNAL, 0));
  ROW(BIT(NONE), UV_ENOSYS, uv_loop_configure(&loop, (uv_loop_option) 99, 1));
  ROW(BIT(NONE), UV_EINVAL, uv_cancel(request(UV_UNKNOWN_REQ)));
  ROW(BIT(NONE), UV_EINVAL, uv_cancel(request(UV_REQ)));
  ROW(BIT(NONE), UV_EINVAL, uv_cancel(request(UV_CONNECT)));
  ROW(BIT(NONE), UV_EINVAL, uv_cancel(request(UV_SHUTDOWN)));
  ROW(BIT(NONE), UV_EINVAL, uv_cancel(request(UV_UDP_SEND)));
  ROW(BIT(NONE), UV_EINVAL, uv_cancel(request(99)));
  ROW(BIT(NONE), 1, uv_handle_type_name((uv_handle_type) 99) == NULL);
  ROW(BIT(NONE), 1, uv_handle_type_name((uv_handle_type) -1) == NULL);
  ROW(BIT(NONE), 1, uv_req_type_name((uv_req_type) 99) == NULL);
  ROW(BIT(NONE), 1, uv_handle_size((uv_handle_type) 99) == (size_t) -1);
  ROW(BIT(NONE), 1, uv_req_size((uv_req_type) 99) == (size_t) -1);
  ROW(BIT(NONE), UV_UNKNOWN_HANDLE, uv_guess_handle(-1));
  ROW(BIT(NONE), UV_ENOTSUP, uv_tty_get_vterm_state(NULL));
  ROW(BIT(NONE), UV_EINVAL, uv_clock_gettime((uv_clock_id) 99, (uv_timespec64_t*) text));
  ROW(BIT(NONE), UV_EFAULT, uv_clock_gettime((uv_clock_id) 99, NULL));
  ROW(BIT(NONE), UV_EINVAL, uv_barrier_init((uv_barrier_t*) text, 0));
  ROW(BIT(NONE), UV_EAFNOSUPPORT, uv_inet_ntop(99, NULL, NULL, 0));
  ROW(BIT(NONE), UV_ENOSPC, uv_inet_ntop(AF_INET, &address, NULL, 0));
}

TEST_IMPL(nothing_is_freed_and_printed_where_there_is_nothing) {
  VOID_ROW(BIT(NONE), uv_fs_req_cleanup(NULL));
  VOID_ROW(BIT(NONE), uv_os_free_passwd(NULL));
  VOID_ROW(BIT(NONE), uv_os_free_group(NULL));
  VOID_ROW(BIT(NONE), uv_os_free_environ(NULL, 0));
  VOID_ROW(BIT(NONE), uv_free_cpu_info(NULL, 0));
  VOID_ROW(BIT(NONE), uv_free_interface_addresses(NULL, 0));
  VOID_ROW(BIT(NONE), uv_freeaddrinfo(NULL));
  VOID_ROW(BIT(NONE), uv_print_all_handles(&loop, NULL));
}

static char* printed;
static size_t printed_size;

static FILE* open_memory(void) {
  FILE* stream = open_memstream(&printed, &printed_size);
  ASSERT_NOT_NULL(stream);
  return stream;
}

/* No loop is the default loop, which is made if need be. */
TEST_IMPL(without_a_loop_the_handles_of_the_default_loop_are_printed) {
  static uv_timer_t timer, idle_timer;
  char expected[200];
  FILE* stream = open_memory();

  uv_print_all_handles(NULL, stream);
  uv_print_active_handles(NULL, stream);
  fclose(stream);
  ASSERT_NOT_NULL(printed);
  ASSERT_NULL(strstr(printed, "timer"));
  free(printed);

  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_init(uv_default_loop(), &idle_timer));
  ASSERT_OK(uv_timer_start(&timer, NEVER(uv_timer_cb), 1000000, 0));
  stream = open_memory();
  uv_print_active_handles(NULL, stream);
  fclose(stream);
  snprintf(expected, sizeof(expected), "[RA-] timer    %p\n", (void*) &timer);
  ASSERT_NOT_NULL(strstr(printed, expected));
  snprintf(expected, sizeof(expected), "%p", (void*) &idle_timer);
  ASSERT_NULL(strstr(printed, expected));
  free(printed);
  stream = open_memory();
  uv_print_all_handles(NULL, stream);
  fclose(stream);
  ASSERT_NOT_NULL(strstr(printed, expected));
  free(printed);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Decided otherwise than in libuv, which acts on what lies where a descriptor would be  */

TEST_IMPL(no_other_kind_has_options_of_a_socket) {
  OXUV_ONLY();
  ROW(OTHER_THAN(STREAMS), UV_EINVAL, uv_stream_set_blocking(handle, 0));
  ROW(OTHER_THAN(STREAMS), UV_EINVAL, uv_tcp_nodelay(handle, 1));
  ROW(OTHER_THAN(STREAMS), UV_EINVAL, uv_tcp_keepalive(handle, 1, 60));
  ROW(OTHER_THAN(0), UV_EINVAL, uv_tcp_keepalive(handle, 1, 0));
  ROW(OTHER_THAN(STREAMS), UV_EINVAL, uv_tcp_keepalive_ex(handle, 1, 60, 1, 1));
  ROW(OTHER_THAN(STREAMS), UV_EINVAL, uv_tcp_close_reset(handle, NEVER(uv_close_cb)));
  ROW(OTHER_THAN(UDPS), UV_EINVAL, uv_udp_set_broadcast(handle, 1));
  ROW(OTHER_THAN(UDPS), UV_EINVAL, uv_udp_set_ttl(handle, 1));
  ROW(OTHER_THAN(UDPS), UV_EINVAL, uv_udp_set_multicast_loop(handle, 1));
  ROW(OTHER_THAN(UDPS), UV_EINVAL, uv_udp_set_multicast_ttl(handle, 1));
  ROW(OTHER_THAN(UDPS), UV_EINVAL, uv_udp_set_multicast_interface(handle, NULL));
  ROW(OTHER_THAN(UDPS), UV_EINVAL, uv_udp_set_membership(handle, "224.0.0.1", NULL, UV_JOIN_GROUP));
  ROW(OTHER_THAN(UDPS), UV_EINVAL,
      uv_udp_set_source_membership(handle, "224.0.0.1", NULL, "127.0.0.1", UV_JOIN_GROUP));
  ROW(OTHER_THAN(STREAMS), UV_EINVAL, uv_pipe_chmod(handle, UV_READABLE));
  ROW(OTHER_THAN(STREAMS), UV_EINVAL,
      uv_pipe_connect2(&q.connect, handle, "/nowhere", 8, 0, NEVER(uv_connect_cb)));
  ROW(OTHER_THAN(STREAMS), UV_EINVAL, uv_accept(handle, handle));
  ROW(OTHERS | BIT(ZERO) | BIT(GARBAGE), UV_EINVAL, uv_tcp_open(handle, dup(1)));
  ROW(OTHERS | BIT(ZERO) | BIT(GARBAGE), UV_EINVAL, uv_pipe_open(handle, dup(1)));
  ROW(BIT(GARBAGE), UV_EINVAL, uv_write(&q.write, handle, &buf, 1, NEVER(uv_write_cb)));
  ROW(BIT(GARBAGE), UV_EINVAL, uv_try_write(handle, &buf, 1));
  ROW(BIT(GARBAGE), 0, uv_pipe_pending_count(handle));
  ROW(BIT(ZERO) | BIT(GARBAGE), 0, uv_timer_get_due_in(handle));
}

TEST_IMPL(no_other_kind_is_started_or_stopped) {
  OXUV_ONLY();
  ROW(OTHER_THAN(BIT(TIMER)), UV_EINVAL, uv_timer_start(handle, NEVER(uv_timer_cb), 1, 1));
  ROW(OTHER_THAN(BIT(TIMER)), 0, uv_timer_stop(handle));
  ROW(OTHER_THAN(BIT(TIMER)), UV_EINVAL, uv_timer_again(handle));
  ROW(OTHER_THAN(BIT(PREPARE)), UV_EINVAL, uv_prepare_start(handle, NEVER(uv_prepare_cb)));
  ROW(OTHER_THAN(BIT(PREPARE)), 0, uv_prepare_stop(handle));
  ROW(OTHER_THAN(BIT(CHECK)), UV_EINVAL, uv_check_start(handle, NEVER(uv_check_cb)));
  ROW(OTHER_THAN(BIT(CHECK)), 0, uv_check_stop(handle));
  ROW(OTHER_THAN(BIT(IDLE)), UV_EINVAL, uv_idle_start(handle, NEVER(uv_idle_cb)));
  ROW(OTHER_THAN(BIT(IDLE)), 0, uv_idle_stop(handle));
  ROW(OTHER_THAN(BIT(POLL)), UV_EINVAL, uv_poll_start(handle, UV_READABLE, NEVER(uv_poll_cb)));
  ROW(OTHER_THAN(BIT(POLL)), 0, uv_poll_stop(handle));
  ROW(OTHER_THAN(BIT(SIGNAL)), UV_EINVAL, uv_signal_start(handle, NEVER(uv_signal_cb), SIGUSR1));
  ROW(OTHER_THAN(BIT(SIGNAL)), UV_EINVAL, uv_signal_start_oneshot(handle, NEVER(uv_signal_cb), SIGUSR1));
  ROW(OTHER_THAN(BIT(SIGNAL)), 0, uv_signal_stop(handle));
  ROW(OTHER_THAN(BIT(FS_EVENT)), UV_EINVAL, uv_fs_event_start(handle, NEVER(uv_fs_event_cb), "/", 0));
  ROW(OTHER_THAN(BIT(FS_EVENT)), 0, uv_fs_event_stop(handle));
  ROW(OTHER_THAN(BIT(FS_EVENT)), UV_EINVAL, uv_fs_event_getpath(handle, text, &size));
  ROW(OTHER_THAN(BIT(FS_POLL)), UV_EINVAL, uv_fs_poll_start(handle, NEVER(uv_fs_poll_cb), "/", 10));
  ROW(OTHER_THAN(BIT(FS_POLL)), 0, uv_fs_poll_stop(handle));
  ROW(OTHER_THAN(BIT(FS_POLL)), UV_EINVAL, uv_fs_poll_getpath(handle, text, &size));
  ROW(OTHER_THAN(BIT(ASYNC)), UV_EINVAL, uv_async_send(handle));
  ROW(OTHER_THAN(0), UV_EINVAL, uv_process_kill(handle, 0));
}

TEST_IMPL(results_without_a_place_are_refused) {
  OXUV_ONLY();
  ROW(OPEN, UV_EINVAL, uv_fileno(handle, NULL));
  ROW(BIT(OPEN_TCP), UV_EINVAL, uv_tcp_getsockname(handle, (void*) &name, NULL));
  ROW(BIT(OPEN_UDP), UV_EINVAL, uv_udp_getsockname(handle, (void*) &name, NULL));
  ROW(BIT(TTY), UV_EINVAL, uv_tty_get_winsize(handle, NULL, &value));
  ROW(BIT(NONE), UV_EINVAL, uv_pipe(NULL, 0, 0));
  ROW(BIT(NONE), UV_EINVAL, uv_socketpair(SOCK_STREAM, 0, NULL, 0, 0));
  ROW(BIT(NONE), UV_EINVAL, uv_spawn(&loop, &h.process, NULL));
}

TEST_IMPL(a_list_of_buffers_that_is_not_there_is_refused) {
  OXUV_ONLY();
  ROW(BIT(OPEN_PIPE) | BIT(OPEN_TCP), UV_EINVAL, uv_write(&q.write, handle, NULL, 1, NEVER(uv_write_cb)));
  ROW(BIT(OPEN_PIPE) | BIT(OPEN_TCP), UV_EINVAL, uv_try_write(handle, NULL, 1));
  ROW(BIT(OPEN_UDP), UV_EINVAL, uv_udp_send(&q.udp_send, handle, NULL, 1, addr, NEVER(uv_udp_send_cb)));
  ROW(BIT(OPEN_UDP), UV_EINVAL, uv_udp_try_send(handle, NULL, 1, addr));
}
