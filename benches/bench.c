/* The main program of every benchmark: options, clocks, percentiles, helper processes. */
#include "bench.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { EXIT_SKIPPED = 77, EXIT_WRONG_LIBRARY = 3 };

/* Buckets of latencies: 32 to each power of two, so within 3 %. */
enum { BUCKET_BITS = 5, BUCKETS = (64 - BUCKET_BITS + 1) << BUCKET_BITS };

uint64_t bench_done__;
uint64_t bench_next_check__;

static int quick;
static uint64_t target = 300000000; /* Nanoseconds to measure. */
static int is_warming_up;
static uint64_t started;
static uint64_t started_cpu;
static uint64_t wall;
static uint64_t cpu;
static uint64_t operations;
static double value;
static uint64_t latencies[BUCKETS];
static uint64_t latency_count;
static pid_t other_processes[64];
static int other_count;
static int without_self;
static clockid_t left_out;
static int leaves_out;
static int ready_pipe = -1;
static pid_t children[64];
static int child_count;
static char folder[64];
static pid_t folder_owner;

/* --- Clocks ------------------------------------------------------------------------------ */

static uint64_t clock_of(clockid_t clock) {
  struct timespec now = {0, 0};
  clock_gettime(clock, &now);
  return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

uint64_t bench_now(void) { return clock_of(CLOCK_MONOTONIC); }

static uint64_t cpu_now(void) {
  uint64_t sum = without_self ? 0 : clock_of(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < other_count; i++) {
    clockid_t clock;
    if (clock_getcpuclockid(other_processes[i], &clock) == 0) sum += clock_of(clock);
  }
  if (leaves_out) sum -= clock_of(left_out);
  return sum;
}

void bench_count_cpu_of(pid_t pid) {
  CHECK(other_count < 64);
  other_processes[other_count++] = pid;
}

void bench_count_cpu_only_of(pid_t pid) {
  without_self = 1;
  bench_count_cpu_of(pid);
}

void bench_do_not_count_cpu_of(clockid_t clock) {
  left_out = clock;
  leaves_out = 1;
}

static void begin(void) {
  bench_done__ = 0;
  bench_next_check__ = 1;
  memset(latencies, 0, sizeof(latencies));
  latency_count = 0;
  started_cpu = cpu_now();
  started = bench_now();
}

void bench_start(void) {
  is_warming_up = 1;
  begin();
}

int bench_check__(void) {
  if (started == 0) return 0;
  uint64_t elapsed = bench_now() - started;
  uint64_t limit = is_warming_up ? target / 10 : target;
  if (elapsed >= limit && is_warming_up) {
    is_warming_up = 0;
    begin();
    return 1;
  }
  if (elapsed >= limit) {
    wall = elapsed;
    cpu = cpu_now() - started_cpu;
    operations = bench_done__;
    started = 0;
    bench_next_check__ = 0;
    return 0;
  }
  /* The next check comes after a hundredth of the time, or twice as much work as is done. */
  double rate = (double) bench_done__ / (double) (elapsed + 1);
  uint64_t step = (uint64_t) (rate * (double) (limit / 100));
  if (step > bench_done__) step = bench_done__;
  bench_next_check__ = bench_done__ + (step > 0 ? step : 1);
  return 1;
}

void bench_resume(void) {
  started_cpu = cpu_now();
  started = bench_now();
}

void bench_pause(uint64_t more) {
  wall += bench_now() - started;
  cpu += cpu_now() - started_cpu;
  operations += more;
}

int bench_round(void) { return wall < target && !quick; }

int bench_quick(void) { return quick; }

long bench_scaled(long n) {
  if (!quick || n <= 100) return n;
  return n / 1000 > 100 ? n / 1000 : 100;
}

/* --- Percentiles ------------------------------------------------------------------------- */

static int bucket_of(uint64_t nanoseconds) {
  if (nanoseconds < (1u << BUCKET_BITS)) return (int) nanoseconds;
  int shift = 63 - __builtin_clzll(nanoseconds) - BUCKET_BITS;
  return ((shift + 1) << BUCKET_BITS) + (int) ((nanoseconds >> shift) - (1u << BUCKET_BITS));
}

/* The middle of a bucket. */
static double bucket_value(int bucket) {
  int power = bucket >> BUCKET_BITS;
  int rest = bucket & ((1 << BUCKET_BITS) - 1);
  if (power == 0) return rest;
  double width = (double) (1ull << (power - 1));
  return ((1 << BUCKET_BITS) + rest + 0.5) * width;
}

void bench_latency(uint64_t nanoseconds) {
  if (started == 0 && wall != 0) return;
  latencies[bucket_of(nanoseconds)]++;
  latency_count++;
}

static double percentile(double part) {
  uint64_t rank = (uint64_t) (part * (double) latency_count);
  uint64_t seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += latencies[i];
    if (seen > rank) return bucket_value(i);
  }
  return 0;
}

void bench_value(double found) { value = found; }

void bench_value_is_latency(void) { value = percentile(0.5); }

/* --- Ends -------------------------------------------------------------------------------- */

static void remove_folder(void) {
  if (folder[0] == '\0' || folder_owner != getpid()) return;
  DIR* dir = opendir(folder);
  for (struct dirent* entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] != '.') unlinkat(dirfd(dir), entry->d_name, 0);
  }
  if (dir != NULL) closedir(dir);
  rmdir(folder);
}

