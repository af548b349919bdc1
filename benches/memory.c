/* Memory of what is idle, start-up, and the size of the library. */
#include "echo_server.h"
#include "load.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

/* --- Memory -------------------------------------------------------------------------------- */

/* What one more connection takes in the server, its uv_tcp_t and this server's buffer included. */
static void per_connection(const struct bench* bench) {
  long port;
  long number = bench_scaled(bench->n);
  bench_need_descriptors(number + 64);
  pid_t server = bench_child(echo_serve, number, &port);
  struct load_connection one = {.fd = load_connect(port, 0)};
  long before = 0;
  for (long i = 0; i < number; i++) {
    struct load_connection connection = {.fd = load_connect(port, i)};
    /* An answer proves that the server has it. */
    char data[LOAD_MESSAGE];
    load_send(&connection);
    CHECK(recv(connection.fd, data, LOAD_MESSAGE, MSG_WAITALL) == LOAD_MESSAGE);
    if (i == number / 10) before = bench_memory(server);
  }
  long grown = bench_memory(server) - before;
  bench_value((double) (grown > 0 ? grown : 1) / (double) (number - number / 10 - 1));
  close(one.fd);
}

static void on_timer(uv_timer_t* timer) { (void) timer; }

/* What one more timer takes besides its uv_timer_t. */
static void per_timer(const struct bench* bench) {
  long number = bench_scaled(bench->n);
  uv_timer_t* timers = malloc((size_t) number * sizeof(*timers));
  uv_loop_t loop;
  CHECK(timers != NULL);
  memset(timers, 1, (size_t) number * sizeof(*timers));
  OK(uv_loop_init(&loop));
  long before = bench_memory(getpid());
  for (long i = 0; i < number; i++) {
    OK(uv_timer_init(&loop, &timers[i]));
    OK(uv_timer_start(&timers[i], on_timer, 1000000 + (uint64_t) i, 0));
  }
  /* The handle itself is in the result, so that it is not zero. */
  long grown = bench_memory(getpid()) - before;
  bench_value((double) grown / (double) number + (double) sizeof(*timers));
}

static void per_loop(const struct bench* bench) {
  long number = bench_scaled(bench->n);
  bench_need_descriptors(number * 8 + 64);
  uv_loop_t* loops = malloc((size_t) number * sizeof(*loops));
  CHECK(loops != NULL);
  memset(loops, 1, (size_t) number * sizeof(*loops));
  long before = bench_memory(getpid());
  for (long i = 0; i < number; i++) {
    OK(uv_loop_init(&loops[i]));
    uv_run(&loops[i], UV_RUN_NOWAIT);
  }
  long grown = bench_memory(getpid()) - before;
  bench_value((double) grown / (double) number + (double) sizeof(*loops));
}

/* --- Start-up ------------------------------------------------------------------------------ */

static void on_due(uv_timer_t* timer) { uv_close((uv_handle_t*) timer, NULL); }

/* The process that is started. */
static void start_and_end(const struct bench* bench) {
  uv_timer_t timer;
  (void) bench;
  OK(uv_timer_init(uv_default_loop(), &timer));
  OK(uv_timer_start(&timer, on_due, 0, 0));
  OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  _exit(0);
}

static void start_up(const struct bench* bench) {
  char name[] = "_start";
  char option[] = "--run";
  char program[256];
  ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
  CHECK(size > 0);
  program[size] = '\0';
  char* arguments[] = {program, option, name, NULL};
  if (bench->n) CHECK(setenv("LD_BIND_NOW", "1", 1) == 0);
  bench_start();
  do {
    pid_t pid;
    int status;
    CHECK(posix_spawn(&pid, program, NULL, NULL, arguments, environ) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
  } while (bench_more(1));
}

/* --- The size of the library --------------------------------------------------------------- */

static int add_segments(struct dl_phdr_info* info, size_t size, void* argument) {
  (void) size;
  if (strstr(info->dlpi_name, "libuv") == NULL) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type == PT_LOAD) *(double*) argument += info->dlpi_phdr[i].p_memsz;
  }
  return 0;
}

static void library_size(const struct bench* bench) {
  double sum = 0;
  (void) bench;
  dl_iterate_phdr(add_segments, &sum);
  bench_value(sum);
}

/* A process with a loop, and nothing else. */
static void idle_process(const struct bench* bench) {
  uv_loop_t loop;
  (void) bench;
  OK(uv_loop_init(&loop));
  uv_run(&loop, UV_RUN_NOWAIT);
  bench_value((double) bench_memory(getpid()));
}

const struct bench benches[] = {
    {.name = "per_connection",
     .text = "memory of the server for one idle connection, its handle and 256 bytes included",
     .run = per_connection,
     .n = 10000,
     .kind = BENCH_BYTES},
    {.name = "per_timer",
     .text = "memory of one running timer of a million, its handle included",
     .run = per_timer,
     .n = 1000000,
     .kind = BENCH_BYTES},
    {.name = "per_loop",
     .text = "memory of one idle loop that has run, its uv_loop_t included",
     .run = per_loop,
     .n = 1000,
     .kind = BENCH_BYTES},
    {.name = "idle_process",
     .text = "anonymous memory of a process with a loop",
     .run = idle_process,
     .kind = BENCH_BYTES},
    {.name = "library_size",
     .text = "the library's segments in memory",
     .run = library_size,
     .kind = BENCH_BYTES},
    {.name = "start_up", .text = "a process that starts, runs a loop and ends", .run = start_up},
    {.name = "start_up_eager",
     .text = "the same with all symbols bound at the start",
     .run = start_up,
     .n = 1},
    {.name = "_start", .text = "", .run = start_and_end},
    {.name = NULL},
};
