/* Handles with data: pairs of streams, datagram sockets that send to themselves, watched sockets.
 *
 * What a stream is given is one endless pattern; its peer checks that it gets the pattern without a
 * gap and not more of it than was given.
 */
#include "sequences.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char pattern(uint64_t position) {
  return (char) (position * 31 + position / 251);
}

static void fill(char* buffer, uint64_t position, size_t length) {
  size_t i;
  for (i = 0; i < length; i++) buffer[i] = pattern(position + i);
}

/* --- Streams -------------------------------------------------------------------------------- */

static int open_stream(struct slot* slot, enum kind kind, uv_os_sock_t fd) {
  int error = kind == TCP ? uv_tcp_init(&slot->world->loop, &slot->handle.tcp)
                          : uv_pipe_init(&slot->world->loop, &slot->handle.pipe, 0);
  PROMISE(error == 0);
  slot->kind = kind;
  error = kind == TCP ? uv_tcp_open(&slot->handle.tcp, fd) : uv_pipe_open(&slot->handle.pipe, fd);
  if (error != 0) {
    PROMISE(is_shortage(error));
    close(fd);
    close_slot(slot);
  }
  return error;
}

int make_stream_pair(struct world* world, struct slot* one, struct slot* other, enum kind kind) {
  uv_os_sock_t fds[2];
  int error = uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  int other_error;
  PROMISE(error == 0 || is_shortage(error));
  if (error != 0) return error;
  error = open_stream(one, kind, fds[0]);
  other_error = open_stream(other, kind, fds[1]);
  if (error != 0 || other_error != 0) return UV_EMFILE;
  one->peer = other;
  other->peer = one;
  trace(world, "pair", one, 0);
  return 0;
}

static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  struct slot* slot = (struct slot*) handle;
  PROMISE(suggested > 0);
  if (chance(slot->world, 3)) *buffer = uv_buf_init(NULL, 0);
  else *buffer = uv_buf_init(slot->buffer, 1 + pick(slot->world, sizeof slot->buffer));
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  struct slot* slot = (struct slot*) stream;
  ssize_t i;
  PROMISE(!slot->is_closing && (slot->kind == TCP || slot->kind == PIPE));
  for (i = 0; i < count; i++) PROMISE(buffer->base[i] == pattern(slot->received + i));
  if (count > 0) slot->received += count;
  if (count > 0 && slot->peer != NULL) PROMISE(slot->received <= slot->peer->sent);
  slot->world->callbacks++;
  act_in_callback(slot->world);
}

static void on_write(uv_write_t* req, int status) {
  struct request* request = request_of(req);
  PROMISE(request->kind == WRITE && status <= 0);
  PROMISE(status != UV_ECANCELED || request->slot->is_closing);
  finish_request(request);
}

static void on_shutdown(uv_shutdown_t* req, int status) {
  struct request* request = request_of(req);
  PROMISE(request->kind == SHUTDOWN && status <= 0);
  finish_request(request);
}

static struct request* request_for(struct slot* slot, enum request_kind kind) {
  struct request* request = free_request(slot->world);
  if (request == NULL) return NULL;
  request->kind = kind;
  request->slot = slot;
  slot->requests++;
  return request;
}

static void give_up(struct request* request) {
  request->slot->requests--;
  request->kind = NONE;
}

static void write_some(struct slot* slot) {
  struct request* request = request_for(slot, WRITE);
  size_t length, half;
  uv_buf_t buffers[2];
  int error;
  if (request == NULL) return;
  length = pick(slot->world, sizeof request->buffer + 1);
  half = length / 2;
  fill(request->buffer, slot->sent, length);
  buffers[0] = uv_buf_init(request->buffer, half);
  buffers[1] = uv_buf_init(request->buffer + half, length - half);
  slot->sent += length;
  error = uv_write(&request->req.write, (uv_stream_t*) &slot->handle, buffers, 2, on_write);
  PROMISE(error == 0 || error == UV_EPIPE || error == UV_EBADF);
  if (error != 0) {
    slot->sent -= length;
    give_up(request);
  }
}

static void try_write_some(struct slot* slot) {
  char bytes[64];
  uv_buf_t buffer = uv_buf_init(bytes, 1 + pick(slot->world, sizeof bytes));
  int count;
  fill(bytes, slot->sent, buffer.len);
  count = uv_try_write((uv_stream_t*) &slot->handle, &buffer, 1);
  PROMISE(count <= (int) buffer.len && count != 0);
  if (count > 0) slot->sent += count;
}

static void shut_down(struct slot* slot) {
  struct request* request = request_for(slot, SHUTDOWN);
  int error;
  if (request == NULL) return;
  error = uv_shutdown(&request->req.shutdown, (uv_stream_t*) &slot->handle, on_shutdown);
  PROMISE(error == 0 || error == UV_ENOTCONN || error == UV_EALREADY);
  if (error != 0) give_up(request);
}

