/* https://docs.libuv.org/en/v1.x/poll.html */
#include "task.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static uv_loop_t loop;
static uv_poll_t a;
static uv_poll_t b;
static int pair[2];
static int other_pair[2];
static int calls;

static void init_loop(void) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, other_pair));
}

static void end(void) {
  close_loop(&loop);
  close(pair[0]);
  close(pair[1]);
  close(other_pair[0]);
  close(other_pair[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

static void put(int fd) {
  ASSERT_EQ(write(fd, "x", 1), 1);
}

static void take(int fd) {
  char byte;
  ASSERT_EQ(read(fd, &byte, 1), 1);
}

static void note_events(uv_poll_t* handle, int status, int events) {
  calls++;
  if (status != 0) note("%s:", uv_err_name(status));
  note("%s%s%s%s", events & UV_READABLE ? "r" : "", events & UV_WRITABLE ? "w" : "",
       events & UV_DISCONNECT ? "d" : "", events & UV_PRIORITIZED ? "p" : "");
}

static void never(uv_poll_t* handle, int status, int events) {
  FAIL("called with status %d, events %d", status, events);
}

static void on_close(uv_handle_t* handle) {
  note("closed");
}

static int is_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  ASSERT_NE(flags, -1);
  return (flags & O_NONBLOCK) != 0;
}

/* --- Init ---------------------------------------------------------------------------------- */

TEST_IMPL(init_makes_the_descriptor_nonblocking) {
  uv_os_fd_t fd;
  init_loop();
  memset(&a, 0xa5, sizeof(a));
  a.data = &calls;
  ASSERT_EQ(is_nonblocking(pair[0]), 0);
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_EQ(is_nonblocking(pair[0]), 1);
  ASSERT_EQ(is_nonblocking(pair[1]), 0);
  ASSERT_PTR_EQ(a.data, &calls);
  ASSERT_PTR_EQ(a.loop, &loop);
  ASSERT_EQ(a.type, UV_POLL);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_NE(uv_has_ref((uv_handle_t*) &a), 0);
  ASSERT_EQ(uv_is_closing((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_fileno((uv_handle_t*) &a, &fd));
  ASSERT_EQ(fd, pair[0]);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  end();
}

TEST_IMPL(init_socket_is_the_same) {
  init_loop();
  ASSERT_OK(uv_poll_init_socket(&loop, &a, pair[0]));
  ASSERT_EQ(is_nonblocking(pair[0]), 1);
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  put(pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  end();
}

TEST_IMPL(init_refuses_a_descriptor_that_is_not_open) {
  int fd;
  init_loop();
  fd = dup(pair[0]);
  close(fd);
  ASSERT_EQ(uv_poll_init(&loop, &a, fd), UV_EBADF);
  ASSERT_EQ(uv_poll_init(&loop, &a, -1), UV_EBADF);
  /* A handle that failed to be made need not be closed. */
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(&loop));
  ASSERT_OK(uv_loop_init(&loop));
  end();
}

TEST_IMPL(init_refuses_files_and_folders) {
  const char* path = test_path("file");
  int file;
  int folder;
  init_loop();
  write_file(path, "x", 1);
  file = open(path, O_RDONLY);
  folder = open(test_tmpdir(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(uv_poll_init(&loop, &a, file), UV_EPERM);
  ASSERT_EQ(uv_poll_init(&loop, &a, folder), UV_EPERM);
  ASSERT_OK(uv_loop_close(&loop));
  close(file);
  close(folder);
  ASSERT_OK(uv_loop_init(&loop));
  end();
}

TEST_IMPL(one_active_handle_per_descriptor) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_init(&loop, &b, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  ASSERT_EQ(uv_poll_start(&b, UV_READABLE, never), UV_EEXIST);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &b), 0);
  uv_close((uv_handle_t*) &b, NULL);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_EQ(uv_poll_init(&loop, &b, pair[0]), UV_EEXIST);
  /* Changing the active one is no second use. */
  ASSERT_OK(uv_poll_start(&a, UV_READABLE | UV_WRITABLE, note_events));
  ASSERT_OK(uv_poll_stop(&a));
  ASSERT_OK(uv_poll_init(&loop, &b, pair[0]));
  ASSERT_OK(uv_poll_start(&b, UV_WRITABLE, note_events));
  ASSERT_EQ(uv_poll_start(&a, UV_READABLE, never), UV_EEXIST);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("w");
  end();
}

TEST_IMPL(one_descriptor_on_two_loops) {
  uv_loop_t second;
  init_loop();
  ASSERT_OK(uv_loop_init(&second));
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_init(&second, &b, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  ASSERT_OK(uv_poll_start(&b, UV_WRITABLE, note_events));
  put(pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NE(uv_run(&second, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r w");
  close_loop(&second);
  end();
}

TEST_IMPL(many_kinds_of_descriptors) {
  uv_poll_t inner;
  uv_loop_t second;
  uv_async_t async;
  int fds[2];
  int event;

  init_loop();
  ASSERT_OK(pipe(fds));
  event = eventfd(1, EFD_CLOEXEC);
  ASSERT_OK(uv_poll_init(&loop, &a, fds[1]));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("w");
  ASSERT_OK(uv_poll_stop(&a));
  ASSERT_OK(uv_poll_init(&loop, &b, event));
  ASSERT_OK(uv_poll_start(&b, UV_READABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  ASSERT_OK(uv_poll_stop(&b));
  /* Another loop. */
  ASSERT_OK(uv_loop_init(&second));
  ASSERT_OK(uv_async_init(&second, &async, NULL));
  ASSERT_NE(uv_run(&second, UV_RUN_NOWAIT), 0);
  ASSERT_OK(uv_poll_init(&loop, &inner, uv_backend_fd(&second)));
  ASSERT_OK(uv_poll_start(&inner, UV_READABLE, note_events));
  ASSERT_OK(uv_async_send(&async));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  uv_close((uv_handle_t*) &inner, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  close_loop(&second);
  close(fds[0]);
  uv_close((uv_handle_t*) &a, NULL);
  uv_close((uv_handle_t*) &b, NULL);
  close(fds[1]);
  close(event);
  end();
}

/* --- Events -------------------------------------------------------------------------------- */

TEST_IMPL(start_makes_the_handle_active_and_stop_inactive) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, never));
  ASSERT_NE(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_NE(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_poll_stop(&a));
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_poll_stop(&a));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  end();
}

TEST_IMPL(readiness_is_reported_as_long_as_it_lasts) {
  init_loop();
  /* Ready before the start as well. */
  put(pair[1]);
  put(pair[1]);
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r r");
  take(pair[0]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  take(pair[0]);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  put(pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  end();
}

TEST_IMPL(both_directions_are_reported_in_one_call) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE | UV_WRITABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("w");
  put(pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("rw");
  end();
}

static void fill(int fd) {
  static char data[4096];
  while (write(fd, data, sizeof(data)) > 0) continue;
  ASSERT_EQ(errno, EAGAIN);
}

TEST_IMPL(writable_is_reported_while_there_is_space) {
  static char data[65536];
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, note_events));
  fill(pair[0]);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  while (recv(pair[1], data, sizeof(data), MSG_DONTWAIT) > 0) continue;
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("w");
  end();
}

static void note_second(uv_poll_t* handle, int status, int events) {
  note("second");
  note_events(handle, status, events);
}

TEST_IMPL(start_of_an_active_handle_changes_events_and_callback) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("w");
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_second));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  put(pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("second r");
  ASSERT_OK(uv_poll_start(&a, UV_READABLE | UV_WRITABLE, note_second));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("second rw");
  /* Back and forth before the loop polls. */
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_second));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("w");
  end();
}

TEST_IMPL(start_without_events_stops) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, never));
  ASSERT_OK(uv_poll_start(&a, 0, never));
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  end();
}

TEST_IMPL(start_of_a_closing_handle_is_invalid) {
  OXUV_ONLY();
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  uv_close((uv_handle_t*) &a, on_close);
  ASSERT_EQ(uv_poll_start(&a, UV_READABLE, never), UV_EINVAL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("closed");
  end();
}

TEST_IMPL(an_unreferenced_handle_does_not_keep_the_loop_alive) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  uv_unref((uv_handle_t*) &a);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  put(pair[1]);
  uv_ref((uv_handle_t*) &a);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  end();
}

/* --- Disconnection, urgent data, errors ---------------------------------------------------- */

TEST_IMPL(disconnect_is_reported_when_the_peer_ends_its_side) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_DISCONNECT, note_events));
  put(pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  ASSERT_OK(shutdown(pair[1], SHUT_WR));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("d");
  ASSERT_OK(uv_poll_start(&a, UV_READABLE | UV_DISCONNECT, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("rd");
  end();
}

TEST_IMPL(disconnect_is_not_reported_unasked) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  ASSERT_OK(shutdown(pair[1], SHUT_WR));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  end();
}

TEST_IMPL(a_hangup_is_reported_as_what_was_asked_for) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  close(pair[1]);
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("w");
  ASSERT_OK(uv_poll_start(&a, UV_READABLE | UV_WRITABLE | UV_DISCONNECT, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("rwd");
  pair[1] = dup(pair[0]);
  end();
}

TEST_IMPL(the_hangup_of_a_pipe_is_readable) {
  int fds[2];
  init_loop();
  ASSERT_OK(pipe(fds));
  ASSERT_OK(uv_poll_init(&loop, &a, fds[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  close(fds[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  uv_close((uv_handle_t*) &a, NULL);
  close(fds[0]);
  end();
}

TEST_IMPL(an_error_ends_the_polling_with_ebadf) {
  int fds[2];
  init_loop();
  ASSERT_OK(pipe(fds));
  ASSERT_OK(uv_poll_init(&loop, &a, fds[1]));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, note_events));
  close(fds[0]);
  ASSERT_EQ(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("EBADF: ");
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  uv_close((uv_handle_t*) &a, NULL);
  close(fds[1]);
  end();
}

/* A connection over loopback: pair[0] and pair[1]. */
static void connect_tcp(void) {
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);

  close(pair[0]);
  close(pair[1]);
  ASSERT_OK(bind(listener, (struct sockaddr*) &address, length));
  ASSERT_OK(listen(listener, 1));
  ASSERT_OK(getsockname(listener, (struct sockaddr*) &address, &length));
  pair[0] = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_OK(connect(pair[0], (struct sockaddr*) &address, length));
  pair[1] = accept(listener, NULL, NULL);
  ASSERT_GE(pair[1], 0);
  close(listener);
}

TEST_IMPL(urgent_data_is_reported_as_prioritized) {
  char byte;
  init_loop();
  connect_tcp();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_PRIORITIZED, note_events));
  put(pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  ASSERT_EQ(send(pair[1], "!", 1, MSG_OOB), 1);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("p");
  ASSERT_OK(uv_poll_start(&a, UV_PRIORITIZED | UV_READABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("rp");
  ASSERT_EQ(recv(pair[0], &byte, 1, MSG_OOB), 1);
  ASSERT_EQ(byte, '!');
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  end();
}

TEST_IMPL(a_connection_under_way_becomes_writable) {
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  int error = -1;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

  init_loop();
  ASSERT_OK(bind(listener, (struct sockaddr*) &address, length));
  ASSERT_OK(listen(listener, 1));
  ASSERT_OK(getsockname(listener, (struct sockaddr*) &address, &length));
  ASSERT_OK(uv_poll_init(&loop, &a, client));
  if (connect(client, (struct sockaddr*) &address, length) != 0) ASSERT_EQ(errno, EINPROGRESS);
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, note_events));
  run_until(&loop, &calls, 1);
  length = sizeof(error);
  ASSERT_OK(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length));
  ASSERT_EQ(error, 0);
  uv_close((uv_handle_t*) &a, NULL);
  close(client);
  close(listener);
  end();
}

/* --- Stop and close ------------------------------------------------------------------------ */

static void stop_itself(uv_poll_t* handle, int status, int events) {
  note_events(handle, status, events);
  ASSERT_OK(uv_poll_stop(handle));
}

TEST_IMPL(stop_in_the_callback) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, stop_itself));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("w");
  /* It can be started again. */
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, stop_itself));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("w");
  end();
}

