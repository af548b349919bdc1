/* Programs whose standard descriptors are closed: the library's own descriptors, and those of
 * handles, stay away from these numbers, where a child, or whatever prints, would take them for its
 * own. A number that a function hands out is the lowest that is free, as it is everywhere.
 *
 * While they are closed nothing can be printed: the tests inspect first, and compare afterwards. */
#include "refuse.h"

#include <netinet/in.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/un.h>

#define ALL 7

static int saved[3];
static int closed;
/* What was found on the standard descriptors that are closed, a bit for each. */
static int found;
static int result;

static void close_standard(int which) {
  int i;
  OXUV_ONLY();
  fflush(stdout);
  found = 0;
  closed = which;
  for (i = 0; i < 3; i++) {
    saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
    if (which & 1 << i) close(i);
  }
}

/* A thread of the pool that opens something has the lowest number for as long as it takes to move
 * it: only what stays is found. */
static int is_open(int fd) {
  int i;
  for (i = 0; i < 2000; i++) {
    if (fcntl(fd, F_GETFD) == -1) return 0;
    uv_sleep(1);
  }
  return 1;
}

static void inspect(void) {
  int i;
  for (i = 0; i < 3; i++)
    if (closed & ~found & 1 << i && is_open(i)) found |= 1 << i;
}

static void restore_standard(void) {
  int i;
  inspect();
  for (i = 0; i < 3; i++) {
    if (saved[i] == -1) continue;
    dup2(saved[i], i);
    close(saved[i]);
  }
  closed = 0;
}

/* The loop, with the standard descriptors closed from before it is made until after its end. */
static uv_loop_t loop;

static void with_closed(int which, void (*body)(void)) {
  close_standard(which);
  result = uv_loop_init(&loop);
  inspect();
  if (result == 0) {
    body();
    inspect();
  }
  restore_standard();
  ASSERT_OK(result);
  ASSERT_EQ(found, 0);
  close_loop(&loop);
}

/* With each of them closed, and with all. */
static void with_any_closed(void (*body)(void)) {
  int which;
  for (which = 1; which <= ALL; which++) with_closed(which, body);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Remembers the first error. */
static void check(int code) {
  if (result == 0) result = code;
}

static void run_some(void) {
  int i;
  for (i = 0; i < 3; i++) {
    uv_run(&loop, UV_RUN_NOWAIT);
    inspect();
  }
}

/* --- What the library opens for itself ----------------------------------------------------- */

static uv_async_t async;
static uv_signal_t signal_handle;
static uv_fs_event_t watcher;
static uv_fs_poll_t fs_poll;

static void on_async(uv_async_t* handle) {
}

static void on_signal(uv_signal_t* handle, int signum) {
}

static void on_change(uv_fs_event_t* handle, const char* name, int events, int status) {
}

static void on_poll(uv_fs_poll_t* handle, int status, const uv_stat_t* before,
                    const uv_stat_t* now) {
}

static const char* folder;

static void open_handles(void) {
  check(uv_async_init(&loop, &async, on_async));
  inspect();
  check(uv_async_send(&async));
  check(uv_signal_init(&loop, &signal_handle));
  check(uv_signal_start(&signal_handle, on_signal, SIGUSR1));
  inspect();
  check(uv_fs_event_init(&loop, &watcher));
  check(uv_fs_event_start(&watcher, on_change, folder, UV_FS_EVENT_RECURSIVE));
  inspect();
  run_some();
}

static void open_handles_and_poll(void) {
  open_handles();
  check(uv_fs_poll_init(&loop, &fs_poll));
  check(uv_fs_poll_start(&fs_poll, on_poll, folder, 1000));
  run_some();
}

TEST_IMPL(what_handles_need_is_no_standard_descriptor) {
  folder = test_tmpdir();
  with_any_closed(open_handles_and_poll);
}

static void open_and_fork(void) {
  open_handles();
  check(uv_loop_fork(&loop));
  run_some();
}

static void fork_loops(void) {
  int which;
  for (which = 1; which <= ALL; which++) with_closed(which, open_and_fork);
}

TEST_IMPL(nor_is_what_a_loop_opens_after_a_fork) {
  folder = test_tmpdir();
  run_in_child(fork_loops);
}

static uv_fs_t request;
static const char* file;
static const char* other_file;
static int work_found;

/* In a thread of the pool, while others are at work there. */
static void inspect_from_pool(uv_work_t* work) {
  int i;
  for (i = 0; i < 3; i++)
    if (closed & ~work_found & 1 << i && is_open(i)) work_found |= 1 << i;
}

static void on_fs(uv_fs_t* one) {
  check(one->result < 0 ? (int) one->result : 0);
  inspect();
  uv_fs_req_cleanup(one);
}

static void finish(int code) {
  if (code < 0) check(code);
  inspect();
  uv_fs_req_cleanup(&request);
}

static void use_files(void) {
  uv_dir_t* dir;
  uv_work_t work;
  finish(uv_fs_copyfile(NULL, &request, file, other_file, 0, NULL));
  finish(uv_fs_scandir(NULL, &request, folder, 0, NULL));
  check(uv_fs_opendir(NULL, &request, folder, NULL));
  dir = request.ptr;
  finish(0);
  if (dir != NULL) finish(uv_fs_closedir(NULL, &request, dir, NULL));
  check(uv_fs_stat(&loop, &request, file, on_fs));
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_fs_readlink(NULL, &request, "/proc/self/exe", NULL));
  finish(0);
  check(uv_queue_work(&loop, &work, inspect_from_pool, NULL));
  uv_run(&loop, UV_RUN_DEFAULT);
}

