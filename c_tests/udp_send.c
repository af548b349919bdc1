/* https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_send and its relatives. */
#include "task.h"

#include <netinet/in.h>
#include <sys/un.h>

enum { most = 200 };

static uv_udp_t sender;
static uv_udp_send_t requests[most];
static int statuses[most];
static int order[most];
static int sent;
static int closed;

static void on_sent(uv_udp_send_t* request, int status) {
  int index = (int) (request - requests);
  ASSERT_PTR_EQ(request->handle, &sender);
  statuses[index] = status;
  order[sent++] = index;
}

static void on_close(uv_handle_t* handle) {
  (void) handle;
  closed++;
}

/* A plain socket that receives, and its address. */
static int receiver(struct sockaddr_in* address) {
  socklen_t length = sizeof(*address);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  *address = loopback(0);
  ASSERT_OK(bind(fd, (struct sockaddr*) address, sizeof(*address)));
  ASSERT_OK(getsockname(fd, (struct sockaddr*) address, &length));
  return fd;
}

/* The number that arrived; -1 for nothing. */
static int arrived(int fd) {
  int number = -2;
  ssize_t size = recv(fd, &number, sizeof(number), MSG_DONTWAIT);
  if (size < 0) return -1;
  ASSERT_EQ(size, sizeof(number));
  return number;
}

static int numbers[most];

static uv_buf_t number(int i) {
  numbers[i] = i;
  return uv_buf_init((char*) &numbers[i], sizeof(numbers[i]));
}

static void check_all_sent_in_order(int count) {
  int i;
  ASSERT_EQ(sent, count);
  for (i = 0; i < count; i++) {
    ASSERT_OK(statuses[i]);
    ASSERT_EQ(order[i], i);
  }
}

