/* Requests: sizes, names, types, data. https://docs.libuv.org/en/v1.x/request.html */
#include "task.h"

TEST_IMPL(sizes_are_those_of_the_header) {
  ASSERT_EQ(uv_req_size(UV_REQ), sizeof(uv_req_t));
  ASSERT_EQ(uv_req_size(UV_CONNECT), sizeof(uv_connect_t));
  ASSERT_EQ(uv_req_size(UV_WRITE), sizeof(uv_write_t));
  ASSERT_EQ(uv_req_size(UV_SHUTDOWN), sizeof(uv_shutdown_t));
  ASSERT_EQ(uv_req_size(UV_UDP_SEND), sizeof(uv_udp_send_t));
  ASSERT_EQ(uv_req_size(UV_FS), sizeof(uv_fs_t));
  ASSERT_EQ(uv_req_size(UV_WORK), sizeof(uv_work_t));
  ASSERT_EQ(uv_req_size(UV_GETADDRINFO), sizeof(uv_getaddrinfo_t));
  ASSERT_EQ(uv_req_size(UV_GETNAMEINFO), sizeof(uv_getnameinfo_t));
  ASSERT_EQ(uv_req_size(UV_RANDOM), sizeof(uv_random_t));
  ASSERT(uv_req_size(UV_UNKNOWN_REQ) == (size_t) -1);
  ASSERT(uv_req_size(UV_REQ_TYPE_MAX) == (size_t) -1);
}

TEST_IMPL(names_are_those_of_the_map) {
#define CHECK(upper, lower) ASSERT_STR_EQ(uv_req_type_name(UV_##upper), #lower);
  UV_REQ_TYPE_MAP(CHECK)
#undef CHECK
  ASSERT_NULL(uv_req_type_name(UV_UNKNOWN_REQ));
  ASSERT_NULL(uv_req_type_name(UV_REQ_TYPE_MAX));
}

static int calls;

static void on_stat(uv_fs_t* req) {
  ASSERT_PTR_EQ(uv_req_get_data((uv_req_t*) req), &calls);
  ASSERT_EQ(uv_req_get_type((uv_req_t*) req), UV_FS);
  uv_fs_req_cleanup(req);
  calls++;
}

TEST_IMPL(data_stays_what_the_user_set) {
  uv_fs_t req;

  uv_req_set_data((uv_req_t*) &req, &calls);
  ASSERT_PTR_EQ(req.data, &calls);
  ASSERT_OK(uv_fs_stat(uv_default_loop(), &req, "/", on_stat));
  ASSERT_PTR_EQ(uv_req_get_data((uv_req_t*) &req), &calls);
  run_until(uv_default_loop(), &calls, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(only_some_requests_can_be_cancelled) {
  uv_connect_t connect;
  uv_shutdown_t shutdown;

  memset(&connect, 0, sizeof(connect));
  connect.type = UV_CONNECT;
  ASSERT_EQ(uv_cancel((uv_req_t*) &connect), UV_EINVAL);
  memset(&shutdown, 0, sizeof(shutdown));
  shutdown.type = UV_SHUTDOWN;
  ASSERT_EQ(uv_cancel((uv_req_t*) &shutdown), UV_EINVAL);
}
