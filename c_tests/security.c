/* What was a security hole in libuv or its users once. See docs/guards.md. */
#include "task.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { other_user = 12345, other_group = 23456 };

/* --- Identities of children ------------------------------------------------------------------- */

static int exits;
static int64_t exit_status;

static void on_exit_of(uv_process_t* process, int64_t status, int signal) {
  exit_status = status;
  ASSERT_OK(signal);
  exits++;
  uv_close((uv_handle_t*) process, NULL);
}

static int spawn_shell(uv_process_options_t* options, const char* script) {
  static uv_process_t process;
  char* args[] = {"/bin/sh", "-c", (char*) script, NULL};
  int result;

  options->file = args[0];
  options->args = args;
  options->exit_cb = on_exit_of;
  exits = 0;
  result = uv_spawn(uv_default_loop(), &process, options);
  if (result == 0) run_until(uv_default_loop(), &exits, 1);
  else uv_close((uv_handle_t*) &process, NULL);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return result;
}

/* Were the user changed before the group, or the groups given up after the user, the kernel would
 * refuse what comes later: so what the child is in the end shows the order. */
TEST_IMPL(a_child_of_another_user_keeps_none_of_our_groups) {
  uv_process_options_t options = {0};
  gid_t groups[] = {0, 4, 24};

  if (getuid() != 0) SKIP("only root may change user and group");
  ASSERT_OK(setgroups(3, groups));
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  options.uid = other_user;
  options.gid = other_group;
  options.cwd = "/";
  ASSERT_OK(spawn_shell(&options, "test \"$(id -u) $(id -g) $(id -G)\" = '12345 23456 23456'"));
  ASSERT_EQ(exit_status, 0);
  /* What the groups could read it cannot. */
  ASSERT_OK(chmod(test_tmpdir(), 0755));
  write_file(test_path("secret"), "secret", 6);
  ASSERT_OK(chown(test_path("secret"), 0, 24));
  ASSERT_OK(chmod(test_path("secret"), 0640));
  setenv("SECRET", test_path("secret"), 1);
  ASSERT_OK(spawn_shell(&options, "! cat \"$SECRET\" 2>/dev/null"));
  ASSERT_EQ(exit_status, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* An ordinary user may not change its groups: that alone is no error, all else is one. */
static void children_of_an_ordinary_user(void) {
  uv_process_options_t options = {0};
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  options.uid = getuid();
  options.gid = getgid();
  ASSERT_OK(spawn_shell(&options, "exit 0"));
  ASSERT_EQ(exit_status, 0);
  options.uid = 0;
  ASSERT_EQ(spawn_shell(&options, "exit 0"), UV_EPERM);
  options.uid = getuid();
  options.gid = 0;
  ASSERT_EQ(spawn_shell(&options, "exit 0"), UV_EPERM);
  options.gid = getgid() + 1;
  ASSERT_EQ(spawn_shell(&options, "exit 0"), UV_EPERM);
  ASSERT_OK(uv_loop_close(uv_default_loop()));
}

static void as_ordinary_user(void (*run)(void)) {
  int status;
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    if (getuid() == 0) {
      ASSERT_OK(setgroups(0, NULL));
      ASSERT_OK(setgid(other_group));
      ASSERT_OK(setuid(other_user));
    }
    run();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

TEST_IMPL(a_child_never_runs_with_rights_it_was_to_give_up) {
  as_ordinary_user(children_of_an_ordinary_user);
}

/* --- Identities of operations ------------------------------------------------------------ */

static const char* secret;
static int done;
static int work_error;

static void on_fs(uv_fs_t* req) {
  done++;
}

static void open_in_job(uv_work_t* req) {
  int fd = open(secret, O_RDONLY);
  work_error = fd < 0 ? errno : 0;
  if (fd >= 0) close(fd);
}

static void after_job(uv_work_t* req, int status) {
  ASSERT_OK(status);
  done++;
}

/* Opens the secret in every way there is; all must have the same result. */
static void expect_result_of_open(int expected) {
  uv_fs_t many[8];
  uv_work_t work;
  uv_fs_t req;
  int i;

  done = 0;
  for (i = 0; i < 8; i++)
    ASSERT_OK(uv_fs_open(uv_default_loop(), &many[i], secret, UV_FS_O_RDONLY, 0, on_fs));
  ASSERT_OK(uv_queue_work(uv_default_loop(), &work, open_in_job, after_job));
  run_until(uv_default_loop(), &done, 9);
  for (i = 0; i < 8; i++) {
    if (many[i].result >= 0) ASSERT_OK(close(many[i].result));
    ASSERT_EQ(many[i].result < 0 ? many[i].result : 0, expected);
    uv_fs_req_cleanup(&many[i]);
  }
  ASSERT_EQ(-work_error, expected);
  uv_fs_open(NULL, &req, secret, UV_FS_O_RDONLY, 0, NULL);
  if (req.result >= 0) ASSERT_OK(close(req.result));
  ASSERT_EQ(req.result < 0 ? req.result : 0, expected);
  uv_fs_req_cleanup(&req);
}

TEST_IMPL(operations_after_setuid_have_the_new_identity) {
  static char path[512];

  if (getuid() != 0) SKIP("only root may change user and group");
  ASSERT_OK(chmod(test_tmpdir(), 0755));
  snprintf(path, sizeof(path), "%s", test_path("secret"));
  secret = path;
  write_file(secret, "secret", 6);
  ASSERT_OK(chmod(secret, 0600));
  /* The threads, and what else lives on, are made while this process is root. */
  expect_result_of_open(0);
  ASSERT_OK(seteuid(other_user));
  expect_result_of_open(UV_EACCES);
  ASSERT_OK(seteuid(0));
  expect_result_of_open(0);
  ASSERT_OK(setgroups(0, NULL));
  ASSERT_OK(setgid(other_group));
  ASSERT_OK(setuid(other_user));
  expect_result_of_open(UV_EACCES);
  ASSERT_OK(uv_loop_close(uv_default_loop()));
}

/* --- io_uring ---------------------------------------------------------------------------- */

/* Has the kernel end this process at the first system call of io_uring. */
static void forbid_io_uring(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 425, 0, 2), /* io_uring_setup, the first of three. */
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 427, 1, 0), /* io_uring_register, the last. */
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0)
    SKIP("no system call filter");
}

