/* https://docs.libuv.org/en/v1.x/udp.html: making, binding and connecting sockets, and options.
 * Sending, receiving and multicast are in udp_send.c, udp_receive.c and udp_multicast.c. */
#include "task.h"

#include <netinet/in.h>
#include <sys/un.h>

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* sender, unsigned flags) {
  (void) handle, (void) size, (void) buf, (void) sender, (void) flags;
}

static struct sockaddr_in6 loopback6(int port) {
  struct sockaddr_in6 address;
  memset(&address, 0, sizeof(address));
  address.sin6_family = AF_INET6;
  address.sin6_port = htons((uint16_t) port);
  address.sin6_addr = in6addr_loopback;
  return address;
}

static int local_port(uv_udp_t* handle) {
  struct sockaddr_storage name;
  int length = sizeof(name);
  ASSERT_OK(uv_udp_getsockname(handle, (struct sockaddr*) &name, &length));
  if (name.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6*) &name)->sin6_port);
  return ntohs(((struct sockaddr_in*) &name)->sin_port);
}

static int int_option(int fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof(value);
  ASSERT_OK(getsockopt(fd, level, option, &value, &length));
  return value;
}

static int fd_of(uv_udp_t* handle) {
  int fd;
  ASSERT_OK(uv_fileno((uv_handle_t*) handle, &fd));
  return fd;
}

static int can_ipv6(void) {
  struct sockaddr_in6 address = loopback6(0);
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  int can = fd >= 0 && bind(fd, (struct sockaddr*) &address, sizeof(address)) == 0;
  if (fd >= 0) close(fd);
  return can;
}

TEST_IMPL(init_refuses_other_families_and_flags) {
  uv_loop_t loop;
  uv_udp_t handle;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_EQ(uv_udp_init_ex(&loop, &handle, AF_UNIX), UV_EINVAL);
  ASSERT_EQ(uv_udp_init_ex(&loop, &handle, 47), UV_EINVAL);
  ASSERT_EQ(uv_udp_init_ex(&loop, &handle, 512), UV_EINVAL);
  ASSERT_EQ(uv_udp_init_ex(&loop, &handle, AF_INET | UV_UDP_RECVMMSG | 1024), UV_EINVAL);
  /* None of the handles is on the loop. */
  ASSERT_OK(uv_loop_close(&loop));
}

