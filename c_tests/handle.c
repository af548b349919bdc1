/* https://docs.libuv.org/en/v1.x/handle.html */
#include "task.h"

#include <netinet/in.h>

static uv_loop_t loop;
static uv_timer_t timer;
static int closes;

static void on_close(uv_handle_t* handle) {
  closes++;
}

static void never(uv_timer_t* handle) {
  FAIL("called");
}

static void end(void) {
  close_loop(&loop);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Names and sizes ----------------------------------------------------------------------- */

#define CHECK_NAME(upper, lower) ASSERT_STR_EQ(uv_handle_type_name(UV_##upper), #lower);
#define CHECK_SIZE(upper, lower) ASSERT_EQ(uv_handle_size(UV_##upper), sizeof(uv_##lower##_t));
#define COUNT(upper, lower) +1

TEST_IMPL(every_type_has_the_name_of_its_struct) {
  UV_HANDLE_TYPE_MAP(CHECK_NAME)
  ASSERT_EQ(0 UV_HANDLE_TYPE_MAP(COUNT), 16);
  ASSERT_STR_EQ(uv_handle_type_name(UV_NAMED_PIPE), "pipe");
  ASSERT_STR_EQ(uv_handle_type_name(UV_FILE), "file");
  ASSERT_NULL(uv_handle_type_name(UV_UNKNOWN_HANDLE));
  ASSERT_NULL(uv_handle_type_name(UV_HANDLE_TYPE_MAX));
  ASSERT_NULL(uv_handle_type_name((uv_handle_type) 12345));
  ASSERT_NULL(uv_handle_type_name((uv_handle_type) -1));
}

TEST_IMPL(every_type_has_the_size_of_its_struct) {
  UV_HANDLE_TYPE_MAP(CHECK_SIZE)
  ASSERT_EQ(uv_handle_size(UV_UNKNOWN_HANDLE), (size_t) -1);
  ASSERT_EQ(uv_handle_size(UV_FILE), (size_t) -1);
  ASSERT_EQ(uv_handle_size(UV_HANDLE_TYPE_MAX), (size_t) -1);
  ASSERT_EQ(uv_handle_size((uv_handle_type) 12345), (size_t) -1);
  ASSERT_GE(sizeof(union uv_any_handle), sizeof(uv_process_t));
}

/* --- Every type ---------------------------------------------------------------------------- */

union any {
  uv_handle_t handle;
  uv_async_t async;
  uv_check_t check;
  uv_idle_t idle;
  uv_pipe_t pipe;
  uv_prepare_t prepare;
  uv_signal_t signal;
  uv_tcp_t tcp;
  uv_timer_t timer;
  uv_udp_t udp;
};

static const uv_handle_type types[] = {UV_ASYNC,   UV_CHECK,  UV_IDLE, UV_NAMED_PIPE, UV_PREPARE,
                                       UV_SIGNAL, UV_TCP, UV_TIMER,      UV_UDP};
enum { type_total = sizeof(types) / sizeof(types[0]) };

static int init(uv_handle_type type, union any* any) {
  switch (type) {
    case UV_ASYNC:
      return uv_async_init(&loop, &any->async, NULL);
    case UV_CHECK:
      return uv_check_init(&loop, &any->check);
    case UV_IDLE:
      return uv_idle_init(&loop, &any->idle);
    case UV_NAMED_PIPE:
      return uv_pipe_init(&loop, &any->pipe, 0);
    case UV_PREPARE:
      return uv_prepare_init(&loop, &any->prepare);
    case UV_SIGNAL:
      return uv_signal_init(&loop, &any->signal);
    case UV_TCP:
      return uv_tcp_init(&loop, &any->tcp);
    case UV_TIMER:
      return uv_timer_init(&loop, &any->timer);
    default:
      return uv_udp_init(&loop, &any->udp);
  }
}

TEST_IMPL(init_leaves_data_and_sets_loop_and_type) {
  union any handles[type_total];
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < type_total; i++) {
    uv_handle_t* handle = &handles[i].handle;
    memset(&handles[i], 0xa5, sizeof(handles[i]));
    handle->data = &handles[i];
    ASSERT_OK(init(types[i], &handles[i]));
    ASSERT_PTR_EQ(handle->data, handle);
    ASSERT_PTR_EQ(uv_handle_get_data(handle), handle);
    ASSERT_PTR_EQ(handle->loop, &loop);
    ASSERT_PTR_EQ(uv_handle_get_loop(handle), &loop);
    ASSERT_EQ(handle->type, types[i]);
    ASSERT_EQ(uv_handle_get_type(handle), types[i]);
    uv_handle_set_data(handle, &loop);
    ASSERT_PTR_EQ(handle->data, &loop);
    ASSERT_PTR_EQ(uv_handle_get_data(handle), &loop);
  }
  end();
}

