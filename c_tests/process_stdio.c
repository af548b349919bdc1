/* https://docs.libuv.org/en/v1.x/process.html: the descriptors that a child begins with. */
#include "task.h"

static int exit_count;
static int64_t exit_status;

static void on_exit_close(uv_process_t* process, int64_t status, int signum) {
  ASSERT_EQ(signum, 0);
  exit_count++;
  exit_status = status;
  uv_close((uv_handle_t*) process, NULL);
}

static void on_exit_never(uv_process_t* process, int64_t status, int signum) {
  (void) process;
  FAIL("ended: %d, signal %d", (int) status, signum);
}

static uv_process_t process;
static uv_stdio_container_t stdio[24];
static uv_process_options_t options;

/* This program as the child, running a helper. */
static void prepare(const char* helper) {
  static char path[4096];
  static char* args[3];
  int fd;
  ASSERT_GT(readlink("/proc/self/exe", path, sizeof(path) - 1), 0);
  args[0] = path;
  args[1] = (char*) helper;
  memset(&options, 0, sizeof(options));
  memset(stdio, 0, sizeof(stdio));
  /* What this process has inherited is not for the child. */
  for (fd = 3; fd < 256; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  options.file = path;
  options.args = args;
  options.exit_cb = on_exit_close;
  options.stdio = stdio;
}

static void container_fd(int index, int fd) {
  stdio[index].flags = UV_INHERIT_FD;
  stdio[index].data.fd = fd;
}

static void container_stream(int index, uv_stdio_flags flags, void* stream) {
  stdio[index].flags = flags;
  stdio[index].data.stream = stream;
}

static int spawn(int count) {
  options.stdio_count = count;
  return uv_spawn(uv_default_loop(), &process, &options);
}

static void run(void) {
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
}

static void expect_success(int count) {
  int before = exit_count;
  ASSERT_OK(spawn(count));
  run();
  ASSERT_EQ(exit_count, before + 1);
  ASSERT_EQ(exit_status, 0);
}

static void expect_error(int count, int error) {
  int fds = fd_count();
  options.exit_cb = on_exit_never;
  ASSERT_EQ(spawn(count), error);
  ASSERT(!uv_is_active((uv_handle_t*) &process));
  uv_close((uv_handle_t*) &process, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(fd_count(), fds);
  ASSERT_EQ(waitpid(-1, NULL, WNOHANG), -1);
  ASSERT_EQ(errno, ECHILD);
}

static int is_open(int fd) {
  return fcntl(fd, F_GETFD) != -1;
}

static int is_nonblocking(int fd) {
  return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

/* A new file, for a descriptor that is recognised by it. */
static int open_file(const char* name) {
  int fd = open(test_path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  return fd;
}

static char output[65536 * 2];
static size_t output_size;
static int ends;

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  if (size < 0) {
    ASSERT_EQ(size, UV_EOF);
    ends++;
    uv_close((uv_handle_t*) stream, NULL);
    return;
  }
  ASSERT_LT(output_size + size, sizeof(output));
  memcpy(output + output_size, buf->base, size);
  output_size += size;
}

/* --- Nothing given --------------------------------------------------------------------------- */

static int is_null_device(int fd, int mode) {
  struct stat s;
  struct stat null;
  ASSERT_OK(stat("/dev/null", &null));
  if (fstat(fd, &s) != 0) return 0;
  return S_ISCHR(s.st_mode) && s.st_rdev == null.st_rdev &&
         (fcntl(fd, F_GETFL) & O_ACCMODE) == mode;
}

HELPER_IMPL(has_standard_descriptors_only) {
  int fd;
  ASSERT(is_null_device(0, O_RDONLY));
  ASSERT(is_null_device(1, O_RDWR));
  ASSERT(is_null_device(2, O_RDWR));
  for (fd = 3; fd < 256; fd++) ASSERT(!is_open(fd));
}

TEST_IMPL(standard_descriptors_are_opened_on_nothing) {
  prepare("has_standard_descriptors_only");
  options.stdio = NULL;
  expect_success(0);
  options.stdio = stdio;
  expect_success(1);
  expect_success(3);
  /* Other descriptors are not given to the child. */
  expect_success(10);
  expect_success(-1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* None of the library's descriptors, nor those of streams, get into a child. */
TEST_IMPL(no_descriptor_of_the_library_is_inherited) {
  uv_process_t other;
  uv_pipe_t pipes[3];
  uv_tcp_t tcp;
  uv_signal_t signal;
  uv_async_t async;
  struct sockaddr_in address = loopback(0);
  int i;
  ASSERT_OK(uv_signal_init(uv_default_loop(), &signal));
  ASSERT_OK(uv_signal_start(&signal, (uv_signal_cb) (void (*)(void)) abort, SIGUSR1));
  ASSERT_OK(uv_async_init(uv_default_loop(), &async, NULL));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &tcp));
  ASSERT_OK(uv_tcp_bind(&tcp, (struct sockaddr*) &address, 0));
  uv_unref((uv_handle_t*) &signal);
  uv_unref((uv_handle_t*) &async);
  /* The parent's ends of another child's pipes. */
  prepare("copy_input_to_output");
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipes[i], 0));
    container_stream(i, UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE, &pipes[i]);
  }
  options.stdio_count = 3;
  ASSERT_OK(uv_spawn(uv_default_loop(), &other, &options));
  uv_unref((uv_handle_t*) &other);
  prepare("has_standard_descriptors_only");
  expect_success(3);
  for (i = 0; i < 3; i++) uv_close((uv_handle_t*) &pipes[i], NULL);
  uv_ref((uv_handle_t*) &other);
  run();
  ASSERT_EQ(exit_count, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

HELPER_IMPL(has_descriptor_20) {
  ASSERT(is_open(20));
}

TEST_IMPL(what_is_inheritable_and_not_mentioned_is_inherited) {
  prepare("has_descriptor_20");
  /* The loop is made first: otherwise its descriptor would be overwritten. */
  uv_default_loop();
  ASSERT(!is_open(20));
  ASSERT_EQ(dup2(0, 20), 20);
  expect_success(3);
  /* With UV_IGNORE for it, the child has it as well. */
  expect_success(21);
  close(20);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Inherited descriptors -------------------------------------------------------------------- */

/* The files "0", "1" … in the working folder belong to descriptors as the argument says: a digit
 * for each descriptor, "-" for none, "n" for one that was not given. */
HELPER_IMPL(expect_files) {
  const char* expected = getenv("OXUV_EXPECTED");
  int fd;
  ASSERT_NOT_NULL(expected);
  for (fd = 0; expected[fd] != '\0'; fd++) {
    char name[2] = {expected[fd], '\0'};
    struct stat wanted;
    struct stat actual;
    if (expected[fd] == 'n') continue;
    if (expected[fd] == '-') {
      ASSERT(!is_open(fd));
      continue;
    }
    ASSERT_OK(stat(name, &wanted));
    ASSERT_OK(fstat(fd, &actual));
    ASSERT_EQ(actual.st_ino, wanted.st_ino);
  }
  for (; fd < 64; fd++) ASSERT(!is_open(fd));
}

static void expect_files(int count, const char* expected) {
  setenv("OXUV_EXPECTED", expected, 1);
  options.cwd = test_tmpdir();
  expect_success(count);
}

TEST_IMPL(descriptors_are_given_to_the_child) {
  int fds[3];
  int i;
  const char* names[] = {"0", "1", "2"};
  uv_default_loop();
  for (i = 0; i < 3; i++) fds[i] = open_file(names[i]);

  prepare("expect_files");
  for (i = 0; i < 3; i++) container_fd(i, fds[i]);
  expect_files(3, "012");
  /* In another order, and the same one twice. */
  for (i = 0; i < 3; i++) container_fd(i, fds[2 - i]);
  expect_files(3, "210");
  for (i = 0; i < 3; i++) container_fd(i, fds[1]);
  expect_files(3, "111");
  /* Beyond the standard ones, with a gap. */
  prepare("expect_files");
  container_fd(1, fds[1]);
  container_fd(2, fds[2]);
  container_fd(7, fds[0]);
  expect_files(8, "n12----0");
  for (i = 0; i < 3; i++) {
    /* They are the parent's as well, and not inherited by others. */
    ASSERT_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
    close(fds[i]);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* The parent's descriptors have numbers that are the child's as well. */
TEST_IMPL(descriptors_that_are_in_each_others_way) {
  enum { base = 30 };
  const char* names[] = {"0", "1", "2", "3", "4", "5"};
  int saved[3];
  int i;
  uv_default_loop();
  prepare("expect_files");
  for (i = 0; i < 3; i++) saved[i] = fcntl(i, F_DUPFD_CLOEXEC, base);
  /* 0, 1, 2 are files; so are 20, 21, 22. */
  for (i = 0; i < 6; i++) {
    int fd = open_file(names[i]);
    int target = i < 3 ? i : 20 + i - 3;
    ASSERT_EQ(dup3(fd, target, O_CLOEXEC), target);
    close(fd);
  }
  /* Each in its place: only the mark has to go. */
  for (i = 0; i < 3; i++) container_fd(i, i);
  expect_files(3, "012");
  /* Around in a circle. */
  for (i = 0; i < 3; i++) container_fd(i, (i + 1) % 3);
  expect_files(3, "120");
  /* Swapped, and one to a place that is the source of another. */
  container_fd(0, 2);
  container_fd(1, 1);
  container_fd(2, 0);
  container_fd(3, 0);
  expect_files(4, "2100");
  /* The child's 20 and 21 are where the parent's others are. */
  memset(stdio, 0, sizeof(stdio));
  container_fd(0, 22);
  container_fd(1, 21);
  container_fd(2, 20);
  container_fd(20, 0);
  container_fd(21, 21);
  container_fd(22, 1);
  expect_files(23, "543-----------------041");
  for (i = 0; i < 3; i++) {
    ASSERT_EQ(dup2(saved[i], i), i);
    close(saved[i]);
    close(20 + i);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(containers_without_sense_are_refused) {
  uv_tcp_t tcp;
  uv_pipe_t pipe;
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &tcp));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  prepare("has_standard_descriptors_only");
  container_fd(0, 0);
  expect_success(0);
  container_fd(0, -1);
  expect_error(1, UV_EINVAL);
  container_fd(0, 1000);
  expect_error(1, UV_EBADF);
  /* Pipes can be made of pipes only. */
  container_stream(0, UV_CREATE_PIPE | UV_READABLE_PIPE, &tcp);
  expect_error(1, UV_EINVAL);
  /* One thing at a time. */
  stdio[0].flags = UV_INHERIT_FD | UV_INHERIT_STREAM;
  expect_error(1, UV_EINVAL);
  container_stream(0, UV_CREATE_PIPE | UV_INHERIT_STREAM, &pipe);
  expect_error(1, UV_EINVAL);
  /* Streams have to be open to be inherited. */
  container_stream(0, UV_INHERIT_STREAM, &tcp);
  expect_error(1, UV_EINVAL);
  container_stream(0, UV_INHERIT_STREAM, &pipe);
  expect_error(1, UV_EINVAL);
  /* What was made for containers before is closed. */
  container_stream(0, UV_CREATE_PIPE | UV_READABLE_PIPE, &pipe);
  container_fd(5, -1);
  expect_error(6, UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_pipe_that_is_open_is_refused) {
  uv_pipe_t pipe;
  int fds[2];
  OXUV_ONLY(); /* libuv starts the process, and then says so. */
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  ASSERT_OK(uv_pipe(fds, 0, 0));
  ASSERT_OK(uv_pipe_open(&pipe, fds[0]));
  prepare("has_standard_descriptors_only");
  container_stream(0, UV_CREATE_PIPE | UV_READABLE_PIPE, &pipe);
  expect_error(1, UV_EBUSY);
  close(fds[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_pipe_for_two_containers_is_refused) {
  uv_pipe_t pipe;
  OXUV_ONLY();
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  prepare("has_standard_descriptors_only");
  container_stream(0, UV_CREATE_PIPE | UV_READABLE_PIPE, &pipe);
  container_stream(1, UV_CREATE_PIPE | UV_WRITABLE_PIPE, &pipe);
  options.exit_cb = on_exit_never;
  ASSERT_EQ(spawn(2), UV_EBUSY);
  uv_close((uv_handle_t*) &process, NULL);
  /* No process is left behind. */
  ASSERT_EQ(waitpid(-1, NULL, WNOHANG), -1);
  ASSERT_EQ(errno, ECHILD);
  MAKE_SURE_NOTHING_LEAKED();
}

HELPER_IMPL(expect_modes) {
  /* Non-blocking or not, for each descriptor. */
  const char* expected = getenv("OXUV_EXPECTED");
  int fd;
  for (fd = 0; expected[fd] != '\0'; fd++)
    if (expected[fd] != '?') ASSERT_EQ(is_nonblocking(fd), expected[fd] == 'n');
}

TEST_IMPL(standard_descriptors_are_made_blocking) {
  int pair[2];
  OXUV_ONLY(); /* libuv, since 1.53, does it to all of them. */
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
  prepare("expect_modes");
  container_fd(0, pair[0]);
  container_fd(3, pair[1]);
  setenv("OXUV_EXPECTED", "b??n", 1);
  expect_success(4);
  /* The mode belongs to the open file, which both processes have. */
  ASSERT(!is_nonblocking(pair[0]));
  ASSERT(is_nonblocking(pair[1]));
  close(pair[0]);
  close(pair[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Inherited streams ------------------------------------------------------------------------ */

HELPER_IMPL(copy_input_to_output) {
  char data[4096];
  ssize_t size;
  while ((size = read(0, data, sizeof(data))) > 0) ASSERT_EQ(write(1, data, size), size);
  ASSERT_EQ(size, 0);
}

TEST_IMPL(streams_are_given_to_the_child) {
  uv_pipe_t in;
  uv_pipe_t out;
  int in_fds[2];
  int out_fds[2];
  char data[16];
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &in, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &out, 0));
  ASSERT_OK(uv_pipe(in_fds, 0, 0));
  ASSERT_OK(uv_pipe(out_fds, 0, 0));
  ASSERT_OK(uv_pipe_open(&in, in_fds[0]));
  ASSERT_OK(uv_pipe_open(&out, out_fds[1]));
  prepare("copy_input_to_output");
  container_stream(0, UV_INHERIT_STREAM, &in);
  container_stream(1, UV_INHERIT_STREAM, &out);
  ASSERT_OK(spawn(2));
  uv_close((uv_handle_t*) &in, NULL);
  uv_close((uv_handle_t*) &out, NULL);
  ASSERT_EQ(write(in_fds[1], "hello", 5), 5);
  close(in_fds[1]);
  run();
  ASSERT_EQ(exit_status, 0);
  ASSERT_EQ(read(out_fds[0], data, sizeof(data)), 5);
  ASSERT_MEM_EQ(data, "hello", 5);
  close(out_fds[0]);
  MAKE_SURE_NOTHING_LEAKED();
}

HELPER_IMPL(expect_listening_socket) {
  int value = 0;
  socklen_t length = sizeof(value);
  ASSERT_OK(getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
  ASSERT_EQ(value, 1);
}

static void on_connection(uv_stream_t* server, int status) {
  (void) server, (void) status;
}

TEST_IMPL(a_listening_socket_is_given_to_the_child) {
  struct sockaddr_in address = loopback(0);
  uv_tcp_t server;
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 1, on_connection));
  uv_unref((uv_handle_t*) &server);
  prepare("expect_listening_socket");
  container_stream(3, UV_INHERIT_STREAM, &server);
  expect_success(4);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Pipes ------------------------------------------------------------------------------------ */

static void on_write(uv_write_t* request, int status) {
  ASSERT_OK(status);
  uv_close((uv_handle_t*) request->handle, NULL);
}

TEST_IMPL(pipes_carry_data_to_and_from_the_child) {
  static char data[65536];
  uv_pipe_t in;
  uv_pipe_t out;
  uv_write_t request;
  uv_buf_t buf = uv_buf_init(data, sizeof(data));
  int fd;
  memset(data, 'x', sizeof(data));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &in, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &out, 0));
  prepare("copy_input_to_output");
  container_stream(0, UV_CREATE_PIPE | UV_READABLE_PIPE, &in);
  container_stream(1, UV_CREATE_PIPE | UV_WRITABLE_PIPE, &out);
  ASSERT_OK(spawn(2));
  /* The child reads what the parent writes. */
  ASSERT(uv_is_writable((uv_stream_t*) &in) && !uv_is_readable((uv_stream_t*) &in));
  ASSERT(uv_is_readable((uv_stream_t*) &out) && !uv_is_writable((uv_stream_t*) &out));
  ASSERT_OK(uv_fileno((uv_handle_t*) &in, &fd));
  ASSERT(is_nonblocking(fd));
  ASSERT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  ASSERT_OK(uv_write(&request, (uv_stream_t*) &in, &buf, 1, on_write));
  ASSERT_OK(uv_read_start((uv_stream_t*) &out, alloc_static, on_read));
  run();
  ASSERT_EQ(exit_status, 0);
  ASSERT_EQ(output_size, sizeof(data));
  ASSERT_MEM_EQ(output, data, sizeof(data));
  ASSERT_EQ(ends, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

HELPER_IMPL(echo_once_on_5) {
  char data[64];
  ssize_t size = read(5, data, sizeof(data));
  ASSERT_GT(size, 0);
  ASSERT_EQ(write(5, data, size), size);
}

static void on_write_keep(uv_write_t* request, int status) {
  (void) request;
  ASSERT_OK(status);
}

TEST_IMPL(a_pipe_may_go_both_ways) {
  uv_pipe_t pipe;
  uv_write_t request;
  uv_buf_t buf = uv_buf_init("there and back", 14);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  prepare("echo_once_on_5");
  container_stream(5, UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE, &pipe);
  ASSERT_OK(spawn(6));
  ASSERT(uv_is_writable((uv_stream_t*) &pipe) && uv_is_readable((uv_stream_t*) &pipe));
  ASSERT_OK(uv_write(&request, (uv_stream_t*) &pipe, &buf, 1, on_write_keep));
  ASSERT_OK(uv_read_start((uv_stream_t*) &pipe, alloc_static, on_read));
  run();
  ASSERT_EQ(output_size, 14);
  ASSERT_MEM_EQ(output, "there and back", 14);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_childs_ends_of_pipes_block) {
  uv_pipe_t pipes[5];
  int i;
  prepare("expect_modes");
  for (i = 0; i < 5; i++) {
    uv_stdio_flags flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE;
    ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipes[i], 0));
    /* A hint without effect on Unix. */
    if (i % 2) flags |= UV_NONBLOCK_PIPE;
    container_stream(i, flags, &pipes[i]);
  }
  setenv("OXUV_EXPECTED", "bbbbb", 1);
  ASSERT_OK(spawn(5));
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  ASSERT_EQ(exit_status, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_buffers_of_pipes_are_large_enough) {
  int options_to_check[] = {SO_SNDBUF, SO_RCVBUF};
  uv_pipe_t pipe;
  int fd;
  int i;
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  prepare("copy_input_to_output");
  container_stream(0, UV_CREATE_PIPE | UV_READABLE_PIPE, &pipe);
  ASSERT_OK(spawn(1));
  ASSERT_OK(uv_fileno((uv_handle_t*) &pipe, &fd));
  for (i = 0; i < 2; i++) {
    int size = 0;
    socklen_t length = sizeof(size);
    ASSERT_OK(getsockopt(fd, SOL_SOCKET, options_to_check[i], &size, &length));
    ASSERT_GE(size, 65536);
  }
  uv_close((uv_handle_t*) &pipe, NULL);
  run();
  MAKE_SURE_NOTHING_LEAKED();
}

/* node reads from the pipes of a process that could not be started, and expects them to end. */
TEST_IMPL(pipes_of_a_failed_process_end) {
  uv_pipe_t pipe;
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  prepare("has_standard_descriptors_only");
  options.file = "/nonexistent";
  container_stream(1, UV_CREATE_PIPE | UV_WRITABLE_PIPE, &pipe);
  ASSERT_EQ(spawn(2), UV_ENOENT);
  uv_close((uv_handle_t*) &process, NULL);
  ASSERT_OK(uv_read_start((uv_stream_t*) &pipe, alloc_static, on_read));
  run();
  ASSERT_EQ(ends, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(this_process_may_have_no_standard_descriptors) {
  uv_pipe_t in;
  uv_pipe_t out;
  uv_write_t request;
  uv_buf_t buf = uv_buf_init("hello", 5);
  OXUV_ONLY(); /* libuv never closes a stream with the number of a standard descriptor. */
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &in, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &out, 0));
  prepare("copy_input_to_output");
  container_stream(0, UV_CREATE_PIPE | UV_READABLE_PIPE, &in);
  container_stream(1, UV_CREATE_PIPE | UV_WRITABLE_PIPE, &out);
  /* New descriptors get the numbers 0 and 1 now. */
  close(0);
  close(1);
  ASSERT_OK(spawn(2));
  ASSERT_OK(uv_write(&request, (uv_stream_t*) &in, &buf, 1, on_write));
  ASSERT_OK(uv_read_start((uv_stream_t*) &out, alloc_static, on_read));
  run();
  ASSERT_EQ(exit_status, 0);
  ASSERT_EQ(output_size, 5);
  ASSERT_MEM_EQ(output, "hello", 5);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- uv_disable_stdio_inheritance -------------------------------------------------------- */

TEST_IMPL(inheritance_can_be_turned_off) {
  int fd;
  int high;
  for (fd = 3; fd < 12; fd++)
    if (!is_open(fd)) ASSERT_EQ(dup2(0, fd), fd);
  uv_disable_stdio_inheritance();
  for (fd = 0; fd < 12; fd++) ASSERT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  /* Descriptors that are opened later stay inheritable. */
  high = fcntl(0, F_DUPFD, 100);
  ASSERT_EQ(fcntl(high, F_GETFD), 0);
}

TEST_IMPL(inheritance_is_turned_off_beyond_gaps) {
  int high = fcntl(0, F_DUPFD, 100);
  OXUV_ONLY();
  uv_disable_stdio_inheritance();
  ASSERT_EQ(fcntl(high, F_GETFD), FD_CLOEXEC);
}