TEST_IMPL(the_socket_is_made_when_needed) {
  struct sockaddr_storage name;
  int length = sizeof(name);
  uv_udp_t handle;
  int fd;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &handle));
  ASSERT_EQ(handle.type, UV_UDP);
  ASSERT(!uv_is_active((uv_handle_t*) &handle));
  ASSERT_EQ(uv_udp_get_send_queue_size(&handle), 0);
  ASSERT_EQ(uv_udp_get_send_queue_count(&handle), 0);
  ASSERT_EQ(uv_fileno((uv_handle_t*) &handle, &fd), UV_EBADF);
  ASSERT_EQ(uv_udp_getsockname(&handle, (struct sockaddr*) &name, &length), UV_EBADF);
  ASSERT_EQ(uv_udp_getpeername(&handle, (struct sockaddr*) &name, &length), UV_EBADF);
  ASSERT_EQ(uv_udp_set_broadcast(&handle, 1), UV_EBADF);
  ASSERT_EQ(uv_udp_set_ttl(&handle, 1), UV_EBADF);
  ASSERT_EQ(uv_udp_set_multicast_ttl(&handle, 1), UV_EBADF);
  ASSERT_EQ(uv_udp_set_multicast_loop(&handle, 1), UV_EBADF);
  ASSERT_EQ(uv_udp_set_multicast_interface(&handle, NULL), UV_EBADF);

  ASSERT_OK(uv_udp_recv_start(&handle, alloc_static, on_receive));
  ASSERT_GT(local_port(&handle), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_family_makes_the_socket_at_once) {
  struct sockaddr_in address = loopback(0);
  uv_udp_t handle;
  int fd;
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &handle, AF_INET));
  fd = fd_of(&handle);
  ASSERT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  ASSERT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(int_option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
  ASSERT_OK(uv_udp_bind(&handle, (struct sockaddr*) &address, 0));
  ASSERT_EQ(fd_of(&handle), fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(bind_reports_wrong_arguments) {
  struct sockaddr_in address = loopback(0);
  struct sockaddr_in6 address6 = loopback6(0);
  struct sockaddr_un other = {.sun_family = AF_UNIX};
  unsigned wrong[] = {UV_UDP_PARTIAL, UV_UDP_MMSG_CHUNK, UV_UDP_MMSG_FREE, 128, UV_UDP_RECVMMSG, ~0u};
  struct sockaddr_storage name;
  int length;
  uv_udp_t handle;
  size_t i;
  int fd;

  ASSERT_OK(uv_udp_init(uv_default_loop(), &handle));
  for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    ASSERT_EQ(uv_udp_bind(&handle, (struct sockaddr*) &address, wrong[i]), UV_EINVAL);
  ASSERT_EQ(uv_udp_bind(&handle, (struct sockaddr*) &address, UV_UDP_IPV6ONLY), UV_EINVAL);
  ASSERT_EQ(uv_udp_bind(&handle, (struct sockaddr*) &other, 0), UV_EINVAL);
  ASSERT_EQ(uv_fileno((uv_handle_t*) &handle, &fd), UV_EBADF);

  ASSERT_OK(uv_udp_bind(&handle, (struct sockaddr*) &address, 0));
  ASSERT_EQ(uv_udp_bind(&handle, (struct sockaddr*) &address, 0), UV_EINVAL);
  ASSERT_EQ(uv_udp_bind(&handle, (struct sockaddr*) &address6, 0), UV_EINVAL);

  length = sizeof(name);
  ASSERT_OK(uv_udp_getsockname(&handle, (struct sockaddr*) &name, &length));
  ASSERT_EQ(length, sizeof(address));
  /* Cut to the space there is, but the whole length is reported. */
  length = 2;
  ASSERT_OK(uv_udp_getsockname(&handle, (struct sockaddr*) &name, &length));
  ASSERT_EQ(length, sizeof(address));
  length = -1;
  ASSERT_EQ(uv_udp_getsockname(&handle, (struct sockaddr*) &name, &length), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_address_can_be_shared_if_all_say_so) {
  static const unsigned flags[] = {UV_UDP_REUSEADDR, UV_UDP_REUSEPORT,
                                   UV_UDP_REUSEADDR | UV_UDP_REUSEPORT};
  static uv_udp_t handles[3][3];
  size_t i;
  for (i = 0; i < 3; i++) {
    struct sockaddr_in address = loopback(0);
    uv_udp_t* h = handles[i];
    ASSERT_OK(uv_udp_init(uv_default_loop(), &h[0]));
    ASSERT_OK(uv_udp_init(uv_default_loop(), &h[1]));
    ASSERT_OK(uv_udp_init(uv_default_loop(), &h[2]));
    ASSERT_OK(uv_udp_bind(&h[0], (struct sockaddr*) &address, flags[i]));
    address = loopback(local_port(&h[0]));
    ASSERT_EQ(uv_udp_bind(&h[1], (struct sockaddr*) &address, 0), UV_EADDRINUSE);
    ASSERT_OK(uv_udp_bind(&h[2], (struct sockaddr*) &address, flags[i]));
    /* The handle that failed can still be bound to something else. */
    address = loopback(0);
    ASSERT_OK(uv_udp_bind(&h[1], (struct sockaddr*) &address, 0));
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(bind_sets_what_the_flags_say) {
  struct sockaddr_in address = loopback(0);
  struct sockaddr_in6 address6 = loopback6(0);
  uv_udp_t handles[4];
  int i;
  for (i = 0; i < 4; i++) ASSERT_OK(uv_udp_init(uv_default_loop(), &handles[i]));
  ASSERT_OK(uv_udp_bind(&handles[0], (struct sockaddr*) &address, UV_UDP_LINUX_RECVERR));
  ASSERT_EQ(int_option(fd_of(&handles[0]), IPPROTO_IP, IP_RECVERR), 1);
  ASSERT_OK(uv_udp_bind(&handles[1], (struct sockaddr*) &address, 0));
  ASSERT_EQ(int_option(fd_of(&handles[1]), IPPROTO_IP, IP_RECVERR), 0);
  if (can_ipv6()) {
    unsigned flags = UV_UDP_IPV6ONLY | UV_UDP_LINUX_RECVERR;
    ASSERT_OK(uv_udp_bind(&handles[2], (struct sockaddr*) &address6, flags));
    ASSERT_EQ(int_option(fd_of(&handles[2]), IPPROTO_IPV6, IPV6_V6ONLY), 1);
    ASSERT_EQ(int_option(fd_of(&handles[2]), IPPROTO_IPV6, IPV6_RECVERR), 1);
    ASSERT_OK(uv_udp_bind(&handles[3], (struct sockaddr*) &address6, 0));
    ASSERT_EQ(int_option(fd_of(&handles[3]), IPPROTO_IPV6, IPV6_RECVERR), 0);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(connecting_and_disconnecting) {
  struct sockaddr_in address;
  struct sockaddr_un other = {.sun_family = AF_UNIX};
  struct sockaddr_in name;
  int length = sizeof(name);
  uv_udp_t server;
  uv_udp_t client;
  uv_buf_t buf = uv_buf_init("PING", 4);

  ASSERT_OK(uv_udp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_udp_recv_start(&server, alloc_static, on_receive));
  address = loopback(local_port(&server));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &client));

  ASSERT_EQ(uv_udp_connect(&client, NULL), UV_ENOTCONN);
  ASSERT_EQ(uv_udp_connect(&client, (struct sockaddr*) &other), UV_EINVAL);
  ASSERT_OK(uv_udp_connect(&client, (struct sockaddr*) &address));
  ASSERT_EQ(uv_udp_connect(&client, (struct sockaddr*) &address), UV_EISCONN);
  ASSERT_OK(uv_udp_getpeername(&client, (struct sockaddr*) &name, &length));
  ASSERT_EQ(name.sin_port, address.sin_port);
  ASSERT_EQ(uv_udp_try_send(&client, &buf, 1, (struct sockaddr*) &address), UV_EISCONN);
  ASSERT_EQ(uv_udp_try_send(&client, &buf, 1, NULL), 4);

  ASSERT_OK(uv_udp_connect(&client, NULL));
  ASSERT_EQ(uv_udp_connect(&client, NULL), UV_ENOTCONN);
  ASSERT_EQ(uv_udp_getpeername(&client, (struct sockaddr*) &name, &length), UV_ENOTCONN);
  ASSERT_EQ(uv_udp_try_send(&client, &buf, 1, NULL), UV_EDESTADDRREQ);
  ASSERT_EQ(uv_udp_try_send(&client, &buf, 1, (struct sockaddr*) &address), 4);
  ASSERT_OK(uv_udp_connect(&client, (struct sockaddr*) &address));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(open_takes_a_socket) {
  struct sockaddr_in address = loopback(0);
  uv_udp_t handle;
  uv_udp_t other;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int second = socket(AF_INET, SOCK_DGRAM, 0);

  ASSERT_OK(uv_udp_init(uv_default_loop(), &handle));
  ASSERT_EQ(uv_udp_open(&handle, -1), UV_EBADF);
  ASSERT_OK(uv_udp_open(&handle, fd));
  ASSERT_EQ(fd_of(&handle), fd);
  ASSERT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  ASSERT_EQ(int_option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
  ASSERT_EQ(uv_udp_open(&handle, second), UV_EBUSY);
  ASSERT_OK(uv_udp_bind(&handle, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_recv_start(&handle, alloc_static, on_receive));

  ASSERT_OK(uv_udp_init(uv_default_loop(), &other));
  ASSERT_EQ(uv_udp_open(&other, fd), UV_EEXIST);
  ASSERT_OK(uv_udp_open(&other, second));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(open_ex_sets_what_the_flags_say) {
  uv_udp_t handles[2];
  int a = socket(AF_INET, SOCK_DGRAM, 0);
  int b = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_OK(uv_udp_init(uv_default_loop(), &handles[0]));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &handles[1]));
  ASSERT_EQ(uv_udp_open_ex(&handles[0], a, UV_UDP_IPV6ONLY), UV_EINVAL);
  ASSERT_EQ(uv_udp_open_ex(&handles[0], a, UV_UDP_LINUX_RECVERR), UV_EINVAL);
  ASSERT_EQ(uv_udp_open_ex(&handles[0], a, ~0u), UV_EINVAL);
  ASSERT_OK(uv_udp_open_ex(&handles[0], a, 0));
  ASSERT_EQ(int_option(a, SOL_SOCKET, SO_REUSEADDR), 0);
  ASSERT_EQ(int_option(a, SOL_SOCKET, SO_REUSEPORT), 0);
  ASSERT_OK(uv_udp_open_ex(&handles[1], b, UV_UDP_REUSEADDR | UV_UDP_REUSEPORT));
  ASSERT_EQ(int_option(b, SOL_SOCKET, SO_REUSEADDR), 1);
  ASSERT_EQ(int_option(b, SOL_SOCKET, SO_REUSEPORT), 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(open_refuses_what_is_no_socket) {
  uv_udp_t handle;
  int ends[2];
  int fd;
  ASSERT_OK(pipe(ends));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &handle));
  ASSERT_EQ(uv_udp_open(&handle, ends[0]), UV_ENOTSOCK);
  ASSERT_EQ(uv_fileno((uv_handle_t*) &handle, &fd), UV_EBADF);
  /* The descriptor is still the caller's. */
  close(ends[0]);
  close(ends[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(open_notices_that_the_socket_is_connected) {
  struct sockaddr_in address = loopback(9);
  uv_buf_t buf = uv_buf_init("x", 1);
  uv_udp_t handle;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_OK(connect(fd, (struct sockaddr*) &address, sizeof(address)));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &handle));
  ASSERT_OK(uv_udp_open(&handle, fd));
  ASSERT_EQ(uv_udp_try_send(&handle, &buf, 1, (struct sockaddr*) &address), UV_EISCONN);
  ASSERT_OK(uv_udp_connect(&handle, NULL));
  ASSERT_EQ(uv_udp_try_send(&handle, &buf, 1, NULL), UV_EDESTADDRREQ);
  MAKE_SURE_NOTHING_LEAKED();
}

static void check_hops(uv_udp_t* handle, int level, int unicast, int multicast) {
  int fd = fd_of(handle);
  ASSERT_EQ(uv_udp_set_ttl(handle, -1), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_ttl(handle, 0), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_ttl(handle, 256), UV_EINVAL);
  ASSERT_OK(uv_udp_set_ttl(handle, 1));
  ASSERT_EQ(int_option(fd, level, unicast), 1);
  ASSERT_OK(uv_udp_set_ttl(handle, 255));
  ASSERT_EQ(int_option(fd, level, unicast), 255);
  ASSERT_EQ(uv_udp_set_multicast_ttl(handle, -1), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_multicast_ttl(handle, 256), UV_EINVAL);
  ASSERT_OK(uv_udp_set_multicast_ttl(handle, 0));
  ASSERT_EQ(int_option(fd, level, multicast), 0);
  ASSERT_OK(uv_udp_set_multicast_ttl(handle, 255));
  ASSERT_EQ(int_option(fd, level, multicast), 255);
}

TEST_IMPL(options_reach_the_socket) {
  struct sockaddr_in6 address6 = loopback6(0);
  uv_udp_t handle;
  uv_udp_t handle6;
  int fd;
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &handle, AF_INET));
  fd = fd_of(&handle);
  check_hops(&handle, IPPROTO_IP, IP_TTL, IP_MULTICAST_TTL);
  ASSERT_OK(uv_udp_set_broadcast(&handle, 1));
  ASSERT_EQ(int_option(fd, SOL_SOCKET, SO_BROADCAST), 1);
  ASSERT_OK(uv_udp_set_broadcast(&handle, 0));
  ASSERT_EQ(int_option(fd, SOL_SOCKET, SO_BROADCAST), 0);
  ASSERT_OK(uv_udp_set_multicast_loop(&handle, 0));
  ASSERT_EQ(int_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
  ASSERT_OK(uv_udp_set_multicast_loop(&handle, 1));
  ASSERT_EQ(int_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
  if (can_ipv6()) {
    ASSERT_OK(uv_udp_init(uv_default_loop(), &handle6));
    ASSERT_OK(uv_udp_bind(&handle6, (struct sockaddr*) &address6, 0));
    check_hops(&handle6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS);
    ASSERT_OK(uv_udp_set_multicast_loop(&handle6, 0));
    ASSERT_EQ(int_option(fd_of(&handle6), IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 0);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_opened_ipv6_socket_has_ipv6_options) {
  OXUV_ONLY();
  uv_udp_t handle;
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) SKIP("no IPv6");
  ASSERT_OK(uv_udp_init(uv_default_loop(), &handle));
  ASSERT_OK(uv_udp_open(&handle, fd));
  check_hops(&handle, IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS);
  MAKE_SURE_NOTHING_LEAKED();
}

static int closed;

static void on_close(uv_handle_t* handle) {
  ASSERT(uv_is_closing(handle));
  closed++;
}

TEST_IMPL(a_closing_handle_does_nothing_more) {
  OXUV_ONLY();
  struct sockaddr_in address = loopback(0);
  uv_buf_t buf = uv_buf_init("x", 1);
  uv_udp_send_t request;
  uv_udp_t handle;
  int fd;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &handle));
  ASSERT_OK(uv_udp_bind(&handle, (struct sockaddr*) &address, 0));
  fd = fd_of(&handle);
  uv_close((uv_handle_t*) &handle, on_close);
  /* The descriptor is free at once. */
  ASSERT_EQ(fcntl(fd, F_GETFD), -1);
  ASSERT_EQ(uv_udp_bind(&handle, (struct sockaddr*) &address, 0), UV_EINVAL);
  ASSERT_EQ(uv_udp_connect(&handle, (struct sockaddr*) &address), UV_EINVAL);
  ASSERT_EQ(uv_udp_recv_start(&handle, alloc_static, on_receive), UV_EINVAL);
  ASSERT_EQ(uv_udp_send(&request, &handle, &buf, 1, (struct sockaddr*) &address, NULL), UV_EINVAL);
  ASSERT_EQ(uv_udp_try_send(&handle, &buf, 1, (struct sockaddr*) &address), UV_EINVAL);
  ASSERT_EQ(uv_udp_open(&handle, fd), UV_EINVAL);
  ASSERT_OK(uv_udp_recv_stop(&handle));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(closed, 1);
  MAKE_SURE_NOTHING_LEAKED();
}