TEST_IMPL(only_async_handles_are_active_from_the_start) {
  union any handles[type_total];
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < type_total; i++) {
    ASSERT_OK(init(types[i], &handles[i]));
    ASSERT_EQ(uv_is_active(&handles[i].handle) != 0, types[i] == UV_ASYNC);
    ASSERT_EQ(uv_is_closing(&handles[i].handle), 0);
    ASSERT_NE(uv_has_ref(&handles[i].handle), 0);
  }
  end();
}

TEST_IMPL(every_type_can_be_closed_unused) {
  union any handles[type_total];
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < type_total; i++) {
    ASSERT_OK(init(types[i], &handles[i]));
    uv_close(&handles[i].handle, on_close);
    ASSERT_NE(uv_is_closing(&handles[i].handle), 0);
    ASSERT_EQ(uv_is_active(&handles[i].handle), 0);
  }
  ASSERT_EQ(closes, 0);
  ASSERT_NE(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(closes, type_total);
  for (i = 0; i < type_total; i++) ASSERT_NE(uv_is_closing(&handles[i].handle), 0);
  ASSERT_OK(uv_loop_close(&loop));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_handle_can_be_initialised_anew_after_its_close) {
  union any any;
  int round;
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (round = 0; round < 3; round++) {
    for (i = 0; i < type_total; i++) {
      ASSERT_OK(init(types[i], &any));
      ASSERT_EQ(uv_is_closing(&any.handle), 0);
      uv_close(&any.handle, on_close);
      ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
    }
  }
  ASSERT_EQ(closes, 3 * type_total);
  end();
}

/* --- References ---------------------------------------------------------------------------- */

TEST_IMPL(ref_and_unref_do_not_count) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, never, 100000, 0));
  uv_ref((uv_handle_t*) &timer);
  uv_ref((uv_handle_t*) &timer);
  ASSERT_NE(uv_has_ref((uv_handle_t*) &timer), 0);
  uv_unref((uv_handle_t*) &timer);
  ASSERT_EQ(uv_has_ref((uv_handle_t*) &timer), 0);
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  uv_unref((uv_handle_t*) &timer);
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  uv_ref((uv_handle_t*) &timer);
  ASSERT_NE(uv_has_ref((uv_handle_t*) &timer), 0);
  ASSERT_NE(uv_loop_alive(&loop), 0);
  ASSERT_EQ(loop.active_handles, 1);
  end();
}

TEST_IMPL(an_inactive_handle_does_not_count_whether_referenced_or_not) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  uv_unref((uv_handle_t*) &timer);
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_timer_start(&timer, never, 100000, 0));
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_timer_stop(&timer));
  uv_ref((uv_handle_t*) &timer);
  ASSERT_EQ(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_timer_start(&timer, never, 100000, 0));
  ASSERT_NE(uv_loop_alive(&loop), 0);
  ASSERT_OK(uv_timer_stop(&timer));
  ASSERT_EQ(loop.active_handles, 0);
  end();
}

TEST_IMPL(close_of_an_unreferenced_handle_keeps_the_count_right) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, never, 100000, 0));
  uv_unref((uv_handle_t*) &timer);
  uv_close((uv_handle_t*) &timer, on_close);
  /* The loop waits for the callback nevertheless. */
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(closes, 1);
  ASSERT_EQ(loop.active_handles, 0);
  end();
}

/* --- Close --------------------------------------------------------------------------------- */

static void check_closed(uv_handle_t* handle) {
  ASSERT_PTR_EQ(handle, &timer);
  ASSERT_NE(uv_is_closing(handle), 0);
  ASSERT_EQ(uv_is_active(handle), 0);
  closes++;
}

TEST_IMPL(the_close_callback_comes_later) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  uv_close((uv_handle_t*) &timer, check_closed);
  ASSERT_EQ(closes, 0);
  ASSERT_OK(uv_run(&loop, UV_RUN_ONCE));
  ASSERT_EQ(closes, 1);
  ASSERT_NE(uv_is_closing((uv_handle_t*) &timer), 0);
  end();
}

