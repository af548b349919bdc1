/* What the limits on a process make of its memory, processors and stacks.
 * https://docs.libuv.org/en/v1.x/misc.html */
#include "task.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define MB ((uint64_t) 1000000)

/* --- Control groups ------------------------------------------------------------------------ */

static void write_text(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t) strlen(text));
  close(fd);
}

static void have_mounts_of_our_own(void) {
  uid_t uid = getuid();
  gid_t gid = getgid();
  char map[64];

  if (unshare(CLONE_NEWNS) == 0) return;
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) SKIP("no mount namespaces");
  snprintf(map, sizeof(map), "0 %u 1", (unsigned) uid);
  write_text("/proc/self/uid_map", map);
  write_text("/proc/self/setgroups", "deny");
  snprintf(map, sizeof(map), "0 %u 1", (unsigned) gid);
  write_text("/proc/self/gid_map", map);
}

/* Makes this process see itself in the groups that `listing` says, below an empty
 * /sys/fs/cgroup. */
static void pretend_groups(const char* listing) {
  const char* file = test_path("cgroup");
  char place[64];

  have_mounts_of_our_own();
  write_text(file, listing);
  snprintf(place, sizeof(place), "/proc/%d/cgroup", (int) getpid());
  if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0) SKIP("mounts are shared");
  if (mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL) != 0) SKIP("/sys/fs/cgroup is fixed");
  if (mount(file, place, "none", MS_BIND, NULL) != 0) SKIP("/proc is fixed");
}

/* Puts a text in the place of a file of /proc, as programs for containers do. */
static void pretend_proc(const char* place, const char* text) {
  const char* file = test_path("proc");

  have_mounts_of_our_own();
  write_text(file, text);
  if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0) SKIP("mounts are shared");
  if (mount(file, place, "none", MS_BIND, NULL) != 0) SKIP("/proc is fixed");
}

/* A file below /sys/fs/cgroup, with the folders that lead to it. */
static void group_file(const char* path, const char* text) {
  char full[700];
  char* slash;

  snprintf(full, sizeof(full), "/sys/fs/cgroup/%s", path);
  for (slash = strchr(full + 15, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(full, 0755) != 0) ASSERT_EQ(errno, EEXIST);
    *slash = '/';
  }
  write_text(full, text);
}

TEST_IMPL(memory_is_constrained_by_the_group_of_version_2) {
  pretend_groups("0::/a/b\n");
  group_file("a/b/memory.max", "900000000\n");
  group_file("a/b/memory.high", "max\n");
  group_file("a/b/memory.current", "300000000\n");
  ASSERT_EQ(uv_get_constrained_memory(), 900 * MB);
  ASSERT_EQ(uv_get_available_memory(), 600 * MB);
  /* Above this one the group is made to give memory back. */
  group_file("a/b/memory.high", "700000000\n");
  ASSERT_EQ(uv_get_constrained_memory(), 700 * MB);
  ASSERT_EQ(uv_get_available_memory(), 400 * MB);
  /* A limit may be lowered below what is in use. */
  group_file("a/b/memory.max", "200000000\n");
  ASSERT_EQ(uv_get_available_memory(), 0);
}

TEST_IMPL(memory_is_constrained_by_the_group_of_version_1) {
  pretend_groups("5:cpu,cpuacct:/elsewhere\n4:memory:/a\n1:name=systemd:/\n0::/\n");
  group_file("memory/a/memory.limit_in_bytes", "900000000\n");
  group_file("memory/a/memory.soft_limit_in_bytes", "800000000\n");
  group_file("memory/a/memory.usage_in_bytes", "300000000\n");
  ASSERT_EQ(uv_get_constrained_memory(), 800 * MB);
  ASSERT_EQ(uv_get_available_memory(), 500 * MB);
}

/* A container sees the path that its group has outside, and its group at the root. */
TEST_IMPL(memory_of_a_container_is_constrained_by_the_group_at_the_root) {
  pretend_groups("4:memory:/docker/0123456789abcdef\n");
  group_file("memory/memory.limit_in_bytes", "900000000\n");
  group_file("memory/memory.soft_limit_in_bytes", "9223372036854771712\n");
  group_file("memory/memory.usage_in_bytes", "300000000\n");
  ASSERT_EQ(uv_get_constrained_memory(), 900 * MB);
  ASSERT_EQ(uv_get_available_memory(), 600 * MB);
}

