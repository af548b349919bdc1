/* A static file server: HTTP/1.0, GET only, files below one folder. Every file is opened, queried,
 * read and closed on the thread pool, while the loop serves the others.
 *
 *   file_server FOLDER         on a free port of 127.0.0.1, which it prints
 *
 * It ends when its standard input does. */
#include "common.h"

#include <fcntl.h>

#define CHUNK 65536

struct exchange {
  uv_tcp_t client;
  uv_fs_t fs;
  uv_write_t write;
  char request[4096];
  size_t request_length;
  char head[256];
  char chunk[CHUNK];
  int64_t offset;
  uv_file file;
};

static const char* folder;
static uv_tcp_t server;
static uv_pipe_t input;

static void read_chunk(struct exchange* exchange);

static void finish(struct exchange* exchange) {
  if (exchange->file >= 0) {
    uv_fs_t close;
    uv_fs_close(exchange->client.loop, &close, exchange->file, NULL);
    uv_fs_req_cleanup(&close);
    exchange->file = -1;
  }
  uv_close((uv_handle_t*) &exchange->client, free_handle);
}

static void on_error_written(uv_write_t* request, int status) {
  (void) status;
  finish(request->data);
}

static void answer_error(struct exchange* exchange, const char* status) {
  uv_buf_t buf;
  int length = snprintf(exchange->head, sizeof(exchange->head),
                        "HTTP/1.0 %s\r\nContent-Length: 0\r\n\r\n", status);
  buf = uv_buf_init(exchange->head, (unsigned int) length);
  check(uv_write(&exchange->write, (uv_stream_t*) &exchange->client, &buf, 1, on_error_written),
        "write");
}

static void on_chunk_written(uv_write_t* request, int status) {
  if (status < 0)
    finish(request->data);
  else
    read_chunk(request->data);
}

static void on_chunk_read(uv_fs_t* fs) {
  struct exchange* exchange = fs->data;
  ssize_t count = fs->result;
  uv_buf_t buf;

  uv_fs_req_cleanup(fs);
  if (count <= 0) {
    finish(exchange);
    return;
  }
  exchange->offset += count;
  buf = uv_buf_init(exchange->chunk, (unsigned int) count);
  check(uv_write(&exchange->write, (uv_stream_t*) &exchange->client, &buf, 1, on_chunk_written),
        "write");
}

static void read_chunk(struct exchange* exchange) {
  uv_buf_t buf = uv_buf_init(exchange->chunk, sizeof(exchange->chunk));
  check(uv_fs_read(exchange->client.loop, &exchange->fs, exchange->file, &buf, 1,
                   exchange->offset, on_chunk_read),
        "read");
}

static void on_stat(uv_fs_t* fs) {
  struct exchange* exchange = fs->data;
  uint64_t size = fs->statbuf.st_size;
  ssize_t result = fs->result;
  uv_buf_t buf;
  int length;

  uv_fs_req_cleanup(fs);
  if (result < 0) {
    answer_error(exchange, "500 Internal Server Error");
    return;
  }
  length = snprintf(exchange->head, sizeof(exchange->head),
                    "HTTP/1.0 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long) size);
  buf = uv_buf_init(exchange->head, (unsigned int) length);
  check(uv_write(&exchange->write, (uv_stream_t*) &exchange->client, &buf, 1, on_chunk_written),
        "write");
}

static void on_open(uv_fs_t* fs) {
  struct exchange* exchange = fs->data;
  ssize_t result = fs->result;

  uv_fs_req_cleanup(fs);
  if (result < 0) {
    answer_error(exchange, "404 Not Found");
    return;
  }
  exchange->file = (uv_file) result;
  check(uv_fs_fstat(exchange->client.loop, &exchange->fs, exchange->file, on_stat), "fstat");
}

static void serve(struct exchange* exchange) {
  char name[1024];
  char path[2048];

  if (sscanf(exchange->request, "GET /%1023s HTTP/", name) != 1 || strstr(name, "..") != NULL) {
    answer_error(exchange, "400 Bad Request");
    return;
  }
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  check(uv_fs_open(exchange->client.loop, &exchange->fs, path, O_RDONLY, 0, on_open), "open");
}

static void allocate_request(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  struct exchange* exchange = handle->data;
  (void) suggested;
  buf->base = exchange->request + exchange->request_length;
  buf->len = sizeof(exchange->request) - 1 - exchange->request_length;
}

static void on_read(uv_stream_t* client, ssize_t count, const uv_buf_t* buf) {
  struct exchange* exchange = client->data;
  (void) buf;

  if (count < 0) {
    finish(exchange);
    return;
  }
  exchange->request_length += (size_t) count;
  exchange->request[exchange->request_length] = '\0';
  if (strstr(exchange->request, "\r\n\r\n") != NULL) {
    uv_read_stop(client);
    serve(exchange);
  }
}

static void on_connection(uv_stream_t* listener, int status) {
  struct exchange* exchange;

  check(status, "connection");
  exchange = calloc(1, sizeof(*exchange));
  exchange->file = -1;
  check(uv_tcp_init(listener->loop, &exchange->client), "init");
  exchange->client.data = exchange;
  exchange->fs.data = exchange;
  exchange->write.data = exchange;
  check(uv_accept(listener, (uv_stream_t*) &exchange->client), "accept");
  check(uv_read_start((uv_stream_t*) &exchange->client, allocate_request, on_read), "read");
}

static void on_end_of_input(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  free(buf->base);
  if (count < 0) uv_stop(stream->loop);
}

int main(int argc, char** argv) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address;
  char where[16];
  int length = sizeof(address);

  if (argc != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  folder = argv[1];
  check(uv_ip4_addr("127.0.0.1", 0, &address), "address");
  check(uv_tcp_init(loop, &server), "init");
  check(uv_tcp_bind(&server, (const struct sockaddr*) &address, 0), "bind");
  check(uv_listen((uv_stream_t*) &server, 128, on_connection), "listen");
  check(uv_tcp_getsockname(&server, (struct sockaddr*) &address, &length), "name");
  snprintf(where, sizeof(where), "%d", ntohs(address.sin_port));
  announce(where);
  check(uv_pipe_init(loop, &input, 0), "init");
  check(uv_pipe_open(&input, 0), "standard input");
  check(uv_read_start((uv_stream_t*) &input, allocate, on_end_of_input), "read");
  uv_run(loop, UV_RUN_DEFAULT);
  return 0;
}