static void second_close(uv_handle_t* handle) {
  FAIL("the callback of the second close was called");
}

TEST_IMPL(a_second_close_has_no_effect) {
  OXUV_ONLY();
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, never, 0, 0));
  uv_close((uv_handle_t*) &timer, check_closed);
  uv_close((uv_handle_t*) &timer, second_close);
  uv_close((uv_handle_t*) &timer, NULL);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(closes, 1);
  /* The second close may come after the first one's callback, as long as the memory is there. */
  uv_close((uv_handle_t*) &timer, second_close);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(closes, 1);
  end();
}

static void init_anew(uv_handle_t* handle) {
  if (++closes < 3) {
    ASSERT_OK(uv_timer_init(handle->loop, (uv_timer_t*) handle));
    uv_close(handle, init_anew);
  }
}

TEST_IMPL(a_handle_may_be_initialised_anew_in_its_close_callback) {
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  uv_close((uv_handle_t*) &timer, init_anew);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(closes, 3);
  end();
}

static uv_timer_t order[3];

static void note_order(uv_handle_t* handle) {
  note("%d", (int) ((uv_timer_t*) handle - order));
}

TEST_IMPL(close_callbacks_come_in_the_reverse_order_of_the_closes) {
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < 3; i++) {
    ASSERT_OK(uv_timer_init(&loop, &order[i]));
    uv_close((uv_handle_t*) &order[i], note_order);
  }
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("2 1 0");
  end();
}

/* --- uv_fileno ----------------------------------------------------------------------------- */

TEST_IMPL(fileno_of_handles_without_descriptor) {
  union any handles[type_total];
  uv_os_fd_t fd;
  int i;
  ASSERT_OK(uv_loop_init(&loop));
  for (i = 0; i < type_total; i++) {
    int has_one = types[i] == UV_TCP || types[i] == UV_UDP || types[i] == UV_NAMED_PIPE;
    ASSERT_OK(init(types[i], &handles[i]));
    ASSERT_EQ(uv_fileno(&handles[i].handle, &fd), has_one ? UV_EBADF : UV_EINVAL);
  }
  end();
}

TEST_IMPL(fileno_of_sockets) {
  struct sockaddr_in address = loopback(0);
  uv_os_fd_t fd = -1;
  uv_tcp_t tcp;
  uv_udp_t udp;

  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_tcp_init(&loop, &tcp));
  ASSERT_OK(uv_tcp_bind(&tcp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_fileno((uv_handle_t*) &tcp, &fd));
  ASSERT_NE(fcntl(fd, F_GETFD), -1);
  ASSERT_OK(uv_udp_init(&loop, &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_fileno((uv_handle_t*) &udp, &fd));
  ASSERT_NE(fcntl(fd, F_GETFD), -1);
  /* The descriptor is closed at once, the callback comes later. */
  uv_close((uv_handle_t*) &udp, on_close);
  ASSERT_EQ(fcntl(fd, F_GETFD), -1);
  ASSERT_EQ(uv_fileno((uv_handle_t*) &udp, &fd), UV_EBADF);
  ASSERT_EQ(closes, 0);
  end();
}

TEST_IMPL(fileno_of_a_closing_poll_handle) {
  uv_os_fd_t fd;
  uv_poll_t poll;
  int pair[2];
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  ASSERT_OK(uv_poll_init(&loop, &poll, pair[0]));
  ASSERT_OK(uv_fileno((uv_handle_t*) &poll, &fd));
  ASSERT_EQ(fd, pair[0]);
  uv_close((uv_handle_t*) &poll, on_close);
  ASSERT_EQ(uv_fileno((uv_handle_t*) &poll, &fd), UV_EBADF);
  /* The descriptor is the user's. */
  ASSERT_NE(fcntl(pair[0], F_GETFD), -1);
  close(pair[0]);
  close(pair[1]);
  end();
}

/* --- Buffer sizes -------------------------------------------------------------------------- */

typedef int (*size_function)(uv_handle_t* handle, int* value);

static void check_size(size_function function, uv_handle_t* handle, int name) {
  uv_os_fd_t fd;
  int actual;
  int value = 0;
  socklen_t length = sizeof(actual);

  ASSERT_OK(uv_fileno(handle, &fd));
  ASSERT_OK(getsockopt(fd, SOL_SOCKET, name, &actual, &length));
  ASSERT_OK(function(handle, &value));
  ASSERT_EQ(value, actual);
  value = 10000;
  ASSERT_OK(function(handle, &value));
  ASSERT_EQ(value, 10000);
  /* The kernel doubles it for its own needs. */
  value = 0;
  ASSERT_OK(function(handle, &value));
  ASSERT_EQ(value, 20000);
}

static void check_sizes(uv_handle_t* handle) {
  check_size(uv_send_buffer_size, handle, SO_SNDBUF);
  check_size(uv_recv_buffer_size, handle, SO_RCVBUF);
}

TEST_IMPL(buffer_sizes_of_tcp_udp_and_pipes) {
  struct sockaddr_in address = loopback(0);
  uv_tcp_t tcp;
  uv_udp_t udp;
  uv_pipe_t pipe;

  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_tcp_init(&loop, &tcp));
  ASSERT_OK(uv_tcp_bind(&tcp, (struct sockaddr*) &address, 0));
  check_sizes((uv_handle_t*) &tcp);
  ASSERT_OK(uv_udp_init(&loop, &udp));
  ASSERT_OK(uv_udp_bind(&udp, (struct sockaddr*) &address, 0));
  check_sizes((uv_handle_t*) &udp);
  ASSERT_OK(uv_pipe_init(&loop, &pipe, 0));
  ASSERT_OK(uv_pipe_bind(&pipe, test_path("socket")));
  check_sizes((uv_handle_t*) &pipe);
  end();
}

