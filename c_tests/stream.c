/* Streams: reading, writing, shutting down, over TCP and Unix sockets.
 * https://docs.libuv.org/en/v1.x/stream.html */
#include "task.h"

static uv_tcp_t server;
static uv_tcp_t client;
static uv_tcp_t peer;
static uv_connect_t connect_req;
static uv_shutdown_t shutdown_req;
static uv_write_t write_reqs[64];
static char big[4 * 1024 * 1024];
static char received[sizeof(big)];
static size_t received_size;

static int connects, accepts, closes, writes, shutdowns, ends, reads;
static int last_status;
static int connect_status;
static int write_order[64];

static void on_close(uv_handle_t* handle) {
  closes++;
}

static void on_connect(uv_connect_t* req, int status) {
  ASSERT_PTR_EQ(req, &connect_req);
  connect_status = status;
  connects++;
}

static void on_write(uv_write_t* req, int status) {
  last_status = status;
  write_order[writes++] = (int) (req - write_reqs);
}

static void on_shutdown(uv_shutdown_t* req, int status) {
  ASSERT_PTR_EQ(req, &shutdown_req);
  last_status = status;
  shutdowns++;
}

static void on_accept(uv_stream_t* listener, int status) {
  ASSERT_OK(status);
  ASSERT_OK(uv_tcp_init(listener->loop, &peer));
  ASSERT_OK(uv_accept(listener, (uv_stream_t*) &peer));
  accepts++;
}

static void collect(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  reads++;
  if (count < 0) {
    last_status = (int) count;
    ends++;
    return;
  }
  ASSERT_LE(received_size + count, sizeof(received));
  memcpy(received + received_size, buf->base, count);
  received_size += count;
}

/* Connects `client` to `peer` over loopback. */
static void connect_pair(void) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address = loopback(0);

  ASSERT_OK(uv_tcp_init(loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 16, on_accept));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_connect));
  run_until(loop, &connects, 1);
  run_until(loop, &accepts, 1);
  ASSERT_OK(connect_status);
}

static uv_stream_t* stream_of(uv_tcp_t* tcp) {
  return (uv_stream_t*) tcp;
}

TEST_IMPL(a_write_arrives_whole_and_in_order) {
  uv_buf_t bufs[6];
  size_t i;

  connect_pair();
  for (i = 0; i < sizeof(big); i++) big[i] = (char) (i * 31 + i / 251);
  /* More buffers than fit into the request, an empty one among them. */
  for (i = 0; i < 6; i++) bufs[i] = uv_buf_init(big + i * 1000, i == 3 ? 0 : 1000);
  memmove(big + 3000, big + 4000, sizeof(big) - 4000);
  bufs[4].base = big + 3000;
  bufs[5].base = big + 4000;
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), bufs, 6, on_write));
  bufs[0] = uv_buf_init(big + 5000, sizeof(big) - 6000);
  ASSERT_OK(uv_write(&write_reqs[1], stream_of(&client), bufs, 1, on_write));
  /* The callback never comes from inside the call. */
  ASSERT_EQ(writes, 0);
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(last_status, UV_EOF);
  ASSERT_EQ(writes, 2);
  ASSERT_EQ(shutdowns, 1);
  ASSERT_EQ(write_order[0], 0);
  ASSERT_EQ(write_order[1], 1);
  ASSERT_EQ(received_size, sizeof(big) - 1000);
  ASSERT_MEM_EQ(received, big, received_size);
  ASSERT_EQ(uv_write_nwritten(&write_reqs[0]), 5000);
  ASSERT_EQ(uv_write_nwritten(&write_reqs[1]), sizeof(big) - 6000);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_iovec_of_any_length_is_written) {
  enum { count = 3000 };
  uv_buf_t* bufs = malloc(count * sizeof(*bufs));
  int i;

  connect_pair();
  for (i = 0; i < count; i++) {
    big[i] = (char) i;
    bufs[i] = uv_buf_init(big + i, 1);
  }
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), bufs, count, on_write));
  /* The list is the caller's again, what it points to is not. */
  free(bufs);
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(received_size, count);
  ASSERT_MEM_EQ(received, big, count);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_write_queue_has_a_size) {
  uv_buf_t buf = uv_buf_init(big, sizeof(big));
  size_t size;

  connect_pair();
  ASSERT_EQ(uv_stream_get_write_queue_size(stream_of(&client)), 0);
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_write(&write_reqs[1], stream_of(&client), &buf, 1, on_write));
  size = uv_stream_get_write_queue_size(stream_of(&client));
  ASSERT_GT(size, sizeof(big));
  ASSERT_LT(size, 2 * sizeof(big));
  ASSERT_EQ(size, client.write_queue_size);
  /* Nothing may overtake what is queued. */
  ASSERT_EQ(uv_try_write(stream_of(&client), &buf, 1), UV_EAGAIN);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_small_write_is_done_at_once) {
  uv_buf_t buf = uv_buf_init(big, 100);

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_EQ(uv_stream_get_write_queue_size(stream_of(&client)), 0);
  ASSERT_EQ(writes, 0);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(writes, 1);
  ASSERT_EQ(uv_try_write(stream_of(&client), &buf, 1), 100);
  MAKE_SURE_NOTHING_LEAKED();
}