TEST_IMPL(memory_is_constrained_by_the_groups_above_as_well) {
  OXUV_ONLY();
  pretend_groups("0::/a/b\n");
  group_file("a/b/memory.max", "900000000\n");
  group_file("a/b/memory.high", "max\n");
  group_file("a/b/memory.current", "100000000\n");
  group_file("a/memory.max", "500000000\n");
  group_file("a/memory.high", "max\n");
  group_file("a/memory.current", "450000000\n");
  ASSERT_EQ(uv_get_constrained_memory(), 500 * MB);
  ASSERT_EQ(uv_get_available_memory(), 50 * MB);
}

TEST_IMPL(memory_without_a_limit_is_not_constrained) {
  pretend_groups("0::/a\n");
  group_file("a/memory.max", "max\n");
  group_file("a/memory.high", "max\n");
  group_file("a/memory.current", "100000000\n");
  ASSERT(uv_get_constrained_memory() == UINT64_MAX);
  ASSERT_GT(uv_get_available_memory(), 0);
  ASSERT_LE(uv_get_available_memory(), uv_get_total_memory());
}

TEST_IMPL(memory_without_groups_has_no_known_constraint) {
  pretend_groups("0::/gone\n");
  ASSERT_EQ(uv_get_constrained_memory(), 0);
  ASSERT_GT(uv_get_available_memory(), 0);
}

TEST_IMPL(a_limit_beyond_what_is_free_leaves_what_is_free) {
  char text[32];
  OXUV_ONLY();
  pretend_groups("0::/a\n");
  snprintf(text, sizeof(text), "%" PRIu64 "\n", uv_get_total_memory() - 1);
  group_file("a/memory.max", text);
  group_file("a/memory.high", "max\n");
  group_file("a/memory.current", "0\n");
  ASSERT_EQ(uv_get_constrained_memory(), uv_get_total_memory() - 1);
  ASSERT_LT(uv_get_available_memory(), uv_get_total_memory() - 1);
}

TEST_IMPL(limits_on_the_process_constrain_its_memory) {
  struct rlimit limit = {3000 * MB, RLIM_INFINITY};

  if (getenv("OXUV_TEST_SANITIZER") != NULL) SKIP("a sanitizer's memory exceeds any limit");
  pretend_groups("0::/a\n");
  group_file("a/memory.max", "max\n");
  group_file("a/memory.high", "max\n");
  ASSERT_OK(setrlimit(RLIMIT_DATA, &limit));
  ASSERT_EQ(uv_get_constrained_memory(), 3000 * MB);
  group_file("a/memory.max", "2000000000\n");
  ASSERT_EQ(uv_get_constrained_memory(), 2000 * MB);
  if (getenv("OXUV_TEST_WRAPPER") == NULL) {
    limit.rlim_cur = 1500 * MB;
    ASSERT_OK(setrlimit(RLIMIT_AS, &limit));
    ASSERT_EQ(uv_get_constrained_memory(), 1500 * MB);
  }
}

TEST_IMPL(parallelism_is_within_the_quota_of_version_2) {
  unsigned processors;

  pretend_groups("0::/a/b\n");
  processors = uv_available_parallelism();
  group_file("a/b/cgroup.controllers", "cpu memory\n");
  group_file("a/cgroup.controllers", "cpu memory\n");
  group_file("a/b/cpu.max", "max 100000\n");
  ASSERT_EQ(uv_available_parallelism(), processors);
  group_file("a/b/cpu.max", "100000000 100000\n");
  ASSERT_EQ(uv_available_parallelism(), processors);
  group_file("a/b/cpu.max", "150000 100000\n");
  ASSERT_EQ(uv_available_parallelism(), 1);
  group_file("a/b/cpu.max", "20000 100000\n");
  ASSERT_EQ(uv_available_parallelism(), 1);
  /* The limit of the group above counts as well. */
  group_file("a/b/cpu.max", "max 100000\n");
  group_file("a/cpu.max", "10000 10000\n");
  ASSERT_EQ(uv_available_parallelism(), 1);
}

TEST_IMPL(parallelism_is_within_the_quota_of_version_1) {
  unsigned processors;

  OXUV_ONLY();
  pretend_groups("4:cpu,cpuacct:/docker/0123456789abcdef\n");
  processors = uv_available_parallelism();
  group_file("cpu/cpu.cfs_period_us", "100000\n");
  group_file("cpu/cpu.cfs_quota_us", "-1\n");
  ASSERT_EQ(uv_available_parallelism(), processors);
  group_file("cpu/cpu.cfs_quota_us", "190000\n");
  ASSERT_EQ(uv_available_parallelism(), 1);
}

