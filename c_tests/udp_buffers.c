/* What a program does in the callbacks of a UDP handle that receives: each buffer that it lends
 * comes back, once, to the callback that was set when it was asked for.
 * https://docs.libuv.org/en/v1.x/udp.html#c.uv_udp_recv_start */
#include "task.h"

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/un.h>

enum { chunk_size = 64 * 1024 };

static uv_loop_t loop;
static uv_udp_t udp;
static int peer;
static int lent;
static int in_chunks;
static size_t room = 4 * chunk_size;
static void (*when_asked)(void);
static void (*when_reported)(void);

/* --- Callbacks -------------------------------------------------------------------------------- */

static void run_once(void (**what)(void)) {
  void (*now)(void) = *what;
  *what = NULL;
  if (now != NULL) now();
}

static void give(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  note("alloc");
  if (room > 0) {
    *buf = uv_buf_init(malloc(room), (unsigned) room);
    lent++;
  }
  run_once(&when_asked);
}

static void report(const char* callback, ssize_t size, const uv_buf_t* buf, unsigned flags) {
  if (size < 0) note("%s:%s", callback, uv_err_name((int) size));
  else if (flags & UV_UDP_MMSG_FREE) note("%s:free", callback);
  else note("%s:%.*s", callback, (int) size, buf->base);
  if (buf->base != NULL && !(flags & UV_UDP_MMSG_CHUNK)) {
    free(buf->base);
    lent--;
  }
  run_once(&when_reported);
}

static void on_receive(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                       const struct sockaddr* from, unsigned flags) {
  report("got", size, buf, flags);
}

static void on_receive_by_other(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                                const struct sockaddr* from, unsigned flags) {
  report("other", size, buf, flags);
}

static void on_close(uv_handle_t* handle) {
  note("close");
  memset(handle, 0xdb, sizeof(udp));
}

/* --- What is done in them ---------------------------------------------------------------- */

static void stop(void) {
  ASSERT_OK(uv_udp_recv_stop(&udp));
  ASSERT(!uv_is_active((uv_handle_t*) &udp));
}

static void shut(void) {
  uv_close((uv_handle_t*) &udp, on_close);
}

static void restart(void) {
  stop();
  ASSERT_OK(uv_udp_recv_start(&udp, give, on_receive));
}

static void restart_for_another(void) {
  stop();
  ASSERT_OK(uv_udp_recv_start(&udp, give, on_receive_by_other));
}

/* --- Fixture ----------------------------------------------------------------------------- */

static void post(const char* text) {
  ASSERT_EQ(send(peer, text, strlen(text), 0), (ssize_t) strlen(text));
}

static void iterate(void) {
  int i;
  for (i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
}

static void start(void) {
  ASSERT_OK(uv_udp_recv_start(&udp, give, on_receive));
  iterate();
}

static int open_at(unsigned flags, struct sockaddr* address) {
  struct sockaddr_storage bound;
  int length = sizeof(bound);
  ASSERT_OK(uv_udp_init_ex(&loop, &udp, flags));
  if (uv_udp_bind(&udp, address, 0) != 0) return 0;
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &bound, &length));
  peer = socket(bound.ss_family, SOCK_DGRAM, 0);
  ASSERT_OK(connect(peer, (struct sockaddr*) &bound, (socklen_t) length));
  return 1;
}

static int open_ipv4(unsigned flags) {
  struct sockaddr_in address = loopback(0);
  return open_at(flags, (struct sockaddr*) &address);
}

static int open_ipv6(unsigned flags) {
  struct sockaddr_in6 address;
  ASSERT_OK(uv_ip6_addr("::1", 0, &address));
  return open_at(flags, (struct sockaddr*) &address);
}

static int open_unix(unsigned flags) {
  int fds[2];
  ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
  ASSERT_OK(uv_udp_init_ex(&loop, &udp, flags));
  ASSERT_OK(uv_udp_open(&udp, fds[0]));
  peer = fds[1];
  return 1;
}

static void run_with(unsigned flags, void (*body)(void)) {
  int (*const opens[])(unsigned) = {open_ipv4, open_ipv6, open_unix};
  size_t i;
  in_chunks = flags != 0;
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_loop_init(&loop));
    if (opens[i](flags)) {
      body();
      close(peer);
    }
    when_reported = NULL;
    clear_notes();
    close_loop(&loop);
    ASSERT_EQ(lent, 0);
  }
}