static void note_write(uv_write_t* req, int status) {
  ASSERT_OK(status);
  note("write");
}

static void note_shutdown(uv_shutdown_t* req, int status) {
  ASSERT_OK(status);
  note("shutdown");
  shutdowns++;
}

static void write_and_shut_down(uv_stream_t* stream) {
  uv_buf_t buf = uv_buf_init("x", 1);
  for (int i = 0; i < 2; i++) ASSERT_OK(uv_write(&write_reqs[i], stream, &buf, 1, note_write));
  ASSERT_OK(uv_shutdown(&shutdown_req, stream, note_shutdown));
}

static void write_on_connect(uv_connect_t* req, int status) {
  ASSERT_OK(status);
  write_and_shut_down(req->handle);
}

static void write_on_write(uv_write_t* req, int status) {
  ASSERT_OK(status);
  note("first");
  write_and_shut_down(req->handle);
}

TEST_IMPL(a_shutdown_within_the_connect_callback_comes_after_its_writes) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address = loopback(0);

  ASSERT_OK(uv_tcp_init(loop, &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 16, on_accept));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(loop, &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, write_on_connect));
  run_until(loop, &shutdowns, 1);
  run_until(loop, &accepts, 1);
  ASSERT_NOTES("write write shutdown");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_shutdown_within_a_write_callback_comes_after_its_writes) {
  uv_buf_t buf = uv_buf_init("x", 1);

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[2], stream_of(&client), &buf, 1, write_on_write));
  run_until(uv_default_loop(), &shutdowns, 1);
  ASSERT_NOTES("first write write shutdown");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(queued_writes_are_cancelled_in_order_on_close) {
  uv_buf_t buf = uv_buf_init(big, sizeof(big));
  int i;

  connect_pair();
  for (i = 0; i < 10; i++)
    ASSERT_OK(uv_write(&write_reqs[i], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  uv_close((uv_handle_t*) &client, on_close);
  ASSERT_EQ(writes, 0);
  run_until(uv_default_loop(), &closes, 1);
  ASSERT_EQ(writes, 10);
  for (i = 0; i < 10; i++) ASSERT_EQ(write_order[i], i);
  ASSERT_EQ(shutdowns, 1);
  ASSERT_EQ(last_status, UV_ECANCELED);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_connection_being_made_is_cancelled_on_close) {
  uv_buf_t buf = uv_buf_init(big, 10);
  struct sockaddr_in address = loopback(0);

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &server));
  ASSERT_OK(uv_tcp_bind(&server, (struct sockaddr*) &address, 0));
  ASSERT_OK(uv_listen((uv_stream_t*) &server, 16, on_accept));
  address = loopback(port_of(&server));
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_connect));
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  uv_close((uv_handle_t*) &client, on_close);
  run_until(uv_default_loop(), &closes, 1);
  ASSERT_EQ(connects, 1);
  ASSERT_EQ(connect_status, UV_ECANCELED);
  ASSERT_EQ(writes, 1);
  ASSERT_EQ(last_status, UV_ECANCELED);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(writes_before_the_connection_is_there_follow_it) {
  uv_buf_t buf = uv_buf_init((char*) "early", 5);
  struct sockaddr_in address = loopback(start_tcp_echo_server());

  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_connect));
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_EQ(uv_try_write(stream_of(&client), &buf, 1), UV_EAGAIN);
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  ASSERT_OK(uv_read_start(stream_of(&client), alloc_static, collect));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(connects, 1);
  ASSERT_EQ(writes, 1);
  ASSERT_EQ(shutdowns, 1);
  ASSERT_EQ(received_size, 5);
  ASSERT_MEM_EQ(received, "early", 5);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_cannot_be_written_says_why) {
  uv_buf_t buf = uv_buf_init(big, 1);
  uv_tcp_t unconnected;
  uv_pipe_t plain;

  connect_pair();
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &unconnected));
  ASSERT_EQ(uv_write(&write_reqs[0], stream_of(&unconnected), &buf, 1, on_write), UV_EBADF);
  ASSERT_EQ(uv_try_write(stream_of(&unconnected), &buf, 1), UV_EBADF);
  ASSERT_EQ(uv_shutdown(&shutdown_req, stream_of(&unconnected), on_shutdown), UV_ENOTCONN);
  ASSERT_EQ(uv_read_start(stream_of(&unconnected), alloc_static, collect), UV_ENOTCONN);
  /* Handles are passed over pipes that were made for it only. */
  ASSERT_EQ(uv_write2(&write_reqs[0], stream_of(&client), &buf, 1, stream_of(&peer), on_write),
            UV_EINVAL);
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &plain, 0));
  /* A listening socket is no stream of bytes. */
  ASSERT_EQ(uv_write(&write_reqs[0], stream_of(&server), &buf, 1, on_write), UV_EPIPE);
  ASSERT_EQ(uv_read_start(stream_of(&server), alloc_static, collect), UV_ENOTCONN);
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  ASSERT_EQ(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write), UV_EPIPE);
  ASSERT_EQ(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown), UV_ENOTCONN);
  run_until(uv_default_loop(), &shutdowns, 1);
  ASSERT_OK(last_status);
  ASSERT_EQ(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown), UV_ENOTCONN);
  ASSERT_EQ(writes, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(no_buffers_and_too_many_are_refused) {
  uv_buf_t buf = uv_buf_init(big, 1);

  OXUV_ONLY();
  connect_pair();
  ASSERT_EQ(uv_write(&write_reqs[0], stream_of(&client), &buf, 0, on_write), UV_EINVAL);
  ASSERT_EQ(uv_write(&write_reqs[0], stream_of(&client), &buf, 0x80000000u, on_write), UV_EINVAL);
  ASSERT_EQ(uv_try_write(stream_of(&client), &buf, 0xffffffffu), UV_EINVAL);
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(reading_has_states) {
  connect_pair();
  ASSERT_EQ(uv_read_start(NULL, alloc_static, collect), UV_EINVAL);
  ASSERT_EQ(uv_read_start(stream_of(&client), NULL, collect), UV_EINVAL);
  ASSERT_EQ(uv_read_start(stream_of(&client), alloc_static, NULL), UV_EINVAL);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &client), 0);
  ASSERT_OK(uv_read_stop(stream_of(&client)));
  ASSERT_OK(uv_read_start(stream_of(&client), alloc_static, collect));
  ASSERT_EQ(uv_read_start(stream_of(&client), alloc_static, collect), UV_EALREADY);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &client), 1);
  ASSERT_OK(uv_read_stop(stream_of(&client)));
  ASSERT_OK(uv_read_stop(stream_of(&client)));
  ASSERT_EQ(uv_is_active((uv_handle_t*) &client), 0);
  ASSERT_EQ(uv_is_readable(stream_of(&client)), 1);
  ASSERT_EQ(uv_is_writable(stream_of(&client)), 1);
  ASSERT_EQ(uv_is_readable(stream_of(&server)), 0);
  ASSERT_EQ(uv_is_writable(stream_of(&server)), 0);
  uv_close((uv_handle_t*) &client, on_close);
  ASSERT_EQ(uv_is_readable(stream_of(&client)), 0);
  ASSERT_EQ(uv_read_start(stream_of(&client), alloc_static, collect), UV_EINVAL);
  ASSERT_OK(uv_read_stop(stream_of(&client)));
  MAKE_SURE_NOTHING_LEAKED();
}

