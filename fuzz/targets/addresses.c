/* Texts to addresses and back: what libuv answers, and within the buffers. */
#include "fuzz.h"

static void check_v4(const char* text) {
  struct sockaddr_in ours, theirs;
  char name[INET_ADDRSTRLEN];
  int error = uv_ip4_addr(text, 1, &ours);
  PROMISE(error == LIBUV(uv_ip4_addr)(text, 1, &theirs));
  if (error != 0) return;
  PROMISE(memcmp(&ours, &theirs, sizeof ours) == 0);
  PROMISE(uv_ip4_name(&ours, name, sizeof name) == 0);
  PROMISE(uv_ip4_addr(name, 1, &theirs) == 0);
  PROMISE(memcmp(&ours, &theirs, sizeof ours) == 0);
}

/* A zone that is a number is the scope here, and none in libuv. */
static int has_numeric_zone(const char* text) {
  const char* zone = strchr(text, '%');
  return zone != NULL && zone[1] != '\0' && strspn(zone + 1, "0123456789") == strlen(zone + 1);
}

static void check_v6(const char* text) {
  struct sockaddr_in6 ours, theirs;
  char name[INET6_ADDRSTRLEN];
  int error = uv_ip6_addr(text, 1, &ours);
  PROMISE(error == LIBUV(uv_ip6_addr)(text, 1, &theirs));
  if (error != 0) return;
  if (has_numeric_zone(text)) theirs.sin6_scope_id = ours.sin6_scope_id;
  PROMISE(memcmp(&ours, &theirs, sizeof ours) == 0);
  PROMISE(uv_ip6_name(&ours, name, sizeof name) == 0);
  PROMISE(uv_ip6_addr(name, 1, &theirs) == 0);
  PROMISE(memcmp(&ours.sin6_addr, &theirs.sin6_addr, sizeof ours.sin6_addr) == 0);
}

static void check_bytes(const uint8_t* data, size_t size) {
  static const int families[] = {AF_INET, AF_INET6};
  char ours[64], theirs[64];
  size_t room = size > 16 ? data[16] % sizeof ours : sizeof ours;
  int i;
  for (i = 0; i < 2; i++) {
    int error;
    if (size < 16) return;
    memset(ours, '#', sizeof ours);
    memset(theirs, '#', sizeof theirs);
    error = uv_inet_ntop(families[i], data, ours, room);
    PROMISE(error == LIBUV(uv_inet_ntop)(families[i], data, theirs, room));
    if (error == 0) PROMISE(strcmp(ours, theirs) == 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  unsigned char bytes[2][16];
  char* text = string_of(data, size);
  int family = size % 2 ? AF_INET : AF_INET6;
  int error = uv_inet_pton(family, text, bytes[0]);
  PROMISE(error == LIBUV(uv_inet_pton)(family, text, bytes[1]));
  if (error == 0) PROMISE(memcmp(bytes[0], bytes[1], family == AF_INET ? 4 : 16) == 0);
  check_v4(text);
  check_v6(text);
  check_bytes(data, size);
  PROMISE(!is_mutated(data, size));
  free(text);
  return 0;
}
