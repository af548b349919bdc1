/* Receipts that fail for what the system lacks, or forbids: each is reported, and the next is made
 * after a while instead of at once. */
#include "task.h"

#include <netinet/in.h>
#include <sys/syscall.h>

/* What receiving fails with, 0 to receive. The program's functions take the place of the C
 * library's. */
static int refusal;

ssize_t recvmsg(int fd, struct msghdr* header, int flags) {
  if (refusal == 0) return syscall(SYS_recvmsg, fd, header, flags);
  errno = refusal;
  return -1;
}

#ifdef __GLIBC__
typedef int receive_flags;
#else
typedef unsigned receive_flags;
#endif

int recvmmsg(int fd, struct mmsghdr* headers, unsigned count, receive_flags flags,
             struct timespec* timeout) {
  if (refusal == 0) return (int) syscall(SYS_recvmmsg, fd, headers, count, flags, timeout);
  errno = refusal;
  return -1;
}

/* How often a failure may be reported within the time below: half of once a millisecond. */
#define WATCHED_MS 200
#define MOST_REPORTS 100

static uv_loop_t loop;
static uv_udp_t receiver;
static uv_timer_t timer;
static struct sockaddr_storage address;
static int reported;
static int datagrams;
static int lent;
static int is_over;
static void (*when_reported)(void);

static void lend(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  static char memory[4 * 65536];
  *buf = uv_buf_init(memory, sizeof(memory));
  lent++;
}

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  if (!(flags & UV_UDP_MMSG_CHUNK)) lent--;
  if (size < 0) {
    ASSERT_EQ(size, -refusal);
    reported++;
    if (when_reported != NULL) when_reported();
  } else if (from != NULL) {
    datagrams++;
  }
}

static void set_over(uv_timer_t* one) {
  is_over = 1;
}

static void begin(int family, unsigned flags) {
  struct sockaddr_in v4 = loopback(0);
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const void* any = family == AF_INET ? (const void*) &v4 : (const void*) &v6;
  int length = sizeof(address);
  OXUV_ONLY(); /* libuv reports it in each iteration. */
  refusal = reported = datagrams = lent = 0;
  when_reported = NULL;
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_udp_init_ex(&loop, &receiver, flags));
  if (uv_udp_bind(&receiver, (const struct sockaddr*) any, 0) != 0) SKIP("no IPv6 here");
  ASSERT_OK(uv_udp_getsockname(&receiver, (struct sockaddr*) &address, &length));
}

static void send_one(void) {
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  ASSERT_EQ(uv_udp_try_send(&receiver, &buf, 1, (struct sockaddr*) &address), 1);
}

static void run_for_a_while(void) {
  is_over = 0;
  uv_update_time(&loop);
  ASSERT_OK(uv_timer_start(&timer, set_over, WATCHED_MS, 0));
  run_until(&loop, &is_over, 1);
}

static void receive_at_last(void) {
  refusal = 0;
  run_until(&loop, &datagrams, 1);
}

static void end(void) {
  close_loop(&loop);
  ASSERT_EQ(lent, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

static void fail_and_receive(int family, unsigned flags) {
  static const int errors[] = {ENOMEM, ENOBUFS, EPERM, EIO};
  size_t i;
  for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
    begin(family, flags);
    refusal = errors[i];
    ASSERT_OK(uv_udp_recv_start(&receiver, lend, on_receive));
    send_one();
    run_for_a_while();
    ASSERT_GE(reported, 2);
    ASSERT_LE(reported, MOST_REPORTS);
    ASSERT_EQ(uv_is_active((uv_handle_t*) &receiver), 1);
    receive_at_last();
    end();
  }
}

TEST_IMPL(receipts_that_fail_do_not_loop_busily) {
  fail_and_receive(AF_INET, 0);
}

TEST_IMPL(receipts_that_fail_do_not_loop_busily_ipv6) {
  fail_and_receive(AF_INET6, 0);
}

TEST_IMPL(receipts_of_many_that_fail_do_not_loop_busily) {
  fail_and_receive(AF_INET, UV_UDP_RECVMMSG);
}

static void start_anew(void) {
  ASSERT_OK(uv_udp_recv_stop(&receiver));
  ASSERT_OK(uv_udp_recv_start(&receiver, lend, on_receive));
}

TEST_IMPL(starting_anew_in_the_callback_does_not_loop_busily) {
  begin(AF_INET, 0);
  refusal = ENOMEM;
  when_reported = start_anew;
  ASSERT_OK(uv_udp_recv_start(&receiver, lend, on_receive));
  send_one();
  run_for_a_while();
  ASSERT_GE(reported, 2);
  ASSERT_LE(reported, MOST_REPORTS);
  receive_at_last();
  end();
}

static void stop(void) {
  ASSERT_OK(uv_udp_recv_stop(&receiver));
}

static void close_receiver(void) {
  uv_close((uv_handle_t*) &receiver, NULL);
}

TEST_IMPL(the_callback_may_stop_or_close) {
  begin(AF_INET, 0);
  refusal = ENOMEM;
  when_reported = stop;
  ASSERT_OK(uv_udp_recv_start(&receiver, lend, on_receive));
  send_one();
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  when_reported = close_receiver;
  ASSERT_OK(uv_udp_recv_start(&receiver, lend, on_receive));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(reported, 2);
  end();
}

static int sent;

static void on_send(uv_udp_send_t* req, int status) {
  ASSERT_OK(status);
  sent++;
}

TEST_IMPL(sends_go_on_meanwhile) {
  static uv_udp_send_t reqs[50];
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  int i;
  begin(AF_INET, 0);
  refusal = ENOMEM;
  ASSERT_OK(uv_udp_recv_start(&receiver, lend, on_receive));
  send_one();
  run_until(&loop, &reported, 1);
  for (i = 0; i < 50; i++)
    ASSERT_OK(uv_udp_send(&reqs[i], &receiver, &buf, 1, (struct sockaddr*) &address, on_send));
  run_until(&loop, &sent, 50);
  receive_at_last();
  end();
}

/* That the peer does not listen is over once it is reported: the next receipt need not wait. */
TEST_IMPL(errors_of_the_network_are_no_reason_to_wait) {
  struct sockaddr_in unused = loopback(0);
  socklen_t length = sizeof(unused);
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  begin(AF_INET, 0);
  ASSERT_OK(bind(fd, (struct sockaddr*) &unused, length));
  ASSERT_OK(getsockname(fd, (struct sockaddr*) &unused, &length));
  ASSERT_OK(close(fd));
  ASSERT_OK(uv_udp_connect(&receiver, (struct sockaddr*) &unused));
  ASSERT_OK(uv_udp_recv_start(&receiver, lend, on_receive));
  ASSERT_EQ(uv_udp_try_send(&receiver, &buf, 1, NULL), 1);
  refusal = ECONNREFUSED;
  run_until(&loop, &reported, 1);
  ASSERT_EQ(uv_backend_timeout(&loop), -1);
  end();
}
