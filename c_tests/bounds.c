/* No function writes, or reads, past the memory it was given: forbidden pages stand right behind
 * it, at every size. */
#include "guards.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

static char whole[8192];

/* --- Texts that either fit or do not ---------------------------------------------------------- */

typedef int (*get_text)(char* memory, size_t* size);

/* Asks with buffers of every size: what fits is whole, for the rest the size is reported. */
static void every_size(get_text get) {
  size_t length = sizeof(whole);
  size_t size;

  ASSERT_OK(get(whole, &length));
  ASSERT_EQ(length, strlen(whole));
  for (size = 1; size <= strlen(whole) + 2; size++) {
    char* memory = guarded(size);
    length = size;
    if (size <= strlen(whole)) {
      ASSERT_EQ(get(memory, &length), UV_ENOBUFS);
      ASSERT_EQ(length, strlen(whole) + 1);
    } else {
      ASSERT_OK(get(memory, &length));
      ASSERT_EQ(length, strlen(whole));
      ASSERT_STR_EQ(memory, whole);
    }
    release(memory, size);
  }
  /* The error for no space at all differs between the chapters. */
  length = 0;
  ASSERT_LT(get(guarded(0), &length), 0);
}

static int get_variable(char* memory, size_t* size) {
  return uv_os_getenv("OXUV_BOUNDS", memory, size);
}

static int get_interface(char* memory, size_t* size) {
  return uv_if_indextoname(if_nametoindex("lo"), memory, size);
}

static int get_interface_id(char* memory, size_t* size) {
  return uv_if_indextoiid(if_nametoindex("lo"), memory, size);
}

TEST_IMPL(texts_about_the_system_stay_within_their_buffer) {
  setenv("OXUV_BOUNDS", "a value of the test", 1);
  setenv("HOME", "/home/of/the/test", 1);
  setenv("TMPDIR", "/tmp/of/the/test", 1);
  every_size(get_variable);
  every_size(uv_os_homedir);
  every_size(uv_os_tmpdir);
  every_size(uv_cwd);
  every_size(uv_os_gethostname);
  if (if_nametoindex("lo") != 0) {
    every_size(get_interface);
    every_size(get_interface_id);
  }
}

static uv_fs_event_t event;
static uv_fs_poll_t fs_poll;

static void on_event(uv_fs_event_t* handle, const char* name, int events, int status) {}

static void on_fs_poll(uv_fs_poll_t* handle, int status, const uv_stat_t* a, const uv_stat_t* b) {}

static int get_event_path(char* memory, size_t* size) {
  return uv_fs_event_getpath(&event, memory, size);
}

static int get_poll_path(char* memory, size_t* size) {
  return uv_fs_poll_getpath(&fs_poll, memory, size);
}

