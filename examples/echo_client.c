/* A client of the echo server: sends a file over several connections and checks what comes back.
 *
 *   echo_client tcp PORT FILE CONNECTIONS
 *   echo_client unix PATH FILE CONNECTIONS */
#include "common.h"

struct connection {
  union {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle;
  uv_connect_t connect;
  uv_write_t write;
  uv_shutdown_t shutdown;
  size_t received;
};

static char* data;
static size_t data_size;
static size_t echoed;
static int finished;

static void read_file(const char* path) {
  FILE* file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    perror(path);
    exit(1);
  }
  data_size = (size_t) ftell(file);
  rewind(file);
  data = malloc(data_size + 1);
  if (fread(data, 1, data_size, file) != data_size) exit(1);
  fclose(file);
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  struct connection* connection = stream->data;

  if (count > 0) {
    if (connection->received + (size_t) count > data_size ||
        memcmp(data + connection->received, buf->base, (size_t) count) != 0) {
      fprintf(stderr, "the echo differs\n");
      exit(1);
    }
    connection->received += (size_t) count;
    echoed += (size_t) count;
  }
  free(buf->base);
  if (count >= 0) return;
  if (count != UV_EOF || connection->received != data_size) {
    fprintf(stderr, "ended early: %s\n", uv_strerror((int) count));
    exit(1);
  }
  finished++;
  uv_close((uv_handle_t*) stream, NULL);
}

static void on_shutdown(uv_shutdown_t* request, int status) {
  (void) request;
  check(status, "shutdown");
}

static void on_written(uv_write_t* request, int status) {
  (void) request;
  check(status, "write");
}

static void on_connected(uv_connect_t* request, int status) {
  struct connection* connection = request->handle->data;
  uv_buf_t buf = uv_buf_init(data, (unsigned int) data_size);

  check(status, "connect");
  check(uv_read_start(request->handle, allocate, on_read), "read");
  check(uv_write(&connection->write, request->handle, &buf, 1, on_written), "write");
  check(uv_shutdown(&connection->shutdown, request->handle, on_shutdown), "shutdown");
}

static void connect_one(uv_loop_t* loop, const char* kind, const char* where) {
  struct connection* connection = calloc(1, sizeof(*connection));
  struct sockaddr_in address;

  if (strcmp(kind, "tcp") == 0) {
    check(uv_ip4_addr("127.0.0.1", atoi(where), &address), "address");
    check(uv_tcp_init(loop, &connection->handle.tcp), "init");
    check(uv_tcp_connect(&connection->connect, &connection->handle.tcp,
                         (const struct sockaddr*) &address, on_connected),
          "connect");
  } else {
    check(uv_pipe_init(loop, &connection->handle.pipe, 0), "init");
    uv_pipe_connect(&connection->connect, &connection->handle.pipe, where, on_connected);
  }
  connection->handle.stream.data = connection;
}

int main(int argc, char** argv) {
  int connections;
  int i;

  if (argc != 5) {
    fprintf(stderr, "usage: %s tcp|unix PORT|PATH FILE CONNECTIONS\n", argv[0]);
    return 2;
  }
  read_file(argv[3]);
  connections = atoi(argv[4]);
  for (i = 0; i < connections; i++) connect_one(uv_default_loop(), argv[1], argv[2]);
  check(uv_run(uv_default_loop(), UV_RUN_DEFAULT), "run");
  printf("%d connections, %zu bytes echoed\n", finished, echoed);
  return finished != connections;
}