static void change_in_callback(uv_poll_t* handle, int status, int events) {
  note_events(handle, status, events);
  if (events & UV_WRITABLE) {
    ASSERT_OK(uv_poll_start(handle, UV_READABLE, change_in_callback));
    put(pair[1]);
  } else {
    take(pair[0]);
    uv_close((uv_handle_t*) handle, on_close);
  }
}

TEST_IMPL(change_in_the_callback) {
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_WRITABLE, change_in_callback));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("w r closed");
  end();
}

static void start_two(uv_poll_cb callback) {
  init_loop();
  put(pair[1]);
  put(other_pair[1]);
  ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
  ASSERT_OK(uv_poll_init(&loop, &b, other_pair[0]));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, callback));
  ASSERT_OK(uv_poll_start(&b, UV_READABLE, callback));
}

static uv_poll_t* the_other(uv_poll_t* handle) {
  return handle == &a ? &b : &a;
}

static void stop_the_other(uv_poll_t* handle, int status, int events) {
  note_events(handle, status, events);
  ASSERT_OK(uv_poll_stop(the_other(handle)));
}

TEST_IMPL(stop_takes_back_what_was_pending) {
  start_two(stop_the_other);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r");
  end();
}

static void close_both(uv_poll_t* handle, int status, int events) {
  note_events(handle, status, events);
  uv_close((uv_handle_t*) handle, on_close);
  uv_close((uv_handle_t*) the_other(handle), on_close);
  /* Descriptors may be closed right away. */
  close(pair[0]);
  close(other_pair[0]);
}