TEST_IMPL(nor_is_an_open_folder) {
  folder = test_tmpdir();
  file = test_path("file");
  other_file = test_path("other");
  write_file(file, "x", 1);
  with_any_closed(use_files);
  ASSERT_EQ(work_found, 0);
}

/* --- Handles ------------------------------------------------------------------------------- */

static uv_tcp_t server;
static uv_tcp_t client;
static uv_tcp_t taken;
static uv_udp_t udp;
static uv_pipe_t pipe_server;
static uv_pipe_t pipe_client;
static uv_pipe_t pipe_taken;
static uv_connect_t connect_requests[2];
static int connections;
static const char* socket_path;

static void on_connect(uv_connect_t* one, int status) {
  check(status);
}

static void on_connection(uv_stream_t* stream, int status) {
  check(status);
  inspect();
  if (stream->type == UV_TCP) {
    check(uv_tcp_init(&loop, &taken));
    check(uv_accept(stream, (uv_stream_t*) &taken));
  } else {
    check(uv_pipe_init(&loop, &pipe_taken, 0));
    check(uv_accept(stream, (uv_stream_t*) &pipe_taken));
  }
  connections++;
}

static void on_closed_one(uv_handle_t* handle) {
}

static void run_until_connected(int count) {
  while (result == 0 && connections < count) {
    uv_run(&loop, UV_RUN_ONCE);
    inspect();
  }
}

static void use_sockets(void) {
  struct sockaddr_in address = loopback(0);
  int size = sizeof(address);
  connections = 0;
  check(uv_udp_init_ex(&loop, &udp, AF_INET));
  inspect();
  check(uv_tcp_init(&loop, &server));
  check(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  check(uv_listen((uv_stream_t*) &server, 8, on_connection));
  check(uv_tcp_getsockname(&server, (struct sockaddr*) &address, &size));
  check(uv_tcp_init(&loop, &client));
  check(uv_tcp_connect(&connect_requests[0], &client, (struct sockaddr*) &address, on_connect));
  inspect();
  check(uv_pipe_init(&loop, &pipe_server, 0));
  check(uv_pipe_bind(&pipe_server, socket_path));
  check(uv_listen((uv_stream_t*) &pipe_server, 8, on_connection));
  check(uv_pipe_init(&loop, &pipe_client, 0));
  uv_pipe_connect(&connect_requests[1], &pipe_client, socket_path, on_connect);
  inspect();
  run_until_connected(2);
  uv_close((uv_handle_t*) &pipe_server, on_closed_one);
  run_some();
}

/* And so they are closed with their handles, which leave standard descriptors open. */
TEST_IMPL(sockets_of_handles_are_no_standard_descriptors) {
  socket_path = test_path("socket");
  with_any_closed(use_sockets);
}

static uv_pipe_t sender;
static uv_pipe_t receiver;
static uv_write_t write_request;
static int ends[2];
static int received;

static void alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  alloc_static(handle, suggested, buf);
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  inspect();
  while (uv_pipe_pending_count(&receiver) > 0 && received < 2) {
    uv_tcp_t* into = received++ == 0 ? &client : &taken;
    check(uv_tcp_init(&loop, into));
    check(uv_accept(stream, (uv_stream_t*) into));
  }
}

static void on_write(uv_write_t* one, int status) {
  check(status);
}