static void on_timer(uv_timer_t* timer) {
  uv_close((uv_handle_t*) timer, NULL);
}

static void on_connection(uv_stream_t* server, int status) {
  static uv_tcp_t peer;
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(server->loop, &peer));
  ASSERT_OK(uv_accept(server, (uv_stream_t*) &peer));
  uv_close((uv_handle_t*) &peer, NULL);
  uv_close((uv_handle_t*) server, NULL);
}

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  if (count < 0) uv_close((uv_handle_t*) stream, NULL);
}

static void on_connect(uv_connect_t* req, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_read_start(req->handle, alloc_static, on_read));
}

/* A bit of everything that a ring could do. */
static void use_the_library(void) {
  struct sockaddr_in address = loopback(0);
  uv_buf_t buf = uv_buf_init((char*) "text", 4);
  uv_process_options_t options = {0};
  uv_connect_t connect_req;
  uv_loop_t loop;
  uv_timer_t timer;
  uv_tcp_t server;
  uv_tcp_t client;
  uv_fs_t open_req;
  uv_fs_t req;

  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 1, 0));
  ASSERT_OK(uv_tcp_init(&loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 8, on_connection));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(&loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_connect));
  ASSERT_OK(uv_fs_open(&loop, &open_req, test_path("file"), UV_FS_O_CREAT | UV_FS_O_RDWR, 0600,
                       on_fs));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_GE(open_req.result, 0);
  ASSERT_OK(uv_fs_write(&loop, &req, open_req.result, &buf, 1, 0, on_fs));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(req.result, 4);
  uv_fs_req_cleanup(&req);
  ASSERT_OK(uv_fs_ftruncate(&loop, &req, open_req.result, 2, on_fs));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  uv_fs_req_cleanup(&req);
  ASSERT_OK(uv_fs_close(&loop, &req, open_req.result, on_fs));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  uv_fs_req_cleanup(&req);
  uv_fs_req_cleanup(&open_req);
  ASSERT_OK(uv_fs_stat(&loop, &req, test_path("file"), on_fs));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(req.statbuf.st_size, 2);
  uv_fs_req_cleanup(&req);
  ASSERT_OK(uv_loop_close(&loop));
  ASSERT_OK(spawn_shell(&options, "exit 0"));
}