TEST_IMPL(close_takes_back_what_was_pending) {
  start_two(close_both);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("r closed closed");
  pair[0] = dup(pair[1]);
  other_pair[0] = dup(pair[1]);
  end();
}

static uv_poll_t reused;
static int reused_pair[2];

/* Closes the other's descriptor and puts a new one in its place, with a handle of its own. */
static void replace_the_other(uv_poll_t* handle, int status, int events) {
  int* place = handle == &a ? &other_pair[0] : &pair[0];
  note_events(handle, status, events);
  uv_close((uv_handle_t*) the_other(handle), on_close);
  uv_close((uv_handle_t*) handle, on_close);
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, reused_pair));
  ASSERT_EQ(dup2(reused_pair[0], *place), *place);
  ASSERT_OK(uv_poll_init(handle->loop, &reused, *place));
  ASSERT_OK(uv_poll_start(&reused, UV_READABLE, note_second));
}

TEST_IMPL(a_pending_event_is_not_delivered_to_the_next_user_of_the_number) {
  start_two(replace_the_other);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("r closed closed");
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  put(reused_pair[1]);
  ASSERT_NE(uv_run(&loop, UV_RUN_ONCE), 0);
  ASSERT_NOTES("second r");
  close(reused_pair[0]);
  close(reused_pair[1]);
  end();
}

