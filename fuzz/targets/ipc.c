/* A peer that sends data and descriptors in any pieces, and reads or not: nothing is lost, doubled or
 * left open.
 *
 * Each byte of the input is a step of the peer: how much data, with how many descriptors; or a step
 * of the reader: accepting, stopping, starting.
 */
#include "fuzz.h"
#include "../descriptors.h"

#include <sys/socket.h>
#include <unistd.h>

enum { MOST_FDS = 8 };

static size_t sent, received;
static char memory[512];

static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  (void) handle, (void) suggested;
  *buffer = uv_buf_init(memory, 1 + (received * 7) % sizeof memory);
}

static void on_closed(uv_handle_t* handle) {
  free(handle);
}

static void accept_one(uv_pipe_t* pipe) {
  uv_handle_type type = uv_pipe_pending_type(pipe);
  union uv_any_handle* handle;
  if (uv_pipe_pending_count(pipe) == 0) return;
  handle = malloc(sizeof *handle);
  PROMISE(handle != NULL);
  switch (type) {
    case UV_TCP: PROMISE(uv_tcp_init(pipe->loop, &handle->tcp) == 0); break;
    case UV_UDP: PROMISE(uv_udp_init(pipe->loop, &handle->udp) == 0); break;
    default: PROMISE(uv_pipe_init(pipe->loop, &handle->pipe, 0) == 0);
  }
  (void) uv_accept((uv_stream_t*) pipe, (uv_stream_t*) handle);
  uv_close((uv_handle_t*) handle, on_closed);
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  ssize_t i;
  for (i = 0; i < count; i++) PROMISE(buffer->base[i] == (char) (received + i));
  if (count > 0) received += count;
  PROMISE(received <= sent);
  if (count > 0 && received % 3 == 0) accept_one((uv_pipe_t*) stream);
}

/* Sends `length` bytes with `count` descriptors of three kinds. */
static void send_some(int fd, size_t length, int count) {
  char data[256], control[CMSG_SPACE(MOST_FDS * sizeof(int))];
  struct iovec part = {data, length};
  struct msghdr message = {0};
  int fds[MOST_FDS];
  ssize_t result;
  size_t i;
  int n;
  for (i = 0; i < length; i++) data[i] = (char) (sent + i);
  for (n = 0; n < count; n++)
    fds[n] = n % 3 == 0 ? socket(AF_INET, SOCK_STREAM, 0)
                        : n % 3 == 1 ? socket(AF_INET, SOCK_DGRAM, 0) : socket(AF_UNIX, SOCK_STREAM, 0);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > 0) {
    struct cmsghdr* header = (struct cmsghdr*) control;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  result = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (result > 0) sent += result;
  for (n = 0; n < count; n++) close(fds[n]);
}

static void step(uv_pipe_t* pipe, int fd, uint8_t what) {
  switch (what % 8) {
    case 0: accept_one(pipe); break;
    case 1: uv_read_stop((uv_stream_t*) pipe); break;
    case 2: (void) uv_read_start((uv_stream_t*) pipe, on_alloc, on_read); break;
    case 3: uv_run(pipe->loop, UV_RUN_NOWAIT); break;
    default: send_some(fd, 1 + what / 4, what % MOST_FDS - 4);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uv_loop_t loop;
  uv_pipe_t pipe;
  uv_os_sock_t fds[2];
  int before;
  size_t i;
  if (size > 200) return 0;
  PROMISE(uv_loop_init(&loop) == 0);
  before = count_descriptors();
  sent = received = 0;
  PROMISE(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, 0) == 0);
  PROMISE(uv_pipe_init(&loop, &pipe, 1) == 0 && uv_pipe_open(&pipe, fds[0]) == 0);
  PROMISE(uv_read_start((uv_stream_t*) &pipe, on_alloc, on_read) == 0);
  for (i = 0; i < size; i++) step(&pipe, fds[1], data[i]);
  close(fds[1]);
  uv_close((uv_handle_t*) &pipe, NULL);
  while (uv_run(&loop, UV_RUN_NOWAIT) != 0) continue;
  PROMISE(count_descriptors() == before);
  PROMISE(uv_loop_close(&loop) == 0);
  PROMISE(!is_mutated(data, size));
  return 0;
}
