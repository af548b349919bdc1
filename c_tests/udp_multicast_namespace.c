/* https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_membership and its relatives in a network of
 * the test's own, where the loopback interface carries multicast of IPv4 and is the default for it.
 * Nothing leaves that network. */
#include "task.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>

static const char* const group = "239.255.1.2";
static const char* const group6 = "ff02::1:2%multi0";

static struct sockaddr_in ipv4(const char* text, int port) {
  struct sockaddr_in address;
  ASSERT_OK(uv_ip4_addr(text, port, &address));
  return address;
}

static void raise_loopback(int fd) {
  struct ifreq request;
  memset(&request, 0, sizeof(request));
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) SKIP("no right to raise the loopback interface");
}

static void route_ipv4(int fd) {
  struct sockaddr_in destination = ipv4("224.0.0.0", 0);
  struct sockaddr_in mask = ipv4("240.0.0.0", 0);
  struct rtentry route;
  memset(&route, 0, sizeof(route));
  memcpy(&route.rt_dst, &destination, sizeof(destination));
  memcpy(&route.rt_genmask, &mask, sizeof(mask));
  route.rt_flags = RTF_UP;
  route.rt_dev = (char*) "lo";
  ASSERT_OK(ioctl(fd, SIOCADDRT, &route));
}

static void write_map(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) SKIP("%s cannot be written", path);
  close(fd);
}

/* Makes an ordinary user the root of its network, for the programs that it starts as well. */
static void map_user(uid_t uid, gid_t gid) {
  char text[32];
  write_map("/proc/self/setgroups", "deny");
  snprintf(text, sizeof(text), "0 %u 1", uid);
  write_map("/proc/self/uid_map", text);
  snprintf(text, sizeof(text), "0 %u 1", gid);
  write_map("/proc/self/gid_map", text);
}

static void enter_network(void) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  int flags = CLONE_NEWNET | (uid == 0 ? 0 : CLONE_NEWUSER);
  int fd;
  if (unshare(flags) != 0) SKIP("no network of its own: %s", strerror(errno));
  if (uid != 0) map_user(uid, gid);
  fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  raise_loopback(fd);
  route_ipv4(fd);
  close(fd);
}

/* The loopback interface does not carry multicast of IPv6. */
static void add_interface(void) {
  const char* command =
      "{ { ip link add multi0 type dummy || ip link add multi0 type ifb; } && "
      "ip link set multi0 addrgenmode none multicast on up && "
      "ip -6 address add fd00::1/64 dev multi0 nodad; } 2>&1";
  if (system(command) != 0) SKIP("no interface that carries multicast of IPv6");
}

static uv_udp_t sender;
static uv_udp_t members[3];
static int markers;

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  ASSERT_GE(size, 0);
  ASSERT_EQ(flags, 0);
  if (from == NULL) return;
  if (size == 1 && buf->base[0] == '!') markers++;
  else note("%d:%.*s", (int) (handle - members), (int) size, buf->base);
}

static int port_of_members(void) {
  struct sockaddr_storage name;
  int length = sizeof(name);
  ASSERT_OK(uv_udp_getsockname(&members[0], (struct sockaddr*) &name, &length));
  return ntohs(((struct sockaddr_in*) &name)->sin_port);
}

/* Handles with a common port of any address. */
static void open_members(int count, int family) {
  struct sockaddr_storage any;
  int i;
  memset(&any, 0, sizeof(any));
  any.ss_family = (sa_family_t) family;
  for (i = 0; i < count; i++) {
    if (i > 0) ((struct sockaddr_in*) &any)->sin_port = htons((uint16_t) port_of_members());
    ASSERT_OK(uv_udp_init(uv_default_loop(), &members[i]));
    ASSERT_OK(uv_udp_bind(&members[i], (struct sockaddr*) &any, UV_UDP_REUSEADDR));
    ASSERT_OK(uv_udp_recv_start(&members[i], alloc_static, on_receive));
  }
}

static void open_sender(const char* from) {
  struct sockaddr_in address = ipv4(from, 0);
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_OK(uv_udp_bind(&sender, (struct sockaddr*) &address, 0));
}

static int try_send(const struct sockaddr* address, const char* text) {
  uv_buf_t buf = uv_buf_init((char*) text, (unsigned) strlen(text));
  return uv_udp_try_send(&sender, &buf, 1, address);
}

static void send_to(const char* to, const char* text) {
  struct sockaddr_in address = ipv4(to, port_of_members());
  ASSERT_EQ(try_send((struct sockaddr*) &address, text), (int) strlen(text));
}