void use_stream(struct slot* slot) {
  uv_stream_t* stream = (uv_stream_t*) &slot->handle;
  int error;
  switch (pick(slot->world, 16)) {
    case 0:
      shut_down(slot);
      break;
    case 1:
    case 2:
      PROMISE(uv_read_stop(stream) == 0);
      break;
    case 3:
    case 4:
    case 5:
    case 6:
      error = uv_read_start(stream, on_alloc, on_read);
      PROMISE(error == 0 || error == UV_EALREADY || error == UV_ENOTCONN);
      break;
    case 7:
    case 8:
    case 9:
      try_write_some(slot);
      break;
    default:
      write_some(slot);
  }
}

/* --- Datagrams ------------------------------------------------------------------------------ */

int make_udp(struct slot* slot) {
  struct sockaddr_in address;
  int error = uv_udp_init(&slot->world->loop, &slot->handle.udp);
  PROMISE(error == 0);
  slot->kind = UDP;
  PROMISE(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
  error = uv_udp_bind(&slot->handle.udp, (struct sockaddr*) &address, 0);
  PROMISE(error == 0 || is_shortage(error));
  if (error != 0) close_slot(slot);
  return error;
}

/* Only the handle itself knows its address. */
static void on_receive(uv_udp_t* udp, ssize_t count, const uv_buf_t* buffer,
                       const struct sockaddr* from, unsigned flags) {
  struct slot* slot = (struct slot*) udp;
  ssize_t i;
  PROMISE(slot->kind == UDP && !slot->is_closing);
  PROMISE((flags & UV_UDP_PARTIAL) == 0 || count > 0);
  if (count > 0) {
    PROMISE(from != NULL);
    for (i = 0; i < count; i++) PROMISE(buffer->base[i] == pattern(i));
  }
  act_in_callback(slot->world);
}

static void on_send(uv_udp_send_t* req, int status) {
  struct request* request = request_of(req);
  PROMISE(request->kind == SEND && status <= 0);
  finish_request(request);
}

void use_udp(struct slot* slot) {
  struct sockaddr_in self;
  int length = sizeof self;
  struct request* request;
  uv_buf_t buffer;
  int error;
  if (chance(slot->world, 20)) {
    PROMISE(uv_udp_recv_stop(&slot->handle.udp) == 0);
    return;
  }
  if (chance(slot->world, 30)) {
    error = uv_udp_recv_start(&slot->handle.udp, on_alloc, on_receive);
    PROMISE(error == 0 || error == UV_EALREADY);
    return;
  }
  request = request_for(slot, SEND);
  if (request == NULL) return;
  PROMISE(uv_udp_getsockname(&slot->handle.udp, (struct sockaddr*) &self, &length) == 0);
  fill(request->buffer, 0, sizeof request->buffer);
  buffer = uv_buf_init(request->buffer, 1 + pick(slot->world, sizeof request->buffer));
  error = uv_udp_send(&request->req.udp_send, &slot->handle.udp, &buffer, 1,
                      (struct sockaddr*) &self, on_send);
  PROMISE(error == 0);
}

/* --- Watched sockets ------------------------------------------------------------------------ */

int make_poll(struct slot* slot) {
  int fds[2];
  int error;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return UV_EMFILE;
  error = uv_poll_init(&slot->world->loop, &slot->handle.poll, fds[0]);
  PROMISE(error == 0 || is_shortage(error));
  if (error != 0) {
    close(fds[0]);
    close(fds[1]);
    return error;
  }
  slot->own_fd = fds[0];
  slot->peer_fd = fds[1];
  return 0;
}

static void on_poll(uv_poll_t* poll, int status, int events) {
  struct slot* slot = (struct slot*) poll;
  PROMISE(slot->kind == POLL && !slot->is_closing);
  PROMISE(status == 0 && events != 0);
  PROMISE((events & ~(UV_READABLE | UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED)) == 0);
  if (events & UV_READABLE) PROMISE(read(slot->own_fd, slot->buffer, sizeof slot->buffer) != 0);
  act_in_callback(slot->world);
}

void use_poll(struct slot* slot) {
  uv_poll_t* poll = &slot->handle.poll;
  int error;
  switch (pick(slot->world, 4)) {
    case 0:
      PROMISE(uv_poll_stop(poll) == 0);
      PROMISE(!uv_is_active((uv_handle_t*) poll));
      break;
    case 1:
      PROMISE(write(slot->peer_fd, "x", 1) <= 1);
      break;
    default:
      error = uv_poll_start(poll, 1 + pick(slot->world, 7), on_poll);
      PROMISE(error == 0);
      PROMISE(uv_is_active((uv_handle_t*) poll));
  }
}