static void stop_after_first(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  collect(stream, count, buf);
  ASSERT_OK(uv_read_stop(stream));
}

TEST_IMPL(reading_stops_within_its_callback) {
  uv_buf_t buf = uv_buf_init(big, 200000);

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  while (ends == 0) {
    int before = reads;
    ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, stop_after_first));
    run_until(uv_default_loop(), &reads, before + 1);
    ASSERT_EQ(reads, before + 1);
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
    ASSERT_EQ(reads, before + 1);
  }
  ASSERT_EQ(received_size, 200000);
  MAKE_SURE_NOTHING_LEAKED();
}

static void close_on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  ASSERT_GT(count, 0);
  reads++;
  uv_close((uv_handle_t*) stream, on_close);
}

TEST_IMPL(closing_within_the_read_callback) {
  uv_buf_t buf = uv_buf_init(big, sizeof(big));

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, close_on_read));
  run_until(uv_default_loop(), &closes, 1);
  ASSERT_EQ(reads, 1);
  /* The rest of the write finds no reader at the other end. */
  signal(SIGPIPE, SIG_IGN);
  run_until(uv_default_loop(), &writes, 1);
  ASSERT_LT(last_status, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

static void alloc_nothing(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  ASSERT_EQ(suggested, 65536);
  buf->base = NULL;
  buf->len = 0;
}

static void expect_nobufs(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  ASSERT_EQ(count, UV_ENOBUFS);
  reads++;
  ASSERT_OK(uv_read_stop(stream));
}

TEST_IMPL(no_buffer_is_no_end) {
  uv_buf_t buf = uv_buf_init(big, 10);

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_nothing, expect_nobufs));
  run_until(uv_default_loop(), &reads, 1);
  /* Nothing was lost. */
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &reads, 2);
  ASSERT_EQ(received_size, 10);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_end_is_reported_once_and_the_other_half_stays_open) {
  uv_buf_t buf = uv_buf_init(big, 10);

  connect_pair();
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(last_status, UV_EOF);
  uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(ends, 1);
  ASSERT_EQ(uv_is_active((uv_handle_t*) &peer), 0);
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&peer), &buf, 1, on_write));
  ASSERT_OK(uv_read_start(stream_of(&client), alloc_static, collect));
  run_until(uv_default_loop(), &reads, 2);
  ASSERT_EQ(received_size, 10);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_reset_is_an_error_for_the_reader) {
  connect_pair();
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  ASSERT_OK(uv_tcp_close_reset(&client, on_close));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(last_status, UV_ECONNRESET);
  ASSERT_EQ(uv_is_readable(stream_of(&peer)), 0);
  ASSERT_EQ(uv_is_writable(stream_of(&peer)), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

static void write_again(uv_write_t* req, int status) {
  uv_buf_t buf = uv_buf_init(big, 1);
  ASSERT_OK(status);
  on_write(req, status);
  if (writes < 50) ASSERT_OK(uv_write(req, req->handle, &buf, 1, write_again));
}

TEST_IMPL(a_request_may_be_used_again_in_its_callback) {
  uv_buf_t buf = uv_buf_init(big, 1);

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, write_again));
  run_until(uv_default_loop(), &writes, 50);
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  ASSERT_OK(uv_shutdown(&shutdown_req, stream_of(&client), on_shutdown));
  run_until(uv_default_loop(), &ends, 1);
  ASSERT_EQ(received_size, 50);
  MAKE_SURE_NOTHING_LEAKED();
}