/* Sandboxes end a process that asks for a ring: nothing asks for one that the program did not. */
TEST_IMPL(no_ring_is_asked_for) {
  OXUV_ONLY();
  forbid_io_uring();
  unsetenv("UV_USE_IO_URING");
  use_the_library();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(no_ring_is_asked_for_when_the_environment_forbids_it) {
  OXUV_ONLY();
  forbid_io_uring();
  setenv("UV_USE_IO_URING", "0", 1);
  use_the_library();
  MAKE_SURE_NOTHING_LEAKED();
}

/* The filter is one that would notice. */
TEST_IMPL(a_ring_would_be_noticed) {
  int status;
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    forbid_io_uring();
    syscall(SYS_io_uring_setup, 0, NULL);
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) SKIP("no system call filter");
  ASSERT(WIFSIGNALED(status));
  ASSERT_EQ(WTERMSIG(status), SIGSYS);
}

/* --- Host names -------------------------------------------------------------------------- */

/* A name that is cut would be another's: too long ones are refused, to the very byte. */
TEST_IMPL(a_host_name_is_used_whole_or_not_at_all) {
  char name[1024];
  uv_getaddrinfo_t req;
  size_t length;
  int result;

  for (length = 200; length < sizeof(name); length++) {
    /* Cut at any place, this would be an address of numbers. */
    memset(name, '0', length);
    memcpy(name, "127.0.0.1.", 10);
    name[length] = '\0';
    result = uv_getaddrinfo(NULL, &req, NULL, name, NULL, NULL);
    if (result == 0) uv_freeaddrinfo(req.addrinfo);
    ASSERT_LT(result, 0);
    if (length >= 256) ASSERT_EQ(result, UV_EINVAL);
  }
  ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, "", NULL, NULL), UV_EINVAL);
}

/* --- Allocators -------------------------------------------------------------------------- */

enum { magic = 0x0a110c };

/* Blocks that any other allocator's free, or this one given another's block, would stumble over. */
static void* marked_realloc(void* block, size_t size) {
  size_t* header = block == NULL ? NULL : (size_t*) block - 2;
  if (header != NULL) ASSERT_EQ(header[0], magic);
  header = realloc(header, size + 2 * sizeof(*header));
  header[0] = magic;
  return header + 2;
}

static void* marked_malloc(size_t size) {
  return marked_realloc(NULL, size);
}

static void* marked_calloc(size_t count, size_t size) {
  return memset(marked_malloc(count * size), 0, count * size);
}

static void marked_free(void* block) {
  size_t* header = (size_t*) block - 2;
  if (block == NULL) return;
  ASSERT_EQ(header[0], magic);
  header[0] = 0;
  free(header);
}

static void expect_marked(const void* block) {
  ASSERT_NOT_NULL(block);
  ASSERT_EQ(((const size_t*) block)[-2], magic);
}

static void results_of_files(uv_fs_cb callback) {
  uv_fs_t req;

  done = 0;
  uv_fs_realpath(uv_default_loop(), &req, test_path("link"), callback);
  if (callback != NULL) run_until(uv_default_loop(), &done, 1);
  ASSERT_OK(req.result);
  expect_marked(req.ptr);
  uv_fs_req_cleanup(&req);
  done = 0;
  uv_fs_readlink(uv_default_loop(), &req, test_path("link"), callback);
  if (callback != NULL) run_until(uv_default_loop(), &done, 1);
  ASSERT_OK(req.result);
  expect_marked(req.ptr);
  uv_fs_req_cleanup(&req);
}

TEST_IMPL(results_come_from_the_replaced_allocator) {
  uv_interface_address_t* addresses;
  uv_env_item_t* variables;
  uv_cpu_info_t* cpus;
  uv_passwd_t user;
  int count;

  ASSERT_OK(uv_replace_allocator(marked_malloc, marked_realloc, marked_calloc, marked_free));
  ASSERT_OK(symlink("target", test_path("link")));
  write_file(test_path("target"), "", 0);
  results_of_files(NULL);
  results_of_files(on_fs);
  ASSERT_OK(uv_os_environ(&variables, &count));
  expect_marked(variables);
  uv_os_free_environ(variables, count);
  if (uv_os_get_passwd(&user) == 0) uv_os_free_passwd(&user);
  ASSERT_OK(uv_cpu_info(&cpus, &count));
  expect_marked(cpus);
  uv_free_cpu_info(cpus, count);
  ASSERT_OK(uv_interface_addresses(&addresses, &count));
  uv_free_interface_addresses(addresses, count);
  MAKE_SURE_NOTHING_LEAKED();
}
