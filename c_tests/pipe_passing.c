/* https://docs.libuv.org/en/v1.x/pipe.html: handles that are passed to another process, which then
 * does the work. The rules of passing within one process are in pipe.c. */
#include "task.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>

/* --- The worker ---------------------------------------------------------------------------- */

/* Each handle comes with a byte that says what it is; each is answered by a byte when it is in use.
 * "text" that is sent to a passed handle comes back from the worker as "pid:TEXT". */
enum { kind_listener = 'l', kind_connection = 'c', kind_pipe = 'p', kind_udp = 'u' };

static uv_pipe_t boss;
static char kinds[64];
static size_t kinds_size;
static union uv_any_handle handles[64];
static size_t handles_size;

static union uv_any_handle* new_handle(void) {
  ASSERT_LT(handles_size, sizeof(handles) / sizeof(handles[0]));
  return &handles[handles_size++];
}

static void on_answered(uv_write_t* req, int status) {
  ASSERT_OK(status);
  free(req);
}

static int make_answer(char* answer, size_t room, const uv_buf_t* text, size_t size) {
  size_t i;
  int start = snprintf(answer, room, "%d:", (int) getpid());
  ASSERT_LT((size_t) start + size, room);
  for (i = 0; i < size; i++) answer[start + i] = (char) toupper(text->base[i]);
  return start + (int) size;
}

static void on_text(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  char text[128];
  uv_buf_t answer = uv_buf_init(text, 0);
  if (size == UV_EOF) {
    uv_close((uv_handle_t*) stream, NULL);
    return;
  }
  ASSERT_GE(size, 0);
  answer.len = (size_t) make_answer(text, sizeof(text), buf, (size_t) size);
  ASSERT_EQ(uv_try_write(stream, &answer, 1), (int) answer.len);
}

static void on_connection(uv_stream_t* listener, int status) {
  uv_tcp_t* connection = &new_handle()->tcp;
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(listener->loop, connection));
  ASSERT_OK(uv_accept(listener, (uv_stream_t*) connection));
  ASSERT_OK(uv_read_start((uv_stream_t*) connection, alloc_static, on_text));
}

static void on_datagram(uv_udp_t* udp, ssize_t size, const uv_buf_t* buf,
                        const struct sockaddr* from, unsigned flags) {
  char text[128];
  uv_buf_t answer = uv_buf_init(text, 0);
  (void) flags;
  ASSERT_GE(size, 0);
  if (from == NULL) return;
  answer.len = (size_t) make_answer(text, sizeof(text), buf, (size_t) size);
  ASSERT_EQ(uv_udp_try_send(udp, &answer, 1, from), (int) answer.len);
}

static void take(char kind) {
  union uv_any_handle* taken = new_handle();
  uv_stream_t* stream = &taken->stream;
  uv_write_t* req = malloc(sizeof(*req));
  uv_buf_t answer = uv_buf_init((char*) "k", 1);
  int is_udp = kind == kind_udp;
  uv_handle_type type = is_udp ? UV_UDP : kind == kind_pipe ? UV_NAMED_PIPE : UV_TCP;
  ASSERT_EQ(uv_pipe_pending_type(&boss), type);
  if (type == UV_UDP) ASSERT_OK(uv_udp_init(boss.loop, &taken->udp));
  if (type == UV_NAMED_PIPE) ASSERT_OK(uv_pipe_init(boss.loop, &taken->pipe, 0));
  if (type == UV_TCP) ASSERT_OK(uv_tcp_init(boss.loop, &taken->tcp));
  ASSERT_OK(uv_accept((uv_stream_t*) &boss, stream));
  if (is_udp) ASSERT_OK(uv_udp_recv_start(&taken->udp, alloc_static, on_datagram));
  else if (kind == kind_listener) ASSERT_OK(uv_listen(stream, 8, on_connection));
  else ASSERT_OK(uv_read_start(stream, alloc_static, on_text));
  ASSERT_OK(uv_write(req, (uv_stream_t*) &boss, &answer, 1, on_answered));
}

static void on_order(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  ssize_t i;
  if (size == UV_EOF) {
    uv_stop(stream->loop);
    return;
  }
  ASSERT_GE(size, 0);
  for (i = 0; i < size; i++)
    /* Fillers come without a handle. */
    if (buf->base[i] != '.') kinds[kinds_size++] = buf->base[i];
  while (uv_pipe_pending_count(&boss) > 0) {
    ASSERT_GT(kinds_size, 0);
    take(kinds[0]);
    memmove(kinds, kinds + 1, --kinds_size);
  }
}

HELPER_IMPL(worker) {
  uv_loop_t* loop = uv_default_loop();
  ASSERT_OK(uv_pipe_init(loop, &boss, 1));
  ASSERT_OK(uv_pipe_open(&boss, 3));
  ASSERT_OK(uv_read_start((uv_stream_t*) &boss, alloc_static, on_order));
  uv_run(loop, UV_RUN_DEFAULT);
  close_loop(loop);
}

/* --- The boss ------------------------------------------------------------------------------ */

