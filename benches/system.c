/* Names, processes and threads. */
#include "uv_bench.h"

static uv_loop_t loop;
static int is_over;

/* --- getaddrinfo --------------------------------------------------------------------------- */

static void look_up(uv_getaddrinfo_t* request);

static void on_address(uv_getaddrinfo_t* request, int status, struct addrinfo* found) {
  OK(status);
  uv_freeaddrinfo(found);
  if (is_over) return;
  if (bench_more(1))
    look_up(request);
  else
    is_over = 1;
}

static void look_up(uv_getaddrinfo_t* request) {
  OK(uv_getaddrinfo(&loop, request, on_address, "localhost", NULL, NULL));
}

static void getaddrinfo_many(const struct bench* bench) {
  uv_getaddrinfo_t requests[16];
  OK(uv_loop_init(&loop));
  bench_start();
  for (long i = 0; i < bench->n; i++) look_up(&requests[i]);
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- spawn --------------------------------------------------------------------------------- */

static uv_process_t process;

static void spawn_next(void);

static void on_closed(uv_handle_t* handle) {
  (void) handle;
  if (bench_more(1)) spawn_next();
}

static void on_exit_of(uv_process_t* handle, int64_t status, int signal) {
  CHECK(status == 0 && signal == 0);
  uv_close((uv_handle_t*) handle, on_closed);
}

static void spawn_next(void) {
  static char program[] = "/bin/true";
  static char* arguments[] = {program, NULL};
  uv_process_options_t options = {.file = program, .args = arguments, .exit_cb = on_exit_of};
  OK(uv_spawn(&loop, &process, &options));
}

static void spawn(const struct bench* bench) {
  if (access("/bin/true", X_OK) != 0) bench_skip("no /bin/true");
  size_t size = (size_t) bench->n << 20;
  /* A big parent, whose memory is in use. */
  if (size > 0) {
    char* memory = malloc(size);
    CHECK(memory != NULL);
    memset(memory, 1, size);
  }
  OK(uv_loop_init(&loop));
  bench_start();
  spawn_next();
  uv_run(&loop, UV_RUN_DEFAULT);
}

/* --- Threads ------------------------------------------------------------------------------- */

static void do_nothing(void* argument) { (void) argument; }

static void thread_create(const struct bench* bench) {
  (void) bench;
  bench_start();
  do {
    uv_thread_t thread;
    OK(uv_thread_create(&thread, do_nothing, NULL));
    OK(uv_thread_join(&thread));
  } while (bench_more(1));
}

const struct bench benches[] = {
    {.name = "getaddrinfo",
     .text = "one look-up of localhost, 10 at a time",
     .run = getaddrinfo_many,
     .n = 10},
    {.name = "spawn",
     .text = "a process that ends at once",
     .run = spawn,
     .bare = "system::spawn"},
    {.name = "spawn_from_256_MiB",
     .text = "the same from a process of 256 MiB",
     .run = spawn,
     .n = 256,
     .bare = "system::spawn"},
    {.name = "thread_create",
     .text = "a thread made and joined",
     .run = thread_create,
     .bare = "system::thread"},
    {.name = NULL},
};