TEST_IMPL(groups_with_long_paths_have_limits_too) {
  char listing[700];
  char path[600] = "";
  char file[640];
  int i;

  OXUV_ONLY();
  for (i = 0; i < 8; i++)
    strcat(path, "/kubepods-burstable-pod01234567_89ab_cdef_0123_456789abcdef.slice");
  snprintf(listing, sizeof(listing), "0::%s\n", path);
  pretend_groups(listing);
  snprintf(file, sizeof(file), "%s/cpu.max", path + 1);
  ASSERT_LT(strlen(file), 600);
  group_file(file, "100000 100000\n");
  snprintf(file, sizeof(file), "%s/memory.max", path + 1);
  group_file(file, "500000000\n");
  ASSERT_EQ(uv_available_parallelism(), 1);
  ASSERT_EQ(uv_get_constrained_memory(), 500 * MB);
}

TEST_IMPL(parallelism_is_within_the_affinity) {
  uv_thread_t self = uv_thread_self();
  int size = uv_cpumask_size();
  char* mask = calloc(1, (size_t) size);
  int cpu = 0;

  ASSERT_OK(uv_thread_getaffinity(&self, mask, (size_t) size));
  while (!mask[cpu]) cpu++;
  memset(mask, 0, (size_t) size);
  mask[cpu] = 1;
  ASSERT_OK(uv_thread_setaffinity(&self, mask, NULL, (size_t) size));
  ASSERT_EQ(uv_available_parallelism(), 1);
  free(mask);
}

/* --- Stacks -------------------------------------------------------------------------------- */

static void measure_stack(void* size) {
  pthread_attr_t attributes;
  ASSERT_OK(pthread_getattr_np(pthread_self(), &attributes));
  ASSERT_OK(pthread_attr_getstacksize(&attributes, size));
  ASSERT_OK(pthread_attr_destroy(&attributes));
}

static size_t default_stack(rlim_t allowed) {
  struct rlimit limit;
  uv_thread_t thread;
  size_t size;

  ASSERT_OK(getrlimit(RLIMIT_STACK, &limit));
  if (allowed > limit.rlim_max) SKIP("the limit cannot be raised");
  limit.rlim_cur = allowed;
  ASSERT_OK(setrlimit(RLIMIT_STACK, &limit));
  ASSERT_OK(uv_thread_create(&thread, measure_stack, &size));
  ASSERT_OK(uv_thread_join(&thread));
  return size;
}

/* Each in a process of its own: the system gives the stacks of ended threads to new ones. */
TEST_IMPL(a_thread_has_the_stack_that_the_limit_allows) {
  ASSERT_EQ(default_stack(3 << 20), 3 << 20);
}

TEST_IMPL(a_stack_by_the_limit_is_whole_pages) {
  size_t page = (size_t) sysconf(_SC_PAGESIZE);
  ASSERT_EQ(default_stack((5 << 20) + 100), (5 << 20) / page * page);
}

TEST_IMPL(a_thread_without_limit_has_a_stack_of_2_MiB) {
  ASSERT_EQ(default_stack(RLIM_INFINITY), 2 << 20);
}

TEST_IMPL(a_limit_too_small_for_a_thread_is_none) {
  ASSERT_EQ(default_stack(5000), 2 << 20);
}

TEST_IMPL(a_stack_too_large_is_an_error) {
  uv_thread_options_t options = {UV_THREAD_HAS_STACK_SIZE, SIZE_MAX / 16 * 15};
  uv_thread_t thread;
  size_t size;

  ASSERT_LT(uv_thread_create_ex(&thread, &options, measure_stack, &size), 0);
  OXUV_ONLY();
  options.stack_size = SIZE_MAX;
  ASSERT_LT(uv_thread_create_ex(&thread, &options, measure_stack, &size), 0);
}

/* --- Containers with a /proc of their own ------------------------------------------------ */

TEST_IMPL(the_load_is_what_proc_says) {
  double load[3] = {-1, -1, -1};

  pretend_proc("/proc/loadavg", "0.25 17.50 1234.75 3/456 789\n");
  uv_loadavg(load);
  ASSERT(load[0] == 0.25);
  ASSERT(load[1] == 17.5);
  ASSERT(load[2] == 1234.75);
}

/* What makes no sense is no reason not to ask the system. */
TEST_IMPL(the_load_is_that_of_the_system_where_proc_says_nothing) {
  static const char* const nonsense[] = {"", "1e9 nothing", "12345.5 12345.5"};
  double load[3];
  size_t i;
  int j;

  for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
    pretend_proc("/proc/loadavg", nonsense[i]);
    load[0] = load[1] = load[2] = -1;
    uv_loadavg(load);
    for (j = 0; j < 3; j++) ASSERT(load[j] >= 0 && load[j] < 12345);
  }
}

TEST_IMPL(the_uptime_is_what_proc_says) {
  double seconds = -1;

  pretend_proc("/proc/uptime", "12.50 99.00\n");
  ASSERT_OK(uv_uptime(&seconds));
  ASSERT(seconds == 12.5);
}