TEST_IMPL(paths_of_watchers_stay_within_their_buffer) {
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &event));
  ASSERT_OK(uv_fs_event_start(&event, on_event, "/proc/self", 0));
  ASSERT_OK(uv_fs_poll_init(uv_default_loop(), &fs_poll));
  ASSERT_OK(uv_fs_poll_start(&fs_poll, on_fs_poll, "/proc/self", 10000));
  every_size(get_event_path);
  every_size(get_poll_path);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(local_names_of_pipes_stay_within_their_buffer) {
  const char* path = test_path("socket");
  uv_pipe_t server;
  size_t size;

  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_OK(uv_pipe_bind(&server, path));
  for (size = 1; size <= strlen(path) + 2; size++) {
    char* memory = guarded(size);
    size_t length = size;
    int result = uv_pipe_getsockname(&server, memory, &length);
    if (size <= strlen(path)) {
      ASSERT_EQ(result, UV_ENOBUFS);
      ASSERT_GE(length, strlen(path));
    } else {
      ASSERT_OK(result);
      ASSERT_EQ(length, strlen(path));
      ASSERT_STR_EQ(memory, path);
    }
    release(memory, size);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_pipe_t named;

static int get_pipe_name(char* memory, size_t* size) {
  return uv_pipe_getsockname(&named, memory, size);
}

static int get_peer_name(char* memory, size_t* size) {
  return uv_pipe_getpeername(&named, memory, size);
}

/* A size after an error: as much as is needed, or nothing where there is no text. */
static void expect_size(get_text get, size_t room, int error, size_t length) {
  size_t size = room;
  ASSERT_EQ(get(whole, &size), error);
  ASSERT_EQ(size, length);
}

TEST_IMPL(no_room_at_all_is_a_wrong_argument) {
  const char* path = test_path("socket");
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &named, 0));
  expect_size(get_pipe_name, 0, UV_EINVAL, 0);
  ASSERT_OK(uv_pipe_bind(&named, path));
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &event));
  ASSERT_OK(uv_fs_event_start(&event, on_event, test_tmpdir(), 0));
  ASSERT_OK(uv_fs_poll_init(uv_default_loop(), &fs_poll));
  ASSERT_OK(uv_fs_poll_start(&fs_poll, on_fs_poll, test_tmpdir(), 10000));
  expect_size(get_pipe_name, 0, UV_EINVAL, 0);
  expect_size(get_peer_name, 0, UV_EINVAL, 0);
  expect_size(get_event_path, 0, UV_EINVAL, 0);
  expect_size(get_poll_path, 0, UV_EINVAL, 0);
  expect_size(get_pipe_name, 1, UV_ENOBUFS, strlen(path) + 1);
  expect_size(get_event_path, 1, UV_ENOBUFS, strlen(test_tmpdir()) + 1);
  expect_size(get_poll_path, 1, UV_ENOBUFS, strlen(test_tmpdir()) + 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(where_there_is_no_text_its_size_is_nothing) {
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &named, 0));
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &event));
  ASSERT_OK(uv_fs_poll_init(uv_default_loop(), &fs_poll));
  expect_size(get_pipe_name, 9, UV_EBADF, 0);
  expect_size(get_peer_name, 9, UV_EBADF, 0);
  expect_size(get_event_path, 9, UV_EINVAL, 0);
  expect_size(get_poll_path, 9, UV_EINVAL, 0);
  ASSERT_OK(uv_pipe_bind(&named, test_path("socket")));
  expect_size(get_peer_name, 9, UV_ENOTCONN, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Texts that are cut ----------------------------------------------------------------------- */

static int get_title(char* memory, size_t size) {
  return uv_get_process_title(memory, size);
}

TEST_IMPL(the_title_stays_within_its_buffer) {
  char name[] = "title-of-the-test";
  char* arguments[] = {name, NULL};
  size_t size;
  uv_setup_args(1, arguments);
  ASSERT_OK(uv_set_process_title("short title"));
  for (size = 1; size < 16; size++) {
    char* memory = guarded(size);
    int result = get_title(memory, size);
    ASSERT_EQ(result, size > strlen("short title") ? 0 : UV_ENOBUFS);
    if (result == 0) ASSERT_STR_EQ(memory, "short title");
    release(memory, size);
  }
}

TEST_IMPL(what_is_cut_is_terminated_within_its_buffer) {
  char path[4096];
  size_t length = sizeof(path);
  size_t size;

  ASSERT_OK(uv_exepath(path, &length));
  for (size = 1; size <= strlen(path) + 2; size++) {
    size_t fits = size <= strlen(path) ? size - 1 : strlen(path);
    char* memory = guarded(size);
    length = size;
    ASSERT_OK(uv_exepath(memory, &length));
    ASSERT_EQ(length, fits);
    ASSERT_EQ(memory[fits], '\0');
    ASSERT_MEM_EQ(memory, path, fits);
    release(memory, size);
  }
}

TEST_IMPL(texts_of_errors_stay_within_their_buffer) {
  static const int errors[] = {UV_EAI_ADDRFAMILY, UV_E2BIG, UV_EOF, -4711};
  size_t size;
  int i;
  for (i = 0; i < 4; i++) {
    for (size = 1; size < 80; size++) {
      char* memory = guarded(size);
      ASSERT_PTR_EQ(uv_err_name_r(errors[i], memory, size), memory);
      ASSERT_LT(strnlen(memory, size), size);
      ASSERT_PTR_EQ(uv_strerror_r(errors[i], memory, size), memory);
      ASSERT_LT(strnlen(memory, size), size);
      release(memory, size);
    }
  }
}

static void* name_self(void* arg) {
  size_t size;
  uv_thread_t self = uv_thread_self();
  ASSERT_OK(uv_thread_setname(arg));
  for (size = 1; size <= 20; size++) {
    char* memory = guarded(size);
    int result = uv_thread_getname(&self, memory, size);
    if (result == 0) ASSERT_LT(strnlen(memory, size), size);
    release(memory, size);
  }
  return NULL;
}

TEST_IMPL(names_of_threads_stay_within_their_buffer) {
  char* name = guarded_text("fifteen-letters");
  name_self(name);
  name_self(guarded_text("a name that is longer than the fifteen that there are"));
}

/* --- Addresses -------------------------------------------------------------------------------- */

TEST_IMPL(texts_of_addresses_stay_within_their_buffer) {
  struct sockaddr_in* four = guarded(sizeof(*four));
  struct sockaddr_in6* six = guarded(sizeof(*six));
  size_t size;

  ASSERT_OK(uv_ip4_addr(guarded_text("255.254.253.252"), 65535, four));
  ASSERT_OK(uv_ip6_addr(guarded_text("1111:2222:3333:4444:5555:6666:7777:8888"), 1, six));
  for (size = 1; size < 64; size++) {
    char* memory = guarded(size);
    ASSERT_EQ(uv_ip4_name(four, memory, size), size > 15 ? 0 : UV_ENOSPC);
    ASSERT_EQ(uv_ip6_name(six, memory, size), size > 39 ? 0 : UV_ENOSPC);
    ASSERT_EQ(uv_ip_name((struct sockaddr*) four, memory, size), size > 15 ? 0 : UV_ENOSPC);
    ASSERT_EQ(uv_inet_ntop(AF_INET, &four->sin_addr, memory, size), size > 15 ? 0 : UV_ENOSPC);
    ASSERT_EQ(uv_inet_ntop(AF_INET6, &six->sin6_addr, memory, size), size > 39 ? 0 : UV_ENOSPC);
    release(memory, size);
  }
}

TEST_IMPL(addresses_are_read_no_further_than_their_text) {
  static const char* const texts[] = {"",     "1",   "1.",      "1.2.3.",      "::",        ":",
                                      "1::2", "::%", "fe80::1%", "::ffff:1.2.", "1.2.3.4567", "1:2:3:4:5:6:7:"};
  unsigned char* binary = guarded(16);
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  size_t i;
  for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    char* text = guarded_text(texts[i]);
    int is_address = strcmp(texts[i], "::") == 0 || strcmp(texts[i], "1::2") == 0;
    ASSERT_EQ(uv_inet_pton(AF_INET, text, binary + 12), UV_EINVAL);
    ASSERT_EQ(uv_ip4_addr(text, 1, &four), UV_EINVAL);
    if (strchr(text, '%') == NULL) {
      ASSERT_EQ(uv_inet_pton(AF_INET6, text, binary), is_address ? 0 : UV_EINVAL);
      ASSERT_EQ(uv_ip6_addr(text, 1, &six), is_address ? 0 : UV_EINVAL);
    } else {
      uv_inet_pton(AF_INET6, text, binary);
      uv_ip6_addr(text, 1, &six);
    }
    release(text, strlen(texts[i]) + 1);
  }
}

