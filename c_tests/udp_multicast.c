/* https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_set_membership and its relatives, on the
 * loopback interface only. */
#include "task.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* A group of this process's own: a socket that is bound to any address receives what others of
 * the machine have joined. */
static char group[32];
static char group6[32];
/* The IPv6 group in the form of /proc. */
static char group6_hex[40];

__attribute__((constructor)) static void choose_group(void) {
  int id = (int) getpid();
  snprintf(group, sizeof(group), "239.%d.%d.%d", 192 + (id >> 16 & 63), id >> 8 & 255, id & 255);
  snprintf(group6, sizeof(group6), "ff02::%x:%x", 0x4000 | id >> 16, id & 0xffff);
  snprintf(group6_hex, sizeof(group6_hex), "ff02%020d%04x%04x", 0, 0x4000 | id >> 16, id & 0xffff);
}

static uv_udp_t receiver;
static uv_udp_t sender;
static int received;

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  (void) handle, (void) buf, (void) flags;
  ASSERT_GE(size, 0);
  if (from != NULL) received++;
}

/* The IPv4 address that the text says, with the receiver's port. */
static struct sockaddr_storage to(const char* text) {
  struct sockaddr_storage name;
  int length = sizeof(name);
  ASSERT_OK(uv_udp_getsockname(&receiver, (struct sockaddr*) &name, &length));
  ASSERT_EQ(inet_pton(AF_INET, text, &((struct sockaddr_in*) &name)->sin_addr), 1);
  return name;
}

static int send_to(const char* text) {
  struct sockaddr_storage address = to(text);
  uv_buf_t buf = uv_buf_init("PING", 4);
  return uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &address);
}

static void expect(int count) {
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(received, count);
}