TEST_IMPL(buffer_sizes_of_other_handles) {
  struct sockaddr_in address = loopback(0);
  uv_tcp_t tcp;
  int value = 0;

  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_EQ(uv_send_buffer_size((uv_handle_t*) &timer, &value), UV_ENOTSUP);
  ASSERT_EQ(uv_recv_buffer_size((uv_handle_t*) &timer, &value), UV_ENOTSUP);
  ASSERT_OK(uv_tcp_init(&loop, &tcp));
  ASSERT_EQ(uv_send_buffer_size((uv_handle_t*) &tcp, &value), UV_EBADF);
  ASSERT_EQ(uv_recv_buffer_size((uv_handle_t*) &tcp, &value), UV_EBADF);
  ASSERT_OK(uv_tcp_bind(&tcp, (struct sockaddr*) &address, 0));
  ASSERT_EQ(uv_send_buffer_size((uv_handle_t*) &tcp, NULL), UV_EINVAL);
  ASSERT_EQ(uv_recv_buffer_size((uv_handle_t*) &tcp, NULL), UV_EINVAL);
  ASSERT_EQ(uv_send_buffer_size(NULL, &value), UV_EINVAL);
  ASSERT_EQ(uv_recv_buffer_size(NULL, &value), UV_EINVAL);
  end();
}

/* --- Printing ------------------------------------------------------------------------------ */

static char* printed;

/* Whether a line for the handle with these flags was printed. */
static int has_line(const char* flags, const char* name, const void* handle) {
  char line[128];
  snprintf(line, sizeof(line), "[%s] %-8s %p\n", flags, name, handle);
  return strstr(printed, line) != NULL;
}

static void print(void (*function)(uv_loop_t*, FILE*)) {
  size_t size;
  FILE* stream = open_memstream(&printed, &size);
  ASSERT_NOT_NULL(stream);
  function(&loop, stream);
  ASSERT_OK(fclose(stream));
}

TEST_IMPL(printing_shows_type_address_and_state) {
  uv_idle_t idle;
  uv_async_t async;

  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_timer_init(&loop, &timer));
  ASSERT_OK(uv_idle_init(&loop, &idle));
  ASSERT_OK(uv_async_init(&loop, &async, NULL));
  uv_unref((uv_handle_t*) &async);
  ASSERT_OK(uv_timer_start(&timer, never, 100000, 0));
  print(uv_print_all_handles);
  ASSERT(has_line("RA-", "timer", &timer));
  ASSERT(has_line("R--", "idle", &idle));
  ASSERT(has_line("-A-", "async", &async));
  free(printed);
  print(uv_print_active_handles);
  ASSERT(has_line("RA-", "timer", &timer));
  ASSERT(!has_line("R--", "idle", &idle));
  ASSERT(has_line("-A-", "async", &async));
  free(printed);
  end();
}