TEST_IMPL(a_descriptor_may_be_closed_after_stop_and_its_number_used_again) {
  int i;
  int fd;
  init_loop();
  fd = dup(pair[0]);
  for (i = 0; i < 10; i++) {
    ASSERT_OK(uv_poll_init(&loop, &a, fd));
    ASSERT_OK(uv_poll_start(&a, i % 2 ? UV_READABLE : UV_WRITABLE, note_events));
    if (i % 3 != 0) uv_run(&loop, UV_RUN_NOWAIT);
    if (i % 4 < 2) ASSERT_OK(uv_poll_stop(&a));
    uv_close((uv_handle_t*) &a, NULL);
    close(fd);
    ASSERT_EQ(dup2(i % 2 ? pair[0] : other_pair[0], fd), fd);
    ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  }
  close(fd);
  end();
}

/* On libuv the second handle gets no events any more. */
TEST_IMPL(closing_leaves_the_next_user_of_the_number_alone) {
  int fd;
  OXUV_ONLY();
  init_loop();
  fd = dup(pair[0]);
  ASSERT_OK(uv_poll_init(&loop, &a, fd));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, never));
  uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_OK(uv_poll_stop(&a));
  ASSERT_EQ(dup2(other_pair[0], fd), fd);
  ASSERT_OK(uv_poll_init(&loop, &b, fd));
  ASSERT_OK(uv_poll_start(&b, UV_READABLE, note_events));
  uv_run(&loop, UV_RUN_NOWAIT);
  uv_close((uv_handle_t*) &a, NULL);
  put(other_pair[1]);
  run_until(&loop, &calls, 1);
  uv_close((uv_handle_t*) &b, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  close(fd);
  end();
}

static void give_byte(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  static char byte;
  *buf = uv_buf_init(&byte, 1);
}

static void note_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  calls++;
  note("read %d", (int) count);
  uv_read_stop(stream);
}

static void note_once(uv_poll_t* handle, int status, int events) {
  note_events(handle, status, events);
  ASSERT_OK(uv_poll_stop(handle));
}

