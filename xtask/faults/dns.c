/* Names and addresses of this machine only. */
#include "program.h"

enum { names = 3 };

static uv_getaddrinfo_t lookups[names];
static uv_getnameinfo_t name_lookup;
static int left;

static void one_end(void) {
  if (--left == 0) finish();
}

static void on_addresses(uv_getaddrinfo_t* request, int status, struct addrinfo* found) {
  ended(request);
  if (notes(status, "uv_getaddrinfo_cb"))
    EXPECT(found == NULL, "a failure has addresses");
  else
    EXPECT(found != NULL, "a success has no address");
  uv_freeaddrinfo(found);
  one_end();
}

static void on_name(uv_getnameinfo_t* request, int status, const char* host, const char* service) {
  ended(request);
  if (!notes(status, "uv_getnameinfo_cb"))
    EXPECT(host != NULL && service != NULL, "a success has no name");
  one_end();
}

void program(void) {
  const char* asked[names] = {"127.0.0.1", "localhost", "::1"};
  struct sockaddr_in address;
  uv_getaddrinfo_t direct;
  int i;
  uv_ip4_addr("127.0.0.1", 80, &address);
  left = names + 1;
  for (i = 0; i < names; i++) {
    if (notes(uv_getaddrinfo(&loop, &lookups[i], on_addresses, asked[i], "80", NULL), "uv_getaddrinfo"))
      one_end();
    else
      begun(&lookups[i], "uv_getaddrinfo");
  }
  if (notes(uv_getnameinfo(&loop, &name_lookup, on_name, (struct sockaddr*) &address, NI_NUMERICHOST),
            "uv_getnameinfo"))
    one_end();
  else
    begun(&name_lookup, "uv_getnameinfo");
  memset(&direct, 0, sizeof(direct));
  if (!notes(uv_getaddrinfo(&loop, &direct, NULL, "localhost", NULL, NULL), "uv_getaddrinfo"))
    uv_freeaddrinfo(direct.addrinfo);
}
