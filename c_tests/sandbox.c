/* Sandboxes that refuse calls which the library makes for speed: it makes the plain ones
 * instead. */
#include "refuse.h"

#include <netinet/in.h>

static uv_loop_t loop;
static int done;

static void begin(void) {
  ASSERT_OK(uv_loop_init(&loop));
}

static void end(void) {
  close_loop(&loop);
}

/* Runs a body where the calls are refused with EPERM, and again with ENOSYS. */
static unsigned refused[4];
static void (*body)(void);

static void run_refused(unsigned number) {
  int i;
  for (i = 0; i < 4 && refused[i] != 0; i++) refuse_call(refused[i], number);
  begin();
  body();
  end();
}

static void with_permission_denied(void) {
  run_refused(EPERM);
}

static void with_calls_unknown(void) {
  run_refused(ENOSYS);
}

static void run_both(void (*what)(void)) {
  body = what;
  run_in_child(with_permission_denied);
  run_in_child(with_calls_unknown);
}

/* --- Streams ---------------------------------------------------------------------------------- */

static uv_tcp_t tcp;
static int peer;

static void open_connection(int family) {
  struct sockaddr_storage address = {.ss_family = (sa_family_t) family};
  socklen_t length = sizeof(address);
  int listener = socket(family, SOCK_STREAM, 0);
  int fd;
  if (listener < 0 || bind(listener, (struct sockaddr*) &address, sizeof(address)) != 0) _exit(77);
  ASSERT_OK(listen(listener, 1));
  ASSERT_OK(getsockname(listener, (struct sockaddr*) &address, &length));
  peer = socket(family, SOCK_STREAM, 0);
  ASSERT_OK(connect(peer, (struct sockaddr*) &address, length));
  fd = accept(listener, NULL, NULL);
  close(listener);
  ASSERT_OK(uv_tcp_init(&loop, &tcp));
  ASSERT_OK(uv_tcp_open(&tcp, fd));
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count < 0) note("%s", uv_err_name((int) count));
  else note("%.*s", (int) count, buf->base);
  done++;
}

static void on_write(uv_write_t* req, int status) {
  note("write:%s", status == 0 ? "0" : uv_err_name(status));
  done++;
}

static void read_and_write(void) {
  uv_buf_t bufs[2] = {{(char*) "ab", 2}, {(char*) "c", 1}};
  uv_write_t reqs[2];
  char text[16];
  ASSERT_OK(uv_write(&reqs[0], (uv_stream_t*) &tcp, bufs, 1, on_write));
  ASSERT_OK(uv_write(&reqs[1], (uv_stream_t*) &tcp, bufs, 2, on_write));
  run_until(&loop, &done, 2);
  ASSERT_EQ(uv_try_write((uv_stream_t*) &tcp, bufs, 1), 2);
  ASSERT_EQ(uv_try_write((uv_stream_t*) &tcp, bufs, 2), 3);
  ASSERT_EQ(read(peer, text, sizeof(text)), 10);
  ASSERT_MEM_EQ(text, "ababcababc", 10);
  ASSERT_OK(uv_read_start((uv_stream_t*) &tcp, alloc_static, on_read));
  ASSERT_EQ(write(peer, "hello", 5), 5);
  run_until(&loop, &done, 3);
  ASSERT_OK(close(peer));
  run_until(&loop, &done, 4);
  ASSERT_NOTES("write:0 write:0 hello EOF");
}

static void talk_over_ipv4(void) {
  open_connection(AF_INET);
  read_and_write();
}

static void talk_over_ipv6(void) {
  open_connection(AF_INET6);
  read_and_write();
}

TEST_IMPL(a_connection_works_without_send_and_recv) {
  refused[0] = __NR_sendto;
  refused[1] = __NR_recvfrom;
  run_both(talk_over_ipv4);
  run_both(talk_over_ipv6);
}

