/* The machine, the user, the process and the time:
 * https://docs.libuv.org/en/v1.x/misc.html */
#include "task.h"

#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>

/* --- Time ---------------------------------------------------------------------------------- */

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec ts;
  ASSERT_OK(clock_gettime(clock, &ts));
  return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

TEST_IMPL(hrtime_is_the_monotonic_clock) {
  const uint64_t before = nanoseconds(CLOCK_MONOTONIC);
  const uint64_t now = uv_hrtime();
  ASSERT_GE(now, before);
  ASSERT_LE(now, nanoseconds(CLOCK_MONOTONIC));
}

static uint64_t read_clock(uv_clock_id clock) {
  uv_timespec64_t ts;
  memset(&ts, 0xff, sizeof(ts));
  ASSERT_OK(uv_clock_gettime(clock, &ts));
  ASSERT_GE(ts.tv_nsec, 0);
  ASSERT_LT(ts.tv_nsec, 1000000000);
  return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

TEST_IMPL(both_clocks_can_be_read) {
  uint64_t before = nanoseconds(CLOCK_MONOTONIC);
  uint64_t now = read_clock(UV_CLOCK_MONOTONIC);
  uv_timespec64_t ts;

  ASSERT_GE(now, before);
  ASSERT_LE(now, nanoseconds(CLOCK_MONOTONIC));
  before = nanoseconds(CLOCK_REALTIME);
  now = read_clock(UV_CLOCK_REALTIME);
  /* Another process may set this one. */
  ASSERT_LT(llabs((long long) (now - before)), 60LL * 1000000000);
  ASSERT_EQ(uv_clock_gettime((uv_clock_id) 17, &ts), UV_EINVAL);
  ASSERT_EQ(uv_clock_gettime(UV_CLOCK_MONOTONIC, NULL), UV_EFAULT);
}

TEST_IMPL(the_time_of_day_is_that_of_the_system) {
  struct timeval before;
  uv_timeval64_t now;

  ASSERT_OK(gettimeofday(&before, NULL));
  ASSERT_OK(uv_gettimeofday(&now));
  ASSERT_LT(llabs((long long) (now.tv_sec - before.tv_sec)), 60);
  ASSERT_GE(now.tv_usec, 0);
  ASSERT_LT(now.tv_usec, 1000000);
  ASSERT_EQ(uv_gettimeofday(NULL), UV_EINVAL);
}

static void on_alarm(int signum) {
  (void) signum;
}

TEST_IMPL(sleep_lasts_as_long_as_was_asked_whatever_signals_come) {
  const struct itimerval often = {{0, 2000}, {0, 2000}};
  struct sigaction action;
  uint64_t begin;

  memset(&action, 0, sizeof(action));
  action.sa_handler = on_alarm;
  ASSERT_OK(sigaction(SIGALRM, &action, NULL));
  ASSERT_OK(setitimer(ITIMER_REAL, &often, NULL));
  begin = uv_hrtime();
  uv_sleep(50);
  ASSERT_GE(uv_hrtime() - begin, UINT64_C(50000000));
  uv_sleep(0);
}

TEST_IMPL(the_system_is_up_for_some_time) {
  double uptime = -1;
  ASSERT_OK(uv_uptime(&uptime));
  ASSERT(uptime > 0);
  ASSERT(uptime - nanoseconds(CLOCK_BOOTTIME) / 1e9 < 2);
  ASSERT(nanoseconds(CLOCK_BOOTTIME) / 1e9 - uptime < 60);
}

TEST_IMPL(load_averages_are_no_less_than_nothing) {
  double avg[4] = {-1, -1, -1, -1};
  int i;
  uv_loadavg(avg);
  for (i = 0; i < 3; i++) ASSERT(avg[i] >= 0);
  ASSERT(avg[3] == -1);
}

/* --- What the process used ----------------------------------------------------------------- */

static int64_t microseconds(uv_timeval_t time) {
  return (int64_t) time.tv_sec * 1000000 + time.tv_usec;
}

TEST_IMPL(resource_usage_is_that_of_the_process) {
  struct rusage before;
  struct rusage after;
  uv_rusage_t usage;

  memset(&usage, 0xff, sizeof(usage));
  ASSERT_OK(getrusage(RUSAGE_SELF, &before));
  ASSERT_OK(uv_getrusage(&usage));
  ASSERT_OK(getrusage(RUSAGE_SELF, &after));
  ASSERT_GE(usage.ru_maxrss, before.ru_maxrss);
  ASSERT_LE(usage.ru_maxrss, after.ru_maxrss);
  ASSERT_GE(usage.ru_minflt, before.ru_minflt);
  ASSERT_LE(usage.ru_minflt, after.ru_minflt);
  ASSERT_GE(usage.ru_nvcsw, before.ru_nvcsw);
  ASSERT_LE(usage.ru_nvcsw, after.ru_nvcsw);
  ASSERT_EQ(usage.ru_nswap, 0);
  ASSERT_LT(usage.ru_utime.tv_usec, 1000000);
}

static void use_nothing(void* arg) {
  ASSERT_OK(uv_getrusage_thread(arg));
}

TEST_IMPL(a_thread_has_usage_of_its_own) {
  uv_rusage_t process;
  uv_rusage_t thread_usage;
  uv_rusage_t own;
  uv_thread_t thread;

  do {
    spin(5);
    ASSERT_OK(uv_getrusage_thread(&own));
  } while (microseconds(own.ru_utime) + microseconds(own.ru_stime) < 50000);
  ASSERT_OK(uv_thread_create(&thread, use_nothing, &thread_usage));
  ASSERT_OK(uv_thread_join(&thread));
  ASSERT_OK(uv_getrusage(&process));
  ASSERT_LT(microseconds(thread_usage.ru_utime), microseconds(own.ru_utime) +
                                                     microseconds(own.ru_stime));
  ASSERT_GE(microseconds(process.ru_utime) + microseconds(process.ru_stime), 50000);
}

/* --- Memory -------------------------------------------------------------------------------- */

TEST_IMPL(memory_is_reported_in_bytes) {
  const uint64_t total = uv_get_total_memory();
  struct sysinfo info;

  ASSERT_OK(sysinfo(&info));
  /* A container may be given less than there is. */
  ASSERT_GT(total, 0);
  ASSERT_LE(total, (uint64_t) info.totalram * info.mem_unit);
  ASSERT_GT(uv_get_free_memory(), 0);
  ASSERT_LT(uv_get_free_memory(), total);
  ASSERT_LE(uv_get_available_memory(), total);
}

TEST_IMPL(what_is_available_is_within_the_limit) {
  const uint64_t limit = uv_get_constrained_memory();
  if (limit == 0) SKIP("no limit is known");
  ASSERT(uv_get_available_memory() <= limit);
}

TEST_IMPL(the_resident_set_grows_with_what_is_touched) {
  const size_t size = 32 << 20;
  volatile char* memory;
  size_t before = 0;
  size_t after = 0;
  size_t i;

  ASSERT_OK(uv_resident_set_memory(&before));
  ASSERT_EQ(before % 4096, 0);
  memory = malloc(size);
  for (i = 0; i < size; i += 512) memory[i] = 1;
  ASSERT_OK(uv_resident_set_memory(&after));
  /* The kernel may count some pages late. */
  ASSERT_GE(after, before + size / 2);
  free((void*) memory);
}

/* --- Processors ---------------------------------------------------------------------------- */

static int processors_online(void) {
  FILE* file = fopen("/proc/stat", "r");
  char line[4096];
  int count = 0;
  ASSERT_NOT_NULL(file);
  while (fgets(line, sizeof(line), file) != NULL)
    count += strncmp(line, "cpu", 3) == 0 && line[3] >= '0' && line[3] <= '9';
  fclose(file);
  return count;
}

TEST_IMPL(the_processors_online_are_described) {
  uv_cpu_info_t* infos = NULL;
  uint64_t idle = 0;
  int count = 0;
  int i;

  ASSERT_OK(uv_cpu_info(&infos, &count));
  ASSERT_EQ(count, processors_online());
  for (i = 0; i < count; i++) {
    ASSERT_GT(strlen(infos[i].model), 0);
    ASSERT_GE(infos[i].speed, 0);
    idle += infos[i].cpu_times.idle + infos[i].cpu_times.user + infos[i].cpu_times.sys;
  }
  ASSERT_GT(idle, 0);
  uv_free_cpu_info(infos, count);
  uv_free_cpu_info(NULL, 0);
}

TEST_IMPL(parallelism_is_no_more_than_what_may_be_used) {
  cpu_set_t set;
  ASSERT_OK(sched_getaffinity(0, sizeof(set), &set));
  ASSERT_GE(uv_available_parallelism(), 1);
  ASSERT_LE(uv_available_parallelism(), CPU_COUNT(&set));
}

/* --- Network interfaces -------------------------------------------------------------------- */

TEST_IMPL(interfaces_have_addresses) {
  uv_interface_address_t* addresses = NULL;
  char text[64];
  int count = -1;
  int family;
  int i;
  int internal = 0;

  ASSERT_OK(uv_interface_addresses(&addresses, &count));
  ASSERT_GE(count, 0);
  for (i = 0; i < count; i++) {
    family = addresses[i].address.address4.sin_family;
    ASSERT(family == AF_INET || family == AF_INET6);
    ASSERT_EQ(addresses[i].netmask.netmask4.sin_family, family);
    ASSERT_OK(uv_ip_name((struct sockaddr*) &addresses[i].address, text, sizeof(text)));
    ASSERT_GT(strlen(addresses[i].name), 0);
    if (strcmp(text, "127.0.0.1") != 0) continue;
    internal++;
    ASSERT_STR_EQ(addresses[i].name, "lo");
    ASSERT_NE(addresses[i].is_internal, 0);
    ASSERT_OK(uv_ip4_name(&addresses[i].netmask.netmask4, text, sizeof(text)));
    ASSERT_STR_EQ(text, "255.0.0.0");
    ASSERT_MEM_EQ(addresses[i].phys_addr, "\0\0\0\0\0\0", 6);
  }
  ASSERT_LE(internal, 1);
  uv_free_interface_addresses(addresses, count);
  uv_free_interface_addresses(NULL, 0);
}

TEST_IMPL(interfaces_have_names) {
  char name[UV_IF_NAMESIZE + 1];
  size_t size;
  unsigned int index = if_nametoindex("lo");

  if (index == 0) SKIP("no loopback interface");
  memset(name, '#', sizeof(name));
  size = sizeof(name);
  ASSERT_OK(uv_if_indextoname(index, name, &size));
  ASSERT_STR_EQ(name, "lo");
  ASSERT_EQ(size, 2);
  size = 3;
  ASSERT_OK(uv_if_indextoiid(index, name, &size));
  ASSERT_STR_EQ(name, "lo");
  ASSERT_EQ(size, 2);
  size = 2;
  ASSERT_EQ(uv_if_indextoname(index, name, &size), UV_ENOBUFS);
  ASSERT_EQ(size, 3);
  size = sizeof(name);
  ASSERT_EQ(uv_if_indextoname(0x7ffffff0, name, &size), UV_ENXIO);
  ASSERT_EQ(uv_if_indextoname(index, NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_if_indextoname(index, name, NULL), UV_EINVAL);
  size = 0;
  ASSERT_EQ(uv_if_indextoiid(index, name, &size), UV_EINVAL);
}

/* --- Users and groups ---------------------------------------------------------------------- */

TEST_IMPL(the_user_is_the_effective_one) {
  const struct passwd* expected = getpwuid(geteuid());
  uv_passwd_t user;

  if (expected == NULL) SKIP("the user is in no database");
  memset(&user, 0x55, sizeof(user));
  ASSERT_OK(uv_os_get_passwd(&user));
  ASSERT_STR_EQ(user.username, expected->pw_name);
  ASSERT_STR_EQ(user.homedir, expected->pw_dir);
  ASSERT_STR_EQ(user.shell, expected->pw_shell);
  ASSERT_EQ(user.uid, expected->pw_uid);
  ASSERT_EQ(user.gid, expected->pw_gid);
  uv_os_free_passwd(&user);
  ASSERT_NULL(user.username);
  ASSERT_NULL(user.homedir);
  ASSERT_NULL(user.shell);
  uv_os_free_passwd(&user);
  uv_os_free_passwd(NULL);
}

static uv_uid_t unused_user(void) {
  uv_uid_t id = 60000;
  while (getpwuid(id) != NULL) id++;
  return id;
}

TEST_IMPL(users_are_found_by_their_number) {
  const struct passwd* expected = getpwuid(0);
  uv_passwd_t user;

  if (expected == NULL) SKIP("there is no user 0");
  ASSERT_OK(uv_os_get_passwd2(&user, 0));
  ASSERT_STR_EQ(user.username, expected->pw_name);
  ASSERT_EQ(user.uid, 0);
  uv_os_free_passwd(&user);
  ASSERT_EQ(uv_os_get_passwd2(&user, unused_user()), UV_ENOENT);
  ASSERT_EQ(uv_os_get_passwd2(NULL, 0), UV_EINVAL);
  ASSERT_EQ(uv_os_get_passwd(NULL), UV_EINVAL);
}

TEST_IMPL(groups_have_members) {
  const struct group* expected;
  uv_group_t group;
  int i;

  setgrent();
  while ((expected = getgrent()) != NULL) {
    const gid_t gid = expected->gr_gid;
    expected = getgrgid(gid);
    if (expected == NULL) continue;
    ASSERT_OK(uv_os_get_group(&group, gid));
    ASSERT_EQ(group.gid, gid);
    ASSERT_STR_EQ(group.groupname, expected->gr_name);
    for (i = 0; expected->gr_mem[i] != NULL; i++)
      ASSERT_STR_EQ(group.members[i], expected->gr_mem[i]);
    ASSERT_NULL(group.members[i]);
    uv_os_free_group(&group);
    ASSERT_NULL(group.groupname);
    ASSERT_NULL(group.members);
    uv_os_free_group(&group);
  }
  endgrent();
  uv_os_free_group(NULL);
}

TEST_IMPL(unknown_groups_are_not_found) {
  uv_uid_t id = 60000;
  uv_group_t group;
  while (getgrgid(id) != NULL) id++;
  ASSERT_EQ(uv_os_get_group(&group, id), UV_ENOENT);
  ASSERT_EQ(uv_os_get_group(NULL, 0), UV_EINVAL);
}

/* --- The host and the process -------------------------------------------------------------- */

TEST_IMPL(the_host_has_a_name) {
  char name[UV_MAXHOSTNAMESIZE];
  struct utsname expected;
  size_t length;
  size_t size;

  ASSERT_OK(uname(&expected));
  length = strlen(expected.nodename);
  size = sizeof(name);
  ASSERT_OK(uv_os_gethostname(name, &size));
  ASSERT_STR_EQ(name, expected.nodename);
  ASSERT_EQ(size, length);
  size = length + 1;
  ASSERT_OK(uv_os_gethostname(name, &size));
  ASSERT_EQ(size, length);
  if (length > 0) {
    name[0] = '#';
    size = length;
    ASSERT_EQ(uv_os_gethostname(name, &size), UV_ENOBUFS);
    ASSERT_EQ(size, length + 1);
    ASSERT_EQ(name[0], '#');
  }
  size = 0;
  ASSERT_EQ(uv_os_gethostname(name, &size), UV_EINVAL);
  ASSERT_EQ(uv_os_gethostname(NULL, &size), UV_EINVAL);
  ASSERT_EQ(uv_os_gethostname(name, NULL), UV_EINVAL);
}

/* The kernel takes names of 64 bytes, for which the documented room is just enough. */
TEST_IMPL(the_hosts_name_may_be_as_long_as_it_gets) {
  char expected[65];
  char name[UV_MAXHOSTNAMESIZE];
  size_t size = sizeof(name);

  memset(expected, 'h', 64);
  expected[64] = '\0';
  if (unshare(CLONE_NEWUTS) != 0 || sethostname(expected, 64) != 0)
    SKIP("the host's name cannot be changed for the test");
  ASSERT_OK(uv_os_gethostname(name, &size));
  ASSERT_STR_EQ(name, expected);
  ASSERT_EQ(size, 64);
}

TEST_IMPL(the_system_has_names) {
  struct utsname expected;
  uv_utsname_t names;

  memset(&names, 0x55, sizeof(names));
  ASSERT_OK(uname(&expected));
  ASSERT_OK(uv_os_uname(&names));
  ASSERT_STR_EQ(names.sysname, expected.sysname);
  ASSERT_STR_EQ(names.release, expected.release);
  ASSERT_STR_EQ(names.version, expected.version);
  ASSERT_STR_EQ(names.machine, expected.machine);
  ASSERT_EQ(uv_os_uname(NULL), UV_EINVAL);
}

TEST_IMPL(a_process_has_a_number_and_a_parent) {
  ASSERT_EQ(uv_os_getpid(), getpid());
  ASSERT_EQ(uv_os_getppid(), getppid());
}

TEST_IMPL(a_process_can_lower_its_priority) {
  int before;
  int now;

  ASSERT_OK(uv_os_getpriority(0, &before));
  ASSERT_EQ(before, getpriority(PRIO_PROCESS, 0));
  if (before > UV_PRIORITY_BELOW_NORMAL) SKIP("the priority is low already");
  ASSERT_OK(uv_os_setpriority(0, UV_PRIORITY_BELOW_NORMAL));
  ASSERT_OK(uv_os_getpriority(0, &now));
  ASSERT_EQ(now, UV_PRIORITY_BELOW_NORMAL);
  ASSERT_OK(uv_os_setpriority(uv_os_getpid(), UV_PRIORITY_LOW));
  ASSERT_OK(uv_os_getpriority(uv_os_getpid(), &now));
  ASSERT_EQ(now, UV_PRIORITY_LOW);
}

/* -1 is a priority, and what the system's function returns for an error. */
TEST_IMPL(a_priority_may_be_minus_one) {
  int now = 0;
  if (uv_os_setpriority(0, -1) != 0) SKIP("not allowed to raise the priority");
  errno = EPERM;
  ASSERT_OK(uv_os_getpriority(0, &now));
  ASSERT_EQ(now, -1);
}

TEST_IMPL(priorities_of_processes_are_checked) {
  pid_t child = fork();
  int now = 77;

  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, NULL, 0), child);
  ASSERT_EQ(uv_os_getpriority(child, &now), UV_ESRCH);
  ASSERT_EQ(now, 77);
  ASSERT_EQ(uv_os_setpriority(child, UV_PRIORITY_LOW), UV_ESRCH);
  ASSERT_EQ(uv_os_getpriority(0, NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_setpriority(0, UV_PRIORITY_HIGHEST - 1), UV_EINVAL);
  ASSERT_EQ(uv_os_setpriority(0, UV_PRIORITY_LOW + 1), UV_EINVAL);
}

TEST_IMPL(handles_of_the_system_are_descriptors) {
  ASSERT_EQ(uv_get_osfhandle(3), 3);
  ASSERT_EQ(uv_open_osfhandle(7), 7);
}
