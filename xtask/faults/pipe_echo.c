/* Unix domain sockets: bind, connect, accept, write, read, shut down. */
#include "echo.h"

static int make_stream(union stream* handle) {
  return uv_pipe_init(&loop, &handle->pipe, 0);
}

static void set_up(union stream* handle) {
  char name[200];
  size_t size = sizeof(name);
  notes(uv_pipe_getsockname(&handle->pipe, name, &size), "uv_pipe_getsockname");
}

void program(void) {
  int i;
  fill(sent, 0, total);
  MUST(make_stream(&server));
  MUST(uv_pipe_bind(&server.pipe, "socket"));
  notes(uv_pipe_chmod(&server.pipe, UV_READABLE | UV_WRITABLE), "uv_pipe_chmod");
  MUST(uv_listen(&server.stream, 10, on_connection));
  for (i = 0; i < clients; i++) {
    MUST(make_stream(&client[i].handle));
    BEGIN(&client[i].connect, uv_pipe_connect2(&client[i].connect, &client[i].handle.pipe, "socket",
                                               6, 0, on_connect));
  }
}
