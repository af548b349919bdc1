/* What the environment asks for, one variable a condition:
 *
 *   FAULTS_TRACE=0,232         these calls stop for the tracer; `all` for every call
 *   FAULTS_ANSWER=332:38,…     these calls are answered with that error number by a filter
 *   FAULTS_LIMIT=7:10          this limit of setrlimit(2), to that value
 *   FAULTS_CLOSED=0,1          these standard descriptors are closed
 *   FAULTS_STORM=150           a signal every so many microseconds
 *   FAULTS_DISK=65536          the current folder is on a file system of so many bytes
 */
#include "program.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

enum { most_calls = 100 };

static struct rlimit limit_before;
static int limited = -1;

static void install(struct sock_filter* filter, int length) {
  struct sock_fprog all = {(unsigned short) length, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) != 0)
    fault("no filter of system calls: %s", strerror(errno));
}

/* A filter that does nothing to the program's own calls, and `action` to those of the list. The list
 * has numbers, each with an error number behind a colon if `has_errors`. */
static void filter_calls(const char* list, unsigned action, int has_errors) {
  struct sock_filter filter[2 * most_calls + 5] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) OWN_MARK, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
  };
  int length = 4;
  int count = 0;
  while (*list != 0 && count++ < most_calls) {
    char* end;
    unsigned long number = strtoul(list, &end, 10);
    unsigned long error = has_errors && *end == ':' ? strtoul(end + 1, &end, 10) : 0;
    filter[length++] =
      (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) number, 0, 1);
    filter[length++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action | (unsigned) error);
    list = *end == ',' ? end + 1 : end;
    if (list == end && *end != 0) fault("no list of calls: %s", list);
  }
  filter[length++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  install(filter, length);
}

static void trace_all_calls(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) OWN_MARK, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
  };
  install(filter, COUNT(filter));
}

static void write_text(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (write(fd, text, strlen(text)) < 0) print("note: %s: %s\n", path, strerror(errno));
  close(fd);
}

/* A file system of the program's own, which is gone with it. */
static void become_root_of_namespace(void) {
  char text[80];
  uid_t user = getuid();
  gid_t group = getgid();
  if (unshare(CLONE_NEWNS | (user == 0 ? 0 : CLONE_NEWUSER)) != 0)
    fault("no mount namespace: %s", strerror(errno));
  if (user == 0) return;
  write_text("/proc/self/setgroups", "deny");
  snprintf(text, sizeof(text), "%d %d 1", (int) user, (int) user);
  write_text("/proc/self/uid_map", text);
  snprintf(text, sizeof(text), "%d %d 1", (int) group, (int) group);
  write_text("/proc/self/gid_map", text);
}

static void enter_small_disk(const char* bytes) {
  char options[80];
  char folder[4096];
  become_root_of_namespace();
  snprintf(options, sizeof(options), "size=%s,mode=0700", bytes);
  if (getcwd(folder, sizeof(folder)) == NULL ||
      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("faults", folder, "tmpfs", 0, options) != 0 || chdir(folder) != 0)
    fault("no small file system: %s", strerror(errno));
}

/* The limit of processes is none for root, so the program becomes nobody. */
static void become_nobody(void) {
  enum { nobody = 65534 };
  if (getuid() != 0) return;
  if (chmod(".", 0777) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0 ||
      prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
    fault("root cannot become nobody: %s", strerror(errno));
}

static void set_limit(const char* text) {
  struct rlimit limit;
  limited = atoi(text);
  if (limited == RLIMIT_NPROC) become_nobody();
  if (getrlimit(limited, &limit_before) != 0) fault("no such limit: %s", text);
  limit = limit_before;
  limit.rlim_cur = strtoull(strchr(text, ':') + 1, NULL, 10);
  if (setrlimit(limited, &limit) != 0) fault("setrlimit: %s", strerror(errno));
}

static void on_alarm(int number) {
  (void) number;
}

static void start_storm(const char* microseconds) {
  struct itimerval every = {{0, atoi(microseconds)}, {0, atoi(microseconds)}};
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
}

void set_surroundings(void) {
  const char* text;
  if ((text = getenv("FAULTS_DISK")) != NULL) enter_small_disk(text);
  if ((text = getenv("FAULTS_CLOSED")) != NULL)
    for (; *text != 0; text++)
      if (*text >= '0' && *text <= '2') close(*text - '0');
}

void set_conditions(void) {
  const char* text;
  if ((text = getenv("FAULTS_STORM")) != NULL) start_storm(text);
  if ((text = getenv("FAULTS_LIMIT")) != NULL) set_limit(text);
  if ((text = getenv("FAULTS_ANSWER")) != NULL) filter_calls(text, SECCOMP_RET_ERRNO, 1);
  if ((text = getenv("FAULTS_TRACE")) != NULL) {
    if (strcmp(text, "all") == 0)
      trace_all_calls();
    else
      filter_calls(text, SECCOMP_RET_TRACE, 0);
  }
}

int is_limited(void) {
  return limited >= 0 || getenv("FAULTS_DISK") != NULL;
}

void lift_conditions(void) {
  if (limited >= 0) OWN4(SYS_prlimit64, 0, limited, &limit_before, NULL);
}
