/* TCP handles. https://docs.libuv.org/en/v1.x/tcp.html */
#include "task.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

static uv_tcp_t server;
static uv_tcp_t client;
static uv_tcp_t peers[64];
static uv_connect_t connect_reqs[64];
static uv_shutdown_t shutdown_req;
static int connects, accepts, closes, last_status, shutdowns;

static void on_close(uv_handle_t* handle) {
  closes++;
}

static void on_connect(uv_connect_t* req, int status) {
  last_status = status;
  connects++;
}

static void on_shutdown(uv_shutdown_t* req, int status) {
  last_status = status;
  shutdowns++;
}

static void on_accept(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(listener->loop, &peers[accepts]));
  ASSERT_OK(uv_accept(listener, (uv_stream_t*) &peers[accepts]));
  accepts++;
}

static void ignore_connection(uv_stream_t* listener, int status) {
  last_status = status;
  accepts++;
}

static int listen_with(uv_connection_cb cb) {
  struct sockaddr_in address = loopback(0);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 128, cb));
  return port_of(&server);
}

static int connect_to(int i, uv_tcp_t* handle, int port) {
  struct sockaddr_in address = loopback(port);
  return uv_tcp_connect(&connect_reqs[i], handle, (struct sockaddr*) &address, on_connect);
}

static int option_of(uv_tcp_t* handle, int level, int option) {
  int value = -1;
  socklen_t length = sizeof(value);
  int fd;
  ASSERT_OK(uv_fileno((uv_handle_t*) handle, &fd));
  ASSERT_OK(getsockopt(fd, level, option, &value, &length));
  return value;
}