/* On sockets of each family, one datagram at a time and several. */
static void on_each(void (*body)(void)) {
  run_with(0, body);
  run_with(UV_UDP_RECVMMSG, body);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- When asked for a buffer ------------------------------------------------------------- */

static void stop_when_asked(void) {
  int waiting;
  uv_os_fd_t fd;
  post("hello");
  when_asked = stop;
  start();
  ASSERT_NOTES("alloc got:");
  ASSERT(!uv_loop_alive(&loop));
  ASSERT_OK(uv_fileno((uv_handle_t*) &udp, &fd));
  ASSERT_OK(ioctl(fd, FIONREAD, &waiting));
  ASSERT_EQ(waiting, 5);
  start();
  ASSERT_NOTES(in_chunks ? "alloc got:hello got:free alloc got:" : "alloc got:hello alloc got:");
}

TEST_IMPL(stopping_while_asked_for_a_buffer) {
  OXUV_ONLY(); /* libuv calls a null pointer, or never gives the buffer back. */
  on_each(stop_when_asked);
}

static void close_when_asked(void) {
  post("hello");
  when_asked = shut;
  start();
  ASSERT_NOTES("alloc got: close");
}

TEST_IMPL(closing_while_asked_for_a_buffer) {
  OXUV_ONLY();
  on_each(close_when_asked);
}

static void restart_when_asked(void) {
  post("hello");
  when_asked = restart;
  start();
  ASSERT_NOTES(in_chunks ? "alloc got:hello got:free alloc got:" : "alloc got:hello alloc got:");
}

TEST_IMPL(starting_anew_while_asked_is_as_if_it_had_not_stopped) {
  on_each(restart_when_asked);
}

static void restart_for_another_when_asked(void) {
  post("hello");
  when_asked = restart_for_another;
  start();
  ASSERT_NOTES(in_chunks ? "alloc got: alloc other:hello other:free alloc other:"
                           : "alloc got: alloc other:hello alloc other:");
}

TEST_IMPL(starting_for_another_while_asked_gives_the_buffer_back_to_its_owner) {
  OXUV_ONLY(); /* In libuv the other one gets the buffer. */
  on_each(restart_for_another_when_asked);
}

static void give_nothing_and_stop(void) {
  room = 0;
  post("hello");
  when_asked = stop;
  start();
  ASSERT_NOTES("alloc");
  room = 4 * chunk_size;
}

TEST_IMPL(stopping_without_giving_a_buffer_gets_none_back) {
  OXUV_ONLY();
  on_each(give_nothing_and_stop);
}

static void give_too_little_and_stop(void) {
  room = 10;
  post("hello");
  when_asked = stop;
  start();
  ASSERT_NOTES("alloc got:");
  room = 4 * chunk_size;
}

TEST_IMPL(stopping_with_too_small_a_buffer_gets_it_back) {
  OXUV_ONLY();
  on_each(give_too_little_and_stop);
}

static void restart_when_it_is_back(void) {
  post("hello");
  when_asked = stop;
  when_reported = restart_for_another;
  start();
  ASSERT_NOTES(in_chunks ? "alloc got: alloc other:hello other:free alloc other:"
                           : "alloc got: alloc other:hello alloc other:");
}

TEST_IMPL(receiving_may_start_anew_when_the_buffer_is_back) {
  OXUV_ONLY();
  on_each(restart_when_it_is_back);
}

static void close_when_it_is_back(void) {
  post("hello");
  when_asked = stop;
  when_reported = shut;
  start();
  ASSERT_NOTES("alloc got: close");
}

TEST_IMPL(the_handle_may_be_closed_when_the_buffer_is_back) {
  OXUV_ONLY();
  on_each(close_when_it_is_back);
}

static void stop_when_asked_for_errors(void) {
  struct sockaddr_in to = loopback(0);
  socklen_t length = sizeof(to);
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  /* A port that is free. */
  ASSERT_OK(bind(fd, (struct sockaddr*) &to, sizeof(to)));
  ASSERT_OK(getsockname(fd, (struct sockaddr*) &to, &length));
  close(fd);
  ASSERT_EQ(uv_udp_try_send(&udp, &buf, 1, (struct sockaddr*) &to), 1);
}

static void stop_again_when_asked(void) {
  when_asked = stop;
}

TEST_IMPL(stopping_while_asked_for_a_buffer_for_an_error) {
  struct sockaddr_in address = loopback(0);
  OXUV_ONLY();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_udp_init(&loop, &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, UV_UDP_LINUX_RECVERR));
  stop_when_asked_for_errors();
  /* The first buffer is for datagrams, of which there is none; the second for the error. */
  when_reported = stop_again_when_asked;
  start();
  ASSERT_NOTES("alloc got:ECONNREFUSED alloc got:");
  close_loop(&loop);
  ASSERT_EQ(lent, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- When a datagram is reported --------------------------------------------------------- */

static void post_four(void) {
  post("1");
  post("2");
  post("3");
  post("4");
}

static void stop_at_a_datagram(void) {
  post_four();
  when_reported = stop;
  start();
  ASSERT_NOTES(in_chunks ? "alloc got:1 got:free" : "alloc got:1");
  ASSERT(!uv_loop_alive(&loop));
}

TEST_IMPL(stopping_at_a_datagram_gives_the_buffer_back) {
  OXUV_ONLY(); /* libuv never gives back what it took for several. */
  on_each(stop_at_a_datagram);
}

static void close_at_a_datagram(void) {
  post_four();
  when_reported = shut;
  start();
  ASSERT_NOTES(in_chunks ? "alloc got:1 got:free close" : "alloc got:1 close");
}

TEST_IMPL(closing_at_a_datagram_gives_the_buffer_back) {
  OXUV_ONLY();
  on_each(close_at_a_datagram);
}

static void restart_at_a_datagram(void) {
  post_four();
  when_reported = restart_for_another;
  start();
  ASSERT_NOTES(in_chunks ? "alloc got:1 other:2 other:3 other:4 got:free alloc other:"
                           : "alloc got:1 alloc other:2 alloc other:3 alloc other:4 alloc other:");
}

TEST_IMPL(starting_for_another_at_a_datagram_loses_none) {
  OXUV_ONLY(); /* In libuv the other one gets the buffer. */
  on_each(restart_at_a_datagram);
}

static void stop_when_reported_again(void) {
  when_reported = stop;
}

static void stop_at_the_second(void) {
  post_four();
  when_reported = stop_when_reported_again;
  start();
  ASSERT_NOTES(in_chunks ? "alloc got:1 got:2 got:free" : "alloc got:1 alloc got:2");
}

TEST_IMPL(stopping_at_a_later_datagram) {
  OXUV_ONLY();
  on_each(stop_at_the_second);
}

/* --- Peers without a name ---------------------------------------------------------------- */

static void give_silently(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  *buf = uv_buf_init(malloc(room), (unsigned) room);
  lent++;
}

static void expect_datagrams(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                             const struct sockaddr* from, unsigned flags) {
  if (from == NULL) note("none");
  else note("%d/%s:%d", from->sa_family, ((const struct sockaddr_un*) from)->sun_path, (int) size);
  if (buf->base != NULL && !(flags & UV_UDP_MMSG_CHUNK)) {
    free(buf->base);
    lent--;
  }
}

static void receive_from_peer(unsigned flags, const char* name, const char* expected) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  socklen_t length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT(open_unix(flags));
  strcpy(address.sun_path, name);
  if (name[0] != '\0') ASSERT_OK(bind(peer, (struct sockaddr*) &address, length));
  post("");
  post("hi");
  post("");
  ASSERT_OK(uv_udp_recv_start(&udp, give_silently, expect_datagrams));
  iterate();
  ASSERT_NOTES(expected);
  close(peer);
  close_loop(&loop);
  ASSERT_EQ(lent, 0);
}

TEST_IMPL(an_empty_datagram_of_a_peer_without_a_name_is_one) {
  receive_from_peer(0, "", "0/:0 0/:2 0/:0 none");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_empty_datagram_in_a_chunk_of_a_peer_without_a_name_is_one) {
  OXUV_ONLY(); /* The address is NULL in libuv. */
  receive_from_peer(UV_UDP_RECVMMSG, "", "0/:0 0/:2 0/:0 none none");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(names_of_unix_peers_are_reported) {
  ASSERT_OK(chdir(test_tmpdir()));
  receive_from_peer(0, "a", "1/a:0 1/a:2 1/a:0 none");
  receive_from_peer(UV_UDP_RECVMMSG, "b", "1/b:0 1/b:2 1/b:0 none none");
  MAKE_SURE_NOTHING_LEAKED();
}
