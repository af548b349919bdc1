/* https://docs.libuv.org/en/v1.x/dns.html */
#include "task.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>

static int callbacks;
static pthread_t main_thread;

/* --- A resolver of our own ----------------------------------------------------------------- */

/* The library's calls of libc's resolver end up here, as with programs that interpose it. */
static struct {
  int is_used;
  int result;
  int error_number;
  int calls;
  int was_on_main_thread;
  char node[512];
  char service[64];
  int has_hints;
  struct addrinfo hints;
  int flags;
} fake;

static void note_text(char* to, size_t size, const char* text) {
  snprintf(to, size, "%s", text == NULL ? "(null)" : text);
}

static void note_call(void) {
  fake.calls++;
  fake.was_on_main_thread = pthread_equal(pthread_self(), main_thread) != 0;
  errno = fake.error_number;
}

int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints,
                struct addrinfo** list) {
  int (*real)(const char*, const char*, const struct addrinfo*, struct addrinfo**);
  if (!fake.is_used) {
    *(void**) &real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, list);
  }
  note_text(fake.node, sizeof(fake.node), node);
  note_text(fake.service, sizeof(fake.service), service);
  fake.has_hints = hints != NULL;
  if (hints != NULL) fake.hints = *hints;
  note_call();
  return fake.result;
}

int getnameinfo(const struct sockaddr* address, socklen_t length, char* host, socklen_t host_size,
                char* service, socklen_t service_size, int flags) {
  int (*real)(const struct sockaddr*, socklen_t, char*, socklen_t, char*, socklen_t, int);
  if (!fake.is_used) {
    *(void**) &real = dlsym(RTLD_NEXT, "getnameinfo");
    return real(address, length, host, host_size, service, service_size, flags);
  }
  ASSERT_EQ(host_size, NI_MAXHOST);
  ASSERT_EQ(service_size, NI_MAXSERV);
  if (address->sa_family == AF_INET)
    ASSERT_EQ(length, sizeof(struct sockaddr_in));
  else
    ASSERT_EQ(length, sizeof(struct sockaddr_in6));
  fake.flags = flags;
  memset(host, 'h', host_size - 1);
  host[host_size - 1] = '\0';
  memset(service, 's', service_size - 1);
  service[service_size - 1] = '\0';
  note_call();
  return fake.result;
}

static void use_fake(int result) {
  memset(&fake, 0, sizeof(fake));
  fake.is_used = 1;
  fake.result = result;
  main_thread = pthread_self();
}

/* --- uv_getaddrinfo ------------------------------------------------------------------------ */

static int expected_status;
static uv_getaddrinfo_t* expected_req;

static void status_cb(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  ASSERT_EQ(status, expected_status);
  ASSERT_NULL(list);
  ASSERT_NULL(req->addrinfo);
  ASSERT_EQ(uv_loop_alive(req->loop), 0);
  uv_freeaddrinfo(list);
  callbacks++;
}

static void found_cb(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  ASSERT_OK(status);
  ASSERT_PTR_EQ(req, expected_req);
  ASSERT_PTR_EQ(req->loop, uv_default_loop());
  ASSERT_PTR_EQ(req->addrinfo, list);
  ASSERT_EQ(uv_req_get_type((uv_req_t*) req), UV_GETADDRINFO);
  ASSERT_NOT_NULL(list);
  callbacks++;
}

/* The first address of the list, as text with the port. */
static const char* describe(const struct addrinfo* list) {
  static char text[128];
  char address[INET6_ADDRSTRLEN];
  if (list->ai_family == AF_INET) {
    const struct sockaddr_in* in = (const struct sockaddr_in*) list->ai_addr;
    inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
    snprintf(text, sizeof(text), "%s:%d", address, ntohs(in->sin_port));
  } else {
    const struct sockaddr_in6* in6 = (const struct sockaddr_in6*) list->ai_addr;
    inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
    snprintf(text, sizeof(text), "[%s]:%d", address, ntohs(in6->sin6_port));
  }
  return text;
}