static uv_process_t process;
static uv_pipe_t channel;
static int in_use;
static int ended;
static int writes;
static int write_status[64];
static uv_write_t write_reqs[64];

static void on_exit_note(uv_process_t* handle, int64_t status, int signum) {
  ended = 1;
  note("%d/%d", (int) status, signum);
  uv_close((uv_handle_t*) handle, NULL);
}

static void on_in_use(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) stream, (void) buf;
  if (size > 0) in_use += (int) size;
}

static void on_write(uv_write_t* req, int status) {
  write_status[req - write_reqs] = status;
  writes++;
}

static void start_worker(void) {
  char* args[] = {"/proc/self/exe", "worker", NULL};
  uv_stdio_container_t stdio[4];
  uv_process_options_t options;
  char program[512];
  ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
  int i;
  ASSERT_GT(length, 0);
  program[length] = '\0';
  memset(&options, 0, sizeof(options));
  for (i = 0; i < 3; i++) {
    stdio[i].flags = UV_INHERIT_FD;
    stdio[i].data.fd = i;
  }
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &channel, 1));
  stdio[3].flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE;
  stdio[3].data.stream = (uv_stream_t*) &channel;
  options.file = program;
  options.args = args;
  options.stdio = stdio;
  options.stdio_count = 4;
  options.exit_cb = on_exit_note;
  ASSERT_OK(uv_spawn(uv_default_loop(), &process, &options));
  ASSERT_OK(uv_read_start((uv_stream_t*) &channel, alloc_static, on_in_use));
}

static void end_worker(void) {
  uv_close((uv_handle_t*) &channel, NULL);
  run_until(uv_default_loop(), &ended, 1);
  ASSERT_NOTES("0/0");
  MAKE_SURE_NOTHING_LEAKED();
}

static void pass(int index, char kind, void* handle) {
  uv_buf_t buf = uv_buf_init(&kind, 1);
  ASSERT_OK(uv_write2(&write_reqs[index], (uv_stream_t*) &channel, &buf, 1, handle, on_write));
}

