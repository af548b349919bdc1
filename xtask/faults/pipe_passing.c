/* A listening socket and a pipe's end travel over a pipe, with data, and work at the other end. */
#include "program.h"

static uv_pipe_t sender, receiver;
static uv_tcp_t passed_tcp, got_tcp;
static uv_pipe_t passed_pipe, got_pipe;
static uv_write_t writes[2];
static int handles;
static int bytes;

static void on_connection(uv_stream_t* listener, int status) {
  (void) listener;
  notes(status, "uv_connection_cb");
}

static void on_written(uv_write_t* request, int status) {
  ended(request);
  fails(status, "uv_write2_cb");
}

static void take_tcp(void) {
  struct sockaddr_in address;
  int size = sizeof(address);
  MUST(uv_tcp_init(&loop, &got_tcp));
  MUST(uv_accept((uv_stream_t*) &receiver, (uv_stream_t*) &got_tcp));
  if (notes(uv_tcp_getsockname(&got_tcp, (struct sockaddr*) &address, &size), "uv_tcp_getsockname"))
    return;
  EXPECT(address.sin_port != 0, "another socket came");
}

static void take_pipe(void) {
  MUST(uv_pipe_init(&loop, &got_pipe, 0));
  MUST(uv_accept((uv_stream_t*) &receiver, (uv_stream_t*) &got_pipe));
}

static void take_handles(void) {
  while (!is_ending() && uv_pipe_pending_count(&receiver) > 0) {
    uv_handle_type type = uv_pipe_pending_type(&receiver);
    if (fails(type == UV_UNKNOWN_HANDLE ? UV_EINVAL : 0, "uv_pipe_pending_type")) return;
    EXPECT_UNLESS_TOLD(type == (handles == 0 ? UV_TCP : UV_NAMED_PIPE), "handle %d is of type %d",
                       handles, type);
    handles++;
    if (type == UV_TCP)
      take_tcp();
    else
      take_pipe();
  }
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) stream;
  if (size == 0) return;
  MUST(size);
  check(buf->base, (size_t) bytes, (size_t) size, "receiver");
  bytes += (int) size;
  take_handles();
  /* The library reports later that a handle was lost on the way. */
  if (bytes == 20 && handles == 2) finish();
}

static void open_end(uv_pipe_t* pipe, int is_ipc, int fd) {
  int code = uv_pipe_init(&loop, pipe, is_ipc);
  if (code == 0) code = uv_pipe_open(pipe, fd);
  if (code == 0) return;
  own_close(fd);
  fails(code, "uv_pipe_open");
}

static void make_ends(void) {
  uv_os_sock_t sockets[2];
  int extra[2];
  MUST(uv_socketpair(SOCK_STREAM, 0, sockets, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  own_move_up(&sockets[0]);
  own_move_up(&sockets[1]);
  own_socketpair(extra);
  own_close(extra[1]);
  open_end(&sender, 1, sockets[0]);
  open_end(&receiver, 1, sockets[1]);
  open_end(&passed_pipe, 0, extra[0]);
}

void program(void) {
  static char data[20];
  struct sockaddr_in address;
  uv_buf_t buf;
  fill(data, 0, sizeof(data));
  make_ends();
  if (is_ending()) return;
  uv_ip4_addr("127.0.0.1", 0, &address);
  MUST(uv_tcp_init(&loop, &passed_tcp));
  MUST(uv_tcp_bind(&passed_tcp, (struct sockaddr*) &address, 0));
  MUST(uv_listen((uv_stream_t*) &passed_tcp, 3, on_connection));
  MUST(uv_read_start((uv_stream_t*) &receiver, give_buffer, on_read));
  buf = uv_buf_init(data, 10);
  BEGIN(&writes[0], uv_write2(&writes[0], (uv_stream_t*) &sender, &buf, 1,
                              (uv_stream_t*) &passed_tcp, on_written));
  buf = uv_buf_init(data + 10, 10);
  BEGIN(&writes[1], uv_write2(&writes[1], (uv_stream_t*) &sender, &buf, 1,
                              (uv_stream_t*) &passed_pipe, on_written));
}
