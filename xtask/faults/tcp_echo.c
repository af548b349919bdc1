/* TCP: connect, accept, write, read, shut down, on loopback. */
#include "echo.h"

static int make_stream(union stream* handle) {
  return uv_tcp_init(&loop, &handle->tcp);
}

static void set_up(union stream* handle) {
  notes(uv_tcp_nodelay(&handle->tcp, 1), "uv_tcp_nodelay");
  notes(uv_tcp_keepalive(&handle->tcp, 1, 60), "uv_tcp_keepalive");
}

void program(void) {
  struct sockaddr_in address;
  int size = sizeof(address);
  int i;
  fill(sent, 0, total);
  uv_ip4_addr("127.0.0.1", 0, &address);
  MUST(make_stream(&server));
  MUST(uv_tcp_bind(&server.tcp, (struct sockaddr*) &address, 0));
  MUST(uv_listen(&server.stream, 10, on_connection));
  MUST(uv_tcp_getsockname(&server.tcp, (struct sockaddr*) &address, &size));
  for (i = 0; i < clients; i++) {
    MUST(make_stream(&client[i].handle));
    BEGIN(&client[i].connect,
          uv_tcp_connect(&client[i].connect, &client[i].handle.tcp, (struct sockaddr*) &address,
                         on_connect));
  }
}
