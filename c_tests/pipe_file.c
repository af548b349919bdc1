/* The file of a pipe's name: its owner, its permissions, and its removal. */
#include "refuse.h"

#include <sys/resource.h>
#include <sys/un.h>

static uv_pipe_t server;
static uv_pipe_t other;
static uv_pipe_t peer;
static uv_connect_t connect_req;
static int connections;
static int connects;
static int connect_status;

static void on_connection(uv_stream_t* stream, int status) {
  ASSERT_OK(status);
  connections++;
  ASSERT_OK(uv_pipe_init(stream->loop, &peer, 0));
  ASSERT_OK(uv_accept(stream, (uv_stream_t*) &peer));
}

static void on_connect(uv_connect_t* req, int status) {
  ASSERT_PTR_EQ(req, &connect_req);
  connect_status = status;
  connects++;
}

static void listen_at(uv_pipe_t* pipe, const char* path) {
  ASSERT_OK(uv_pipe_init(uv_default_loop(), pipe, 0));
  ASSERT_OK(uv_pipe_bind(pipe, path));
  ASSERT_OK(uv_listen((uv_stream_t*) pipe, 8, on_connection));
}

static void close_now(uv_pipe_t* pipe) {
  uv_close((uv_handle_t*) pipe, NULL);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

static int exists(const char* path) {
  struct stat s;
  return lstat(path, &s) == 0;
}

static mode_t mode_of(const char* path) {
  struct stat s;
  ASSERT_OK(lstat(path, &s));
  return s.st_mode & 07777;
}

/* --- What is removed ------------------------------------------------------------------------ */

TEST_IMPL(a_file_that_is_gone_is_nothing_to_remove) {
  const char* path = test_path("server");
  listen_at(&server, path);
  ASSERT_OK(unlink(path));
  close_now(&server);
  ASSERT(!exists(path));
  MAKE_SURE_NOTHING_LEAKED();
}

/* The next server took the path over, in this process or in another one. */
TEST_IMPL(the_socket_of_another_server_stays) {
  uv_pipe_t client;
  const char* path = test_path("server");
  OXUV_ONLY();
  listen_at(&server, path);
  ASSERT_OK(unlink(path));
  listen_at(&other, path);
  close_now(&server);
  ASSERT(exists(path));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  uv_pipe_connect(&connect_req, &client, path, on_connect);
  run_until(uv_default_loop(), &connections, 1);
  close_now(&other);
  ASSERT(!exists(path));
  MAKE_SURE_NOTHING_LEAKED();
}

/* A socket takes the place before the first server listens, and by a rename. */
TEST_IMPL(a_socket_that_took_the_place_stays) {
  const char* path = test_path("server");
  OXUV_ONLY();
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  ASSERT_OK(uv_pipe_bind2(&server, path, strlen(path), 0));
  listen_at(&other, test_path("next"));
  ASSERT_OK(rename(test_path("next"), path));
  close_now(&server);
  ASSERT(exists(path));
  /* It is not searched for where it was moved to. */
  close_now(&other);
  ASSERT(exists(path));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_file_in_the_place_of_the_socket_stays) {
  const char* path = test_path("server");
  OXUV_ONLY();
  listen_at(&server, path);
  ASSERT_OK(unlink(path));
  write_file(path, "data", 4);
  close_now(&server);
  ASSERT(exists(path));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_link_in_the_place_of_the_socket_stays) {
  const char* path = test_path("server");
  const char* moved = test_path("moved");
  OXUV_ONLY();
  listen_at(&server, path);
  ASSERT_OK(rename(path, moved));
  ASSERT_OK(symlink("moved", path));
  close_now(&server);
  ASSERT(exists(path));
  ASSERT(exists(moved));
  ASSERT_OK(unlink(path));

  listen_at(&server, path);
  ASSERT_OK(unlink(path));
  ASSERT_OK(symlink("nowhere", path));
  close_now(&server);
  ASSERT(exists(path));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(another_name_of_the_socket_stays) {
  const char* path = test_path("server");
  listen_at(&server, path);
  ASSERT_OK(link(path, test_path("second")));
  close_now(&server);
  ASSERT(!exists(path));
  ASSERT(exists(test_path("second")));
  MAKE_SURE_NOTHING_LEAKED();
}

/* A relative path leads elsewhere by now. */
TEST_IMPL(a_file_in_another_directory_stays) {
  struct sockaddr_un address = {AF_UNIX, "server"};
  int foreign = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  OXUV_ONLY();
  ASSERT_OK(mkdir(test_path("a"), 0700));
  ASSERT_OK(mkdir(test_path("b"), 0700));
  ASSERT_OK(chdir(test_path("a")));
  listen_at(&server, "server");
  ASSERT_OK(chdir(test_path("b")));
  ASSERT_OK(bind(foreign, (struct sockaddr*) &address, sizeof(address)));
  close_now(&server);
  ASSERT(exists("server"));
  /* The file is back in its place before the close: it is removed. */
  ASSERT_OK(unlink("../a/server"));
  ASSERT_OK(chdir("../a"));
  listen_at(&server, "server");
  ASSERT_OK(chdir("../b"));
  ASSERT_OK(chdir("../a"));
  close_now(&server);
  ASSERT(!exists("server"));
  ASSERT_OK(chdir("/"));
  ASSERT_OK(close(foreign));
  MAKE_SURE_NOTHING_LEAKED();
}

/* A path that fills the address, one that is cut to that, and shorter ones. */
TEST_IMPL(files_with_long_paths_are_removed) {
  size_t room = sizeof(((struct sockaddr_un*) 0)->sun_path);
  size_t length;
  for (length = room - 3; length <= room + 2; length++) {
    char path[256];
    char cut[256];
    memset(path, 'x', sizeof(path));
    memcpy(path, test_tmpdir(), strlen(test_tmpdir()));
    path[strlen(test_tmpdir())] = '/';
    path[length] = '\0';
    strcpy(cut, path);
    if (length > room) cut[room] = '\0';
    listen_at(&server, path);
    ASSERT(exists(cut));
    close_now(&server);
    ASSERT(!exists(cut));
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* A child that has the handle as well removes the file as its parent would. */
TEST_IMPL(a_forked_child_that_closes_removes_the_file) {
  const char* path = test_path("server");
  int status;
  pid_t pid;
  listen_at(&server, path);
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(uv_default_loop()));
    close_now(&server);
    _exit(exists(path));
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  close_now(&server);
  MAKE_SURE_NOTHING_LEAKED();
}

static void refuse_stat(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    REFUSE(__NR_statx, EPERM),
#ifdef __NR_newfstatat
    REFUSE(__NR_newfstatat, EPERM),
#endif
#ifdef __NR_lstat
    REFUSE(__NR_lstat, EPERM),
#endif
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    SKIP("no system call filters here");
}

static void serve_without_stat(void) {
  const char* path = test_path("server");
  refuse_stat();
  listen_at(&server, path);
  ASSERT_OK(access(path, F_OK));
  close_now(&server);
  ASSERT_EQ(access(path, F_OK), -1);
}

static void close_without_stat(void) {
  const char* path = test_path("server");
  listen_at(&server, path);
  refuse_stat();
  close_now(&server);
  ASSERT_EQ(access(path, F_OK), -1);
}

/* Where the owner of the file cannot be found out, the file is removed as in libuv. */
TEST_IMPL(a_sandbox_that_refuses_to_query_files_is_no_obstacle) {
  test_tmpdir();
  run_in_child(serve_without_stat);
  run_in_child(close_without_stat);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- A bind that fails leaves no file ------------------------------------------------------- */

static int allowed;

static void* limited_malloc(size_t size) {
  return allowed-- > 0 ? malloc(size) : NULL;
}

static void* limited_calloc(size_t count, size_t size) {
  return allowed-- > 0 ? calloc(count, size) : NULL;
}

static void* limited_realloc(void* block, size_t size) {
  return allowed-- > 0 ? realloc(block, size) : NULL;
}

TEST_IMPL(a_bind_without_memory_leaves_no_file) {
  const char* path = test_path("server");
  int fds[300];
  int failures = 0;
  int count = 0;
  int result;
  OXUV_ONLY();
  allowed = 1000;
  ASSERT_OK(uv_replace_allocator(limited_malloc, limited_realloc, limited_calloc, free));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &server, 0));
  /* A high number takes room in the loop. */
  while (count < 300 && (fds[count] = dup(0)) >= 0) count++;
  for (;;) {
    int before = fd_count();
    allowed = failures;
    result = uv_pipe_bind(&server, path);
    allowed = 1000;
    if (result == 0) break;
    ASSERT_EQ(result, UV_ENOMEM);
    ASSERT_EQ(fd_count(), before);
    ASSERT(!exists(path));
    failures++;
  }
  ASSERT_EQ(failures, 2);
  while (count > 0) ASSERT_OK(close(fds[--count]));
  close_now(&server);
  ASSERT(!exists(path));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Permissions ------------------------------------------------------------------------- */

TEST_IMPL(chmod_adds_to_the_permissions) {
  static const mode_t modes[] = {0700, 0, 0600, 07700, 01711, 06070};
  const char* path = test_path("server");
  size_t i;
  OXUV_ONLY();
  listen_at(&server, path);
  for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
    mode_t mode = modes[i] & 0777;
    ASSERT_OK(chmod(path, modes[i]));
    ASSERT_OK(uv_pipe_chmod(&server, UV_READABLE));
    ASSERT_EQ(mode_of(path), mode | 0444);
    ASSERT_OK(chmod(path, modes[i]));
    ASSERT_OK(uv_pipe_chmod(&server, UV_WRITABLE));
    ASSERT_EQ(mode_of(path), mode | 0222);
    ASSERT_OK(chmod(path, modes[i]));
    ASSERT_OK(uv_pipe_chmod(&server, UV_READABLE | UV_WRITABLE));
    ASSERT_EQ(mode_of(path), mode | 0666);
  }
  /* All is permitted already, and bits that are no permission go. */
  ASSERT_OK(chmod(path, 06777));
  ASSERT_OK(uv_pipe_chmod(&server, UV_READABLE));
  ASSERT_EQ(mode_of(path), 0777);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(chmod_leaves_other_files_alone) {
  const char* path = test_path("server");
  const char* file = test_path("file");
  OXUV_ONLY();
  umask(077);
  write_file(file, "data", 4);
  ASSERT_OK(chmod(file, 0600));
  listen_at(&server, path);
  ASSERT_OK(unlink(path));
  ASSERT_EQ(uv_pipe_chmod(&server, UV_READABLE), UV_ENOENT);
  ASSERT_OK(symlink("file", path));
  ASSERT_EQ(uv_pipe_chmod(&server, UV_READABLE), UV_ENOENT);
  ASSERT_EQ(mode_of(file), 0600);
  ASSERT_OK(unlink(path));
  ASSERT_OK(link(file, path));
  ASSERT_EQ(uv_pipe_chmod(&server, UV_READABLE), UV_ENOENT);
  ASSERT_EQ(mode_of(file), 0600);
  ASSERT_OK(unlink(path));
  listen_at(&other, path);
  ASSERT_EQ(uv_pipe_chmod(&server, UV_READABLE), UV_ENOENT);
  ASSERT_EQ(mode_of(path), 0700);
  ASSERT_OK(uv_pipe_chmod(&other, UV_READABLE));
  ASSERT_EQ(mode_of(path), 0744);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A link to the socket itself is not the socket's own name, either. */
TEST_IMPL(chmod_does_not_follow_a_link) {
  const char* path = test_path("server");
  const char* moved = test_path("moved");
  OXUV_ONLY();
  umask(077);
  listen_at(&server, path);
  ASSERT_OK(rename(path, moved));
  ASSERT_EQ(uv_pipe_chmod(&server, UV_READABLE), UV_ENOENT);
  ASSERT_OK(symlink("moved", path));
  ASSERT_EQ(uv_pipe_chmod(&server, UV_READABLE), UV_ENOENT);
  ASSERT_EQ(mode_of(moved), 0700);
  ASSERT_OK(unlink(path));
  ASSERT_OK(rename(moved, path));
  ASSERT_OK(uv_pipe_chmod(&server, UV_READABLE));
  MAKE_SURE_NOTHING_LEAKED();
}

/* The codes of pipes without a file. */
TEST_IMPL(chmod_needs_a_file) {
  uv_pipe_t pipe;
  uv_pipe_t fifo;
  int fds[2];
  ASSERT_EQ(uv_pipe_chmod(NULL, UV_READABLE), UV_EBADF);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  ASSERT_EQ(uv_pipe_chmod(&pipe, UV_READABLE), UV_EBADF);
  ASSERT_EQ(uv_pipe_chmod(&pipe, 0), UV_EBADF);
  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, 0, 0));
  ASSERT_OK(uv_pipe_open(&pipe, fds[0]));
  ASSERT_EQ(uv_pipe_chmod(&pipe, UV_READABLE), UV_ENOENT);
  ASSERT_EQ(uv_pipe_chmod(&pipe, 0), UV_EINVAL);
  ASSERT_OK(close(fds[1]));
  uv_close((uv_handle_t*) &pipe, NULL);
  ASSERT_EQ(uv_pipe_chmod(&pipe, UV_READABLE), UV_EBADF);

  ASSERT_OK(uv_pipe(fds, 0, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &fifo, 0));
  ASSERT_OK(uv_pipe_open(&fifo, fds[0]));
  ASSERT_EQ(uv_pipe_chmod(&fifo, UV_READABLE), UV_ENOTSOCK);
  ASSERT_OK(close(fds[1]));

  ASSERT_OK(uv_pipe_init(uv_default_loop(), &other, 0));
  ASSERT_OK(uv_pipe_bind2(&other, "\0of no file", 11, 0));
  ASSERT_EQ(uv_pipe_chmod(&other, UV_READABLE), UV_ENOENT);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(chmod_of_connections_and_of_servers_from_elsewhere) {
  const char* path = test_path("server");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  uv_pipe_t client;
  int fd;
  OXUV_ONLY();
  umask(077);
  listen_at(&server, path);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &client, 0));
  uv_pipe_connect(&connect_req, &client, path, on_connect);
  run_until(uv_default_loop(), &connections, 1);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_EQ(uv_pipe_chmod(&client, UV_READABLE), UV_ENOENT);
  /* The server's end has the server's name. */
  ASSERT_OK(uv_pipe_chmod(&peer, UV_READABLE));
  ASSERT_EQ(mode_of(path), 0744);

  fd = socket(AF_UNIX, SOCK_STREAM, 0);
  strcpy(address.sun_path, test_path("given"));
  ASSERT_OK(bind(fd, (struct sockaddr*) &address, sizeof(address)));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &other, 0));
  ASSERT_OK(uv_pipe_open(&other, fd));
  ASSERT_OK(uv_pipe_chmod(&other, UV_WRITABLE));
  ASSERT_EQ(mode_of(address.sun_path), 0722);
  ASSERT_OK(unlink(address.sun_path));
  write_file(address.sun_path, "data", 4);
  ASSERT_OK(chmod(address.sun_path, 0600));
  ASSERT_EQ(uv_pipe_chmod(&other, UV_WRITABLE), UV_ENOENT);
  ASSERT_EQ(mode_of(address.sun_path), 0600);
  /* A handle that opened it did not make its file. */
  close_now(&other);
  ASSERT(exists(address.sun_path));
  MAKE_SURE_NOTHING_LEAKED();
}

