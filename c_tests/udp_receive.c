/* https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_recv_start and what comes of it. */
#include "task.h"

#include <netinet/in.h>

enum { chunk_size = 64 * 1024, most = 256 };

struct receipt {
  ssize_t size;
  size_t room;
  ptrdiff_t offset;
  int port;
  unsigned flags;
};

static uv_udp_t handle;
static char memory[4 * chunk_size + 100];
static size_t room = sizeof(memory);
static int allocated;
static struct receipt receipts[most];
static int received;
static void (*then)(void);
static int closed;

static void on_close(uv_handle_t* h) {
  (void) h;
  closed++;
}

static void give_room(uv_handle_t* h, size_t suggested, uv_buf_t* buf) {
  ASSERT_PTR_EQ(h, &handle);
  ASSERT_EQ(suggested, chunk_size);
  ASSERT_NULL(buf->base);
  ASSERT_EQ(buf->len, 0);
  *buf = uv_buf_init(memory, (unsigned) room);
  allocated++;
}

static void on_receive(uv_udp_t* h, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* sender, unsigned flags) {
  struct receipt* r = &receipts[received];
  ASSERT_PTR_EQ(h, &handle);
  ASSERT_LT(received, most);
  r->size = size;
  r->room = buf->len;
  r->offset = buf->base == NULL ? -1 : buf->base - memory;
  r->port = sender == NULL ? -1 : ntohs(((const struct sockaddr_in*) sender)->sin_port);
  r->flags = flags;
  received++;
  if (then != NULL) then();
}

static void check(int index, ssize_t size, int has_sender, unsigned flags) {
  ASSERT_LT(index, received);
  ASSERT_EQ(receipts[index].size, size);
  ASSERT_EQ(receipts[index].port != -1, has_sender);
  ASSERT_EQ(receipts[index].flags, flags);
}

static int sender_fd;
static int sender_port;

/* The handle receives; sender_fd is connected to it. */
static void start(unsigned init_flags, unsigned bind_flags) {
  struct sockaddr_in address = loopback(0);
  int length = sizeof(address);
  socklen_t socklen = sizeof(address);
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &handle, init_flags));
  ASSERT_OK(uv_udp_bind(&handle, (struct sockaddr*) &address, bind_flags));
  ASSERT_OK(uv_udp_getsockname(&handle, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_udp_recv_start(&handle, give_room, on_receive));
  sender_fd = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_OK(connect(sender_fd, (struct sockaddr*) &address, sizeof(address)));
  ASSERT_OK(getsockname(sender_fd, (struct sockaddr*) &address, &socklen));
  sender_port = ntohs(address.sin_port);
}

static void post(const char* text) {
  ASSERT_EQ(send(sender_fd, text, strlen(text), 0), (ssize_t) strlen(text));
}

static void iterate(void) {
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

static void end(void) {
  close(sender_fd);
  MAKE_SURE_NOTHING_LEAKED();
}

static void stop(void) {
  ASSERT_OK(uv_udp_recv_stop(&handle));
}

static void shut(void) {
  if (!uv_is_closing((uv_handle_t*) &handle)) uv_close((uv_handle_t*) &handle, on_close);
}

TEST_IMPL(starting_and_stopping) {
  uv_udp_t other;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &other));
  ASSERT_OK(uv_udp_recv_stop(&other));
  ASSERT_EQ(uv_udp_recv_start(&other, NULL, on_receive), UV_EINVAL);
  ASSERT_EQ(uv_udp_recv_start(&other, give_room, NULL), UV_EINVAL);
  ASSERT_OK(uv_udp_recv_start(&other, give_room, on_receive));
  ASSERT(uv_is_active((uv_handle_t*) &other));
  ASSERT_EQ(uv_udp_recv_start(&other, give_room, on_receive), UV_EALREADY);
  ASSERT_OK(uv_udp_recv_stop(&other));
  ASSERT(!uv_is_active((uv_handle_t*) &other));
  ASSERT_OK(uv_udp_recv_stop(&other));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_OK(uv_udp_recv_start(&other, give_room, on_receive));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(datagrams_and_the_end_of_them) {
  start(0, 0);
  room = 4;
  post("PING");
  post("");
  post("too long");
  iterate();
  ASSERT_EQ(received, 4);
  check(0, 4, 1, 0);
  ASSERT_EQ(receipts[0].port, sender_port);
  ASSERT_EQ(receipts[0].room, 4);
  ASSERT_EQ(receipts[0].offset, 0);
  check(1, 0, 1, 0);
  check(2, 4, 1, UV_UDP_PARTIAL);
  check(3, 0, 0, 0);
  ASSERT_EQ(allocated, 4);
  end();
}

