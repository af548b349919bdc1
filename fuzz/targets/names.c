/* Host names on their way to the resolver: converted, refused, never cut. Only numeric hosts are
 * looked up, so that no server is asked. */
#include "fuzz.h"

#include <netdb.h>

static int look_up(uv_loop_t* loop, __typeof__(&uv_getaddrinfo) function, const char* host,
                   char* address) {
  struct addrinfo hints;
  uv_getaddrinfo_t request;
  int error;
  memset(&hints, 0, sizeof hints);
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  memset(address, 0, 128);
  error = function(loop, &request, NULL, host, "80", &hints);
  if (error == 0) {
    PROMISE(request.addrinfo != NULL);
    memcpy(address, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
  }
  return error;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static uv_loop_t ours, theirs;
  static int is_ready;
  char* host = string_of(data, size);
  char our_address[128], their_address[128];
  int error;
  if (!is_ready) {
    PROMISE(uv_loop_init(&ours) == 0);
    PROMISE(LIBUV(uv_loop_init)(&theirs) == 0);
    is_ready = 1;
  }
  error = look_up(&ours, uv_getaddrinfo, host, our_address);
  /* libuv drops a character that is cut short at the end. */
  if (error != UV_EINVAL || uv_wtf8_length_as_utf16(host) >= 0) {
    PROMISE(error == look_up(&theirs, LIBUV(uv_getaddrinfo), host, their_address));
    PROMISE(memcmp(our_address, their_address, sizeof our_address) == 0);
  }
  PROMISE(!is_mutated(data, size));
  free(host);
  return 0;
}