TEST_IMPL(send_sends_at_once_and_calls_back_later) {
  struct sockaddr_in to;
  int fd = receiver(&to);
  uv_buf_t buf = number(0);
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_OK(uv_udp_send(&requests[0], &sender, &buf, 1, (struct sockaddr*) &to, on_sent));
  ASSERT_EQ(requests[0].type, UV_UDP_SEND);
  ASSERT_EQ(arrived(fd), 0);
  ASSERT_EQ(sent, 0);
  ASSERT_EQ(sender.send_queue_size, sizeof(int));
  ASSERT_EQ(uv_udp_get_send_queue_size(&sender), sizeof(int));
  ASSERT_EQ(uv_udp_get_send_queue_count(&sender), 1);
  ASSERT(uv_is_active((uv_handle_t*) &sender));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  check_all_sent_in_order(1);
  ASSERT_EQ(uv_udp_get_send_queue_size(&sender), 0);
  ASSERT_EQ(uv_udp_get_send_queue_count(&sender), 0);
  ASSERT(!uv_is_active((uv_handle_t*) &sender));
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(many_sends_keep_their_order) {
  struct sockaddr_in to;
  int fd = receiver(&to);
  int i;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  for (i = 0; i < most; i++) {
    uv_buf_t buf = number(i);
    ASSERT_OK(uv_udp_send(&requests[i], &sender, &buf, 1, (struct sockaddr*) &to, on_sent));
  }
  ASSERT_EQ(uv_udp_get_send_queue_count(&sender), most);
  ASSERT_EQ(uv_udp_get_send_queue_size(&sender), most * sizeof(int));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  check_all_sent_in_order(most);
  for (i = 0; i < most; i++) ASSERT_EQ(arrived(fd), i);
  ASSERT_EQ(arrived(fd), -1);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(buffers_are_gathered) {
  struct sockaddr_in to;
  int fd = receiver(&to);
  uv_buf_t bufs[7];
  char data[32];
  int i;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  for (i = 0; i < 7; i++) bufs[i] = uv_buf_init(&"abcdefg"[i], 1);
  ASSERT_OK(uv_udp_send(&requests[0], &sender, bufs, 7, (struct sockaddr*) &to, on_sent));
  ASSERT_OK(uv_udp_send(&requests[1], &sender, bufs, 7, (struct sockaddr*) &to, on_sent));
  ASSERT_OK(uv_udp_send(&requests[2], &sender, bufs, 3, (struct sockaddr*) &to, on_sent));
  ASSERT_OK(uv_udp_send(&requests[3], &sender, bufs, 1, (struct sockaddr*) &to, NULL));
  /* The lists were copied. */
  memset(bufs, 0, sizeof(bufs));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  check_all_sent_in_order(3);
  ASSERT_EQ(recv(fd, data, sizeof(data), MSG_DONTWAIT), 7);
  ASSERT_MEM_EQ(data, "abcdefg", 7);
  ASSERT_EQ(recv(fd, data, sizeof(data), MSG_DONTWAIT), 7);
  ASSERT_MEM_EQ(data, "abcdefg", 7);
  ASSERT_EQ(recv(fd, data, sizeof(data), MSG_DONTWAIT), 3);
  ASSERT_EQ(recv(fd, data, sizeof(data), MSG_DONTWAIT), 1);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(send_reports_wrong_arguments) {
  struct sockaddr_in to = loopback(9);
  struct sockaddr other = {.sa_family = 77};
  uv_buf_t buf = number(0);
  int fd;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_EQ(uv_udp_send(&requests[0], &sender, &buf, 0, (struct sockaddr*) &to, on_sent), UV_EINVAL);
  ASSERT_EQ(uv_udp_send(&requests[0], &sender, &buf, -1, (struct sockaddr*) &to, on_sent),
            UV_EINVAL);
  ASSERT_EQ(uv_udp_send(&requests[0], &sender, &buf, 1, NULL, on_sent), UV_EDESTADDRREQ);
  ASSERT_EQ(uv_udp_send(&requests[0], &sender, &buf, 1, &other, on_sent), UV_EINVAL);
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 0, (struct sockaddr*) &to), UV_EINVAL);
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, -1, (struct sockaddr*) &to), UV_EINVAL);
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, NULL), UV_EDESTADDRREQ);
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, &other), UV_EINVAL);
  /* None of these calls made a socket. */
  ASSERT_EQ(uv_fileno((uv_handle_t*) &sender, &fd), UV_EBADF);
  ASSERT_OK(uv_udp_connect(&sender, (struct sockaddr*) &to));
  ASSERT_EQ(uv_udp_send(&requests[0], &sender, &buf, 1, (struct sockaddr*) &to, on_sent), UV_EISCONN);
  ASSERT_EQ(uv_udp_get_send_queue_count(&sender), 0);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(sent, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_error_is_one_requests_matter) {
  static char large[65536];
  struct sockaddr_in to;
  int fd = receiver(&to);
  int i;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  for (i = 0; i < 50; i++) {
    uv_buf_t buf = i % 7 == 0 ? uv_buf_init(large, sizeof(large)) : number(i);
    ASSERT_OK(uv_udp_send(&requests[i], &sender, &buf, 1, (struct sockaddr*) &to, on_sent));
  }
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(sent, 50);
  for (i = 0; i < 50; i++) {
    ASSERT_EQ(order[i], i);
    ASSERT_EQ(statuses[i], i % 7 == 0 ? UV_EMSGSIZE : 0);
    if (i % 7 != 0) ASSERT_EQ(arrived(fd), i);
  }
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(try_send_sends_now_or_not_at_all) {
  static char large[65536];
  struct sockaddr_in to;
  int fd = receiver(&to);
  uv_buf_t buf = number(3);
  uv_buf_t too_large = uv_buf_init(large, sizeof(large));
  uv_buf_t empty = uv_buf_init(NULL, 0);
  char data[4];
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &to), sizeof(int));
  ASSERT_EQ(arrived(fd), 3);
  ASSERT_EQ(uv_udp_try_send(&sender, &too_large, 1, (struct sockaddr*) &to), UV_EMSGSIZE);
  ASSERT_EQ(uv_udp_try_send(&sender, &empty, 1, (struct sockaddr*) &to), 0);
  ASSERT_EQ(recv(fd, data, sizeof(data), MSG_DONTWAIT), 0);
  /* Not before a request that waits for its callback. */
  ASSERT_OK(uv_udp_send(&requests[0], &sender, &buf, 1, (struct sockaddr*) &to, on_sent));
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &to), UV_EAGAIN);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &to), sizeof(int));
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_buf_t batch[most];
static uv_buf_t* batch_bufs[most];
static unsigned batch_nbufs[most];
static struct sockaddr* batch_addrs[most];

static void prepare_batch(struct sockaddr_in* to) {
  int i;
  for (i = 0; i < most; i++) {
    batch[i] = number(i);
    batch_bufs[i] = &batch[i];
    batch_nbufs[i] = 1;
    batch_addrs[i] = (struct sockaddr*) to;
  }
}

static int try_send2(unsigned count, unsigned flags) {
  return uv_udp_try_send2(&sender, count, batch_bufs, batch_nbufs, batch_addrs, flags);
}