static void chmod_in_an_empty_root(void) {
  umask(077);
  if (chroot(test_tmpdir()) != 0 || chdir("/") != 0) _exit(77);
  listen_at(&server, "server");
  ASSERT_OK(uv_pipe_chmod(&server, UV_READABLE));
  ASSERT_EQ(mode_of("server") & 0444, 0444);
  write_file("file", "data", 4);
  ASSERT_OK(chmod("file", 0600));
  ASSERT_OK(rename("file", "server"));
  if (getenv("OXUV_TEST_OTHER") == NULL) {
    ASSERT_EQ(uv_pipe_chmod(&server, UV_WRITABLE), UV_ENOENT);
    ASSERT_EQ(mode_of("server"), 0600);
  }
}

TEST_IMPL(chmod_needs_no_proc) {
  test_tmpdir();
  run_in_child(chmod_in_an_empty_root);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(chmod_needs_no_descriptor) {
  struct rlimit limit;
  const char* path = test_path("server");
  int hoard[256];
  int count = 0;
  umask(077);
  listen_at(&server, path);
  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = 200;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  while ((hoard[count] = dup(0)) >= 0) count++;
  ASSERT_OK(uv_pipe_chmod(&server, UV_READABLE));
  ASSERT_EQ(mode_of(path) & 0444, 0444);
  while (count > 0) ASSERT_OK(close(hoard[--count]));
  MAKE_SURE_NOTHING_LEAKED();
}
