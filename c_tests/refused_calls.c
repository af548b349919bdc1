/* Calls that cannot be carried out answer with an error code, and leave nothing behind: no event,
 * no handle that is alive, no descriptor. What a chapter's own tests cover is not repeated here. */
#include "task.h"

#include <netinet/in.h>
#include <sys/resource.h>

static int done;

/* Nothing that was refused may bring a callback. */
#define NEVER(type) ((type) (void (*)(void)) abort)

static uv_loop_t* loop(void) {
  return uv_default_loop();
}

static void expect_nothing_to_come(void) {
  ASSERT(!uv_loop_alive(loop()));
  ASSERT_OK(uv_run(loop(), UV_RUN_DEFAULT));
}

/* --- Handles ----------------------------------------------------------------------------- */

TEST_IMPL(what_calls_back_needs_a_callback) {
  uv_pipe_t pipe_handle;
  uv_prepare_t prepare;
  uv_signal_t signal_handle;
  uv_check_t check;
  uv_timer_t timer;
  uv_idle_t idle;
  uv_udp_t udp;
  int fds[2];

  ASSERT_OK(uv_idle_init(loop(), &idle));
  ASSERT_EQ(uv_idle_start(&idle, NULL), UV_EINVAL);
  ASSERT_OK(uv_prepare_init(loop(), &prepare));
  ASSERT_EQ(uv_prepare_start(&prepare, NULL), UV_EINVAL);
  ASSERT_OK(uv_check_init(loop(), &check));
  ASSERT_EQ(uv_check_start(&check, NULL), UV_EINVAL);
  ASSERT_OK(uv_timer_init(loop(), &timer));
  ASSERT_EQ(uv_timer_start(&timer, NULL, 1, 1), UV_EINVAL);
  ASSERT_OK(uv_signal_init(loop(), &signal_handle));
  ASSERT_EQ(uv_signal_start(&signal_handle, NEVER(uv_signal_cb), 0), UV_EINVAL);
  ASSERT_OK(uv_udp_init(loop(), &udp));
  ASSERT_EQ(uv_udp_recv_start(&udp, NULL, NEVER(uv_udp_recv_cb)), UV_EINVAL);
  ASSERT_EQ(uv_udp_recv_start(&udp, alloc_static, NULL), UV_EINVAL);
  ASSERT_OK(uv_pipe(fds, 0, 0));
  ASSERT_OK(uv_pipe_init(loop(), &pipe_handle, 0));
  ASSERT_OK(uv_pipe_open(&pipe_handle, fds[0]));
  ASSERT_EQ(uv_read_start((uv_stream_t*) &pipe_handle, NULL, NEVER(uv_read_cb)), UV_EINVAL);
  ASSERT_EQ(uv_read_start((uv_stream_t*) &pipe_handle, alloc_static, NULL), UV_EINVAL);
  ASSERT_OK(close(fds[1]));
  expect_nothing_to_come();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(closing_handles_start_nothing) {
  struct sockaddr_in address = loopback(1);
  uv_fs_event_t event;
  uv_fs_poll_t fs_poll;
  uv_signal_t signal_handle;
  uv_connect_t connect_req;
  uv_shutdown_t shutdown_req;
  uv_timer_t timer;
  uv_pipe_t pipe_handle;
  uv_tcp_t tcp;

  OXUV_ONLY(); /* libuv does not check, or only in its debug build. */
  ASSERT_OK(uv_timer_init(loop(), &timer));
  ASSERT_OK(uv_signal_init(loop(), &signal_handle));
  ASSERT_OK(uv_fs_event_init(loop(), &event));
  ASSERT_OK(uv_fs_poll_init(loop(), &fs_poll));
  ASSERT_OK(uv_tcp_init(loop(), &tcp));
  ASSERT_OK(uv_pipe_init(loop(), &pipe_handle, 0));
  uv_close((uv_handle_t*) &timer, NULL);
  uv_close((uv_handle_t*) &signal_handle, NULL);
  uv_close((uv_handle_t*) &event, NULL);
  uv_close((uv_handle_t*) &fs_poll, NULL);
  uv_close((uv_handle_t*) &tcp, NULL);
  uv_close((uv_handle_t*) &pipe_handle, NULL);
  ASSERT_EQ(uv_timer_start(&timer, NEVER(uv_timer_cb), 0, 0), UV_EINVAL);
  ASSERT_EQ(uv_signal_start(&signal_handle, NEVER(uv_signal_cb), SIGUSR1), UV_EINVAL);
  ASSERT_EQ(uv_fs_event_start(&event, NEVER(uv_fs_event_cb), "/", 0), UV_EINVAL);
  ASSERT_EQ(uv_fs_poll_start(&fs_poll, NEVER(uv_fs_poll_cb), "/", 10), UV_EINVAL);
  ASSERT_EQ(uv_tcp_bind(&tcp, (struct sockaddr*) &address, 0), UV_EINVAL);
  ASSERT_EQ(uv_tcp_connect(&connect_req, &tcp, (struct sockaddr*) &address,
                           NEVER(uv_connect_cb)),
            UV_EINVAL);
  ASSERT_EQ(uv_listen((uv_stream_t*) &tcp, 1, NEVER(uv_connection_cb)), UV_EINVAL);
  ASSERT_EQ(uv_read_start((uv_stream_t*) &tcp, alloc_static, NEVER(uv_read_cb)), UV_EINVAL);
  ASSERT_EQ(uv_shutdown(&shutdown_req, (uv_stream_t*) &tcp, NEVER(uv_shutdown_cb)), UV_ENOTCONN);
  ASSERT_EQ(uv_pipe_bind(&pipe_handle, test_path("socket")), UV_EINVAL);
  ASSERT_LT(uv_tcp_close_reset(&tcp, NEVER(uv_close_cb)), 0);
  ASSERT_OK(uv_run(loop(), UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Streams ----------------------------------------------------------------------------- */

TEST_IMPL(streams_that_are_not_open_do_nothing) {
  struct sockaddr_in address;
  int length = sizeof(address);
  uv_buf_t buf = uv_buf_init((char*) "x", 1);
  uv_shutdown_t shutdown_req;
  uv_write_t write_req;
  size_t size = 100;
  char name[100];
  uv_os_fd_t fd;
  uv_tcp_t tcp;
  uv_pipe_t pipe_handle;
  uv_stream_t* streams[2] = {(uv_stream_t*) &tcp, (uv_stream_t*) &pipe_handle};
  int i;

  ASSERT_OK(uv_tcp_init(loop(), &tcp));
  ASSERT_OK(uv_pipe_init(loop(), &pipe_handle, 0));
  for (i = 0; i < 2; i++) {
    ASSERT_EQ(uv_write(&write_req, streams[i], &buf, 1, NEVER(uv_write_cb)), UV_EBADF);
    ASSERT_EQ(uv_try_write(streams[i], &buf, 1), UV_EBADF);
    ASSERT_EQ(uv_shutdown(&shutdown_req, streams[i], NEVER(uv_shutdown_cb)), UV_ENOTCONN);
    ASSERT_EQ(uv_read_start(streams[i], alloc_static, NEVER(uv_read_cb)), UV_ENOTCONN);
    ASSERT_EQ(uv_accept(streams[i], streams[1 - i]), UV_EAGAIN);
    ASSERT_EQ(uv_fileno((uv_handle_t*) streams[i], &fd), UV_EBADF);
    ASSERT_EQ(uv_stream_set_blocking(streams[i], 1), UV_EBADF);
    ASSERT_OK(uv_read_stop(streams[i]));
    ASSERT_EQ(uv_is_readable(streams[i]), 0);
    ASSERT_EQ(uv_is_writable(streams[i]), 0);
  }
  ASSERT_EQ(uv_tcp_getsockname(&tcp, (struct sockaddr*) &address, &length), UV_EBADF);
  ASSERT_EQ(uv_tcp_getpeername(&tcp, (struct sockaddr*) &address, &length), UV_EBADF);
  ASSERT_EQ(uv_pipe_getsockname(&pipe_handle, name, &size), UV_EBADF);
  size = sizeof(name);
  ASSERT_EQ(uv_pipe_getpeername(&pipe_handle, name, &size), UV_EBADF);
  expect_nothing_to_come();
  MAKE_SURE_NOTHING_LEAKED();
}

static uv_tcp_t taken;
static uv_timer_t no_stream;

static void accept_wrongly(uv_stream_t* server, int status) {
  ASSERT_OK(status);
  ASSERT_EQ(uv_accept(server, (uv_stream_t*) &no_stream), UV_EINVAL);
  /* The connection can still be accepted by the right kind of handle, once. */
  ASSERT_OK(uv_tcp_init(loop(), &taken));
  ASSERT_OK(uv_accept(server, (uv_stream_t*) &taken));
  ASSERT_EQ(uv_accept(server, (uv_stream_t*) &taken), UV_EAGAIN);
  done++;
}

TEST_IMPL(a_connection_is_not_given_to_another_kind_of_handle) {
  struct sockaddr_in address = loopback(0);
  uv_connect_t connect_req;
  uv_tcp_t server;
  uv_tcp_t client;

  OXUV_ONLY(); /* An assertion in libuv. */
  ASSERT_OK(uv_timer_init(loop(), &no_stream));
  ASSERT_OK(uv_tcp_init(loop(), &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 1, accept_wrongly));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(loop(), &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, NULL));
  /* One attempt at a time. */
  ASSERT_EQ(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, NULL), UV_EALREADY);
  run_until(loop(), &done, 1);
  ASSERT_EQ(uv_read_start((uv_stream_t*) &server, alloc_static, NEVER(uv_read_cb)), UV_ENOTCONN);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_is_no_socket_is_not_opened_as_one) {
  int before = fd_count();
  uv_pipe_t pipe_handle;
  uv_tcp_t tcp;
  uv_udp_t udp;
  int fds[2];

  ASSERT_OK(pipe(fds));
  ASSERT_OK(uv_tcp_init(loop(), &tcp));
  ASSERT_EQ(uv_tcp_open(&tcp, -1), UV_EBADF);
  ASSERT_OK(uv_udp_init(loop(), &udp));
  ASSERT_EQ(uv_udp_open(&udp, fds[0]), UV_ENOTSOCK);
  ASSERT_EQ(uv_udp_open(&udp, -1), UV_EBADF);
  ASSERT_OK(uv_pipe_init(loop(), &pipe_handle, 0));
  ASSERT_EQ(uv_pipe_open(&pipe_handle, -1), UV_EBADF);
  /* What was refused is still the caller's. */
  ASSERT_OK(close(fds[0]));
  ASSERT_OK(close(fds[1]));
  expect_nothing_to_come();
  MAKE_SURE_NOTHING_LEAKED();
  ASSERT_LE(fd_count(), before);
}

/* --- Missing results --------------------------------------------------------------------- */

TEST_IMPL(results_need_a_place) {
  char text[64];
  size_t size = sizeof(text);

  ASSERT_EQ(uv_cwd(NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_cwd(text, NULL), UV_EINVAL);
  ASSERT_EQ(uv_exepath(NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_exepath(text, NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_homedir(NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_os_homedir(text, NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_tmpdir(NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_os_tmpdir(text, NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_gethostname(NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_os_getenv(NULL, text, &size), UV_EINVAL);
  ASSERT_EQ(uv_os_getenv("PATH", NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_os_getenv("OXUV_NOT_THERE", text, &size), UV_ENOENT);
  ASSERT_EQ(uv_os_unsetenv(NULL), UV_EINVAL);
  ASSERT_EQ(uv_gettimeofday(NULL), UV_EINVAL);
  ASSERT_EQ(uv_clock_gettime(UV_CLOCK_MONOTONIC, NULL), UV_EFAULT);
  ASSERT_EQ(uv_os_uname(NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_get_passwd(NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_getpriority(0, NULL), UV_EINVAL);
  ASSERT_EQ(uv_if_indextoname(1, NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_if_indextoiid(1, text, NULL), UV_EINVAL);
}

/* --- Without descriptors ----------------------------------------------------------------- */

static struct rlimit old_limit;

static void run_out_of_descriptors(void) {
  struct rlimit limit;
  int fds[2];
  int fd = open("/dev/null", O_RDONLY);
  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &old_limit));
  limit = old_limit;
  limit.rlim_cur = fd;
  ASSERT_OK(close(fd));
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0) SKIP("the limit has no effect (valgrind)");
  ASSERT_EQ(errno, EMFILE);
}

static void on_opened(uv_fs_t* req) {
  ASSERT_EQ(req->result, UV_EMFILE);
  uv_fs_req_cleanup(req);
  done++;
}

static void on_no_socket(uv_connect_t* req, int status) {
  ASSERT_EQ(status, UV_EMFILE);
  done++;
}

TEST_IMPL(a_lack_of_descriptors_is_reported_by_each_call) {
  struct sockaddr_in address = loopback(1);
  uv_pipe_t pipe_handle;
  uv_connect_t connect_req;
  uv_fs_event_t event;
  uv_async_t async;
  uv_loop_t second;
  uv_fs_t req;
  uv_tcp_t tcp;
  uv_udp_t udp;
  int fds[2];

  ASSERT_OK(uv_async_init(loop(), &async, NULL));
  run_out_of_descriptors();
  ASSERT_EQ(uv_loop_init(&second), UV_EMFILE);
  ASSERT_NULL(uv_loop_new());
  ASSERT_EQ(uv_pipe(fds, 0, 0), UV_EMFILE);
  ASSERT_EQ(uv_socketpair(SOCK_STREAM, 0, fds, 0, 0), UV_EMFILE);
  ASSERT_EQ(uv_tcp_init_ex(loop(), &tcp, AF_INET), UV_EMFILE);
  ASSERT_EQ(uv_udp_init_ex(loop(), &udp, AF_INET), UV_EMFILE);
  ASSERT_OK(uv_tcp_init(loop(), &tcp));
  ASSERT_EQ(uv_tcp_bind(&tcp, (struct sockaddr*) &address, 0), UV_EMFILE);
  ASSERT_EQ(uv_listen((uv_stream_t*) &tcp, 1, NEVER(uv_connection_cb)), UV_EMFILE);
  ASSERT_EQ(uv_tcp_connect(&connect_req, &tcp, (struct sockaddr*) &address,
                           NEVER(uv_connect_cb)),
            UV_EMFILE);
  ASSERT_OK(uv_udp_init(loop(), &udp));
  ASSERT_EQ(uv_udp_bind(&udp, (struct sockaddr*) &address, 0), UV_EMFILE);
  ASSERT_EQ(uv_udp_recv_start(&udp, alloc_static, NEVER(uv_udp_recv_cb)), UV_EMFILE);
  ASSERT_OK(uv_pipe_init(loop(), &pipe_handle, 0));
  ASSERT_EQ(uv_pipe_bind(&pipe_handle, test_path("socket")), UV_EMFILE);
  uv_pipe_connect(&connect_req, &pipe_handle, test_path("socket"), on_no_socket);
  ASSERT_OK(uv_fs_event_init(loop(), &event));
  ASSERT_EQ(uv_fs_event_start(&event, NEVER(uv_fs_event_cb), "/", 0), UV_EMFILE);
  ASSERT_EQ(uv_fs_open(NULL, &req, "/", UV_FS_O_RDONLY, 0, NULL), UV_EMFILE);
  uv_fs_req_cleanup(&req);
  ASSERT_EQ(uv_fs_opendir(NULL, &req, "/", NULL), UV_EMFILE);
  uv_fs_req_cleanup(&req);
  ASSERT_EQ(uv_fs_copyfile(NULL, &req, "/etc/passwd", test_path("copy"), 0, NULL), UV_EMFILE);
  uv_fs_req_cleanup(&req);
  ASSERT_OK(uv_fs_open(loop(), &req, "/", UV_FS_O_RDONLY, 0, on_opened));
  run_until(loop(), &done, 2);
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &old_limit));
  /* These handles can do it now. */
  address.sin_port = 0;
  ASSERT_OK(uv_tcp_bind(&tcp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_pipe_bind(&pipe_handle, test_path("socket")));
  ASSERT_OK(uv_fs_event_start(&event, NEVER(uv_fs_event_cb), "/proc/self", 0));
  MAKE_SURE_NOTHING_LEAKED();
}