/* A program may hand over a struct sockaddr_in, and no more than that. */
TEST_IMPL(socket_addresses_are_no_longer_than_their_family_says) {
  struct sockaddr_in any = loopback(0);
  struct sockaddr* address = guarded_copy(&any, sizeof(any));
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_getnameinfo_t name;
  uv_tcp_t tcp;
  uv_udp_t udp;
  uv_udp_t sender;
  int length;

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &tcp));
  ASSERT_OK(uv_tcp_bind(&tcp, address, 0));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &udp));
  ASSERT_OK(uv_udp_bind(&udp, address, 0));
  /* The names come back as far as they fit, and their whole length is reported. */
  for (length = 2; length <= (int) sizeof(any); length++) {
    struct sockaddr* memory = guarded(length);
    int reported = length;
    ASSERT_OK(uv_tcp_getsockname(&tcp, memory, &reported));
    ASSERT_EQ(reported, sizeof(any));
    reported = length;
    ASSERT_OK(uv_udp_getsockname(&udp, memory, &reported));
    ASSERT_EQ(reported, sizeof(any));
    release(memory, length);
  }
  length = sizeof(any);
  ASSERT_OK(uv_udp_getsockname(&udp, address, &length));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, address), 1);
  ASSERT_OK(uv_udp_connect(&sender, address));
  for (length = 2; length <= (int) sizeof(any); length++) {
    struct sockaddr* memory = guarded(length);
    int reported = length;
    ASSERT_OK(uv_udp_getpeername(&sender, memory, &reported));
    ASSERT_EQ(reported, sizeof(any));
    release(memory, length);
  }
  ASSERT_OK(uv_getnameinfo(uv_default_loop(), &name, NULL, address, NI_NUMERICHOST | NI_NUMERICSERV));
  ASSERT_STR_EQ(name.host, "127.0.0.1");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static int done;