TEST_IMPL(init_makes_a_socket_when_the_family_is_given) {
  int fd;

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_EQ(uv_fileno((uv_handle_t*) &client, &fd), UV_EBADF);
  ASSERT_OK(uv_tcp_init_ex(uv_default_loop(), &server, AF_INET6));
  ASSERT_OK(uv_fileno((uv_handle_t*) &server, &fd));
  ASSERT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK);
  ASSERT_OK(uv_tcp_init_ex(uv_default_loop(), &peers[0], AF_UNSPEC));
  ASSERT_EQ(uv_tcp_init_ex(uv_default_loop(), &peers[1], 47), UV_EINVAL);
  ASSERT_EQ(uv_tcp_init_ex(uv_default_loop(), &peers[1], AF_INET | 0x100), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(bind_checks_its_arguments) {
  struct sockaddr_in address = loopback(0);
  struct sockaddr_in6 address6;
  struct sockaddr other;

  memset(&other, 0, sizeof(other));
  other.sa_family = AF_UNIX;
  memset(&address6, 0, sizeof(address6));
  address6.sin6_family = AF_INET6;
  address6.sin6_addr = in6addr_loopback;
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_EQ(uv_tcp_bind(&server, &other, 0), UV_EINVAL);
  ASSERT_EQ(uv_tcp_bind(&server, (struct sockaddr*) &address, UV_TCP_IPV6ONLY), UV_EINVAL);
  ASSERT_EQ(uv_tcp_connect(&connect_reqs[0], &server, &other, on_connect), UV_EINVAL);
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  /* A socket has one family, and one address. */
  ASSERT_EQ(uv_tcp_bind(&server, (struct sockaddr*) &address, 0), UV_EINVAL);
  uv_close((uv_handle_t*) &server, on_close);
  ASSERT_EQ(uv_tcp_bind(&server, (struct sockaddr*) &address, 0), UV_EINVAL);
  ASSERT_EQ(uv_listen((uv_stream_t*) &server, 1, on_accept), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_closing_handle_does_not_connect) {
  OXUV_ONLY();
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  uv_close((uv_handle_t*) &client, on_close);
  ASSERT_EQ(connect_to(0, &client, 1), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_address_in_use_is_reported_by_listen) {
  int port = listen_with(on_accept);
  struct sockaddr_in address = loopback(port);
  struct sockaddr_storage name;
  int length = sizeof(name);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_bind(&client, (struct sockaddr*) &address, 0));
  ASSERT_EQ(uv_tcp_getsockname(&client, (struct sockaddr*) &name, &length), UV_EADDRINUSE);
  ASSERT_EQ(uv_listen((uv_stream_t*) &client, 1, on_accept), UV_EADDRINUSE);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_address_in_use_is_reported_by_the_connect_callback) {
  int port = listen_with(on_accept);
  struct sockaddr_in address = loopback(port);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_bind(&client, (struct sockaddr*) &address, 0));
  ASSERT_OK(connect_to(0, &client, port));
  ASSERT_EQ(connects, 0);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(last_status, UV_EADDRINUSE);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(listening_needs_no_bind) {
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 1, on_accept));
  ASSERT_EQ(uv_is_active((uv_handle_t*) &server), 1);
  ASSERT_GT(port_of(&server), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(several_sockets_share_a_port_that_asks_for_it) {
  struct sockaddr_in address = loopback(0);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, UV_TCP_REUSEPORT));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 1, on_accept));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_bind(&client, (struct sockaddr*) &address, UV_TCP_REUSEPORT));
  ASSERT_OK(uv_listen((uv_stream_t*) &client, 1, on_accept));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(ipv6_only_keeps_ipv4_out) {
  struct sockaddr_in6 address;
  int i;

  memset(&address, 0, sizeof(address));
  address.sin6_family = AF_INET6;
  for (i = 0; i < 2; i++) {
    if (uv_tcp_init_ex(uv_default_loop(), &server, AF_INET6) == UV_EAFNOSUPPORT) SKIP("no IPv6");
    if (uv_tcp_bind(&server, (struct sockaddr*) &address, i ? UV_TCP_IPV6ONLY : 0) != 0)
      SKIP("no IPv6 address");
    ASSERT_EQ(option_of(&server, IPPROTO_IPV6, IPV6_V6ONLY), i);
    uv_close((uv_handle_t*) &server, on_close);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_refused_connection_is_reported_by_the_callback) {
  struct sockaddr_in address = loopback(0);
  int port;

  /* A port without a listener: bound, but not listening. */
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  port = port_of(&server);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(connect_to(0, &client, port));
  ASSERT_EQ(connect_to(1, &client, port), UV_EALREADY);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(last_status, UV_ECONNREFUSED);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(names_are_cut_to_the_room_there_is) {
  struct sockaddr_in name;
  struct sockaddr_in own;
  int length = sizeof(name);
  int port = listen_with(on_accept);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_EQ(uv_tcp_getpeername(&client, (struct sockaddr*) &name, &length), UV_EBADF);
  ASSERT_OK(connect_to(0, &client, port));
  run_until(uv_default_loop(), &connects, 1);
  run_until(uv_default_loop(), &accepts, 1);
  ASSERT_OK(uv_tcp_getpeername(&client, (struct sockaddr*) &name, &length));
  ASSERT_EQ(length, sizeof(name));
  ASSERT_EQ(name.sin_family, AF_INET);
  ASSERT_EQ(ntohs(name.sin_port), port);
  ASSERT_OK(uv_tcp_getsockname(&client, (struct sockaddr*) &own, &length));
  ASSERT_OK(uv_tcp_getpeername(&peers[0], (struct sockaddr*) &name, &length));
  ASSERT_EQ(name.sin_port, own.sin_port);
  memset(&name, 0x5a, sizeof(name));
  length = 2;
  ASSERT_OK(uv_tcp_getsockname(&client, (struct sockaddr*) &name, &length));
  ASSERT_EQ(name.sin_family, AF_INET);
  ASSERT_EQ(name.sin_port, 0x5a5a);
  ASSERT_EQ(uv_tcp_getpeername(&server, (struct sockaddr*) &name, &length), UV_ENOTCONN);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(options_reach_the_socket) {
  ASSERT_OK(uv_tcp_init_ex(uv_default_loop(), &client, AF_INET));
  ASSERT_OK(uv_tcp_nodelay(&client, 1));
  ASSERT_NE(option_of(&client, IPPROTO_TCP, TCP_NODELAY), 0);
  ASSERT_OK(uv_tcp_nodelay(&client, 0));
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_NODELAY), 0);
  ASSERT_OK(uv_tcp_keepalive(&client, 1, 77));
  ASSERT_NE(option_of(&client, SOL_SOCKET, SO_KEEPALIVE), 0);
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_KEEPIDLE), 77);
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_KEEPINTVL), 1);
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_KEEPCNT), 10);
  ASSERT_OK(uv_tcp_keepalive_ex(&client, 1, 11, 12, 13));
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_KEEPIDLE), 11);
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_KEEPINTVL), 12);
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_KEEPCNT), 13);
  ASSERT_EQ(uv_tcp_keepalive(&client, 1, 0), UV_EINVAL);
  ASSERT_EQ(uv_tcp_keepalive_ex(&client, 1, 0, 1, 1), UV_EINVAL);
  ASSERT_EQ(uv_tcp_keepalive_ex(&client, 1, 1, 0, 1), UV_EINVAL);
  ASSERT_EQ(uv_tcp_keepalive_ex(&client, 1, 1, 1, 0), UV_EINVAL);
  ASSERT_OK(uv_tcp_keepalive(&client, 0, 0));
  ASSERT_EQ(option_of(&client, SOL_SOCKET, SO_KEEPALIVE), 0);
  ASSERT_OK(uv_tcp_simultaneous_accepts(&client, 0));
  ASSERT_OK(uv_tcp_simultaneous_accepts(&client, 1));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(options_set_early_reach_the_socket_later) {
  int port = listen_with(on_accept);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_nodelay(&client, 1));
  ASSERT_OK(uv_tcp_keepalive(&client, 1, 60));
  ASSERT_OK(connect_to(0, &client, port));
  ASSERT_NE(option_of(&client, IPPROTO_TCP, TCP_NODELAY), 0);
  ASSERT_NE(option_of(&client, SOL_SOCKET, SO_KEEPALIVE), 0);
  ASSERT_EQ(option_of(&client, IPPROTO_TCP, TCP_KEEPIDLE), 60);
  run_until(uv_default_loop(), &connects, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(open_takes_a_socket_over) {
  uv_poll_t poll;
  int fds[2];

  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_open(&client, fds[0]));
  ASSERT(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  ASSERT_EQ(uv_is_readable((uv_stream_t*) &client), 1);
  ASSERT_EQ(uv_is_writable((uv_stream_t*) &client), 1);
  /* One handle, one socket. */
  ASSERT_EQ(uv_tcp_open(&client, fds[1]), UV_EBUSY);
  ASSERT_OK(uv_poll_init(uv_default_loop(), &poll, fds[1]));
  ASSERT_OK(uv_poll_start(&poll, UV_READABLE, (uv_poll_cb) (void (*)(void)) abort));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_EQ(uv_tcp_open(&server, fds[1]), UV_EEXIST);
  ASSERT_OK(uv_poll_stop(&poll));
  ASSERT_EQ(uv_tcp_open(&server, -1), UV_EBADF);
  ASSERT_OK(close(fds[1]));
  MAKE_SURE_NOTHING_LEAKED();
}

static int pipe_bytes;

static void on_pipe_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count == UV_EOF) uv_close((uv_handle_t*) stream, NULL);
  else ASSERT_GE(count, 0);
  if (count > 0) pipe_bytes += (int) count;
}

