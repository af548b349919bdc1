/* Addresses as text: https://docs.libuv.org/en/v1.x/misc.html#c.uv_ip4_addr */
#include "task.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

static const char* const good4[] = {"0.0.0.0", "127.0.0.1", "255.255.255.255", "1.20.3.40"};
static const char* const bad4[] = {"",        "1",        "1.2.3",     "1.2.3.",   "1.2.3.4.5",
                                   "1..2.3",  "256.0.0.1", "1.2.3.400", "0x1.2.3.4", "1.2.3.4 ",
                                   " 1.2.3.4", "::1",       "localhost", "1.2.3.4%lo"};
static const char* const good6[] = {"::",        "::1",  "fe80::1", "1:2:3:4:5:6:7:8",
                                    "2001:db8::", "::ffff:1.2.3.4"};
static const char* const bad6[] = {"",        ":",         ":::",   "1::2::3", "1:2:3:4:5:6:7",
                                   "12345::", "1:2:3:4:5:6:7:8:9", "::g", "::1.2.3", "127.0.0.1",
                                   "::1 ",    "[::1]"};

TEST_IMPL(ipv4_addresses_go_both_ways) {
  struct sockaddr_in addr;
  char text[INET_ADDRSTRLEN];
  int i;

  for (i = 0; i < LENGTH(good4); i++) {
    memset(&addr, 0xff, sizeof(addr));
    ASSERT_OK(uv_ip4_addr(good4[i], 8080, &addr));
    ASSERT_EQ(addr.sin_family, AF_INET);
    ASSERT_EQ(ntohs(addr.sin_port), 8080);
    ASSERT_OK(uv_ip4_name(&addr, text, sizeof(text)));
    ASSERT_STR_EQ(text, good4[i]);
    memset(text, 0, sizeof(text));
    ASSERT_OK(uv_ip_name((const struct sockaddr*) &addr, text, sizeof(text)));
    ASSERT_STR_EQ(text, good4[i]);
  }
  for (i = 0; i < LENGTH(bad4); i++)
    if (uv_ip4_addr(bad4[i], 1, &addr) != UV_EINVAL) FAIL("taken: \"%s\"", bad4[i]);
}

TEST_IMPL(ipv6_addresses_go_both_ways) {
  struct sockaddr_in6 addr;
  char text[INET6_ADDRSTRLEN];
  int i;

  for (i = 0; i < LENGTH(good6); i++) {
    memset(&addr, 0xff, sizeof(addr));
    ASSERT_OK(uv_ip6_addr(good6[i], 443, &addr));
    ASSERT_EQ(addr.sin6_family, AF_INET6);
    ASSERT_EQ(ntohs(addr.sin6_port), 443);
    ASSERT_EQ(addr.sin6_flowinfo, 0);
    ASSERT_EQ(addr.sin6_scope_id, 0);
    ASSERT_OK(uv_ip6_name(&addr, text, sizeof(text)));
    ASSERT_STR_EQ(text, good6[i]);
    memset(text, 0, sizeof(text));
    ASSERT_OK(uv_ip_name((const struct sockaddr*) &addr, text, sizeof(text)));
    ASSERT_STR_EQ(text, good6[i]);
  }
  for (i = 0; i < LENGTH(bad6); i++)
    if (uv_ip6_addr(bad6[i], 1, &addr) != UV_EINVAL) FAIL("taken: \"%s\"", bad6[i]);
}

/* A zone becomes the scope, and is no part of the address. */
TEST_IMPL(a_zone_is_the_interfaces_number) {
  struct sockaddr_in6 plain;
  struct sockaddr_in6 zoned;
  char name[IF_NAMESIZE];
  char text[64];
  unsigned int index;

  index = if_nametoindex("lo");
  if (index == 0) SKIP("no loopback interface");
  ASSERT_OK(uv_ip6_addr("fe80::1", 1, &plain));
  ASSERT_OK(uv_ip6_addr("fe80::1%lo", 1, &zoned));
  ASSERT_EQ(zoned.sin6_scope_id, index);
  ASSERT_MEM_EQ(&zoned.sin6_addr, &plain.sin6_addr, sizeof(plain.sin6_addr));
  ASSERT_OK(uv_ip6_addr("fe80::1%no-such-interface", 1, &zoned));
  ASSERT_EQ(zoned.sin6_scope_id, 0);
  /* The text has no zone. */
  ASSERT_OK(uv_ip6_addr("fe80::1%lo", 1, &zoned));
  ASSERT_OK(uv_ip6_name(&zoned, text, sizeof(text)));
  ASSERT_STR_EQ(text, "fe80::1");
  ASSERT_NOT_NULL(if_indextoname(index, name));
  ASSERT_STR_EQ(name, "lo");
}