static void expect_found(const char* node, const char* service, const struct addrinfo* hints,
                         const char* expected) {
  uv_loop_t* loop = uv_default_loop();
  uv_getaddrinfo_t req;
  expected_req = &req;
  callbacks = 0;
  ASSERT_OK(uv_getaddrinfo(loop, &req, found_cb, node, service, hints));
  ASSERT_EQ(callbacks, 0);
  ASSERT_EQ(uv_loop_alive(loop), 1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  if (expected != NULL) ASSERT_STR_EQ(describe(req.addrinfo), expected);
  uv_freeaddrinfo(req.addrinfo);
  /* Without a callback: the call waits. */
  ASSERT_OK(uv_getaddrinfo(NULL, &req, NULL, node, service, hints));
  ASSERT_NOT_NULL(req.addrinfo);
  if (expected != NULL) ASSERT_STR_EQ(describe(req.addrinfo), expected);
  uv_freeaddrinfo(req.addrinfo);
}

TEST_IMPL(addresses_of_numbers) {
  struct addrinfo hints;
  memset(&hints, 0, sizeof(hints));
  hints.ai_socktype = SOCK_STREAM;
  expect_found("127.0.0.1", NULL, NULL, "127.0.0.1:0");
  expect_found("127.0.0.1", "8080", &hints, "127.0.0.1:8080");
  expect_found("::1", "53", &hints, "[::1]:53");
  expect_found("127.1", "53", &hints, "127.0.0.1:53");
  expect_found("::ffff:10.0.0.1", "1", NULL, "[::ffff:10.0.0.1]:1");
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  expect_found("10.1.2.3", "65535", &hints, "10.1.2.3:65535");
  hints.ai_flags = AI_CANONNAME;
  expect_found("10.1.2.3", NULL, &hints, "10.1.2.3:0");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(addresses_of_localhost_and_of_a_service) {
  struct addrinfo hints;
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  expect_found("localhost", NULL, NULL, NULL);
  expect_found("localhost", "80", &hints, "127.0.0.1:80");
  expect_found(NULL, "80", &hints, "127.0.0.1:80");
  hints.ai_flags = AI_PASSIVE;
  expect_found(NULL, "80", &hints, "0.0.0.0:80");
  MAKE_SURE_NOTHING_LEAKED();
}

static void any_cb(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  ASSERT_OK(status);
  ASSERT_EQ(*(int*) req->data, 42);
  uv_freeaddrinfo(list);
  callbacks++;
}

TEST_IMPL(many_lookups_at_a_time) {
  uv_getaddrinfo_t reqs[20];
  int data = 42;
  int i;
  for (i = 0; i < 20; i++) {
    reqs[i].data = &data;
    ASSERT_OK(uv_getaddrinfo(uv_default_loop(), &reqs[i], any_cb, "localhost", NULL, NULL));
  }
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 20);
  MAKE_SURE_NOTHING_LEAKED();
}

/* Numbers do not wait, not even for a pool whose threads are all at work. */
static sem_t begun;
static sem_t may_end;

static void gated_work(uv_work_t* req) {
  (void) req;
  sem_post(&begun);
  while (sem_wait(&may_end) != 0) ASSERT_EQ(errno, EINTR);
}

static void numbers_cb(uv_getnameinfo_t* req, int status, const char* host, const char* service) {
  ASSERT_OK(status);
  ASSERT_PTR_EQ(host, req->host);
  ASSERT_PTR_EQ(service, req->service);
  ASSERT_STR_EQ(host, "127.0.0.1");
  ASSERT_STR_EQ(service, "99");
  callbacks++;
}

TEST_IMPL(numbers_do_not_wait_for_the_pool) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address = loopback(99);
  uv_getaddrinfo_t req;
  uv_getnameinfo_t name_req;
  uv_work_t work;
  OXUV_ONLY();
  ASSERT_OK(setenv("UV_THREADPOOL_SIZE", "1", 1));
  ASSERT_OK(sem_init(&begun, 0, 0));
  ASSERT_OK(sem_init(&may_end, 0, 0));
  ASSERT_OK(uv_queue_work(loop, &work, gated_work, NULL));
  sem_wait(&begun);
  expected_req = &req;
  ASSERT_OK(uv_getaddrinfo(loop, &req, found_cb, "127.0.0.1", "80", NULL));
  ASSERT_OK(uv_getnameinfo(loop, &name_req, numbers_cb, (struct sockaddr*) &address,
                           NI_NUMERICHOST | NI_NUMERICSERV));
  ASSERT_EQ(callbacks, 0);
  /* They are done, and still reported by the loop only. */
  ASSERT_EQ(uv_cancel((uv_req_t*) &req), UV_EBUSY);
  ASSERT_EQ(uv_cancel((uv_req_t*) &name_req), UV_EBUSY);
  run_until(loop, &callbacks, 2);
  uv_freeaddrinfo(req.addrinfo);
  sem_post(&may_end);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_arguments_are_copied) {
  uv_loop_t* loop = uv_default_loop();
  char node[] = "some.host";
  char service[] = "some-service";
  struct addrinfo hints;
  uv_getaddrinfo_t req;
  uv_work_t work;
  use_fake(EAI_NONAME);
  expected_status = UV_EAI_NONAME;
  ASSERT_OK(setenv("UV_THREADPOOL_SIZE", "1", 1));
  ASSERT_OK(sem_init(&begun, 0, 0));
  ASSERT_OK(sem_init(&may_end, 0, 0));
  ASSERT_OK(uv_queue_work(loop, &work, gated_work, NULL));
  memset(&hints, 0, sizeof(hints));
  hints.ai_flags = AI_CANONNAME;
  hints.ai_family = AF_INET6;
  hints.ai_protocol = 17;
  ASSERT_OK(uv_getaddrinfo(loop, &req, status_cb, node, service, &hints));
  memset(node, 'x', sizeof(node));
  memset(service, 'x', sizeof(service));
  memset(&hints, 0xff, sizeof(hints));
  sem_post(&may_end);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 1);
  ASSERT_EQ(fake.calls, 1);
  ASSERT_EQ(fake.was_on_main_thread, 0);
  ASSERT_STR_EQ(fake.node, "some.host");
  ASSERT_STR_EQ(fake.service, "some-service");
  ASSERT_EQ(fake.has_hints, 1);
  ASSERT_EQ(fake.hints.ai_flags, AI_CANONNAME);
  ASSERT_EQ(fake.hints.ai_family, AF_INET6);
  ASSERT_EQ(fake.hints.ai_protocol, 17);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(absent_arguments_stay_absent) {
  uv_getaddrinfo_t req;
  use_fake(EAI_NONAME);
  ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, "host", NULL, NULL), UV_EAI_NONAME);
  ASSERT_STR_EQ(fake.node, "host");
  ASSERT_STR_EQ(fake.service, "(null)");
  ASSERT_EQ(fake.has_hints, 0);
  ASSERT_EQ(fake.was_on_main_thread, 1);
  ASSERT_NULL(req.addrinfo);
  ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, NULL, "service", NULL), UV_EAI_NONAME);
  ASSERT_STR_EQ(fake.node, "(null)");
  ASSERT_STR_EQ(fake.service, "service");
  ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, NULL, "", NULL), UV_EAI_NONAME);
  ASSERT_STR_EQ(fake.service, "");
  ASSERT_EQ(fake.calls, 3);
}