TEST_IMPL(membership_reports_wrong_arguments) {
  const char* lo = "127.0.0.1";
  uv_udp_t h;
  int fd;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &h));
  ASSERT_EQ(uv_udp_set_membership(&h, "no address", NULL, UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_membership(&h, group, "no address", UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_source_membership(&h, "no", lo, lo, UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_source_membership(&h, group, "no", lo, UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_source_membership(&h, group, lo, "no", UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_source_membership(&h, group, lo, "::1", UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_multicast_interface(&h, "no"), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_membership(&h, group, lo, (uv_membership) 7), UV_EINVAL);
  ASSERT_OK(uv_udp_set_membership(&h, group, lo, UV_JOIN_GROUP));
  /* Which bound it. */
  ASSERT_OK(uv_fileno((uv_handle_t*) &h, &fd));
  ASSERT_EQ(uv_udp_set_membership(&h, group, lo, UV_JOIN_GROUP), UV_EADDRINUSE);
  ASSERT_EQ(uv_udp_set_membership(&h, group, "::1", UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_EQ(uv_udp_set_membership(&h, "127.0.0.1", lo, UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_OK(uv_udp_set_membership(&h, group, lo, UV_LEAVE_GROUP));
  ASSERT_EQ(uv_udp_set_membership(&h, group, lo, UV_LEAVE_GROUP), UV_EADDRNOTAVAIL);
  ASSERT_EQ(uv_udp_set_source_membership(&h, group, lo, lo, (uv_membership) 7), UV_EINVAL);
  ASSERT_OK(uv_udp_set_multicast_interface(&h, NULL));
  ASSERT_OK(uv_udp_set_multicast_interface(&h, lo));
  ASSERT_EQ(uv_udp_set_multicast_interface(&h, "192.0.2.1"), UV_EADDRNOTAVAIL);
  MAKE_SURE_NOTHING_LEAKED();
}

static void start(int family) {
  struct sockaddr_storage any;
  memset(&any, 0, sizeof(any));
  any.ss_family = (sa_family_t) family;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &receiver));
  if (uv_udp_bind(&receiver, (struct sockaddr*) &any, 0) != 0) SKIP("no IPv6");
  ASSERT_OK(uv_udp_recv_start(&receiver, alloc_static, on_receive));
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &sender, (unsigned) family));
  ASSERT_OK(uv_udp_set_multicast_interface(&sender, family == AF_INET ? "127.0.0.1" : "::1%lo"));
}

TEST_IMPL(members_receive) {
  start(AF_INET);
  ASSERT_OK(uv_udp_set_membership(&receiver, group, "127.0.0.1", UV_JOIN_GROUP));
  if (send_to(group) < 0) SKIP("no multicast on the loopback interface");
  expect(1);
  ASSERT_EQ(send_to(group), 4);
  expect(2);
  ASSERT_OK(uv_udp_set_membership(&receiver, group, "127.0.0.1", UV_LEAVE_GROUP));
  ASSERT_EQ(send_to(group), 4);
  expect(2);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(members_of_a_source_receive_from_it_only) {
  const char* lo = "127.0.0.1";
  start(AF_INET);
  ASSERT_OK(uv_udp_set_source_membership(&receiver, group, lo, "127.0.0.9", UV_JOIN_GROUP));
  if (send_to(group) < 0) SKIP("no multicast on the loopback interface");
  expect(0);
  ASSERT_OK(uv_udp_set_source_membership(&receiver, group, lo, "127.0.0.9", UV_LEAVE_GROUP));
  ASSERT_OK(uv_udp_set_source_membership(&receiver, group, lo, lo, UV_JOIN_GROUP));
  ASSERT_EQ(send_to(group), 4);
  expect(1);
  ASSERT_OK(uv_udp_set_source_membership(&receiver, group, lo, lo, UV_LEAVE_GROUP));
  ASSERT_EQ(send_to(group), 4);
  expect(1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Whether the loopback interface is a member of group6; it may not carry multicast itself. */
static int lo_is_member(void) {
  char line[256];
  int found = 0;
  FILE* list = fopen("/proc/net/igmp6", "r");
  if (list == NULL) SKIP("no list of IPv6 multicast groups");
  while (fgets(line, sizeof(line), list) != NULL)
    if (strstr(line, " lo ") != NULL && strstr(line, group6_hex) != NULL)
      found = 1;
  fclose(list);
  return found;
}

TEST_IMPL(groups_are_joined_by_ipv6) {
  start(AF_INET6);
  ASSERT_EQ(uv_udp_set_membership(&receiver, group6, "127.0.0.1", UV_JOIN_GROUP), UV_EINVAL);
  ASSERT_OK(uv_udp_set_membership(&receiver, group6, "::1%lo", UV_JOIN_GROUP));
  ASSERT(lo_is_member());
  ASSERT_OK(uv_udp_set_membership(&receiver, group6, "::1%lo", UV_LEAVE_GROUP));
  ASSERT(!lo_is_member());
  ASSERT_OK(uv_udp_set_source_membership(&receiver, group6, "::1%lo", "::1", UV_JOIN_GROUP));
  ASSERT(lo_is_member());
  ASSERT_OK(uv_udp_set_source_membership(&receiver, group6, "::1%lo", "::1", UV_LEAVE_GROUP));
  ASSERT(!lo_is_member());
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(several_members_share_a_port) {
  struct sockaddr_storage name;
  uv_udp_t second;
  int length = sizeof(name);
  struct sockaddr_in any;
  memset(&any, 0, sizeof(any));
  any.sin_family = AF_INET;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &receiver));
  ASSERT_OK(uv_udp_bind(&receiver, (struct sockaddr*) &any, UV_UDP_REUSEADDR));
  ASSERT_OK(uv_udp_getsockname(&receiver, (struct sockaddr*) &name, &length));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &second));
  ASSERT_OK(uv_udp_bind(&second, (struct sockaddr*) &name, UV_UDP_REUSEADDR));
  ASSERT_OK(uv_udp_set_membership(&receiver, group, "127.0.0.1", UV_JOIN_GROUP));
  ASSERT_OK(uv_udp_set_membership(&second, group, "127.0.0.1", UV_JOIN_GROUP));
  ASSERT_OK(uv_udp_recv_start(&receiver, alloc_static, on_receive));
  ASSERT_OK(uv_udp_recv_start(&second, alloc_static, on_receive));
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &sender, AF_INET));
  ASSERT_OK(uv_udp_set_multicast_interface(&sender, "127.0.0.1"));
  if (send_to(group) < 0) SKIP("no multicast on the loopback interface");
  expect(2);
  MAKE_SURE_NOTHING_LEAKED();
}
