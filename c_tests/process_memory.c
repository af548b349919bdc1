/* https://docs.libuv.org/en/v1.x/process.html#c.uv_spawn: what it costs does not depend on how much
 * memory this process has. A process with 4 GiB and a small one take turns, so that both are
 * measured on the same machine at the same time. */
#include "task.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

enum { in_turn = 4, least_rounds = 40, more_rounds = 20, most_rounds = 800 };

static const uint64_t much = (uint64_t) 4 << 30;

/* What the child has to do before it runs the program. */
enum way { plainly, in_a_folder, as_a_user, ways };

static const char* const way_names[] = {"", " with cwd", " with uid and gid"};

/* A process that starts children on request. */
struct parent {
  pid_t pid;
  int orders;
  int results;
  uint64_t times[most_rounds * in_turn];
};

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t) time.tv_sec * 1000000000 + (uint64_t) time.tv_nsec;
}

static void on_exit_close(uv_process_t* process, int64_t status, int signum) {
  ASSERT_EQ(status, 0);
  ASSERT_EQ(signum, 0);
  uv_close((uv_handle_t*) process, NULL);
}

static void take_turn(enum way way, uint64_t times[in_turn]) {
  char* args[] = {"/bin/true", NULL};
  uv_process_options_t options;
  int i;
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  options.exit_cb = on_exit_close;
  if (way == in_a_folder) options.cwd = "/";
  if (way == as_a_user) options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  options.uid = getuid();
  options.gid = getgid();
  for (i = 0; i < in_turn; i++) {
    uv_process_t process;
    uint64_t start = now_ns();
    ASSERT_OK(uv_spawn(uv_default_loop(), &process, &options));
    times[i] = now_ns() - start;
    ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  }
}

/* Both of them: what else runs on a processor, and what that has in its caches, would make the
 * difference otherwise. */
static void stay_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

static void be_parent(int orders, int results, size_t size) {
  uint64_t times[in_turn] = {0};
  char way;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  /* Both of them: large pages would need few page tables. */
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  if (size > 0) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    if (mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) _exit(77);
  }
  ASSERT_EQ(write(results, "", 1), 1);
  while (read(orders, &way, 1) == 1 && way != ways) {
    take_turn((enum way) way, times);
    ASSERT_EQ(write(results, times, sizeof(times)), (ssize_t) sizeof(times));
  }
}

static void start_parent(struct parent* parent, size_t size) {
  int orders[2];
  int results[2];
  char ready;
  ASSERT_OK(pipe2(orders, O_CLOEXEC));
  ASSERT_OK(pipe2(results, O_CLOEXEC));
  parent->pid = fork();
  ASSERT_GE(parent->pid, 0);
  if (parent->pid == 0) {
    close(orders[1]);
    close(results[0]);
    be_parent(orders[0], results[1], size);
    _exit(0);
  }
  close(orders[0]);
  close(results[1]);
  parent->orders = orders[1];
  parent->results = results[0];
  if (read(parent->results, &ready, 1) != 1) SKIP("no %zu bytes to be had", size);
}

static void measure(struct parent* parent, enum way way, int round) {
  char order = (char) way;
  uint64_t* times = &parent->times[round * in_turn];
  ssize_t size = in_turn * sizeof(times[0]);
  ASSERT_EQ(write(parent->orders, &order, 1), 1);
  ASSERT_EQ(read(parent->results, times, (size_t) size), size);
}

static void end_parent(struct parent* parent) {
  char order = ways;
  int status;
  /* The end of the pipe would not be reported: the other one has a copy of it. */
  ASSERT_EQ(write(parent->orders, &order, 1), 1);
  close(parent->orders);
  ASSERT_EQ(waitpid(parent->pid, &status, 0), parent->pid);
  ASSERT_EQ(status, 0);
  close(parent->results);
}

static int compare(const void* a, const void* b) {
  uint64_t left = *(const uint64_t*) a;
  uint64_t right = *(const uint64_t*) b;
  return (left > right) - (left < right);
}

/* What a tenth of the times lie below, in microseconds: other load on the machine disturbs it less
 * than it does the median. */
static double lower_decile(const struct parent* parent, int rounds) {
  static uint64_t sorted[most_rounds * in_turn];
  size_t count = (size_t) rounds * in_turn;
  memcpy(sorted, parent->times, count * sizeof(sorted[0]));
  qsort(sorted, count, sizeof(sorted[0]), compare);
  return (double) sorted[count / 10] / 1e3;
}

/* More rounds are made while the times are too far apart: chance evens out, a cost stays. */
static void expect_equal_cost(struct parent* small, struct parent* large, enum way way) {
  double of_small;
  double of_large;
  int rounds = 0;
  do {
    int until = rounds + (rounds == 0 ? least_rounds : more_rounds);
    for (; rounds < until; rounds++) {
      /* Each goes first as often as the other. */
      measure(rounds % 2 == 0 ? small : large, way, rounds);
      measure(rounds % 2 == 0 ? large : small, way, rounds);
    }
    of_small = lower_decile(small, rounds);
    of_large = lower_decile(large, rounds);
  } while (of_large > 1.10 * of_small && rounds < most_rounds);
  printf("spawn%s: %.1f us, with 4 GiB %.1f us, ratio %.3f after %d rounds\n", way_names[way],
         of_small, of_large, of_large / of_small, rounds);
  if (of_large > 1.10 * of_small) FAIL("4 GiB cost%s", way_names[way]);
}

/* A virtual machine may have to ask its host for every page: that takes its time. */
TEST_IMPL_TIMED(four_gigabytes_cost_a_spawn_at_most_a_tenth, 180) {
  static struct parent small;
  static struct parent large;
  int way;
#ifdef IS_SANITIZED
  SKIP("sanitizers have memory of their own");
#endif
  if (is_under_valgrind()) SKIP("not possible under valgrind");
  if (much > SIZE_MAX) SKIP("no addresses for 4 GiB");
  if (uv_get_available_memory() < much + much / 2) SKIP("less than 6 GiB available");
  stay_on(sched_getcpu());
  start_parent(&small, 0);
  start_parent(&large, (size_t) much);
  for (way = 0; way < ways; way++) {
    if (way == as_a_user && getuid() != 0) continue;
    expect_equal_cost(&small, &large, (enum way) way);
  }
  end_parent(&small);
  end_parent(&large);
  MAKE_SURE_NOTHING_LEAKED();
}
