/* Pipes: Unix domain sockets, FIFOs, passing handles. https://docs.libuv.org/en/v1.x/pipe.html */
#include "task.h"

#include <netinet/in.h>
#include <sys/un.h>

static uv_pipe_t server;
static uv_pipe_t client;
static uv_pipe_t peer;
static uv_connect_t connect_req;
static uv_write_t write_reqs[16];
static char received[65536];
static size_t received_size;
static int connects, accepts, closes, writes, ends, reads, last_status, connect_status;
static int peer_ipc;

static void on_close(uv_handle_t* handle) {
  closes++;
}

static void on_connect(uv_connect_t* req, int status) {
  connect_status = status;
  connects++;
}

static void on_write(uv_write_t* req, int status) {
  last_status = status;
  writes++;
}

static void on_accept(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_pipe_init(listener->loop, &peer, peer_ipc));
  ASSERT_OK(uv_accept(listener, (uv_stream_t*) &peer));
  accepts++;
}

static void collect(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  reads++;
  if (count < 0) {
    last_status = (int) count;
    ends++;
    return;
  }
  ASSERT_LE(received_size + count, sizeof(received));
  memcpy(received + received_size, buf->base, count);
  received_size += count;
}

static uv_stream_t* stream_of(uv_pipe_t* pipe) {
  return (uv_stream_t*) pipe;
}

/* Two ends of a socket pair as `client` and `peer`. */
static void open_pair(int ipc) {
  int fds[2];
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, ipc));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &peer, ipc));
  ASSERT_OK(uv_pipe_open(&client, fds[0]));
  ASSERT_OK(uv_pipe_open(&peer, fds[1]));
}