static void pass_and_close(char kind, void* handle) {
  int before = in_use;
  pass(0, kind, handle);
  run_until(uv_default_loop(), &in_use, before + 1);
  ASSERT_OK(write_status[0]);
  uv_close(handle, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

/* Gets work done through a socket of the system; closes it. */
static void get_work_done(int fd) {
  char expected[64];
  char answer[64] = "";
  size_t size = 0;
  int length = snprintf(expected, sizeof(expected), "%d:SOME WORK", uv_process_get_pid(&process));
  ASSERT_EQ(send(fd, "some work", 9, 0), 9);
  while (size < (size_t) length) {
    ssize_t got = recv(fd, answer + size, sizeof(answer) - 1 - size, 0);
    if (got <= 0) FAIL("no answer: %s", got == 0 ? "end" : strerror(errno));
    size += (size_t) got;
  }
  ASSERT_STR_EQ(answer, expected);
  close(fd);
}

static int try_connect(int type, int port) {
  struct sockaddr_in address = loopback(port);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  if (connect(fd, (struct sockaddr*) &address, sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

static int connect_to(int type, int port) {
  int fd = try_connect(type, port);
  ASSERT_GE(fd, 0);
  return fd;
}

static int bind_tcp(uv_tcp_t* handle) {
  struct sockaddr_in address = loopback(0);
  ASSERT_OK(uv_tcp_init(uv_default_loop(), handle));
  ASSERT_OK(uv_tcp_bind(handle, (struct sockaddr*) &address, 0));
  return port_of(handle);
}

static void on_connection_accept(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_accept(listener, listener->data));
  listener->data = NULL;
}

/* A connection between `handle` and the socket that is returned. */
static int connection(uv_tcp_t* handle) {
  uv_tcp_t listener;
  int port = bind_tcp(&listener);
  int fd;
  ASSERT_OK(uv_tcp_init(uv_default_loop(), handle));
  listener.data = handle;
  ASSERT_OK(uv_listen((uv_stream_t*) &listener, 1, on_connection_accept));
  fd = connect_to(SOCK_STREAM, port);
  while (listener.data != NULL) uv_run(uv_default_loop(), UV_RUN_ONCE);
  uv_close((uv_handle_t*) &listener, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  return fd;
}

TEST_IMPL(a_worker_serves_on_a_passed_listener) {
  uv_tcp_t listener;
  int port;
  int i;
  start_worker();
  port = bind_tcp(&listener);
  pass_and_close(kind_listener, &listener);
  for (i = 0; i < 20; i++) get_work_done(connect_to(SOCK_STREAM, port));
  end_worker();
}

TEST_IMPL(a_worker_answers_on_a_passed_connection) {
  uv_tcp_t tcp;
  int fd;
  int i;
  start_worker();
  for (i = 0; i < 20; i++) {
    fd = connection(&tcp);
    pass_and_close(kind_connection, &tcp);
    get_work_done(fd);
  }
  end_worker();
}

TEST_IMPL(a_worker_answers_datagrams_on_a_passed_socket) {
  struct sockaddr_in address = loopback(0);
  int length = sizeof(address);
  uv_udp_t udp;
  int i;
  start_worker();
  ASSERT_OK(uv_udp_init(uv_default_loop(), &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_getsockname(&udp, (struct sockaddr*) &address, &length));
  pass_and_close(kind_udp, &udp);
  for (i = 0; i < 20; i++) get_work_done(connect_to(SOCK_DGRAM, ntohs(address.sin_port)));
  end_worker();
}

TEST_IMPL(a_worker_answers_on_a_passed_pipe) {
  uv_pipe_t pipe;
  int fds[2];
  int i;
  start_worker();
  for (i = 0; i < 20; i++) {
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
    ASSERT_OK(uv_pipe_open(&pipe, fds[0]));
    pass_and_close(kind_pipe, &pipe);
    get_work_done(fds[1]);
  }
  end_worker();
}

/* Stopped by a signal for a while, the worker finds all of them at once. */
TEST_IMPL(many_handles_wait_for_a_worker_that_is_delayed) {
  enum { count = 16 };
  uv_tcp_t listeners[count];
  uv_tcp_t connections[count];
  int ports[count];
  int fds[count];
  int i;
  start_worker();
  ASSERT_OK(uv_process_kill(&process, SIGSTOP));
  for (i = 0; i < count; i++) {
    ports[i] = bind_tcp(&listeners[i]);
    fds[i] = connection(&connections[i]);
    pass(2 * i, kind_listener, &listeners[i]);
    pass(2 * i + 1, kind_connection, &connections[i]);
  }
  run_until(uv_default_loop(), &writes, 2 * count);
  ASSERT_EQ(in_use, 0);
  for (i = 0; i < count; i++) {
    ASSERT_OK(write_status[2 * i]);
    ASSERT_OK(write_status[2 * i + 1]);
    uv_close((uv_handle_t*) &listeners[i], NULL);
    uv_close((uv_handle_t*) &connections[i], NULL);
  }
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_OK(uv_process_kill(&process, SIGCONT));
  run_until(uv_default_loop(), &in_use, 2 * count);
  for (i = count - 1; i >= 0; i--) {
    get_work_done(fds[i]);
    get_work_done(connect_to(SOCK_STREAM, ports[i]));
  }
  end_worker();
}

/* --- Closed in flight ---------------------------------------------------------------------- */

TEST_IMPL(what_is_closed_after_it_was_sent_arrives) {
  uv_tcp_t tcp;
  int fd;
  start_worker();
  ASSERT_OK(uv_process_kill(&process, SIGSTOP));
  fd = connection(&tcp);
  pass(0, kind_connection, &tcp);
  uv_close((uv_handle_t*) &tcp, NULL);
  run_until(uv_default_loop(), &writes, 1);
  ASSERT_OK(write_status[0]);
  ASSERT_OK(uv_process_kill(&process, SIGCONT));
  get_work_done(fd);
  run_until(uv_default_loop(), &in_use, 1);
  end_worker();
}

TEST_IMPL(what_is_closed_before_it_was_sent_fails_its_write_alone) {
  static char filler[8 << 20];
  uv_buf_t big = uv_buf_init(filler, sizeof(filler));
  uv_tcp_t tcp;
  char end;
  int fd;
  memset(filler, '.', sizeof(filler));
  start_worker();
  ASSERT_OK(uv_process_kill(&process, SIGSTOP));
  ASSERT_OK(uv_write(&write_reqs[1], (uv_stream_t*) &channel, &big, 1, on_write));
  fd = connection(&tcp);
  pass(0, kind_connection, &tcp);
  ASSERT_EQ(writes, 0);
  uv_close((uv_handle_t*) &tcp, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  /* No process has the connection any more. */
  ASSERT_EQ(recv(fd, &end, 1, 0), 0);
  close(fd);
  ASSERT_OK(uv_process_kill(&process, SIGCONT));
  run_until(uv_default_loop(), &writes, 2);
  ASSERT_OK(write_status[1]);
  ASSERT_EQ(write_status[0], UV_EBADF);
  end_worker();
}

TEST_IMPL(what_a_dead_worker_did_not_take_is_closed) {
  uv_tcp_t listener;
  int port;
  int fd;
  start_worker();
  ASSERT_OK(uv_process_kill(&process, SIGSTOP));
  port = bind_tcp(&listener);
  ASSERT_OK(uv_listen((uv_stream_t*) &listener, 8, on_connection_accept));
  pass(0, kind_listener, &listener);
  run_until(uv_default_loop(), &writes, 1);
  ASSERT_OK(write_status[0]);
  uv_close((uv_handle_t*) &listener, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  /* It is open in flight. */
  close(connect_to(SOCK_STREAM, port));
  ASSERT_OK(uv_process_kill(&process, SIGKILL));
  run_until(uv_default_loop(), &ended, 1);
  ASSERT_NOTES("0/9");
  /* The kernel may take a moment to close it. */
  while ((fd = try_connect(SOCK_STREAM, port)) >= 0) close(fd);
  uv_close((uv_handle_t*) &channel, NULL);
  MAKE_SURE_NOTHING_LEAKED();
}