TEST_IMPL(nothing_to_look_up_is_refused) {
  uv_getaddrinfo_t req;
  uv_loop_t* loop = uv_default_loop();
  use_fake(0);
  ASSERT_EQ(uv_getaddrinfo(loop, &req, found_cb, NULL, NULL, NULL), UV_EINVAL);
  ASSERT_EQ(uv_getaddrinfo(loop, &req, NULL, NULL, NULL, NULL), UV_EINVAL);
  ASSERT_EQ(uv_getaddrinfo(loop, NULL, found_cb, "host", NULL, NULL), UV_EINVAL);
  ASSERT_EQ(uv_getaddrinfo(loop, &req, found_cb, "", NULL, NULL), UV_EINVAL);
  ASSERT_EQ(uv_loop_alive(loop), 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(callbacks, 0);
  ASSERT_EQ(fake.calls, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A name that was cut would be another host's: what does not fit is refused. */
TEST_IMPL(names_are_never_cut) {
  uv_getaddrinfo_t req;
  char name[1024];
  size_t length;
  use_fake(EAI_NONAME);
  for (length = 1; length < sizeof(name); length++) {
    memset(name, 'a', sizeof(name));
    name[length] = '\0';
    fake.node[0] = '\0';
    if (length < 256) {
      ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, name, NULL, NULL), UV_EAI_NONAME);
      ASSERT_STR_EQ(fake.node, name);
    } else {
      ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, name, NULL, NULL), UV_EINVAL);
      ASSERT_STR_EQ(fake.node, "");
    }
  }
}

