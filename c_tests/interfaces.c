/* https://docs.libuv.org/en/v1.x/misc.html#c.uv_interface_addresses */
#include "task.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

static uv_interface_address_t* list;
static int count;

/* A network of our own, with a device that goes nowhere. */
static void make_device(void) {
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
    SKIP("no network namespaces");
  if (system("(ip link add d0 type dummy || ip link add d0 type ifb) 2>/dev/null"
             " && ip link set d0 up") != 0)
    SKIP("no device can be made");
}

static void hardware_address(char* address) {
  struct ifreq request = {.ifr_name = "d0"};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_OK(ioctl(fd, SIOCGIFHWADDR, &request));
  close(fd);
  memcpy(address, request.ifr_hwaddr.sa_data, 6);
}

static uv_interface_address_t* find(const char* name, int family, const char* address) {
  char text[INET6_ADDRSTRLEN];
  int i;

  for (i = 0; i < count; i++) {
    struct sockaddr* found = (struct sockaddr*) &list[i].address;
    ASSERT_OK(uv_ip_name(found, text, sizeof(text)));
    if (strcmp(list[i].name, name) == 0 && found->sa_family == family && !strcmp(text, address))
      return &list[i];
  }
  return NULL;
}

TEST_IMPL(the_loopback_interface_is_listed_when_it_is_up) {
  make_device();
  ASSERT_OK(uv_interface_addresses(&list, &count));
  ASSERT_NULL(find("lo", AF_INET, "127.0.0.1"));
  uv_free_interface_addresses(list, count);
  ASSERT_OK(system("ip link set lo up"));
  ASSERT_OK(uv_interface_addresses(&list, &count));
  ASSERT_EQ(find("lo", AF_INET, "127.0.0.1")->is_internal, 1);
  ASSERT_EQ(find("lo", AF_INET6, "::1")->is_internal, 1);
  uv_free_interface_addresses(list, count);
}

TEST_IMPL(no_interface_is_an_empty_list) {
  make_device();
  ASSERT_OK(system("ip link del d0"));
  list = (uv_interface_address_t*) &count;
  count = 77;
  ASSERT_OK(uv_interface_addresses(&list, &count));
  ASSERT_EQ(count, 0);
  uv_free_interface_addresses(list, count);
}

TEST_IMPL(each_address_of_an_interface_is_listed) {
  uv_interface_address_t* found;
  char text[INET6_ADDRSTRLEN];
  char mac[6];

  make_device();
  hardware_address(mac);
  ASSERT_OK(system("ip addr add 10.1.2.3/24 dev d0"));
  ASSERT_OK(system("ip addr add 10.9.9.9/8 dev d0 label d0:alias"));
  ASSERT_OK(uv_interface_addresses(&list, &count));
  found = find("d0", AF_INET, "10.1.2.3");
  ASSERT_NOT_NULL(found);
  ASSERT_EQ(found->is_internal, 0);
  ASSERT_OK(uv_ip4_name(&found->netmask.netmask4, text, sizeof(text)));
  ASSERT_STR_EQ(text, "255.255.255.0");
  ASSERT_MEM_EQ(found->phys_addr, mac, 6);
  /* A label is no interface of its own: it has the hardware address of the one it is on. */
  found = find("d0:alias", AF_INET, "10.9.9.9");
  ASSERT_NOT_NULL(found);
  ASSERT_MEM_EQ(found->phys_addr, mac, 6);
  uv_free_interface_addresses(list, count);
}

TEST_IMPL(link_local_addresses_have_the_scope_of_their_interface) {
  uv_interface_address_t* found;
  unsigned index;

  make_device();
  if (system("ip addr add fe80::1234/64 dev d0 nodad 2>/dev/null") != 0) SKIP("no IPv6");
  index = if_nametoindex("d0");
  ASSERT_OK(uv_interface_addresses(&list, &count));
  found = find("d0", AF_INET6, "fe80::1234");
  ASSERT_NOT_NULL(found);
  ASSERT_EQ(found->address.address6.sin6_scope_id, index);
  ASSERT_EQ(found->netmask.netmask6.sin6_family, AF_INET6);
  uv_free_interface_addresses(list, count);
}