static void on_pipe_write(uv_write_t* req, int status) {
  ASSERT_OK(status);
  uv_close((uv_handle_t*) req->handle, NULL);
}

TEST_IMPL(what_is_no_socket_is_read_and_written_as_well) {
  uv_write_t req;
  uv_buf_t buf = uv_buf_init("hello", 5);
  int fds[2];

  ASSERT_OK(pipe(fds));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_open(&client, fds[0]));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_tcp_open(&server, fds[1]));
  ASSERT_OK(uv_read_start((uv_stream_t*) &client, alloc_static, on_pipe_read));
  ASSERT_EQ(uv_try_write((uv_stream_t*) &server, &buf, 1), 5);
  ASSERT_OK(uv_write(&req, (uv_stream_t*) &server, &buf, 1, on_pipe_write));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(pipe_bytes, 10);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_connection_waits_until_it_is_accepted) {
  int port = listen_with(ignore_connection);
  uv_tcp_t late;

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &late));
  ASSERT_EQ(uv_accept((uv_stream_t*) &server, (uv_stream_t*) &late), UV_EAGAIN);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &peers[0]));
  ASSERT_OK(connect_to(0, &client, port));
  ASSERT_OK(connect_to(1, &peers[0], port));
  run_until(uv_default_loop(), &connects, 2);
  run_until(uv_default_loop(), &accepts, 1);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  /* The second is reported when the first has been accepted. */
  ASSERT_EQ(accepts, 1);
  ASSERT_OK(uv_accept((uv_stream_t*) &server, (uv_stream_t*) &late));
  ASSERT_EQ(uv_accept((uv_stream_t*) &server, (uv_stream_t*) &peers[1]), UV_EAGAIN);
  run_until(uv_default_loop(), &accepts, 2);
  ASSERT_OK(last_status);
  /* What is not accepted is closed with the server. */
  MAKE_SURE_NOTHING_LEAKED();
}