static void finish(int code) {
  fflush(stdout);
  fflush(stderr);
  for (int i = 0; i < child_count; i++) {
    if (children[i] > 0) kill(children[i], SIGKILL);
  }
  remove_folder();
  _exit(code);
}

void bench_skip(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\n");
  finish(EXIT_SKIPPED);
  abort();
}

void bench_fail(const char* file, int line, const char* format, ...) {
  va_list arguments;
  fflush(stdout);
  fprintf(stderr, "%s:%d: failed: ", file, line);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, "\n");
  finish(1);
  abort();
}

/* --- Helpers ----------------------------------------------------------------------------- */

pid_t bench_child(void (*run)(long), long argument, long* said) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  pid_t parent = getpid();
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    child_count = 0;
    close(ends[0]);
    ready_pipe = ends[1];
    run(argument);
    finish(0);
  }
  CHECK(child_count < 64);
  children[child_count++] = pid;
  close(ends[1]);
  long number = -1;
  CHECK(read(ends[0], &number, sizeof(number)) == sizeof(number));
  close(ends[0]);
  if (said != NULL) *said = number;
  return pid;
}

void bench_ready(long number) {
  CHECK(write(ready_pipe, &number, sizeof(number)) == sizeof(number));
  close(ready_pipe);
  ready_pipe = -1;
}

void bench_end_child(pid_t pid) {
  kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) == -1 && errno == EINTR) {}
  for (int i = 0; i < child_count; i++) {
    if (children[i] == pid) children[i] = 0;
  }
}

const char* bench_path(const char* name) {
  static char buffers[8][PATH_MAX];
  static int next;
  if (folder[0] == '\0') {
    strcpy(folder, "oxuv-bench-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    folder_owner = getpid();
  }
  char* buffer = buffers[next++ % 8];
  snprintf(buffer, PATH_MAX, "%s/%s", folder, name);
  return buffer;
}

void bench_need_descriptors(long count) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  if (limit.rlim_max < (rlim_t) count) {
    struct rlimit more = {(rlim_t) count, (rlim_t) count};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0) return;
    bench_skip("needs %ld descriptors, may have %ld", count, (long) limit.rlim_max);
  }
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

long bench_memory(pid_t pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int) pid);
  FILE* file = fopen(path, "r");
  if (file == NULL) bench_skip("no %s", path);
  char line[256];
  long kilobytes = -1;
  while (fgets(line, sizeof(line), file) != NULL) {
    if (sscanf(line, "Anonymous: %ld kB", &kilobytes) == 1) break;
  }
  fclose(file);
  CHECK(kilobytes >= 0);
  return kilobytes * 1024;
}

void bench_spin(uint64_t nanoseconds) {
  uint64_t end = bench_now() + nanoseconds;
  while (bench_now() < end) {}
}

/* --- The program ------------------------------------------------------------------------- */

/* The library that is measured has to be the one that was meant; bare programs have none. */
static void check_library(void) {
  const char* expected = getenv("OXUV_BENCH_EXPECTED");
  void* symbol = dlsym(RTLD_DEFAULT, "uv_version");
  if (expected == NULL) return;
  char found[PATH_MAX] = "none";
  char meant[PATH_MAX] = "none";
  Dl_info info;
  if (symbol != NULL && dladdr(symbol, &info) != 0) CHECK(realpath(info.dli_fname, found) != NULL);
  if (expected[0] != '\0') CHECK(realpath(expected, meant) != NULL);
  if (strcmp(found, meant) == 0) return;
  fprintf(stderr, "the library is %s, not %s\n", found, meant);
  exit(EXIT_WRONG_LIBRARY);
}

static void list(void) {
  static const char* const kinds[] = {"rate", "bytes", "nanoseconds"};
  for (const struct bench* row = benches; row->name != NULL; row++) {
    if (row->name[0] == '_') continue;
    printf("%s\t%s\t%ld\t%s\t%s\t%s\n", row->name, kinds[row->kind], row->n,
           row->bare != NULL ? row->bare : "-", row->series != NULL ? row->series : "-", row->text);
  }
}

static void report(void) {
  printf("result\tops=%" PRIu64 "\tseconds=%.9f\tcpu=%.9f", operations, (double) wall / 1e9,
         (double) cpu / 1e9);
  if (latency_count > 0) printf("\tp50=%.0f\tp99=%.0f", percentile(0.5), percentile(0.99));
  if (value > 0) printf("\tvalue=%.3f", value);
  printf("\n");
}

int main(int argc, char** argv) {
  const char* name = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--list") == 0) {
      list();
      return 0;
    }
    if (strcmp(argv[i], "--quick") == 0) quick = 1;
    if (strcmp(argv[i], "--run") == 0 && i + 1 < argc) name = argv[++i];
    if (strcmp(argv[i], "--ms") == 0 && i + 1 < argc)
      target = strtoull(argv[++i], NULL, 10) * 1000000;
  }
  check_library();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  for (const struct bench* row = benches; row->name != NULL; row++) {
    if (name == NULL || strcmp(row->name, name) != 0) continue;
    row->run(row);
    if (operations == 0 && value <= 0) bench_fail(__FILE__, __LINE__, "%s measured nothing", name);
    report();
    finish(0);
  }
  fprintf(stderr, "no benchmark of the name %s\n", name != NULL ? name : "(none)");
  return 2;
}