TEST_IMPL(try_send2_reports_exactly_the_leading_datagrams) {
  OXUV_ONLY();
  static char large[65536];
  static const int bad_at[] = {45, 44, 41, 40, 39, 21, 20, 19, 1};
  struct sockaddr_in to;
  int fd = receiver(&to);
  size_t round;
  int i;
  prepare_batch(&to);
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &sender, AF_INET));
  ASSERT_EQ(try_send2(0, 0), 0);
  ASSERT_EQ(try_send2(1, 0), 1);
  ASSERT_EQ(arrived(fd), 0);
  for (round = 0; round < sizeof(bad_at) / sizeof(bad_at[0]); round++) {
    int bad = bad_at[round];
    batch[bad] = uv_buf_init(large, sizeof(large));
    ASSERT_EQ(try_send2(46, 0), bad);
    for (i = 0; i < bad; i++) ASSERT_EQ(arrived(fd), i);
    ASSERT_EQ(arrived(fd), -1);
    batch[bad] = number(bad);
  }
  ASSERT_EQ(try_send2(most, 0), most);
  for (i = 0; i < most; i++) ASSERT_EQ(arrived(fd), i);
  batch[0] = uv_buf_init(large, sizeof(large));
  ASSERT_EQ(try_send2(46, 0), UV_EMSGSIZE);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(try_send2_reports_wrong_arguments) {
  struct sockaddr_in to;
  struct sockaddr other = {.sa_family = 77};
  int fd = receiver(&to);
  prepare_batch(&to);
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  /* The handle must have been bound. */
  ASSERT_EQ(try_send2(2, 0), UV_EINVAL);
  ASSERT_OK(uv_udp_connect(&sender, (struct sockaddr*) &to));
  ASSERT_OK(uv_udp_connect(&sender, NULL));
  ASSERT_EQ(try_send2(2, 1), UV_EINVAL);
  batch_nbufs[1] = 0;
  ASSERT_EQ(try_send2(2, 0), UV_EINVAL);
  batch_nbufs[1] = 1;
  batch_addrs[1] = &other;
  ASSERT_EQ(try_send2(2, 0), UV_EINVAL);
  batch_addrs[1] = NULL;
  ASSERT_EQ(try_send2(2, 0), UV_EDESTADDRREQ);
  ASSERT_EQ(arrived(fd), -1);
  batch_addrs[1] = (struct sockaddr*) &to;
  ASSERT_OK(uv_udp_send(&requests[0], &sender, &batch[5], 1, (struct sockaddr*) &to, on_sent));
  ASSERT_EQ(try_send2(2, 0), UV_EAGAIN);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(arrived(fd), 5);

  ASSERT_OK(uv_udp_connect(&sender, (struct sockaddr*) &to));
  ASSERT_EQ(try_send2(2, 0), UV_EISCONN);
  batch_addrs[0] = batch_addrs[1] = NULL;
  ASSERT_EQ(try_send2(2, 0), 2);
  ASSERT_EQ(arrived(fd), 0);
  ASSERT_EQ(arrived(fd), 1);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A handle on one end of a pair of Unix sockets, which, unlike UDP, can be full. Returns the other
 * end, and how many numbers were sent until it was. */
static int full_pair(int* in_it) {
  int ends[2];
  int i;
  ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_OK(uv_udp_open_ex(&sender, ends[0], 0));
  for (i = 0;; i++) {
    int zero = 0;
    uv_buf_t buf = uv_buf_init((char*) &zero, sizeof(zero));
    int result = uv_udp_try_send(&sender, &buf, 1, NULL);
    if (result == UV_EAGAIN) break;
    ASSERT_EQ(result, sizeof(int));
  }
  ASSERT_GT(i, 0);
  *in_it = i;
  return ends[1];
}

TEST_IMPL(sends_wait_until_there_is_room) {
  int in_it;
  int i;
  int fd = full_pair(&in_it);
  for (i = 0; i < most; i++) {
    uv_buf_t buf = number(i);
    ASSERT_OK(uv_udp_send(&requests[i], &sender, &buf, 1, NULL, on_sent));
  }
  for (i = 0; i < 10; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(sent, 0);
  ASSERT_EQ(uv_udp_get_send_queue_count(&sender), most);
  for (i = 0; i < in_it; i++) ASSERT_EQ(arrived(fd), 0);
  for (i = 0; i < most; i++) {
    int got = arrived(fd);
    while (got == -1) {
      uv_run(uv_default_loop(), UV_RUN_ONCE);
      got = arrived(fd);
    }
    ASSERT_EQ(got, i);
  }
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  check_all_sent_in_order(most);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_cancelled(uv_udp_send_t* request, int status) {
  ASSERT_EQ(status, UV_ECANCELED);
  ASSERT_EQ(closed, 0);
  on_sent(request, status);
}

TEST_IMPL(closing_cancels_what_is_queued_in_order) {
  int in_it;
  int i;
  int fd = full_pair(&in_it);
  for (i = 0; i < 30; i++) {
    uv_buf_t buf = number(i);
    ASSERT_OK(uv_udp_send(&requests[i], &sender, &buf, 1, NULL, on_cancelled));
  }
  uv_close((uv_handle_t*) &sender, on_close);
  ASSERT_EQ(sent, 0);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(sent, 30);
  ASSERT_EQ(closed, 1);
  for (i = 0; i < 30; i++) ASSERT_EQ(order[i], i);
  ASSERT_EQ(uv_udp_get_send_queue_count(&sender), 0);
  ASSERT_EQ(uv_udp_get_send_queue_size(&sender), 0);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_was_sent_before_closing_is_not_cancelled) {
  struct sockaddr_in to;
  int fd = receiver(&to);
  int i;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  for (i = 0; i < 3; i++) {
    uv_buf_t buf = number(i);
    ASSERT_OK(uv_udp_send(&requests[i], &sender, &buf, 1, (struct sockaddr*) &to, on_sent));
  }
  uv_close((uv_handle_t*) &sender, on_close);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(sent, 3);
  ASSERT_OK(statuses[0]);
  ASSERT_EQ(statuses[1], UV_ECANCELED);
  ASSERT_EQ(statuses[2], UV_ECANCELED);
  ASSERT_EQ(arrived(fd), 0);
  ASSERT_EQ(arrived(fd), -1);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

static struct sockaddr_in again_to;

static void on_sent_again(uv_udp_send_t* request, int status) {
  ASSERT_OK(status);
  if (++sent < 100) {
    uv_buf_t buf = number(sent);
    ASSERT_OK(uv_udp_send(request, &sender, &buf, 1, (struct sockaddr*) &again_to, on_sent_again));
  }
}

TEST_IMPL(a_request_can_be_sent_anew_by_its_callback) {
  int fd = receiver(&again_to);
  uv_buf_t buf = number(0);
  int i;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_OK(
    uv_udp_send(&requests[0], &sender, &buf, 1, (struct sockaddr*) &again_to, on_sent_again));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(sent, 100);
  for (i = 0; i < 100; i++) ASSERT_EQ(arrived(fd), i);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

static void on_sent_close(uv_udp_send_t* request, int status) {
  if (sent == 0) uv_close((uv_handle_t*) &sender, on_close);
  on_sent(request, status);
}

TEST_IMPL(a_callback_may_close_the_handle) {
  struct sockaddr_in to;
  int fd = receiver(&to);
  int i;
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  for (i = 0; i < 60; i++) {
    uv_buf_t buf = number(i);
    ASSERT_OK(uv_udp_send(&requests[i], &sender, &buf, 1, (struct sockaddr*) &to, on_sent_close));
  }
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(sent, 60);
  ASSERT_EQ(closed, 1);
  for (i = 0; i < 60; i++) ASSERT_EQ(order[i], i);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(errors_that_are_not_received_do_not_delay_sending) {
  OXUV_ONLY();
  struct sockaddr_in from = loopback(0);
  struct sockaddr_in to;
  int i;
  close(receiver(&to));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_OK(uv_udp_bind(&sender, (struct sockaddr*) &from, UV_UDP_LINUX_RECVERR));
  for (i = 0; i < 50; i++) {
    uv_buf_t buf = number(i);
    ASSERT_OK(uv_udp_send(&requests[i], &sender, &buf, 1, (struct sockaddr*) &to, on_sent));
  }
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(sent, 50);
  for (i = 0; i < 50; i++) {
    ASSERT_EQ(order[i], i);
    if (statuses[i] != 0) ASSERT_EQ(statuses[i], UV_ECONNREFUSED);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(unix_datagram_sockets_are_sent_to_by_name) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  uv_buf_t buf = number(7);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  snprintf(to.sun_path, sizeof(to.sun_path), "%s", test_path("socket"));
  ASSERT_OK(bind(fd, (struct sockaddr*) &to, sizeof(to)));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_OK(uv_udp_open(&sender, socket(AF_UNIX, SOCK_DGRAM, 0)));
  ASSERT_OK(uv_udp_send(&requests[0], &sender, &buf, 1, (struct sockaddr*) &to, on_sent));
  ASSERT_EQ(arrived(fd), 7);
  ASSERT_EQ(uv_udp_get_send_queue_count(&sender), 1);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &to), sizeof(int));
  check_all_sent_in_order(1);
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(only_an_open_unix_socket_sends_by_name) {
  OXUV_ONLY();
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  uv_buf_t buf = number(7);
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_EQ(uv_udp_send(&requests[0], &sender, &buf, 1, (struct sockaddr*) &to, on_sent), UV_EINVAL);
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &to), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}
