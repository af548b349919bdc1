/* UDP: datagrams sent in each of the four ways, and received one by one and many at once. */
#include "program.h"

enum { datagrams = 20, size_bytes = 100, tried = 3, tried_together = 5 };

static uv_udp_t sender, receiver;
static uv_udp_send_t requests[datagrams];
static struct sockaddr_in address;
static char data[datagrams][size_bytes];
static int has_come[datagrams];
static int come;

static void give_much(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  static char memory[4 * 65536];
  (void) handle;
  (void) size;
  *buf = uv_buf_init(memory, sizeof(memory));
}

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  int number;
  (void) flags;
  if (size == 0 && from == NULL) return;
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "a receive callback after uv_close");
  MUST(size);
  if (from == NULL) return;
  EXPECT(size == size_bytes, "a datagram of %zd bytes", size);
  number = buf->base[0];
  EXPECT(number >= 0 && number < datagrams, "a datagram that nobody sent");
  check(buf->base + 1, (size_t) number, size_bytes - 1, "datagram");
  EXPECT(!has_come[number]++, "twice: datagram %d", number);
  if (++come == datagrams) finish();
}

static void on_sent(uv_udp_send_t* request, int status) {
  ended(request);
  fails(status, "uv_udp_send_cb");
}

static int try_together(int first) {
  uv_buf_t bufs[tried_together];
  uv_buf_t* lists[tried_together];
  unsigned counts[tried_together];
  struct sockaddr* addresses[tried_together];
  int i;
  for (i = 0; i < tried_together; i++) {
    bufs[i] = uv_buf_init(data[first + i], size_bytes);
    lists[i] = &bufs[i];
    counts[i] = 1;
    addresses[i] = (struct sockaddr*) &address;
  }
  return uv_udp_try_send2(&sender, tried_together, lists, counts, addresses, 0);
}

static void send_all(void) {
  struct sockaddr* to = (struct sockaddr*) &address;
  uv_buf_t buf;
  int next;
  int done;
  for (next = 0; next < tried; next++) {
    buf = uv_buf_init(data[next], size_bytes);
    MUST(uv_udp_try_send(&sender, &buf, 1, to));
  }
  done = try_together(next);
  MUST(done);
  for (next += done; next < datagrams; next++) {
    buf = uv_buf_init(data[next], size_bytes);
    BEGIN(&requests[next], uv_udp_send(&requests[next], &sender, &buf, 1, to, on_sent));
  }
}

void program(void) {
  int size = sizeof(address);
  int i;
  for (i = 0; i < datagrams; i++) {
    data[i][0] = (char) i;
    fill(data[i] + 1, (size_t) i, size_bytes - 1);
  }
  uv_ip4_addr("127.0.0.1", 0, &address);
  MUST(uv_udp_init_ex(&loop, &receiver, AF_INET | UV_UDP_RECVMMSG));
  MUST(uv_udp_init(&loop, &sender));
  MUST(uv_udp_bind(&receiver, (struct sockaddr*) &address, 0));
  MUST(uv_udp_getsockname(&receiver, (struct sockaddr*) &address, &size));
  MUST(uv_udp_recv_start(&receiver, give_much, on_receive));
  notes(uv_udp_set_broadcast(&receiver, 0), "uv_udp_set_broadcast");
  send_all();
}