/* In older versions, a listener accepted nothing any more after one uv_accept that failed. */
TEST_IMPL(a_failed_accept_leaves_the_listener_listening) {
  int port = listen_with(ignore_connection);
  int fds[2];

  OXUV_ONLY();
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &peers[0]));
  ASSERT_OK(uv_tcp_open(&peers[0], fds[0]));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(connect_to(0, &client, port));
  run_until(uv_default_loop(), &accepts, 1);
  /* It has a socket already. */
  ASSERT_EQ(uv_accept((uv_stream_t*) &server, (uv_stream_t*) &peers[0]), UV_EBUSY);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &peers[1]));
  ASSERT_OK(connect_to(1, &peers[1], port));
  run_until(uv_default_loop(), &accepts, 2);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &peers[2]));
  ASSERT_OK(uv_accept((uv_stream_t*) &server, (uv_stream_t*) &peers[2]));
  ASSERT_OK(close(fds[1]));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_reset_closes_and_a_shutdown_forbids_it) {
  int port = listen_with(on_accept);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(connect_to(0, &client, port));
  run_until(uv_default_loop(), &connects, 1);
  run_until(uv_default_loop(), &accepts, 1);
  ASSERT_OK(uv_shutdown(&shutdown_req, (uv_stream_t*) &client, on_shutdown));
  ASSERT_EQ(uv_tcp_close_reset(&client, on_close), UV_EINVAL);
  ASSERT_EQ(uv_is_closing((uv_handle_t*) &client), 0);
  ASSERT_OK(uv_tcp_close_reset(&peers[0], on_close));
  ASSERT_EQ(uv_is_closing((uv_handle_t*) &peers[0]), 1);
  run_until(uv_default_loop(), &closes, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static void accept_and_close(uv_stream_t* listener, int status) {
  if (status != 0) {
    last_status = status;
    accepts++;
    return;
  }
  on_accept(listener, 0);
}

/* A server that is out of descriptors drops connections and goes on. */
TEST_IMPL_SERIAL(a_server_outlives_a_lack_of_descriptors) {
  struct rlimit limit;
  struct sockaddr_in address;
  int fds[16];
  int hoard[1024];
  int hoarded = 0;
  int port = listen_with(accept_and_close);
  int taken;
  int i;

  address = loopback(port);
  for (i = 0; i < 8; i++) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_GE(fds[i], 0);
  }
  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = 256;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  while ((hoard[hoarded] = dup(0)) >= 0) hoarded++;
  ASSERT_EQ(errno, EMFILE);
  for (i = 0; i < 8; i++) {
    ASSERT_OK(connect(fds[i], (struct sockaddr*) &address, sizeof(address)));
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  }
  /* They were dropped: each sees an end or a reset, not silence. */
  for (i = 0; i < 8; i++) {
    char byte;
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
    ASSERT_LE(recv(fds[i], &byte, 1, 0), 0);
    ASSERT_OK(close(fds[i]));
  }
  while (hoarded > 0) close(hoard[--hoarded]);
  taken = accepts;
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(connect_to(0, &client, port));
  run_until(uv_default_loop(), &accepts, taken + 1);
  ASSERT_OK(uv_is_closing((uv_handle_t*) &server));
  MAKE_SURE_NOTHING_LEAKED();
}

static void close_server(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
  accepts++;
  uv_close((uv_handle_t*) listener, on_close);
}

TEST_IMPL(a_server_may_close_in_its_callback) {
  int port = listen_with(close_server);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(connect_to(0, &client, port));
  run_until(uv_default_loop(), &closes, 1);
  ASSERT_EQ(accepts, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(network_input_and_output_start_no_thread) {
  int port = listen_with(on_accept);
  int before = thread_count();
  int i;

  for (i = 0; i < 20; i++) {
    ASSERT_OK(uv_tcp_init(uv_default_loop(), &peers[40 + i]));
    ASSERT_OK(connect_to(i, &peers[40 + i], port));
  }
  run_until(uv_default_loop(), &connects, 20);
  run_until(uv_default_loop(), &accepts, 20);
  ASSERT_EQ(thread_count(), before);
  MAKE_SURE_NOTHING_LEAKED();
}