TEST_IMPL(a_server_by_name) {
  const char* path = test_path("socket");
  uv_buf_t buf = uv_buf_init((char*) "hello", 5);
  struct stat s;

  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_OK(uv_pipe_bind(&server, path));
  ASSERT_OK(uv_listen(stream_of(&server), 8, on_accept));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  uv_pipe_connect(&connect_req, &client, path, on_connect);
  ASSERT_EQ(connects, 0);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_OK(connect_status);
  run_until(uv_default_loop(), &accepts, 1);
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &reads, 1);
  ASSERT_EQ(received_size, 5);
  ASSERT_OK(stat(path, &s));
  /* The name goes with the server. */
  uv_close((uv_handle_t*) &server, on_close);
  ASSERT_EQ(stat(path, &s), -1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(bind_reports_what_is_wrong) {
  const char* path = test_path("socket");

  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  ASSERT_EQ(uv_listen(stream_of(&server), 8, on_accept), UV_EINVAL);
  ASSERT_EQ(uv_pipe_bind2(&server, path, strlen(path), 2), UV_EINVAL);
  ASSERT_EQ(uv_pipe_bind2(&server, NULL, 3, 0), UV_EINVAL);
  ASSERT_EQ(uv_pipe_bind(&server, test_path("no/such/folder/socket")), UV_EACCES);
  ASSERT_OK(uv_pipe_bind(&server, path));
  ASSERT_EQ(uv_pipe_bind(&server, test_path("second")), UV_EINVAL);
  ASSERT_EQ(uv_pipe_bind(&client, path), UV_EADDRINUSE);
  uv_close((uv_handle_t*) &client, on_close);
  ASSERT_EQ(uv_pipe_bind(&client, test_path("third")), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A path as long as an address takes, which leaves no room for a terminator, and a longer one. */
TEST_IMPL(long_names_are_cut_unless_that_is_forbidden) {
  char path[256];
  char expected[256];
  char name[256];
  size_t length = sizeof(name);
  size_t room = sizeof(((struct sockaddr_un*) 0)->sun_path);
  struct stat s;

  memset(path, 'x', sizeof(path));
  memcpy(path, test_tmpdir(), strlen(test_tmpdir()));
  path[strlen(test_tmpdir())] = '/';
  path[200] = '\0';
  memcpy(expected, path, room);
  expected[room] = '\0';
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_EQ(uv_pipe_bind2(&server, path, 200, UV_PIPE_NO_TRUNCATE), UV_EINVAL);
  ASSERT_OK(uv_pipe_bind2(&server, path, 200, 0));
  ASSERT_OK(stat(expected, &s));
  ASSERT_OK(uv_pipe_getsockname(&server, name, &length));
  ASSERT_EQ(length, room);
  ASSERT_MEM_EQ(name, expected, room);
  ASSERT_OK(uv_listen(stream_of(&server), 8, on_accept));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  ASSERT_EQ(uv_pipe_connect2(&connect_req, &client, path, 200, UV_PIPE_NO_TRUNCATE, on_connect),
            UV_EINVAL);
  ASSERT_OK(uv_pipe_connect2(&connect_req, &client, path, 200, 0, on_connect));
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_OK(connect_status);
  uv_close((uv_handle_t*) &server, on_close);
  ASSERT_EQ(stat(expected, &s), -1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(abstract_names_have_no_file) {
  char name[64];
  char got[128];
  size_t length = sizeof(got);
  int size = snprintf(name, sizeof(name), "%coxuv-test-%d", 0, (int) getpid());

  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_OK(uv_pipe_bind2(&server, name, size, 0));
  ASSERT_OK(uv_pipe_getsockname(&server, got, &length));
  ASSERT_EQ(length, size);
  ASSERT_MEM_EQ(got, name, size);
  ASSERT_OK(uv_listen(stream_of(&server), 8, on_accept));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  ASSERT_OK(uv_pipe_connect2(&connect_req, &client, name, size, 0, on_connect));
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_OK(connect_status);
  length = sizeof(got);
  ASSERT_OK(uv_pipe_getpeername(&client, got, &length));
  ASSERT_EQ(length, size);
  ASSERT_MEM_EQ(got, name, size);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_name_needs_room_for_its_terminator) {
  const char* path = test_path("socket");
  char name[128];
  size_t length;

  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  length = sizeof(name);
  ASSERT_EQ(uv_pipe_getsockname(&server, name, &length), UV_EBADF);
  ASSERT_OK(uv_pipe_bind(&server, path));
  length = strlen(path);
  ASSERT_EQ(uv_pipe_getsockname(&server, name, &length), UV_ENOBUFS);
  ASSERT_EQ(length, strlen(path) + 1);
  ASSERT_OK(uv_pipe_getsockname(&server, name, &length));
  ASSERT_EQ(length, strlen(path));
  ASSERT_STR_EQ(name, path);
  length = sizeof(name);
  ASSERT_EQ(uv_pipe_getpeername(&server, name, &length), UV_ENOTCONN);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(every_connect_error_is_reported_by_the_callback) {
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  uv_pipe_connect(&connect_req, &client, test_path("absent"), on_connect);
  ASSERT_EQ(connects, 0);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(connect_status, UV_ENOENT);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &peer, 0));
  uv_pipe_connect(&connect_req, &peer, "", on_connect);
  run_until(uv_default_loop(), &connects, 2);
  ASSERT_EQ(connect_status, UV_EINVAL);
  write_file(test_path("file"), "", 0);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  uv_pipe_connect(&connect_req, &server, test_path("file"), on_connect);
  run_until(uv_default_loop(), &connects, 3);
  ASSERT_EQ(connect_status, UV_ECONNREFUSED);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_opened_pipe_has_the_direction_it_was_opened_with) {
  uv_file fds[2];
  uv_buf_t buf = uv_buf_init((char*) "abc", 3);

  ASSERT_OK(uv_pipe(fds, UV_NONBLOCK_PIPE, 0));
  ASSERT(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  ASSERT(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
  ASSERT(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &peer, 0));
  ASSERT_OK(uv_pipe_open(&client, fds[1]));
  ASSERT_OK(uv_pipe_open(&peer, fds[0]));
  ASSERT(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
  ASSERT_EQ(uv_is_writable(stream_of(&client)), 1);
  ASSERT_EQ(uv_is_readable(stream_of(&client)), 0);
  ASSERT_EQ(uv_is_writable(stream_of(&peer)), 0);
  ASSERT_EQ(uv_is_readable(stream_of(&peer)), 1);
  ASSERT_EQ(uv_read_start(stream_of(&client), alloc_static, collect), UV_ENOTCONN);
  ASSERT_EQ(uv_write(&write_reqs[0], stream_of(&peer), &buf, 1, on_write), UV_EPIPE);
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &reads, 1);
  ASSERT_EQ(received_size, 3);
  uv_close((uv_handle_t*) &client, on_close);
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(last_status, UV_EOF);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_EQ(uv_pipe_open(&server, -1), UV_EBADF);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_fifo_is_a_pipe) {
  const char* path = test_path("fifo");
  int in;
  int out;

  ASSERT_OK(mkfifo(path, 0600));
  in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  out = open(path, O_WRONLY | O_CLOEXEC);
  ASSERT_GE(out, 0);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &peer, 0));
  ASSERT_OK(uv_pipe_open(&peer, in));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  ASSERT_EQ(write(out, "xyz", 3), 3);
  run_until(uv_default_loop(), &reads, 1);
  ASSERT_EQ(received_size, 3);
  ASSERT_OK(close(out));
  run_until(uv_default_loop(), &ends, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* libuv ends the process when a regular file gets into its poller. */
TEST_IMPL(a_file_is_read_to_its_end) {
  const char* path = test_path("file");
  int fd;

  OXUV_ONLY();
  write_file(path, "contents", 8);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &peer, 0));
  ASSERT_OK(uv_pipe_open(&peer, fd));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(last_status, UV_EOF);
  ASSERT_EQ(received_size, 8);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_descriptor_closed_behind_the_streams_back_is_an_error) {
  int fd;

  OXUV_ONLY();
  open_pair(0);
  ASSERT_OK(uv_fileno((uv_handle_t*) &peer, &fd));
  ASSERT_OK(close(fd));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(last_status, UV_EBADF);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(chmod_lets_others_in) {
  const char* path = test_path("socket");
  struct stat s;

  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_EQ(uv_pipe_chmod(&server, UV_READABLE), UV_EBADF);
  umask(077);
  ASSERT_OK(uv_pipe_bind(&server, path));
  ASSERT_OK(uv_pipe_chmod(&server, UV_READABLE));
  ASSERT_OK(stat(path, &s));
  ASSERT_EQ(s.st_mode & 0444, 0444);
  ASSERT_EQ(s.st_mode & 0022, 0);
  ASSERT_OK(uv_pipe_chmod(&server, UV_WRITABLE | UV_READABLE));
  ASSERT_OK(stat(path, &s));
  ASSERT_EQ(s.st_mode & 0666, 0666);
  ASSERT_EQ(uv_pipe_chmod(&server, 0), UV_EINVAL);
  ASSERT_EQ(uv_pipe_chmod(&server, 77), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Passing handles ------------------------------------------------------------------------ */

static uv_tcp_t passed[8];
static uv_tcp_t taken[8];

static void listen_tcp(uv_tcp_t* handle) {
  struct sockaddr_in address = loopback(0);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), handle));
  ASSERT_OK(uv_tcp_bind(handle, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) handle, 8, (uv_connection_cb) (void (*)(void)) abort));
}

TEST_IMPL(handles_come_along_with_data_in_order) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  int i;

  open_pair(1);
  ASSERT_EQ(uv_pipe_pending_count(&peer), 0);
  ASSERT_EQ(uv_pipe_pending_type(&peer), UV_UNKNOWN_HANDLE);
  for (i = 0; i < 8; i++) {
    listen_tcp(&passed[i]);
    ASSERT_OK(uv_write2(&write_reqs[i], stream_of(&client), &buf, 1, (uv_stream_t*) &passed[i],
                        on_write));
  }
  run_until(uv_default_loop(), &writes, 8);
  ASSERT_OK(last_status);
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  while (received_size < 8) uv_run(uv_default_loop(), UV_RUN_ONCE);
  for (i = 0; i < 8; i++) {
    ASSERT_EQ(uv_pipe_pending_count(&peer), 8 - i);
    ASSERT_EQ(uv_pipe_pending_type(&peer), UV_TCP);
    ASSERT_OK(uv_tcp_init(uv_default_loop(), &taken[i]));
    ASSERT_OK(uv_accept(stream_of(&peer), (uv_stream_t*) &taken[i]));
    ASSERT_EQ(port_of(&taken[i]), port_of(&passed[i]));
  }
  ASSERT_EQ(uv_pipe_pending_count(&peer), 0);
  ASSERT_EQ(uv_accept(stream_of(&peer), (uv_stream_t*) &taken[0]), UV_EAGAIN);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(handles_that_are_not_accepted_are_closed_with_the_pipe) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  int i;

  open_pair(1);
  for (i = 0; i < 8; i++) {
    listen_tcp(&passed[i]);
    ASSERT_EQ(uv_try_write2(stream_of(&client), &buf, 1, (uv_stream_t*) &passed[i]), 1);
  }
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  while (received_size < 8) uv_run(uv_default_loop(), UV_RUN_ONCE);
  ASSERT_EQ(uv_pipe_pending_count(&peer), 8);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_cannot_be_passed_is_refused) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_tcp_t without;

  open_pair(1);
  listen_tcp(&passed[0]);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &without));
  ASSERT_EQ(uv_write2(&write_reqs[0], stream_of(&client), &buf, 1, (uv_stream_t*) &without,
                      on_write),
            UV_EBADF);
  ASSERT_EQ(uv_try_write2(stream_of(&client), &buf, 1, (uv_stream_t*) &without), UV_EBADF);
  uv_close((uv_handle_t*) &passed[0], on_close);
  ASSERT_EQ(uv_try_write2(stream_of(&client), &buf, 1, (uv_stream_t*) &passed[0]), UV_EBADF);
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 1);
  /* A pipe that passes handles is no server. */
  ASSERT_EQ(uv_listen(stream_of(&client), 8, on_accept), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

static void discard(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  ASSERT_GE(count, 0);
}

TEST_IMPL(a_handle_closed_while_its_write_waits_fails_the_write) {
  static char filler[4 * 1024 * 1024];
  uv_buf_t big = uv_buf_init(filler, sizeof(filler));
  uv_buf_t small = uv_buf_init((char*) "x", 1);

  open_pair(1);
  listen_tcp(&passed[0]);
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &big, 1, on_write));
  ASSERT_OK(uv_write2(&write_reqs[1], stream_of(&client), &small, 1, (uv_stream_t*) &passed[0],
                      on_write));
  uv_close((uv_handle_t*) &passed[0], on_close);
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, discard));
  run_until(uv_default_loop(), &writes, 2);
  ASSERT_EQ(last_status, UV_EBADF);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_udp_handle_is_passed) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  struct sockaddr_in address = loopback(0);
  struct sockaddr_in name;
  int length = sizeof(name);
  uv_udp_t udp;
  uv_udp_t other;

  open_pair(1);
  ASSERT_OK(uv_udp_init(uv_default_loop(), &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  ASSERT_EQ(uv_try_write2(stream_of(&client), &buf, 1, (uv_stream_t*) &udp), 1);
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &reads, 1);
  ASSERT_EQ(uv_pipe_pending_type(&peer), UV_UDP);
  ASSERT_OK(uv_udp_init(uv_default_loop(), &other));
  ASSERT_OK(uv_accept(stream_of(&peer), (uv_stream_t*) &other));
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_udp_getsockname(&other, (struct sockaddr*) &name, &length));
  ASSERT_EQ(name.sin_port, address.sin_port);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_pipe_without_passing_drops_what_comes) {
  struct msghdr message;
  struct iovec vec = {(char*) "x", 1};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  int fd;

  open_pair(0);
  memset(&message, 0, sizeof(message));
  memset(&control, 0, sizeof(control));
  message.msg_iov = &vec;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof(control);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof(int));
  memset(CMSG_DATA(&control.header), 0, sizeof(int));
  ASSERT_OK(uv_fileno((uv_handle_t*) &client, &fd));
  ASSERT_EQ(sendmsg(fd, &message, 0), 1);
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &reads, 1);
  ASSERT_EQ(uv_pipe_pending_count(&peer), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(pending_instances_mean_nothing_here) {
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  uv_pipe_pending_instances(&server, 8);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(socketpair_takes_flags_for_each_end) {
  int fds[2];

  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, 0));
  ASSERT(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  ASSERT(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
  ASSERT(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
  close(fds[0]);
  close(fds[1]);
  ASSERT_LT(uv_socketpair(12345, 0, fds, 0, 0), 0);
  MAKE_SURE_NOTHING_LEAKED();
}
