/* An echo server.
 *
 *   echo_server tcp            on a free port of 127.0.0.1, which it prints
 *   echo_server unix PATH      on a Unix domain socket
 *
 * It ends at SIGTERM or SIGINT, or when its standard input does. */
#include "common.h"

struct write {
  uv_write_t request;
  uv_buf_t buf;
};

static uv_tcp_t tcp_server;
static uv_pipe_t unix_server;
static uv_pipe_t input;

static void on_written(uv_write_t* request, int status) {
  struct write* write = (struct write*) request;
  if (status < 0 && status != UV_ECANCELED)
    fprintf(stderr, "write: %s\n", uv_strerror(status));
  free(write->buf.base);
  free(write);
}

static void on_shutdown(uv_shutdown_t* request, int status) {
  (void) status;
  uv_close((uv_handle_t*) request->handle, free_handle);
  free(request);
}

static void on_read(uv_stream_t* client, ssize_t count, const uv_buf_t* buf) {
  struct write* write;
  uv_shutdown_t* shutdown;

  if (count > 0) {
    write = malloc(sizeof(*write));
    write->buf = uv_buf_init(buf->base, (unsigned int) count);
    check(uv_write(&write->request, client, &write->buf, 1, on_written), "write");
    return;
  }
  free(buf->base);
  if (count == 0) return;
  /* What is still to be written goes out before the end; after an error there is no reader. */
  shutdown = malloc(sizeof(*shutdown));
  if (count != UV_EOF || uv_shutdown(shutdown, client, on_shutdown) != 0) {
    free(shutdown);
    uv_close((uv_handle_t*) client, free_handle);
  }
}

static void on_connection(uv_stream_t* server, int status) {
  uv_stream_t* client;

  if (status < 0) {
    fprintf(stderr, "connection: %s\n", uv_strerror(status));
    return;
  }
  if (server->type == UV_TCP) {
    client = malloc(sizeof(uv_tcp_t));
    check(uv_tcp_init(server->loop, (uv_tcp_t*) client), "init");
  } else {
    client = malloc(sizeof(uv_pipe_t));
    check(uv_pipe_init(server->loop, (uv_pipe_t*) client, 0), "init");
  }
  check(uv_accept(server, client), "accept");
  check(uv_read_start(client, allocate, on_read), "read");
}

static void on_end_of_input(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  free(buf->base);
  if (count < 0) uv_stop(stream->loop);
}

static void listen_on_tcp(uv_loop_t* loop) {
  struct sockaddr_in address;
  struct sockaddr_storage bound;
  char where[64];
  int length = sizeof(bound);

  check(uv_ip4_addr("127.0.0.1", 0, &address), "address");
  check(uv_tcp_init(loop, &tcp_server), "init");
  check(uv_tcp_bind(&tcp_server, (const struct sockaddr*) &address, 0), "bind");
  check(uv_listen((uv_stream_t*) &tcp_server, 1024, on_connection), "listen");
  check(uv_tcp_getsockname(&tcp_server, (struct sockaddr*) &bound, &length), "name");
  snprintf(where, sizeof(where), "%d", ntohs(((struct sockaddr_in*) &bound)->sin_port));
  announce(where);
}

static void listen_on_unix(uv_loop_t* loop, const char* path) {
  check(uv_pipe_init(loop, &unix_server, 0), "init");
  check(uv_pipe_bind(&unix_server, path), "bind");
  check(uv_listen((uv_stream_t*) &unix_server, 1024, on_connection), "listen");
  announce(path);
}

int main(int argc, char** argv) {
  uv_loop_t* loop = uv_default_loop();

  if (argc == 2 && strcmp(argv[1], "tcp") == 0) {
    listen_on_tcp(loop);
  } else if (argc == 3 && strcmp(argv[1], "unix") == 0) {
    listen_on_unix(loop, argv[2]);
  } else {
    fprintf(stderr, "usage: %s tcp | unix PATH\n", argv[0]);
    return 2;
  }
  check(uv_pipe_init(loop, &input, 0), "init");
  check(uv_pipe_open(&input, 0), "standard input");
  check(uv_read_start((uv_stream_t*) &input, allocate, on_end_of_input), "read");
  return uv_run(loop, UV_RUN_DEFAULT) < 0;
}