static void read_with_an_error(void) {
  struct linger linger = {1, 0};
  open_connection(AF_INET);
  ASSERT_OK(uv_read_start((uv_stream_t*) &tcp, alloc_static, on_read));
  ASSERT_OK(setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
  ASSERT_OK(close(peer));
  run_until(&loop, &done, 1);
  ASSERT_NOTES("ECONNRESET");
  ASSERT(!uv_is_active((uv_handle_t*) &tcp));
}

TEST_IMPL(errors_of_a_connection_are_reported_without_send_and_recv) {
  refused[0] = __NR_sendto;
  refused[1] = __NR_recvfrom;
  run_both(read_with_an_error);
}

/* Where the plain call is refused as well, that is the result, and reported once. */
static void write_where_nothing_may_be_sent(void) {
  uv_buf_t buf = uv_buf_init((char*) "ab", 2);
  uv_write_t req;
  uv_os_fd_t fd;
  int i;
  begin();
  open_connection(AF_INET);
  ASSERT_OK(uv_fileno((uv_handle_t*) &tcp, &fd));
  refuse_call_on(__NR_sendto, fd, EPERM);
  refuse_call_on(__NR_write, fd, EPERM);
  ASSERT_EQ(uv_try_write((uv_stream_t*) &tcp, &buf, 1), UV_EPERM);
  ASSERT_OK(uv_write(&req, (uv_stream_t*) &tcp, &buf, 1, on_write));
  for (i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_NOTES("write:EPERM");
  end();
}

TEST_IMPL(a_write_that_is_not_permitted_fails_once) {
  run_in_child(write_where_nothing_may_be_sent);
}

static void read_where_nothing_may_be_received(void) {
  uv_os_fd_t fd;
  int i;
  begin();
  open_connection(AF_INET);
  ASSERT_OK(uv_fileno((uv_handle_t*) &tcp, &fd));
  refuse_call_on(__NR_recvfrom, fd, EPERM);
  refuse_call_on(__NR_read, fd, EPERM);
  ASSERT_EQ(write(peer, "hello", 5), 5);
  ASSERT_OK(uv_read_start((uv_stream_t*) &tcp, alloc_static, on_read));
  for (i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_NOTES("EPERM");
  end();
}

TEST_IMPL(a_read_that_is_not_permitted_fails_once) {
  run_in_child(read_where_nothing_may_be_received);
}

/* --- Datagrams --------------------------------------------------------------------------- */

enum { several = 30 };

static uv_udp_t receiver;
static uv_udp_t sender;
static struct sockaddr_in address;
static int sizes;
static int lent;

static void on_send(uv_udp_send_t* req, int status) {
  note("%s", status == 0 ? "0" : uv_err_name(status));
  done++;
}

static void give(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  static char memory[4 * 65536];
  *buf = uv_buf_init(memory, sizeof(memory));
  lent++;
}

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  ASSERT_GE(size, 0);
  if (!(flags & UV_UDP_MMSG_CHUNK)) lent--;
  if (from == NULL) return;
  ASSERT_EQ(((const struct sockaddr_in*) from)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  /* Each has another length, in order. */
  ASSERT_EQ(size, done % several);
  ASSERT_EQ(flags & UV_UDP_PARTIAL, 0);
  sizes += (int) size;
  done++;
}

static void open_receiver(unsigned flags) {
  int length = sizeof(address);
  address = loopback(0);
  ASSERT_OK(uv_udp_init_ex(&loop, &receiver, flags));
  ASSERT_OK(uv_udp_bind(&receiver, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_getsockname(&receiver, (struct sockaddr*) &address, &length));
}

static void open_sender(void) {
  struct sockaddr_in any = loopback(0);
  ASSERT_OK(uv_udp_init(&loop, &sender));
  ASSERT_OK(uv_udp_bind(&sender, (struct sockaddr*) &any, 0));
}

static void receive_all(void) {
  done = 0;
  sizes = 0;
  ASSERT_OK(uv_udp_recv_start(&receiver, give, on_receive));
  run_until(&loop, &done, several);
  uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_EQ(done, several);
  ASSERT_EQ(sizes, several * (several - 1) / 2);
  ASSERT_EQ(lent, 0);
  ASSERT_OK(uv_udp_recv_stop(&receiver));
}

static void exchange(unsigned flags) {
  static char data[several];
  static uv_udp_send_t reqs[several];
  uv_buf_t bufs[several];
  uv_buf_t* lists[several];
  unsigned counts[several];
  struct sockaddr* addresses[several];
  int i;
  open_receiver(flags);
  open_sender();
  for (i = 0; i < several; i++) {
    bufs[i] = uv_buf_init(data, (unsigned) i);
    lists[i] = &bufs[i];
    counts[i] = 1;
    addresses[i] = (struct sockaddr*) &address;
    ASSERT_OK(uv_udp_send(&reqs[i], &sender, &bufs[i], 1, addresses[i], on_send));
  }
  done = 0;
  run_until(&loop, &done, several);
  clear_notes();
  receive_all();
  ASSERT_EQ(uv_udp_try_send2(&sender, several, lists, counts, addresses, 0), several);
  receive_all();
}

static void exchange_singly(void) {
  exchange(0);
}

static void exchange_in_batches(void) {
  exchange(UV_UDP_RECVMMSG);
}

TEST_IMPL(datagrams_are_exchanged_without_the_calls_for_many) {
  OXUV_ONLY(); /* libuv reports the error. */
  refused[0] = __NR_sendmmsg;
  refused[1] = __NR_recvmmsg;
  run_both(exchange_singly);
  run_both(exchange_in_batches);
}

static void need_numbers_of_socket_calls(void) {
#ifdef __NR_socketcall
  SKIP("libc makes all calls for sockets by one number here");
#endif
}

/* Sends are refused as by a firewall. */
static void send_where_nothing_may_be_sent(void) {
  static uv_udp_send_t reqs[several];
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_buf_t* lists[3] = {&buf, &buf, &buf};
  unsigned counts[3] = {1, 1, 1};
  struct sockaddr* to = (struct sockaddr*) &address;
  struct sockaddr* addresses[3] = {to, to, to};
  uv_os_fd_t fd;
  int i;
  begin();
  open_receiver(0);
  open_sender();
  ASSERT_OK(uv_fileno((uv_handle_t*) &sender, &fd));
  refuse_call_on(__NR_sendmsg, fd, EPERM);
  refuse_call_on(__NR_sendmmsg, fd, EPERM);
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, to), UV_EPERM);
  ASSERT_EQ(uv_udp_try_send2(&sender, 3, lists, counts, addresses, 0), UV_EPERM);
  for (i = 0; i < 4; i++) ASSERT_OK(uv_udp_send(&reqs[i], &sender, &buf, 1, to, on_send));
  run_until(&loop, &done, 4);
  for (i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_NOTES("EPERM EPERM EPERM EPERM");
  ASSERT(!uv_loop_alive(&loop));
  end();
}

TEST_IMPL(datagrams_that_are_not_permitted_fail_once_each) {
  need_numbers_of_socket_calls();
  run_in_child(send_where_nothing_may_be_sent);
}

static void on_refused_receipt(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                               const struct sockaddr* from, unsigned flags) {
  ASSERT_EQ(size, UV_EPERM);
  lent--;
  done++;
  ASSERT_OK(uv_udp_recv_stop(handle));
}

static void receive_where_nothing_may_be_received(void) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_os_fd_t fd;
  begin();
  open_receiver(UV_UDP_RECVMMSG);
  open_sender();
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &address), 1);
  ASSERT_OK(uv_fileno((uv_handle_t*) &receiver, &fd));
  refuse_call_on(__NR_recvmsg, fd, EPERM);
  refuse_call_on(__NR_recvmmsg, fd, EPERM);
  ASSERT_OK(uv_udp_recv_start(&receiver, give, on_refused_receipt));
  run_until(&loop, &done, 1);
  ASSERT_EQ(lent, 0);
  end();
}

TEST_IMPL(a_receipt_that_is_not_permitted_is_an_error) {
  need_numbers_of_socket_calls();
  run_in_child(receive_where_nothing_may_be_received);
}
