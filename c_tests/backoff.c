/* A listener that cannot accept reports it, and tries again at intervals, not in each iteration. */
#include "task.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* What accept fails with, 0 to accept. The program's function takes the place of the C
 * library's. */
static int refusal;

int accept4(int fd, struct sockaddr* address, socklen_t* length, int flags) {
  if (refusal == 0) return (int) syscall(SYS_accept4, fd, address, length, flags);
  errno = refusal;
  return -1;
}

/* How often a failure may be reported within the time below: half of once a millisecond. */
#define WATCHED_MS 200
#define MOST_REPORTS 100

static uv_loop_t* loop;
static uv_stream_t* server;
static union {
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} memory, peer;
static int client = -1;
static int reported;
static int reported_status;
static int is_over;

static void on_connection(uv_stream_t* stream, int status) {
  ASSERT_PTR_EQ(stream, server);
  reported_status = status;
  reported++;
  if (status != 0) return;
  if (stream->type == UV_TCP)
    ASSERT_OK(uv_tcp_init(stream->loop, &peer.tcp));
  else
    ASSERT_OK(uv_pipe_init(stream->loop, &peer.pipe, 0));
  ASSERT_OK(uv_accept(stream, (uv_stream_t*) &peer));
}

/* Makes a bound server on the loop, and has a client's socket ready. */
static struct sockaddr_storage bind_server(int family) {
  struct sockaddr_storage address;
  socklen_t length = sizeof(address);
  uv_os_fd_t fd;

  loop = uv_default_loop();
  server = (uv_stream_t*) &memory;
  reported = 0;
  client = socket(family, SOCK_STREAM, 0);
  ASSERT_GE(client, 0);
  if (family == AF_UNIX) {
    ASSERT_OK(uv_pipe_init(loop, &memory.pipe, 0));
    ASSERT_OK(uv_pipe_bind(&memory.pipe, test_path("socket")));
  } else {
    struct sockaddr_in v4 = loopback(0);
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const void* any = family == AF_INET ? (const void*) &v4 : (const void*) &v6;
    ASSERT_OK(uv_tcp_init(loop, &memory.tcp));
    if (uv_tcp_bind(&memory.tcp, (const struct sockaddr*) any, 0) != 0) SKIP("no IPv6 here");
  }
  ASSERT_OK(uv_fileno((uv_handle_t*) server, &fd));
  ASSERT_OK(getsockname(fd, (struct sockaddr*) &address, &length));
  return address;
}

static void connect_client(const struct sockaddr_storage* address) {
  socklen_t length = address->ss_family == AF_INET    ? sizeof(struct sockaddr_in)
                     : address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                      : sizeof(struct sockaddr_un);
  ASSERT_OK(connect(client, (const struct sockaddr*) address, length));
}

static void set_over(uv_timer_t* timer) {
  uv_close((uv_handle_t*) timer, NULL);
  is_over = 1;
}

static void run_for(uint64_t milliseconds) {
  uv_timer_t timer;
  is_over = 0;
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, set_over, milliseconds, 0));
  run_until(loop, &is_over, 1);
  uv_run(loop, UV_RUN_NOWAIT);
}

/* A server with a connection that it cannot accept, and that it has reported. */
static void listen_in_vain(int family, int error) {
  struct sockaddr_storage address;
  OXUV_ONLY();
  address = bind_server(family);
  refusal = error;
  ASSERT_OK(uv_listen(server, 8, on_connection));
  connect_client(&address);
  run_until(loop, &reported, 1);
  ASSERT_EQ(reported_status, -error);
}

/* Lets it be accepted. */
static void accept_at_last(void) {
  refusal = 0;
  while (reported_status != 0) uv_run(loop, UV_RUN_ONCE);
}

static void end(void) {
  ASSERT_OK(close(client));
  MAKE_SURE_NOTHING_LEAKED();
}

static void fail_and_accept(int family) {
  static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EINVAL, EIO};
  size_t i;
  for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
    listen_in_vain(family, errors[i]);
    run_for(WATCHED_MS);
    ASSERT_GE(reported, 2);
    ASSERT_LE(reported, MOST_REPORTS);
    ASSERT_EQ(reported_status, -errors[i]);
    ASSERT_EQ(uv_is_active((uv_handle_t*) server), 1);
    accept_at_last();
    ASSERT_OK(close(client));
    uv_close((uv_handle_t*) server, NULL);
    uv_close((uv_handle_t*) &peer, NULL);
    ASSERT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_tcp_server_that_cannot_accept_does_not_loop_busily) {
  fail_and_accept(AF_INET);
}

TEST_IMPL(a_tcp6_server_that_cannot_accept_does_not_loop_busily) {
  fail_and_accept(AF_INET6);
}

TEST_IMPL(a_pipe_server_that_cannot_accept_does_not_loop_busily) {
  fail_and_accept(AF_UNIX);
}