TEST_IMPL(the_descriptor_of_a_stream_that_does_not_read_may_be_polled) {
  uv_pipe_t pipe;
  int i;
  init_loop();
  ASSERT_OK(uv_pipe_init(&loop, &pipe, 0));
  ASSERT_OK(uv_pipe_open(&pipe, pair[0]));
  for (i = 0; i < 3; i++) {
    /* The poller still knows what the stream asked for when it stopped, and with what token. */
    ASSERT_OK(uv_read_start((uv_stream_t*) &pipe, give_byte, note_read));
    put(pair[1]);
    run_until(&loop, &calls, 3 * i + 1);
    ASSERT_NOTES("read 1");
    ASSERT_OK(uv_poll_init(&loop, &a, pair[0]));
    ASSERT_OK(uv_poll_start(&a, i == 1 ? UV_WRITABLE : UV_READABLE, note_once));
    ASSERT_EQ(uv_poll_init(&loop, &b, pair[0]), UV_EEXIST);
    put(pair[1]);
    run_until(&loop, &calls, 3 * i + 2);
    ASSERT_NOTES(i == 1 ? "w" : "r");
    uv_close((uv_handle_t*) &a, NULL);
    ASSERT_OK(uv_read_start((uv_stream_t*) &pipe, give_byte, note_read));
    run_until(&loop, &calls, 3 * i + 3);
    ASSERT_NOTES("read 1");
  }
  uv_close((uv_handle_t*) &pipe, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  pair[0] = dup(pair[1]);
  end();
}

static void free_handle(uv_handle_t* handle) {
  memset(handle, 0xee, sizeof(uv_poll_t));
  free(handle);
  note("freed");
}

static void close_and_free(uv_poll_t* handle, int status, int events) {
  ASSERT_OK(status);
  uv_close((uv_handle_t*) handle, free_handle);
}

TEST_IMPL(the_memory_may_be_freed_in_the_close_callback) {
  uv_poll_t* handle = malloc(sizeof(*handle));
  init_loop();
  ASSERT_OK(uv_poll_init(&loop, handle, pair[0]));
  ASSERT_OK(uv_poll_start(handle, UV_WRITABLE, close_and_free));
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("freed");
  end();
}

/* --- Many ---------------------------------------------------------------------------------- */

static void take_and_close(uv_poll_t* handle, int status, int events) {
  uv_os_fd_t fd;
  ASSERT_OK(status);
  ASSERT_EQ(events, UV_READABLE);
  ASSERT_OK(uv_fileno((uv_handle_t*) handle, &fd));
  take(fd);
  uv_close((uv_handle_t*) handle, NULL);
  calls++;
}

TEST_IMPL(more_descriptors_than_one_batch_of_the_poller) {
  enum { total = 1500 };
  static uv_poll_t handles[total];
  static int ends[total][2];
  struct rlimit limit;
  int i;

  ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max;
  ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  if (limit.rlim_cur < total * 2 + 50) SKIP("not enough descriptors allowed");
  init_loop();
  for (i = 0; i < total; i++) {
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]));
    ASSERT_OK(uv_poll_init(&loop, &handles[i], ends[i][0]));
    ASSERT_OK(uv_poll_start(&handles[i], UV_READABLE, take_and_close));
    put(ends[i][1]);
  }
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(calls, total);
  for (i = 0; i < total; i++) {
    close(ends[i][0]);
    close(ends[i][1]);
  }
  end();
}

/* --- Descriptors closed behind the loop's back --------------------------------------------- */

TEST_IMPL(a_descriptor_closed_before_the_loop_polls_is_reported_as_ebadf) {
  int fd;
  OXUV_ONLY();
  init_loop();
  fd = dup(pair[0]);
  ASSERT_OK(uv_poll_init(&loop, &a, fd));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE | UV_PRIORITIZED, note_events));
  close(fd);
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("EBADF: ");
  ASSERT_EQ(uv_is_active((uv_handle_t*) &a), 0);
  end();
}

TEST_IMPL(a_closed_descriptor_whose_events_change_is_reported_as_ebadf) {
  int fd;
  OXUV_ONLY();
  init_loop();
  fd = dup(pair[0]);
  ASSERT_OK(uv_poll_init(&loop, &a, fd));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  close(fd);
  ASSERT_OK(uv_poll_start(&a, UV_READABLE | UV_WRITABLE, note_events));
  ASSERT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
  ASSERT_NOTES("EBADF: ");
  end();
}

TEST_IMPL(a_closed_descriptor_leaves_the_other_handles_alone) {
  int fd;
  OXUV_ONLY();
  init_loop();
  fd = dup(pair[0]);
  ASSERT_OK(uv_poll_init(&loop, &a, fd));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, note_events));
  ASSERT_OK(uv_poll_init(&loop, &b, other_pair[0]));
  ASSERT_OK(uv_poll_start(&b, UV_READABLE, take_and_close));
  close(fd);
  put(other_pair[1]);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("EBADF: ");
  ASSERT_EQ(calls, 2);
  end();
}

TEST_IMPL(stop_and_close_of_a_handle_whose_descriptor_is_closed) {
  int fd;
  init_loop();
  fd = dup(pair[0]);
  ASSERT_OK(uv_poll_init(&loop, &a, fd));
  ASSERT_OK(uv_poll_start(&a, UV_READABLE, never));
  ASSERT_NE(uv_run(&loop, UV_RUN_NOWAIT), 0);
  close(fd);
  ASSERT_OK(uv_poll_stop(&a));
  uv_close((uv_handle_t*) &a, on_close);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("closed");
  end();
}