TEST_IMPL(at_most_32_datagrams_at_a_time) {
  int i;
  start(0, 0);
  for (i = 0; i < 100; i++) post("x");
  iterate();
  ASSERT_EQ(received, 32);
  iterate();
  ASSERT_EQ(received, 64);
  iterate();
  iterate();
  ASSERT_EQ(received, 101);
  check(100, 0, 0, 0);
  end();
}

static void give_nothing(uv_handle_t* h, size_t suggested, uv_buf_t* buf) {
  (void) h, (void) suggested, (void) buf;
  allocated++;
}

static void give_no_length(uv_handle_t* h, size_t suggested, uv_buf_t* buf) {
  (void) h, (void) suggested;
  *buf = uv_buf_init(memory, 0);
  allocated++;
}

TEST_IMPL(without_a_buffer_nothing_is_received) {
  start(0, 0);
  stop();
  ASSERT_OK(uv_udp_recv_start(&handle, give_nothing, on_receive));
  post("PING");
  iterate();
  ASSERT_EQ(received, 1);
  check(0, UV_ENOBUFS, 0, 0);
  ASSERT_EQ(receipts[0].offset, -1);
  stop();
  ASSERT_OK(uv_udp_recv_start(&handle, give_no_length, on_receive));
  iterate();
  ASSERT_EQ(received, 2);
  check(1, UV_ENOBUFS, 0, 0);
  stop();
  /* The datagram is still there. */
  ASSERT_OK(uv_udp_recv_start(&handle, give_room, on_receive));
  iterate();
  ASSERT_EQ(received, 4);
  check(2, 4, 1, 0);
  end();
}

TEST_IMPL(stopping_in_the_callback) {
  start(0, 0);
  then = stop;
  post("a");
  post("b");
  iterate();
  iterate();
  ASSERT_EQ(received, 1);
  ASSERT(!uv_is_active((uv_handle_t*) &handle));
  ASSERT_OK(uv_udp_recv_start(&handle, give_room, on_receive));
  iterate();
  ASSERT_EQ(received, 2);
  check(1, 1, 1, 0);
  end();
}

TEST_IMPL(closing_in_the_callback) {
  start(0, 0);
  then = shut;
  post("a");
  post("b");
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(received, 1);
  ASSERT_EQ(closed, 1);
  end();
}

static void send_done(uv_udp_send_t* request, int status) {
  (void) request, (void) status;
}

/* Interest in writing must not bring a callback after the one that closed or stopped. */
static void end_while_sending(void (*how)(void)) {
  static uv_udp_send_t requests[2];
  struct sockaddr_in to = loopback(9);
  uv_buf_t buf = uv_buf_init("x", 1);
  start(0, UV_UDP_LINUX_RECVERR);
  then = how;
  post("a");
  post("b");
  ASSERT_OK(uv_udp_send(&requests[0], &handle, &buf, 1, (struct sockaddr*) &to, send_done));
  ASSERT_OK(uv_udp_send(&requests[1], &handle, &buf, 1, (struct sockaddr*) &to, send_done));
  iterate();
  iterate();
  iterate();
  ASSERT_EQ(received, 1);
  end();
}

TEST_IMPL(closing_in_the_callback_with_sends_and_errors_pending) {
  end_while_sending(shut);
}

TEST_IMPL(stopping_in_the_callback_with_sends_and_errors_pending) {
  end_while_sending(stop);
}

TEST_IMPL(recvmmsg_hands_out_chunks_and_then_the_buffer) {
  int i;
  start(UV_UDP_RECVMMSG, 0);
  ASSERT_EQ(uv_udp_using_recvmmsg(&handle), 1);
  for (i = 0; i < 4; i++) post("PING");
  post("");
  iterate();
  /* Four chunks and the buffer, a chunk and the buffer, and a buffer of nothing. */
  ASSERT_EQ(allocated, 3);
  ASSERT_EQ(received, 8);
  for (i = 0; i < 4; i++) {
    check(i, 4, 1, UV_UDP_MMSG_CHUNK);
    ASSERT_EQ(receipts[i].offset, i * chunk_size);
    ASSERT_EQ(receipts[i].room, chunk_size);
    ASSERT_EQ(receipts[i].port, sender_port);
    ASSERT_MEM_EQ(memory + (i == 0 ? 1 : i) * chunk_size, "PING", 4);
  }
  check(4, 0, 0, UV_UDP_MMSG_FREE);
  ASSERT_EQ(receipts[4].offset, 0);
  ASSERT_EQ(receipts[4].room, sizeof(memory));
  check(5, 0, 1, UV_UDP_MMSG_CHUNK);
  check(6, 0, 0, UV_UDP_MMSG_FREE);
  check(7, 0, 0, 0);
  ASSERT_EQ(receipts[7].room, sizeof(memory));
  end();
}