/* Not one descriptor is left, nor one in reserve. */
static void accept_without_descriptors(int family) {
  struct sockaddr_storage address = bind_server(family);
  struct rlimit limit;
  int late = socket(family, SOCK_STREAM, 0);
  int hoard[256];
  int count = 0;
  OXUV_ONLY();
  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = 200;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  while ((hoard[count] = dup(0)) >= 0) count++;
  ASSERT_OK(uv_listen(server, 8, on_connection));
  connect_client(&address);
  run_until(loop, &reported, 1);
  ASSERT_EQ(reported_status, UV_EMFILE);
  run_for(WATCHED_MS);
  ASSERT_LE(reported, MOST_REPORTS);
  while (count > 0) ASSERT_OK(close(hoard[--count]));
  /* Valgrind has taken the first connection, and lost it. */
  ASSERT_OK(close(client));
  client = late;
  connect_client(&address);
  while (reported_status != 0) uv_run(loop, UV_RUN_ONCE);
  end();
}

TEST_IMPL(a_tcp_server_accepts_once_there_are_descriptors) {
  accept_without_descriptors(AF_INET);
}

TEST_IMPL(a_pipe_server_accepts_once_there_are_descriptors) {
  accept_without_descriptors(AF_UNIX);
}

/* Waits as a program does that polls the loop's descriptor itself, and runs the loop. The next
 * attempt is at the end of the timeout. If its time has come since, the descriptor is readable. */
static void wait_outside(void) {
  struct pollfd descriptor = {.fd = uv_backend_fd(loop), .events = POLLIN};
  int timeout = uv_backend_timeout(loop);
  ASSERT_LE(timeout, 1000);
  if (timeout < 0)
    ASSERT_EQ(poll(&descriptor, 1, 20000), 1);
  else
    ASSERT_GE(poll(&descriptor, 1, timeout), 0);
  uv_run(loop, UV_RUN_NOWAIT);
}

/* The next attempt ends a wait, and an outer poller's as well. */
TEST_IMPL(the_next_attempt_is_within_the_timeout) {
  int i;
  listen_in_vain(AF_INET, ENOMEM);
  for (i = 0; i < 5; i++) {
    int before = reported;
    while (reported == before) wait_outside();
    run_until(loop, &reported, reported + 1);
  }
  end();
}

TEST_IMPL(an_attempt_to_come_keeps_no_loop_alive) {
  listen_in_vain(AF_INET, ENOMEM);
  uv_unref((uv_handle_t*) server);
  ASSERT_EQ(uv_loop_alive(loop), 0);
  ASSERT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
  uv_ref((uv_handle_t*) server);
  ASSERT_EQ(uv_loop_alive(loop), 1);
  accept_at_last();
  end();
}

static void close_server(uv_stream_t* stream, int status) {
  ASSERT_EQ(status, UV_ENOMEM);
  reported++;
  uv_close((uv_handle_t*) stream, NULL);
}

/* Closed in the callback, and a moment after it. */
TEST_IMPL(a_server_may_be_closed_before_the_next_attempt) {
  struct sockaddr_storage address;
  int before;
  listen_in_vain(AF_INET, ENOMEM);
  before = reported;
  uv_close((uv_handle_t*) server, NULL);
  ASSERT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_EQ(reported, before);
  ASSERT_OK(close(client));

  address = bind_server(AF_UNIX);
  ASSERT_OK(uv_listen(server, 8, close_server));
  connect_client(&address);
  ASSERT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
  ASSERT_EQ(reported, 1);
  end();
}

static int others;

static void on_other(uv_stream_t* stream, int status) {
  others++;
  on_connection(stream, status);
}

TEST_IMPL(listening_again_before_the_next_attempt) {
  int before;
  listen_in_vain(AF_INET, ENOMEM);
  before = reported;
  ASSERT_OK(uv_listen(server, 16, on_other));
  run_until(loop, &others, 2);
  ASSERT_EQ(reported_status, UV_ENOMEM);
  ASSERT_EQ(reported, before + others);
  accept_at_last();
  end();
}

/* Other handles get on meanwhile. */
static int ticks;

static void on_tick(uv_timer_t* timer) {
  if (++ticks == 20) uv_close((uv_handle_t*) timer, NULL);
}

TEST_IMPL(others_go_on_while_a_server_waits) {
  uv_timer_t timer;
  listen_in_vain(AF_INET, ENOMEM);
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_tick, 1, 1));
  run_until(loop, &ticks, 20);
  accept_at_last();
  end();
}

TEST_IMPL(a_child_accepts_what_its_parent_could_not) {
  int status;
  pid_t pid;
  listen_in_vain(AF_INET, ENOMEM);
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(loop));
    accept_at_last();
    close_loop(loop);
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  end();
}