static void close_in_write(uv_write_t* req, int status) {
  on_write(req, status);
  if (writes == 1) uv_close((uv_handle_t*) req->handle, on_close);
}

TEST_IMPL(closing_within_a_write_callback) {
  uv_buf_t small = uv_buf_init(big, 1);
  uv_buf_t large = uv_buf_init(big, sizeof(big));

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &small, 1, close_in_write));
  ASSERT_OK(uv_write(&write_reqs[1], stream_of(&client), &large, 1, close_in_write));
  ASSERT_OK(uv_write(&write_reqs[2], stream_of(&client), &large, 1, close_in_write));
  run_until(uv_default_loop(), &closes, 1);
  ASSERT_EQ(writes, 3);
  ASSERT_EQ(write_order[2], 2);
  ASSERT_EQ(last_status, UV_ECANCELED);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_cancelled_write_reports_how_far_it_came) {
  uv_buf_t buf = uv_buf_init(big, sizeof(big));

  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_write(&write_reqs[1], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_cancel((uv_req_t*) &write_reqs[1]));
  ASSERT_OK(uv_cancel((uv_req_t*) &write_reqs[0]));
  ASSERT_EQ(writes, 0);
  run_until(uv_default_loop(), &writes, 2);
  ASSERT_EQ(uv_stream_get_write_queue_size(stream_of(&client)), 0);
  ASSERT_EQ(last_status, UV_ECANCELED);
  ASSERT_GT(uv_write_nwritten(&write_reqs[0]), 0);
  ASSERT_LT(uv_write_nwritten(&write_reqs[0]), sizeof(big));
  ASSERT_EQ(uv_write_nwritten(&write_reqs[1]), 0);
  /* A connect that is done cannot be cancelled. */
  ASSERT_OK(uv_cancel((uv_req_t*) &write_reqs[0]));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(cancelling_a_write_leaves_the_connection_attempt_alone) {
  uv_buf_t buf = uv_buf_init(big, 10);
  struct sockaddr_in address = loopback(start_tcp_echo_server());

  OXUV_ONLY();
  ASSERT_OK(uv_tcp_init(uv_default_loop(), &client));
  ASSERT_OK(uv_tcp_connect(&connect_req, &client, (struct sockaddr*) &address, on_connect));
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_cancel((uv_req_t*) &write_reqs[0]));
  run_until(uv_default_loop(), &writes, 1);
  ASSERT_EQ(last_status, UV_ECANCELED);
  run_until(uv_default_loop(), &connects, 1);
  ASSERT_OK(uv_write(&write_reqs[1], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_read_start(stream_of(&client), alloc_static, collect));
  run_until(uv_default_loop(), &reads, 1);
  ASSERT_EQ(received_size, 10);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(blocking_mode_is_set_and_unset) {
  int fd;

  connect_pair();
  ASSERT_OK(uv_fileno((uv_handle_t*) &client, &fd));
  ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK);
  ASSERT_OK(uv_stream_set_blocking(stream_of(&client), 1));
  ASSERT(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
  ASSERT_OK(uv_stream_set_blocking(stream_of(&client), 0));
  ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK);
  uv_close((uv_handle_t*) &client, on_close);
  ASSERT_EQ(uv_stream_set_blocking(stream_of(&client), 0), UV_EBADF);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_reader_is_not_starved_by_a_fast_writer) {
  uv_buf_t buf = uv_buf_init(big, sizeof(big));
  int iterations = 0;

  /* A reader gets a bounded number of turns in an iteration, however much there is. */
  connect_pair();
  ASSERT_OK(uv_write(&write_reqs[0], stream_of(&client), &buf, 1, on_write));
  ASSERT_OK(uv_read_start(stream_of(&peer), alloc_static, collect));
  while (received_size < sizeof(big)) {
    int before = reads;
    uv_run(uv_default_loop(), UV_RUN_ONCE);
    ASSERT_LE(reads - before, 32);
    iterations++;
  }
  ASSERT_GT(iterations, 1);
  MAKE_SURE_NOTHING_LEAKED();
}