static void on_fs(uv_fs_t* req) {
  done++;
}

static void on_random(uv_random_t* req, int status, void* memory, size_t size) {
  ASSERT_OK(status);
  done++;
}

TEST_IMPL(random_bytes_stay_within_their_buffer) {
  uv_random_t req;
  size_t size;
  for (size = 1; size < 600; size += 37) {
    char* memory = guarded(size);
    ASSERT_OK(uv_random(NULL, NULL, memory, size, 0, NULL));
    ASSERT_OK(uv_random(uv_default_loop(), &req, memory, size, 0, on_random));
    run_until(uv_default_loop(), &done, 1);
    done = 0;
    release(memory, size);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(files_are_read_into_their_buffers_only) {
  const char* path = test_path("file");
  uv_buf_t bufs[6];
  uv_fs_t req;
  int file, i, async;

  memset(whole, 'x', sizeof(whole));
  write_file(path, whole, sizeof(whole));
  file = uv_fs_open(NULL, &req, path, UV_FS_O_RDONLY, 0, NULL);
  ASSERT_GE(file, 0);
  uv_fs_req_cleanup(&req);
  for (async = 0; async < 2; async++) {
    for (i = 0; i < 6; i++) bufs[i] = uv_buf_init(guarded(1 + 100 * i), 1 + 100 * i);
    done = 0;
    i = uv_fs_read(uv_default_loop(), &req, file, bufs, 6, 0, async ? on_fs : NULL);
    if (async) {
      ASSERT_OK(i);
      run_until(uv_default_loop(), &done, 1);
    }
    ASSERT_EQ(req.result, 6 + 1500);
    uv_fs_req_cleanup(&req);
    for (i = 0; i < 6; i++) {
      ASSERT_EQ(bufs[i].base[100 * i], 'x');
      release(bufs[i].base, 1 + 100 * i);
    }
  }
  ASSERT_OK(uv_fs_close(NULL, &req, file, NULL));
  MAKE_SURE_NOTHING_LEAKED();
}

static size_t room;
static size_t total;

static void alloc_guarded(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  *buf = uv_buf_init(guarded(room), room);
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  ASSERT_GE(count, 0);
  ASSERT_LE(count, room);
  total += count;
  if (count > 0) ASSERT_EQ(buf->base[count - 1], 'x');
  release(buf->base, room);
  room = 1 + (room * 3 + 7) % 5000;
  if (total == sizeof(whole)) done = 1;
}

TEST_IMPL(streams_are_read_into_their_buffers_only) {
  uv_pipe_t pipe_handle;
  uv_write_t req;
  uv_buf_t buf;
  uv_pipe_t writer;
  int fds[2];

  memset(whole, 'x', sizeof(whole));
  room = 1;
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe_handle, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &writer, 0));
  ASSERT_OK(uv_pipe_open(&pipe_handle, fds[0]));
  ASSERT_OK(uv_pipe_open(&writer, fds[1]));
  ASSERT_OK(uv_read_start((uv_stream_t*) &pipe_handle, alloc_guarded, on_read));
  /* What is written is read no further either. */
  buf = uv_buf_init(guarded_copy(whole, sizeof(whole)), sizeof(whole));
  ASSERT_OK(uv_write(&req, (uv_stream_t*) &writer, guarded_copy(&buf, sizeof(buf)), 1, NULL));
  run_until(uv_default_loop(), &done, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Datagrams -------------------------------------------------------------------------------- */

enum { chunk = 64 * 1024 };

static unsigned reported_flags;
static ssize_t reported_size;

static void on_datagram(uv_udp_t* handle, ssize_t size, const uv_buf_t* buf,
                        const struct sockaddr* address, unsigned flags) {
  if (size > 0) {
    reported_size = size;
    reported_flags |= flags;
    ASSERT_LE(size, buf->len);
  }
  /* The chunks of a buffer go back with the whole of it. */
  if (!(flags & UV_UDP_MMSG_CHUNK)) release(buf->base, room);
  if (size != 0) done = 1;
}

/* Receives one datagram of 60000 bytes into a buffer of `size` bytes. */
static void receive_into(size_t size, unsigned flags) {
  struct sockaddr_in address = loopback(0);
  uv_buf_t buf = uv_buf_init(calloc(1, 60000), 60000);
  int length = sizeof(address);
  uv_udp_t receiver;
  uv_udp_t sender;

  room = size;
  done = 0;
  reported_flags = 0;
  reported_size = 0;
  ASSERT_OK(uv_udp_init_ex(uv_default_loop(), &receiver, flags));
  ASSERT_OK(uv_udp_bind(&receiver, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_getsockname(&receiver, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_udp_recv_start(&receiver, alloc_guarded, on_datagram));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &sender));
  ASSERT_EQ(uv_udp_try_send(&sender, &buf, 1, (struct sockaddr*) &address), 60000);
  run_until(uv_default_loop(), &done, 1);
  free(buf.base);
  uv_close((uv_handle_t*) &receiver, NULL);
  uv_close((uv_handle_t*) &sender, NULL);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
}

TEST_IMPL(datagrams_are_cut_to_their_buffer) {
  static const size_t sizes[] = {1, 100, 4096, 59999};
  int i;
  for (i = 0; i < 4; i++) {
    receive_into(sizes[i], 0);
    ASSERT_EQ(reported_size, sizes[i]);
    ASSERT(reported_flags & UV_UDP_PARTIAL);
  }
  receive_into(60000, 0);
  ASSERT_EQ(reported_size, 60000);
  ASSERT_EQ(reported_flags & UV_UDP_PARTIAL, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(recvmmsg_stays_within_a_buffer_of_any_size) {
  static const size_t sizes[] = {chunk, chunk + 1, 2 * chunk - 1, 3 * chunk + 100};
  int i;
  for (i = 0; i < 4; i++) {
    receive_into(sizes[i], UV_UDP_RECVMMSG);
    ASSERT_EQ(reported_size, 60000);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- UTF-16 ----------------------------------------------------------------------------------- */

TEST_IMPL(wtf8_is_read_and_written_within_its_bounds) {
  static const char* const texts[] = {"",     "a",        "\xc3\xa9", "\xe2\x82\xac",
                                      "\xf0\x9f\x98\x80", "ab\xf0\x9f\x98\x80", "\xed\xa0\xbd",
                                      "\xf0\x9f", "\xe2\x82", "\xc3", "\xf4\x8f\xbf"};
  size_t i;
  for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    char* text = guarded_text(texts[i]);
    ssize_t length = uv_wtf8_length_as_utf16(text);
    if (length >= 0) {
      uint16_t* wide = guarded(length * sizeof(*wide));
      size_t size = 0;
      char* back = NULL;
      uv_wtf8_to_utf16(text, wide, length);
      ASSERT_EQ(wide[length - 1], 0);
      /* With and without the length: as many bytes as the terminator makes one more than. */
      ASSERT_EQ(uv_utf16_length_as_wtf8(wide, -1), strlen(texts[i]));
      ASSERT_EQ(uv_utf16_length_as_wtf8(wide, length - 1), strlen(texts[i]));
      size = strlen(texts[i]);
      back = guarded(size + 1);
      ASSERT_OK(uv_utf16_to_wtf8(wide, -1, &back, &size));
      ASSERT_EQ(size, strlen(texts[i]));
      ASSERT_MEM_EQ(back, texts[i], size);
      release(back, strlen(texts[i]) + 1);
      release(wide, length * sizeof(*wide));
    } else {
      ASSERT_EQ(length, UV_EINVAL);
      ASSERT_GE(i, 7);
    }
    release(text, strlen(texts[i]) + 1);
  }
}

TEST_IMPL(lone_surrogates_at_the_end_are_not_read_past) {
  uint16_t unit = 0xd83d;
  uint16_t* wide = guarded_copy(&unit, sizeof(unit));
  size_t size = 0;
  char* text = NULL;
  ASSERT_EQ(uv_utf16_length_as_wtf8(wide, 1), 3);
  ASSERT_OK(uv_utf16_to_wtf8(wide, 1, &text, &size));
  ASSERT_EQ(size, 3);
  ASSERT_MEM_EQ(text, "\xed\xa0\xbd", 3);
  free(text);
}

/* --- Host names ------------------------------------------------------------------------------- */

/* Sequences that end before they are complete are not read to a supposed end. */
TEST_IMPL(cut_characters_of_host_names_are_not_read_past) {
  static const char* const names[] = {"\xc3",          "a.\xe2\x82",     "\xf0\x9f\x98",
                                      "\xf0\x9f",      "\xf0",           "\xe2",
                                      "abc\xc3",       "\xc3\xa9.\xc3",  "x\xf4\x8f\xbf",
                                      "\xe3\x80",      "b\xc3\xbc.\xe3"};
  uv_getaddrinfo_t req;
  size_t i;
  OXUV_ONLY(); /* libuv takes some of them for other characters. */
  for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    char* name = guarded_text(names[i]);
    ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, name, NULL, NULL), UV_EINVAL);
    ASSERT_EQ(uv_getaddrinfo(uv_default_loop(), &req, (uv_getaddrinfo_cb) (void (*)(void)) abort,
                             name, NULL, NULL),
              UV_EINVAL);
    release(name, strlen(names[i]) + 1);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Arrays and structures -------------------------------------------------------------------- */

static int exits;

static void on_exit_of(uv_process_t* handle, int64_t status, int signal) {
  ASSERT_OK(status);
  exits++;
}

TEST_IMPL(what_spawn_is_given_is_read_no_further) {
  char* list[] = {guarded_text("/bin/sh"), guarded_text("-c"), guarded_text("test \"$A\" = b"),
                  NULL};
  char* variables[] = {guarded_text("A=b"), NULL};
  uv_process_options_t* options = guarded(sizeof(*options));
  uv_stdio_container_t* stdio = guarded(sizeof(*stdio));
  uv_process_t process;

  memset(options, 0, sizeof(*options));
  memset(stdio, 0, sizeof(*stdio));
  options->file = list[0];
  options->args = guarded_copy(list, sizeof(list));
  options->env = guarded_copy(variables, sizeof(variables));
  options->cwd = guarded_text("/");
  options->stdio = stdio;
  options->stdio_count = 1;
  options->exit_cb = on_exit_of;
  stdio->flags = UV_IGNORE;
  ASSERT_OK(uv_spawn(uv_default_loop(), &process, options));
  run_until(uv_default_loop(), &exits, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(masks_of_processors_are_as_long_as_was_said) {
  size_t size = (size_t) uv_cpumask_size();
  uv_thread_t self = uv_thread_self();
  char* mask = guarded(size);
  char* old = guarded(size);
  ASSERT_OK(uv_thread_getaffinity(&self, mask, size));
  ASSERT_OK(uv_thread_setaffinity(&self, mask, old, size));
  ASSERT_MEM_EQ(mask, old, size);
}

TEST_IMPL(paths_are_read_no_further) {
  const char* folder = test_tmpdir();
  char template[600];
  char* text;
  uv_fs_t req;

  snprintf(template, sizeof(template), "%s/XXXXXX", folder);
  text = guarded_text(template);
  ASSERT_OK(uv_fs_mkdtemp(NULL, &req, text, NULL));
  uv_fs_req_cleanup(&req);
  ASSERT_GE(uv_fs_mkstemp(NULL, &req, text, NULL), 0);
  ASSERT_OK(close(req.result));
  uv_fs_req_cleanup(&req);
  /* The template is not what is written to. */
  ASSERT_STR_EQ(text, template);
  ASSERT_EQ(uv_fs_mkdtemp(NULL, &req, guarded_text("XXXXX"), NULL), UV_EINVAL);
  uv_fs_req_cleanup(&req);
  ASSERT_EQ(uv_fs_mkstemp(NULL, &req, guarded_text(""), NULL), UV_EINVAL);
  uv_fs_req_cleanup(&req);
  ASSERT_OK(uv_fs_stat(NULL, &req, guarded_text(folder), NULL));
  uv_fs_req_cleanup(&req);
  ASSERT_EQ(uv_fs_open(NULL, &req, guarded_text(""), UV_FS_O_RDONLY, 0, NULL), UV_ENOENT);
  uv_fs_req_cleanup(&req);
}
