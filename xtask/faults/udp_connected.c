/* UDP with a peer: two sockets that are connected to each other, and one that is disconnected. */
#include "program.h"

enum { rounds = 10, size_bytes = 64 };

static uv_udp_t ends[2];
static uv_udp_send_t requests[2 * rounds + 1];
static char data[rounds][size_bytes];
static int sent;
static int received;

static void on_sent(uv_udp_send_t* request, int status) {
  ended(request);
  fails(status, "uv_udp_send_cb");
}

static void send_next(uv_udp_t* from, int number) {
  uv_buf_t buf = uv_buf_init(data[number / 2], size_bytes);
  uv_udp_send_t* request = &requests[sent++];
  BEGIN(request, uv_udp_send(request, from, &buf, 1, NULL, on_sent));
}

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  (void) flags;
  if (size == 0 && from == NULL) return;
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "a receive callback after uv_close");
  MUST(size);
  EXPECT(size == size_bytes, "a datagram of %zd bytes", size);
  EXPECT(handle == &ends[(received + 1) % 2], "a datagram came to its own sender");
  check(buf->base, (size_t) (received / 2) * size_bytes, size_bytes, "datagram");
  if (++received < 2 * rounds) {
    send_next(handle, received);
    return;
  }
  MUST(uv_udp_connect(&ends[0], NULL));
  EXPECT(uv_udp_getpeername(&ends[0], (struct sockaddr*) buf->base, &(int){size_bytes}) < 0,
         "a disconnected socket has a peer");
  finish();
}

static void bind_end(uv_udp_t* end, struct sockaddr_in* address) {
  int size = sizeof(*address);
  uv_ip4_addr("127.0.0.1", 0, address);
  MUST(uv_udp_init(&loop, end));
  MUST(uv_udp_bind(end, (struct sockaddr*) address, 0));
  MUST(uv_udp_getsockname(end, (struct sockaddr*) address, &size));
}

void program(void) {
  struct sockaddr_in addresses[2];
  int i;
  for (i = 0; i < rounds; i++) fill(data[i], (size_t) (i * size_bytes), size_bytes);
  for (i = 0; i < 2 && !is_ending(); i++) bind_end(&ends[i], &addresses[i]);
  for (i = 0; i < 2 && !is_ending(); i++) {
    MUST(uv_udp_connect(&ends[i], (struct sockaddr*) &addresses[1 - i]));
    MUST(uv_udp_recv_start(&ends[i], give_buffer, on_receive));
  }
  if (!is_ending()) send_next(&ends[0], 0);
}