TEST_IMPL(names_that_are_no_text_are_refused) {
  static const char* const bad[] = {"\xff", "a\xc3", "\xc3(", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80"};
  uv_getaddrinfo_t req;
  size_t i;
  use_fake(EAI_NONAME);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, bad[i], NULL, NULL), UV_EINVAL);
  ASSERT_EQ(fake.calls, 0);
}

TEST_IMPL(names_beyond_ascii_are_encoded) {
  static const char* const names[][2] = {
    {"www.m\xc3\xbcnchen.de", "www.xn--mnchen-3ya.de"},
    {"\xe4\xb8\xad\xe5\x9b\xbd.cn", "xn--fiqs8s.cn"},
    {"xn--fiqs8s.cn", "xn--fiqs8s.cn"},
    {"\xe4\xb8\xad\xe5\x9b\xbd\xe3\x80\x82" "cn", "xn--fiqs8s.cn"},
    {"UPPER.example.", "UPPER.example."},
    {"under_score", "under_score"},
  };
  uv_getaddrinfo_t req;
  size_t i;
  use_fake(EAI_NONAME);
  for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    ASSERT_EQ(uv_getaddrinfo(NULL, &req, NULL, names[i][0], NULL, NULL), UV_EAI_NONAME);
    ASSERT_STR_EQ(fake.node, names[i][1]);
  }
}

static const struct {
  int system;
  int code;
} codes[] = {
  {EAI_AGAIN, UV_EAI_AGAIN},       {EAI_BADFLAGS, UV_EAI_BADFLAGS},
  {EAI_FAIL, UV_EAI_FAIL},         {EAI_FAMILY, UV_EAI_FAMILY},
  {EAI_MEMORY, UV_EAI_MEMORY},     {EAI_NODATA, UV_EAI_NODATA},
  {EAI_NONAME, UV_EAI_NONAME},     {EAI_OVERFLOW, UV_EAI_OVERFLOW},
  {EAI_SERVICE, UV_EAI_SERVICE},   {EAI_SOCKTYPE, UV_EAI_SOCKTYPE},
  {EAI_ADDRFAMILY, UV_EAI_ADDRFAMILY}, {EAI_CANCELED, UV_EAI_CANCELED},
  {EAI_SYSTEM, UV_EMFILE},
};

static void name_status_cb(uv_getnameinfo_t* req, int status, const char* host,
                           const char* service) {
  ASSERT_EQ(status, expected_status);
  ASSERT_NULL(host);
  ASSERT_NULL(service);
  ASSERT_EQ(uv_loop_alive(req->loop), 0);
  callbacks++;
}

TEST_IMPL(errors_have_codes_of_their_own) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address = loopback(80);
  uv_getaddrinfo_t req;
  uv_getnameinfo_t name_req;
  size_t i;
  for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    use_fake(codes[i].system);
    fake.error_number = EMFILE;
    expected_status = codes[i].code;
    callbacks = 0;
    ASSERT_EQ(uv_getaddrinfo(loop, &req, NULL, "host", NULL, NULL), codes[i].code);
    ASSERT_NULL(req.addrinfo);
    ASSERT_EQ(uv_getnameinfo(loop, &name_req, NULL, (struct sockaddr*) &address, 0), codes[i].code);
    ASSERT_OK(uv_getaddrinfo(loop, &req, status_cb, "host", NULL, NULL));
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    ASSERT_OK(uv_getnameinfo(loop, &name_req, name_status_cb, (struct sockaddr*) &address, 0));
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    ASSERT_EQ(callbacks, 2);
    ASSERT_EQ(fake.calls, 4);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- uv_getnameinfo ------------------------------------------------------------------------ */

static void names_cb(uv_getnameinfo_t* req, int status, const char* host, const char* service) {
  ASSERT_OK(status);
  ASSERT_EQ(uv_req_get_type((uv_req_t*) req), UV_GETNAMEINFO);
  ASSERT_PTR_EQ(host, req->host);
  ASSERT_PTR_EQ(service, req->service);
  ASSERT_EQ(strlen(host), NI_MAXHOST - 1);
  ASSERT_EQ(strlen(service), NI_MAXSERV - 1);
  callbacks++;
}