/* What one member received: a datagram sent to it alone comes after all that were sent before. */
static void expect_of_one(const char* expected) {
  int before = markers;
  send_to("127.0.0.1", "!");
  run_until(uv_default_loop(), &markers, before + 1);
  ASSERT_NOTES(expected);
}

TEST_IMPL(a_member_receives_from_joining_to_leaving) {
  enter_network();
  open_members(1, AF_INET);
  open_sender("127.0.0.1");
  send_to(group, "early");
  expect_of_one("");
  ASSERT_OK(uv_udp_set_membership(&members[0], group, NULL, UV_JOIN_GROUP));
  send_to(group, "first");
  send_to(group, "second");
  send_to("239.255.9.9", "other");
  expect_of_one("0:first 0:second");
  ASSERT_OK(uv_udp_set_membership(&members[0], group, NULL, UV_LEAVE_GROUP));
  send_to(group, "late");
  expect_of_one("");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(every_member_receives) {
  int i;
  enter_network();
  open_members(3, AF_INET);
  open_sender("127.0.0.1");
  for (i = 0; i < 3; i++)
    ASSERT_OK(uv_udp_set_membership(&members[i], group, "127.0.0.1", UV_JOIN_GROUP));
  for (i = 0; i < 50; i++) send_to(group, "x");
  /* The marker comes as a datagram to the group. */
  send_to(group, "!");
  run_until(uv_default_loop(), &markers, 3);
  for (i = 0; i < 3; i++) {
    char expected[8];
    const char* at = notes();
    int total = 0;
    snprintf(expected, sizeof(expected), "%d:x", i);
    while ((at = strstr(at, expected)) != NULL) total++, at++;
    ASSERT_EQ(total, 50);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(members_of_a_source_receive_from_that_source) {
  enter_network();
  open_members(1, AF_INET);
  open_sender("127.0.0.2");
  ASSERT_OK(
      uv_udp_set_source_membership(&members[0], group, "127.0.0.1", "127.0.0.3", UV_JOIN_GROUP));
  send_to(group, "wrong");
  expect_of_one("");
  ASSERT_OK(
      uv_udp_set_source_membership(&members[0], group, "127.0.0.1", "127.0.0.2", UV_JOIN_GROUP));
  send_to(group, "right");
  expect_of_one("0:right");
  ASSERT_OK(
      uv_udp_set_source_membership(&members[0], group, "127.0.0.1", "127.0.0.2", UV_LEAVE_GROUP));
  send_to(group, "late");
  expect_of_one("");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_is_sent_loops_back_by_default) {
  enter_network();
  open_members(1, AF_INET);
  open_sender("127.0.0.1");
  ASSERT_OK(uv_udp_set_membership(&members[0], group, "127.0.0.1", UV_JOIN_GROUP));
  ASSERT_OK(uv_udp_set_multicast_ttl(&sender, 0));
  send_to(group, "near");
  expect_of_one("0:near");
  ASSERT_OK(uv_udp_set_multicast_interface(&sender, "127.0.0.1"));
  ASSERT_OK(uv_udp_set_multicast_loop(&sender, 1));
  send_to(group, "again");
  expect_of_one("0:again");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(members_receive_by_ipv6) {
  struct sockaddr_in6 address;
  enter_network();
  add_interface();
  open_members(1, AF_INET6);
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &sender, AF_INET6));
  ASSERT_OK(uv_udp_set_multicast_interface(&sender, "fd00::1%multi0"));
  ASSERT_OK(uv_ip6_addr(group6, port_of_members(), &address));
  ASSERT_NE(address.sin6_scope_id, 0);
  ASSERT_OK(uv_udp_set_membership(&members[0], "ff02::1:2", "fd00::1%multi0", UV_JOIN_GROUP));
  ASSERT_EQ(try_send((struct sockaddr*) &address, "first"), 5);
  ASSERT_EQ(try_send((struct sockaddr*) &address, "!"), 1);
  run_until(uv_default_loop(), &markers, 1);
  ASSERT_NOTES("0:first");
  ASSERT_OK(uv_udp_set_membership(&members[0], "ff02::1:2", "fd00::1%multi0", UV_LEAVE_GROUP));
  ASSERT_EQ(try_send((struct sockaddr*) &address, "late"), 4);
  ASSERT_OK(uv_ip6_addr("::1", port_of_members(), &address));
  ASSERT_EQ(try_send((struct sockaddr*) &address, "!"), 1);
  run_until(uv_default_loop(), &markers, 2);
  ASSERT_NOTES("");
  MAKE_SURE_NOTHING_LEAKED();
}
