/* https://docs.libuv.org/en/v1.x/misc.html#c.uv_random */
#include "task.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static unsigned char buffer[1 << 20];
static int callbacks;

/* The chance that random bytes look like this is one in 2^128 or less. */
static int is_constant(const unsigned char* bytes, size_t size) {
  size_t i;
  for (i = 1; i < size; i++)
    if (bytes[i] != bytes[0]) return 0;
  return 1;
}

static void filled_cb(uv_random_t* req, int status, void* buf, size_t length) {
  ASSERT_OK(status);
  ASSERT_PTR_EQ(buf, buffer);
  ASSERT_EQ(length, *(size_t*) req->data);
  ASSERT_EQ(uv_req_get_type((uv_req_t*) req), UV_RANDOM);
  ASSERT_PTR_EQ(req->loop, uv_default_loop());
  ASSERT_EQ(uv_loop_alive(req->loop), 0);
  callbacks++;
}

TEST_IMPL(random_bytes_at_once) {
  unsigned char one[16], two[16];
  size_t i;
  memset(one, 0, sizeof(one));
  memset(two, 0, sizeof(two));
  ASSERT_OK(uv_random(NULL, NULL, one, sizeof(one), 0, NULL));
  ASSERT_OK(uv_random(NULL, NULL, two, sizeof(two), 0, NULL));
  ASSERT_NE(memcmp(one, two, sizeof(one)), 0);
  ASSERT_EQ(is_constant(one, sizeof(one)), 0);
  ASSERT_OK(uv_random(NULL, NULL, buffer, 0, 0, NULL));
  ASSERT_EQ(is_constant(buffer, sizeof(buffer)), 1);
  /* All of it, and nothing beyond it. */
  ASSERT_OK(uv_random(NULL, NULL, buffer, sizeof(buffer) - 64, 0, NULL));
  for (i = 0; i + 64 < sizeof(buffer); i += 64) ASSERT_EQ(is_constant(buffer + i, 64), 0);
  ASSERT_EQ(is_constant(buffer + sizeof(buffer) - 64, 64), 1);
}

static void expect_filled(size_t size) {
  uv_random_t req;
  req.data = &size;
  memset(buffer, 0, sizeof(buffer));
  callbacks = 0;
  ASSERT_OK(uv_random(uv_default_loop(), &req, buffer, size, 0, filled_cb));
  ASSERT_EQ(callbacks, 0);
  ASSERT_EQ(uv_loop_alive(uv_default_loop()), 1);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  if (size >= 16) ASSERT_EQ(is_constant(buffer, size), 0);
  if (size < sizeof(buffer)) {
    ASSERT_EQ(buffer[size], 0);
    ASSERT_EQ(is_constant(buffer + size, sizeof(buffer) - size), 1);
  }
}

TEST_IMPL(random_bytes_from_the_pool) {
  expect_filled(0);
  expect_filled(1);
  expect_filled(16);
  expect_filled(256);
  expect_filled(257);
  expect_filled(100000);
  expect_filled(sizeof(buffer));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(random_refuses_flags_and_large_sizes) {
  uv_random_t req;
  uv_loop_t* loop = uv_default_loop();
  ASSERT_EQ(uv_random(loop, &req, buffer, 1, 1, filled_cb), UV_EINVAL);
  ASSERT_EQ(uv_random(NULL, NULL, buffer, 1, 0x80000000u, NULL), UV_EINVAL);
  ASSERT_EQ(uv_random(loop, &req, buffer, 0x80000000u, 0, filled_cb), UV_E2BIG);
  ASSERT_EQ(uv_random(loop, &req, buffer, (size_t) -1, 1, filled_cb), UV_E2BIG);
  ASSERT_EQ(uv_random(NULL, NULL, buffer, (size_t) -1, 0, NULL), UV_E2BIG);
  ASSERT_EQ(uv_loop_alive(loop), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 0);
  ASSERT_EQ(is_constant(buffer, sizeof(buffer)), 1);
  MAKE_SURE_NOTHING_LEAKED();
}

/* From here on the kernel does not know getrandom(), as before version 3.17. */
static void reset_getrandom(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getrandom, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    SKIP("no system call filters here");
}

TEST_IMPL(random_bytes_without_the_system_call) {
  unsigned char one[64];
  reset_getrandom();
  memset(one, 0, sizeof(one));
  ASSERT_OK(uv_random(NULL, NULL, one, sizeof(one), 0, NULL));
  ASSERT_EQ(is_constant(one, sizeof(one)), 0);
  expect_filled(1000);
  MAKE_SURE_NOTHING_LEAKED();
}
