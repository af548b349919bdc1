/* The frame of the soak: what a process is, when it ends, and what must be left then.
 *
 *   soak server FOLDER CONNECTIONS PAUSE PATIENCE SEED
 *   soak client FOLDER CONNECTIONS PAUSE PATIENCE SEED SERVER-FOLDER PORT
 *   soak child STATUS
 */
#include "soak.h"

#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

uv_loop_t loop;
struct settings settings;
struct totals totals;
unsigned ticks;
int is_ending;

static int is_server;
static uv_timer_t ticker;
static uv_pipe_t input;

void fault(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("fault ");
  vprintf(format, arguments);
  printf("\n");
  fflush(stdout);
  _exit(1);
}

int is_tired(unsigned last_tick) {
  return ticks - last_tick > settings.patience_ticks;
}

/* --- Memory ------------------------------------------------------------------------------------ */

/* Blocks that the library has taken and not given back. */
static atomic_long blocks;

static void* counting_malloc(size_t size) {
  void* block = malloc(size);
  if (block != NULL) atomic_fetch_add(&blocks, 1);
  return block;
}

static void* counting_calloc(size_t count, size_t size) {
  void* block = calloc(count, size);
  if (block != NULL) atomic_fetch_add(&blocks, 1);
  return block;
}

static void* counting_realloc(void* block, size_t size) {
  return block == NULL ? counting_malloc(size) : realloc(block, size);
}

static void counting_free(void* block) {
  if (block != NULL) atomic_fetch_sub(&blocks, 1);
  free(block);
}

/* --- Descriptors ------------------------------------------------------------------------------- */

static int count_fds(void) {
  DIR* folder = opendir("/proc/self/fd");
  int count = -3; /* this folder's own descriptor, `.` and `..` */
  EXPECT(folder != NULL, "/proc/self/fd cannot be read");
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

static void raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- Ticks ------------------------------------------------------------------------------------- */

static void check_peer(uv_handle_t* handle, void* unused) {
  struct peer* peer = handle->data;
  (void) unused;
  /* The stream is the handle that begins where its peer does. */
  if (peer == NULL || (void*) peer != (void*) handle) return;
  EXPECT(!is_tired(peer->last_tick),
         "hang: the %s of connection %llu waits; plan %d, sent %llu of %llu, received %llu",
         peer->is_server ? "server" : "client", (unsigned long long) peer->seed, peer->plan.end,
         (unsigned long long) peer->sent, (unsigned long long) own_total(peer),
         (unsigned long long) peer->received);
}

static void on_tick(uv_timer_t* timer) {
  (void) timer;
  ticks++;
  /* What malloc keeps for later is no growth. */
  malloc_trim(0);
  printf("sample %u %d %u %u %llu %u %u %u %u %u\n", totals.open, count_fds(), totals.made,
         totals.resets, (unsigned long long) totals.bytes, totals.files, totals.children,
         totals.watches, totals.jobs, totals.timers);
  fflush(stdout);
  uv_walk(&loop, check_peer, NULL);
  check_files();
  check_jobs();
}

/* --- The end ----------------------------------------------------------------------------------- */

static void on_input(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) buf;
  if (size >= 0) return;
  is_ending = 1;
  uv_close((uv_handle_t*) stream, NULL);
  if (is_server) stop_server();
}

static void give_buffer(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  static char memory[64];
  (void) handle, (void) size;
  *buf = uv_buf_init(memory, sizeof(memory));
}

static void run_to_the_end(int fds_before) {
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT(totals.open == 0, "lost: %u connections are open when the loop ends", totals.open);
  uv_close((uv_handle_t*) &ticker, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  MUST(uv_loop_close(&loop));
  uv_library_shutdown();
  EXPECT(count_fds() == fds_before, "leaked: %d descriptors at the end, %d at the beginning",
         count_fds(), fds_before);
  EXPECT(blocks == 0, "leaked: %ld blocks of memory", (long) blocks);
}

static void start_frame(void) {
  MUST(uv_loop_init(&loop));
  MUST(uv_timer_init(&loop, &ticker));
  MUST(uv_timer_start(&ticker, on_tick, 1000, 1000));
  uv_unref((uv_handle_t*) &ticker);
  MUST(uv_pipe_init(&loop, &input, 0));
  MUST(uv_pipe_open(&input, dup(0)));
  MUST(uv_read_start((uv_stream_t*) &input, give_buffer, on_input));
}

int main(int count, char** words) {
  int fds_before;
  if (count == 3 && strcmp(words[1], "child") == 0) return run_child(words[2]);
  is_server = count == 7;
  EXPECT(is_server || count == 9, "a server or a client is asked for");
  signal(SIGPIPE, SIG_IGN);
  raise_limit();
  settings.folder = words[2];
  settings.connections = (unsigned) atoi(words[3]);
  settings.longest_pause_ms = (unsigned) atoi(words[4]);
  settings.patience_ticks = (unsigned) atoi(words[5]);
  settings.seed = strtoull(words[6], NULL, 10) * 2 + (uint64_t) is_server;
  MUST(uv_replace_allocator(counting_malloc, counting_realloc, counting_calloc, counting_free));
  fds_before = count_fds();
  start_frame();
  if (is_server)
    start_server();
  else
    start_client(words[7], atoi(words[8]));
  start_files();
  start_jobs();
  run_to_the_end(fds_before);
  printf("right\n");
  return 0;
}