TEST_IMPL(a_zone_may_be_a_number) {
  struct sockaddr_in6 addr;

  OXUV_ONLY();
  ASSERT_OK(uv_ip6_addr("fe80::1%17", 1, &addr));
  ASSERT_EQ(addr.sin6_scope_id, 17);
}

TEST_IMPL(text_that_does_not_fit_is_an_error) {
  struct sockaddr_in addr4;
  struct sockaddr_in6 addr6;
  struct sockaddr other;
  char text[64];

  ASSERT_OK(uv_ip4_addr("10.20.30.40", 1, &addr4));
  ASSERT_OK(uv_ip6_addr("2001:db8::1", 1, &addr6));
  memset(text, '#', sizeof(text));
  ASSERT_EQ(uv_ip4_name(&addr4, text, 11), UV_ENOSPC);
  ASSERT_EQ(uv_ip6_name(&addr6, text, 11), UV_ENOSPC);
  ASSERT_EQ(text[11], '#');
  ASSERT_OK(uv_ip4_name(&addr4, text, 12));
  ASSERT_EQ(text[12], '#');
  ASSERT_OK(uv_ip6_name(&addr6, text, 12));
  ASSERT_EQ(text[12], '#');
  ASSERT_EQ(uv_ip4_name(&addr4, text, 0), UV_ENOSPC);
  memset(&other, 0, sizeof(other));
  other.sa_family = AF_UNIX;
  ASSERT_EQ(uv_ip_name(&other, text, sizeof(text)), UV_EAFNOSUPPORT);
}

TEST_IMPL(binary_addresses_go_both_ways) {
  unsigned char binary[16];
  unsigned char untouched[16];
  char text[64];
  int i;

  for (i = 0; i < LENGTH(good4); i++) {
    ASSERT_OK(uv_inet_pton(AF_INET, good4[i], binary));
    ASSERT_OK(uv_inet_ntop(AF_INET, binary, text, sizeof(text)));
    ASSERT_STR_EQ(text, good4[i]);
  }
  for (i = 0; i < LENGTH(good6); i++) {
    ASSERT_OK(uv_inet_pton(AF_INET6, good6[i], binary));
    ASSERT_OK(uv_inet_ntop(AF_INET6, binary, text, sizeof(text)));
    ASSERT_STR_EQ(text, good6[i]);
  }
  /* After an error, the target is as it was. */
  memset(binary, 0x55, sizeof(binary));
  memset(untouched, 0x55, sizeof(untouched));
  for (i = 0; i < LENGTH(bad4); i++)
    ASSERT_EQ(uv_inet_pton(AF_INET, bad4[i], binary), UV_EINVAL);
  for (i = 0; i < LENGTH(bad6); i++)
    ASSERT_EQ(uv_inet_pton(AF_INET6, bad6[i], binary), UV_EINVAL);
  ASSERT_EQ(uv_inet_pton(AF_UNIX, "1.2.3.4", binary), UV_EAFNOSUPPORT);
  ASSERT_MEM_EQ(binary, untouched, sizeof(binary));
}

TEST_IMPL(binary_addresses_have_no_zone) {
  unsigned char with[16];
  unsigned char without[16];

  ASSERT_OK(uv_inet_pton(AF_INET6, "fe80::1%eth0", with));
  ASSERT_OK(uv_inet_pton(AF_INET6, "fe80::1", without));
  ASSERT_MEM_EQ(with, without, sizeof(with));
}

TEST_IMPL(conversions_check_their_arguments) {
  unsigned char binary[16];
  char text[8];

  ASSERT_EQ(uv_inet_pton(AF_INET, NULL, binary), UV_EINVAL);
  ASSERT_EQ(uv_inet_pton(AF_INET, "1.2.3.4", NULL), UV_EINVAL);
  memset(binary, 1, sizeof(binary));
  memset(text, '#', sizeof(text));
  ASSERT_EQ(uv_inet_ntop(AF_UNIX, binary, text, sizeof(text)), UV_EAFNOSUPPORT);
  ASSERT_EQ(uv_inet_ntop(AF_INET, binary, text, 7), UV_ENOSPC);
  ASSERT_EQ(text[7], '#');
  ASSERT_OK(uv_inet_ntop(AF_INET, binary, text, 8));
  ASSERT_STR_EQ(text, "1.1.1.1");
}

/* What is longer than any address does not get past the buffers of the library. */
TEST_IMPL(very_long_texts_are_refused) {
  static char text[100000];
  struct sockaddr_in addr4;
  struct sockaddr_in6 addr6;

  memset(text, '1', sizeof(text) - 1);
  ASSERT_EQ(uv_ip4_addr(text, 1, &addr4), UV_EINVAL);
  ASSERT_EQ(uv_ip6_addr(text, 1, &addr6), UV_EINVAL);
  memcpy(text, "fe80::1%", 8);
  ASSERT_OK(uv_ip6_addr(text, 1, &addr6));
  ASSERT_EQ(addr6.sin6_scope_id, 0);
}