TEST_IMPL(names_of_addresses) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in v4 = loopback(80);
  struct sockaddr_in6 v6;
  uv_getnameinfo_t req;
  memset(&v6, 0, sizeof(v6));
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  use_fake(0);
  ASSERT_OK(uv_getnameinfo(loop, &req, names_cb, (struct sockaddr*) &v4, 0));
  memset(&v4, 0xee, sizeof(v4));
  ASSERT_EQ(callbacks, 0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(fake.was_on_main_thread, 0);
  ASSERT_OK(uv_getnameinfo(loop, &req, names_cb, (struct sockaddr*) &v6, NI_DGRAM));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(fake.flags, NI_DGRAM);
  ASSERT_EQ(callbacks, 2);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(names_of_numbers_without_a_loop) {
  struct sockaddr_in v4 = loopback(80);
  uv_getnameinfo_t req;
  OXUV_ONLY();
  ASSERT_OK(uv_getnameinfo(NULL, &req, NULL, (struct sockaddr*) &v4,
                           NI_NUMERICHOST | NI_NUMERICSERV));
  ASSERT_STR_EQ(req.host, "127.0.0.1");
  ASSERT_STR_EQ(req.service, "80");
}

TEST_IMPL(other_addresses_have_no_names) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_storage address;
  uv_getnameinfo_t req;
  use_fake(0);
  memset(&address, 0, sizeof(address));
  ASSERT_EQ(uv_getnameinfo(loop, &req, names_cb, NULL, 0), UV_EINVAL);
  ASSERT_EQ(uv_getnameinfo(loop, &req, names_cb, (struct sockaddr*) &address, 0), UV_EINVAL);
  address.ss_family = AF_UNIX;
  ASSERT_EQ(uv_getnameinfo(loop, &req, names_cb, (struct sockaddr*) &address, 0), UV_EINVAL);
  ASSERT_EQ(uv_getnameinfo(loop, NULL, names_cb, (struct sockaddr*) &address, 0), UV_EINVAL);
  ASSERT_EQ(uv_loop_alive(loop), 0);
  ASSERT_EQ(fake.calls, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Memory -------------------------------------------------------------------------------- */

static int blocks;
static int refuse;

static void* counted_malloc(size_t size) {
  if (refuse) return NULL;
  blocks++;
  return malloc(size);
}

static void* counted_realloc(void* block, size_t size) {
  if (refuse) return NULL;
  if (block == NULL) blocks++;
  return realloc(block, size);
}

static void* counted_calloc(size_t count, size_t size) {
  if (refuse) return NULL;
  blocks++;
  return calloc(count, size);
}

static void counted_free(void* block) {
  blocks--;
  free(block);
}

TEST_IMPL(copies_go_through_the_replaced_allocator) {
  struct addrinfo hints;
  uv_getaddrinfo_t req;
  uv_loop_t* loop;
  int before;
  ASSERT_OK(uv_replace_allocator(counted_malloc, counted_realloc, counted_calloc, counted_free));
  loop = uv_default_loop();
  use_fake(EAI_FAIL);
  expected_status = UV_EAI_FAIL;
  memset(&hints, 0, sizeof(hints));
  before = blocks;
  ASSERT_OK(uv_getaddrinfo(loop, &req, status_cb, "host", "80", &hints));
  ASSERT_EQ(blocks, before + 1);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(blocks, before);
  ASSERT_EQ(uv_getaddrinfo(loop, &req, NULL, NULL, "80", NULL), UV_EAI_FAIL);
  ASSERT_EQ(uv_getaddrinfo(loop, &req, NULL, "host", NULL, NULL), UV_EAI_FAIL);
  ASSERT_EQ(blocks, before);
  refuse = 1;
  ASSERT_EQ(uv_getaddrinfo(loop, &req, status_cb, "host", NULL, NULL), UV_ENOMEM);
  ASSERT_EQ(uv_getaddrinfo(loop, &req, NULL, "host", NULL, NULL), UV_ENOMEM);
  refuse = 0;
  ASSERT_EQ(uv_loop_alive(loop), 0);
  ASSERT_EQ(blocks, before);
  ASSERT_EQ(callbacks, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(freeing_no_list_is_allowed) {
  uv_freeaddrinfo(NULL);
}