static void pass_handles(void) {
  static uv_write_t second;
  uv_buf_t buf = uv_buf_init("x", 1);
  received = 0;
  check(uv_tcp_init_ex(&loop, &server, AF_INET));
  check(uv_pipe_init(&loop, &sender, 1));
  check(uv_pipe_open(&sender, ends[0]));
  check(uv_pipe_init(&loop, &receiver, 1));
  check(uv_pipe_open(&receiver, ends[1]));
  check(uv_read_start((uv_stream_t*) &receiver, alloc, on_read));
  check(uv_write2(&write_request, (uv_stream_t*) &sender, &buf, 1, (uv_stream_t*) &server,
                  on_write));
  check(uv_write2(&second, (uv_stream_t*) &sender, &buf, 1, (uv_stream_t*) &server, on_write));
  while (result == 0 && received < 2) uv_run(&loop, UV_RUN_ONCE);
}

TEST_IMPL(a_limit_of_three_descriptors_is_no_wrong_argument) {
  uv_loop_t loop;
  uv_tcp_t tcp;
  struct rlimit limit = {3, 3};
  struct rlimit before;
  ASSERT_OK(uv_loop_init(&loop));
  close_standard(1);
  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &before));
  limit.rlim_max = before.rlim_max;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  result = uv_tcp_init_ex(&loop, &tcp, AF_INET);
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &before));
  restore_standard();
  if (result == 0) SKIP("the limit has no effect (valgrind)");
  ASSERT_EQ(result, UV_EMFILE);
  ASSERT_EQ(found, 0);
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(handles_that_are_received_are_no_standard_descriptors) {
  int which;
  for (which = 1; which <= ALL; which++) {
    ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
    with_closed(which, pass_handles);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_tty_t tty;
static int terminal;

static void open_tty(void) {
  check(uv_tty_init(&loop, &tty, terminal, 0));
}

TEST_IMPL(a_terminal_that_is_opened_again_is_no_standard_descriptor) {
  int master;
  int which;
  if (openpty(&master, &terminal, NULL, NULL, NULL) != 0) SKIP("no pseudo terminals");
  for (which = 1; which <= ALL; which++) with_closed(which, open_tty);
  close(master);
  close(terminal);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Numbers that functions hand out -------------------------------------------------------- */

static int opened;

static void open_file(void) {
  opened = uv_fs_open(NULL, &request, "/dev/null", O_RDWR, 0, NULL);
  uv_fs_req_cleanup(&request);
  close(opened);
}

static void on_open(uv_fs_t* one) {
  opened = (int) one->result;
  uv_fs_req_cleanup(one);
  close(opened);
}

static void open_file_async(void) {
  check(uv_fs_open(&loop, &request, file, O_RDONLY, 0, on_open));
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* A daemon closes its standard descriptors, and opens others for them in their order. */
TEST_IMPL(a_file_gets_the_lowest_number_there_is) {
  int which;
  file = test_path("file");
  write_file(file, "x", 1);
  for (which = 1; which <= ALL; which++) {
    int lowest = which & 1 ? 0 : which & 2 ? 1 : 2;
    with_closed(which, open_file);
    ASSERT_EQ(opened, lowest);
    with_closed(which, open_file_async);
    ASSERT_EQ(opened, lowest);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Children ------------------------------------------------------------------------------ */

static uv_process_t process;
static uv_pipe_t output;
static uv_stdio_container_t containers[8];
static int container_count;
static int exited;
static int64_t exit_status;
static int spawn_result;

static void on_end(uv_process_t* one, int64_t status, int signum) {
  exit_status = signum != 0 ? -signum : status;
  exited = 1;
}

static void spawn_script(char* script) {
  char* arguments[] = {"sh", "-c", script, NULL};
  uv_process_options_t options;
  memset(&options, 0, sizeof(options));
  options.file = "/bin/sh";
  options.args = arguments;
  options.exit_cb = on_end;
  options.stdio = containers;
  options.stdio_count = container_count;
  exited = 0;
  spawn_result = uv_spawn(&loop, &process, &options);
  inspect();
  while (spawn_result == 0 && !exited) {
    uv_run(&loop, UV_RUN_ONCE);
    inspect();
  }
  uv_close((uv_handle_t*) &process, NULL);
  run_some();
}

static void inherit_all(void) {
  int i;
  container_count = 3;
  for (i = 0; i < 3; i++) {
    containers[i].flags = UV_INHERIT_FD;
    containers[i].data.fd = i;
  }
  spawn_script("exit 7");
}

/* What is closed here cannot be inherited, and nothing else comes in its place. */
TEST_IMPL(a_closed_descriptor_is_not_inherited) {
  int which;
  for (which = 1; which <= ALL; which++) {
    with_closed(which, inherit_all);
    ASSERT_EQ(spawn_result, UV_EBADF);
  }
  container_count = 0;
  MAKE_SURE_NOTHING_LEAKED();
}

static void ignore_all(void) {
  int i;
  container_count = 3;
  for (i = 0; i < 3; i++) containers[i].flags = UV_IGNORE;
  spawn_script("for fd in 0 1 2; do [ /proc/self/fd/$fd -ef /dev/null ] || exit 1; done; exit 7");
}

static void give_nothing(void) {
  ignore_all();
  if (spawn_result != 0 || exit_status != 7) return;
  container_count = 0;
  spawn_script("for fd in 0 1 2; do [ /proc/self/fd/$fd -ef /dev/null ] || exit 1; done; exit 7");
}

TEST_IMPL(what_is_not_given_is_the_null_device) {
  int which;
  for (which = 1; which <= ALL; which++) {
    with_closed(which, give_nothing);
    ASSERT_OK(spawn_result);
    ASSERT_EQ(exit_status, 7);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* The ends of a pipe made for the child do not take the place of what is closed. */
static void inherit_beside_a_pipe(void) {
  check(uv_pipe_init(&loop, &output, 0));
  container_count = 3;
  containers[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
  containers[0].data.stream = (uv_stream_t*) &output;
  containers[1].flags = UV_INHERIT_FD;
  containers[1].data.fd = 0;
  containers[2].flags = UV_INHERIT_FD;
  containers[2].data.fd = 1;
  spawn_script("exit 7");
}

TEST_IMPL(a_pipe_does_not_take_the_place_of_what_is_closed) {
  with_closed(1, inherit_beside_a_pipe);
  ASSERT_EQ(spawn_result, UV_EBADF);
  with_closed(2, inherit_beside_a_pipe);
  ASSERT_EQ(spawn_result, UV_EBADF);
  with_closed(3, inherit_beside_a_pipe);
  ASSERT_EQ(spawn_result, UV_EBADF);
  MAKE_SURE_NOTHING_LEAKED();
}

static char text[64];
static size_t text_size;
static int at_end;

static void on_output(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count > 0 && text_size + (size_t) count < sizeof(text)) {
    memcpy(text + text_size, buf->base, (size_t) count);
    text_size += (size_t) count;
  }
  if (count < 0) {
    at_end = 1;
    uv_close((uv_handle_t*) stream, NULL);
  }
}

static void read_from_child(void) {
  text_size = 0;
  at_end = 0;
  check(uv_pipe_init(&loop, &output, 0));
  container_count = 3;
  containers[0].flags = UV_IGNORE;
  containers[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  containers[1].data.stream = (uv_stream_t*) &output;
  containers[2].flags = UV_IGNORE;
  spawn_script("echo out; echo err >&2; exit 7");
  if (spawn_result != 0) return;
  check(uv_read_start((uv_stream_t*) &output, alloc, on_output));
  while (result == 0 && !at_end) uv_run(&loop, UV_RUN_ONCE);
}

TEST_IMPL(a_child_s_output_arrives) {
  int which;
  for (which = 1; which <= ALL; which++) {
    with_closed(which, read_from_child);
    ASSERT_OK(spawn_result);
    ASSERT_EQ(exit_status, 7);
    ASSERT_EQ(text_size, 4);
    ASSERT_MEM_EQ(text, "out\n", 4);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* The descriptor that reports a program that cannot be executed does not get into the child's
 * descriptors, however many these are. */
TEST_IMPL(a_failed_start_writes_to_no_descriptor_of_the_child) {
  char* arguments[] = {"none", NULL};
  uv_process_options_t options;
  char byte;
  int pipes[2];
  int i;
  uv_stdio_container_t many[32];
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_pipe(pipes, UV_NONBLOCK_PIPE, 0));
  memset(&options, 0, sizeof(options));
  memset(many, 0, sizeof(many));
  for (i = 0; i < 32; i++) {
    many[i].flags = UV_INHERIT_FD;
    many[i].data.fd = pipes[1];
  }
  /* A sanitizer may have something to say. */
  many[2].flags = UV_IGNORE;
  options.file = "/none";
  options.args = arguments;
  options.stdio = many;
  options.stdio_count = 32;
  ASSERT_EQ(uv_spawn(&loop, &process, &options), UV_ENOENT);
  ASSERT_EQ(read(pipes[0], &byte, 1), -1);
  ASSERT_EQ(errno, EAGAIN);
  close(pipes[0]);
  close(pipes[1]);
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}