TEST_IMPL(only_the_flag_brings_recvmmsg) {
  start(0, 0);
  ASSERT_EQ(uv_udp_using_recvmmsg(&handle), 0);
  post("PING");
  iterate();
  ASSERT_EQ(received, 2);
  check(0, 4, 1, 0);
  ASSERT_EQ(receipts[0].room, sizeof(memory));
  end();
}

TEST_IMPL(recvmmsg_refuses_a_buffer_below_64k) {
  start(UV_UDP_RECVMMSG, 0);
  room = chunk_size - 1;
  memset(memory, 'x', sizeof(memory));
  then = stop;
  post("PING");
  iterate();
  ASSERT_EQ(received, 1);
  check(0, UV_EINVAL, 0, 0);
  ASSERT_EQ(memory[0], 'x');
  room = chunk_size;
  then = NULL;
  ASSERT_OK(uv_udp_recv_start(&handle, give_room, on_receive));
  iterate();
  check(1, 4, 1, UV_UDP_MMSG_CHUNK);
  check(2, 0, 0, UV_UDP_MMSG_FREE);
  ASSERT_EQ(memory[chunk_size], 'x');
  end();
}

TEST_IMPL(recvmmsg_takes_at_most_32_at_a_time) {
  int i;
  int datagrams = 0;
  start(UV_UDP_RECVMMSG, 0);
  for (i = 0; i < 50; i++) post("x");
  iterate();
  for (i = 0; i < received; i++)
    if (receipts[i].flags & UV_UDP_MMSG_CHUNK) datagrams++;
  ASSERT_EQ(datagrams, 32);
  end();
}

/* The address of a port without a listener. */
static struct sockaddr_in unreachable(void) {
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_OK(bind(fd, (struct sockaddr*) &address, sizeof(address)));
  ASSERT_OK(getsockname(fd, (struct sockaddr*) &address, &length));
  close(fd);
  return address;
}

static void receive_an_error(unsigned init_flags) {
  struct sockaddr_in to = unreachable();
  uv_buf_t buf = uv_buf_init("x", 1);
  int found = 0;
  int i;
  start(init_flags, UV_UDP_LINUX_RECVERR);
  ASSERT_EQ(uv_udp_try_send(&handle, &buf, 1, (struct sockaddr*) &to), 1);
  iterate();
  iterate();
  for (i = 0; i < received; i++) {
    if (!(receipts[i].flags & UV_UDP_LINUX_RECVERR)) continue;
    check(i, UV_ECONNREFUSED, 1, UV_UDP_LINUX_RECVERR);
    ASSERT_EQ(receipts[i].room, sizeof(memory));
    found++;
  }
  ASSERT_EQ(found, 1);
  ASSERT_EQ(allocated, received);
  /* The handle goes on receiving. */
  i = received;
  post("PING");
  iterate();
  ASSERT_GT(received, i);
  ASSERT_EQ(receipts[i].size, 4);
  end();
}

TEST_IMPL(recverr_reports_unreachable_ports) {
  OXUV_ONLY();
  receive_an_error(0);
}

TEST_IMPL(recverr_reports_unreachable_ports_with_recvmmsg) {
  OXUV_ONLY();
  receive_an_error(UV_UDP_RECVMMSG);
}

TEST_IMPL(a_connected_socket_gets_the_error_of_an_unreachable_port) {
  struct sockaddr_in to = unreachable();
  uv_buf_t buf = uv_buf_init("x", 1);
  start(0, 0);
  ASSERT_OK(uv_udp_connect(&handle, (struct sockaddr*) &to));
  ASSERT_EQ(uv_udp_try_send(&handle, &buf, 1, NULL), 1);
  iterate();
  check(0, UV_ECONNREFUSED, 0, 0);
  ASSERT(uv_is_active((uv_handle_t*) &handle));
  end();
}

TEST_IMPL(without_recverr_no_error_is_reported) {
  struct sockaddr_in to = unreachable();
  uv_buf_t buf = uv_buf_init("x", 1);
  start(0, 0);
  ASSERT_EQ(uv_udp_try_send(&handle, &buf, 1, (struct sockaddr*) &to), 1);
  iterate();
  iterate();
  ASSERT_EQ(received, 0);
  end();
}

TEST_IMPL(a_descriptor_closed_behind_the_handle_is_reported_once) {
  OXUV_ONLY();
  int fd;
  start(0, 0);
  ASSERT_OK(uv_fileno((uv_handle_t*) &handle, &fd));
  close(fd);
  iterate();
  iterate();
  ASSERT_EQ(received, 1);
  check(0, UV_EBADF, 0, 0);
  ASSERT(!uv_is_active((uv_handle_t*) &handle));
  end();
}
