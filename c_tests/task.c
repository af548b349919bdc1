/* What every program of the C tests has in common: main, helper processes, clean-up. */
#include "task.h"

#include "sanitizer.h"

#include <dirent.h>
#include <dlfcn.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <time.h>

static struct task* tasks;
static char* program;
static int first_fd_count;
static int ready_fd = -1;
static char tmpdir[256];
static pid_t helpers[32];
static int helper_total;
static pid_t main_pid;

void task_register(struct task* task) {
  struct task** at = &tasks;
  while (*at != NULL) at = &(*at)->next;
  *at = task;
}

static struct task* find_task(const char* name) {
  struct task* task;
  for (task = tasks; task != NULL; task = task->next)
    if (strcmp(task->name, name) == 0) return task;
  fprintf(stderr, "no task %s\n", name);
  exit(2);
}

static void list_tests(void) {
  struct task* task;
  for (task = tasks; task != NULL; task = task->next)
    if (!task->is_helper)
      printf("%s %d %s %s\n", task->name, task->seconds, task->is_serial ? "serial" : "parallel",
             task->is_timed ? "timed" : "functional");
}

/* The library under test must be the one that is meant, not one of the system's. */
static void check_library(void) {
  const char* expected = getenv("OXUV_TEST_EXPECT");
  char expected_path[4096];
  char actual_path[4096];
  Dl_info info;

  if (expected == NULL) return;
  ASSERT(dladdr((void*) (uintptr_t) uv_version, &info) != 0);
  ASSERT_NOT_NULL(realpath(expected, expected_path));
  ASSERT_NOT_NULL(realpath(info.dli_fname, actual_path));
  ASSERT_STR_EQ(actual_path, expected_path);
}

static int remove_entry(const char* path, const struct stat* s, int type, struct FTW* ftw) {
  (void) s, (void) type, (void) ftw;
  return remove(path);
}

static void clean_up(void) {
  int i;
  if (getpid() != main_pid) return;
  for (i = 0; i < helper_total; i++)
    if (helpers[i] > 0) kill(helpers[i], SIGKILL);
  if (tmpdir[0] != '\0') nftw(tmpdir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_abort(int signum) {
  clean_up();
  signal(signum, SIG_DFL);
  raise(signum);
}

int main(int argc, char** argv) {
  struct task* task;

  program = argv[0];
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    list_tests();
    return 0;
  }
  if (argc < 2) {
    fprintf(stderr, "usage: %s --list | TEST\n", argv[0]);
    return 2;
  }
  task = find_task(argv[1]);
  check_library();
  if (task->is_helper) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc > 2) ready_fd = atoi(argv[2]);
    task->run();
    return 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  main_pid = getpid();
  atexit(clean_up);
  signal(SIGABRT, on_abort);
  first_fd_count = fd_count();
  task->run();
  return 0;
}

/* --- Helper processes ---------------------------------------------------------------------- */

pid_t start_helper(const char* name, int* number) {
  char fd_text[16];
  int ready[2];
  int said;
  pid_t pid;

  ASSERT_OK(pipe(ready));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    close(ready[0]);
    snprintf(fd_text, sizeof(fd_text), "%d", ready[1]);
    execl(program, program, name, fd_text, (char*) NULL);
    _exit(127);
  }
  close(ready[1]);
  ASSERT_EQ(read(ready[0], &said, sizeof(said)), (ssize_t) sizeof(said));
  close(ready[0]);
  if (number != NULL) *number = said;
  ASSERT_LT(helper_total, (int) (sizeof(helpers) / sizeof(helpers[0])));
  helpers[helper_total++] = pid;
  return pid;
}

void helper_ready(int number) {
  ASSERT_EQ(write(ready_fd, &number, sizeof(number)), (ssize_t) sizeof(number));
  close(ready_fd);
}

void end_helper(pid_t pid) {
  int i;
  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, NULL, 0), pid);
  for (i = 0; i < helper_total; i++)
    if (helpers[i] == pid) helpers[i] = 0;
}

/* Echoes on every connection of a listening socket until it is ended, with plain POSIX calls. */
static void echo_forever(int server) {
  enum { most = 1024 };
  static struct pollfd fds[most];
  static char data[65536];
  nfds_t count = 1;
  nfds_t i;

  fds[0].fd = server;
  fds[0].events = POLLIN;
  for (;;) {
    if (poll(fds, count, -1) < 0) continue;
    for (i = count - 1; i > 0; i--) {
      ssize_t got;
      ssize_t put = 0;
      if (fds[i].revents == 0) continue;
      got = read(fds[i].fd, data, sizeof(data));
      while (got > 0 && put < got) {
        ssize_t n = write(fds[i].fd, data + put, got - put);
        if (n < 0) got = -1;
        else put += n;
      }
      if (got > 0) continue;
      close(fds[i].fd);
      fds[i] = fds[--count];
    }
    if (fds[0].revents != 0 && count < most) {
      fds[count].fd = accept(server, NULL, NULL);
      fds[count].events = POLLIN;
      fds[count].revents = 0;
      if (fds[count].fd >= 0) count++;
    }
  }
}

HELPER_IMPL(tcp_echo_server) {
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  int server = socket(AF_INET, SOCK_STREAM, 0);

  signal(SIGPIPE, SIG_IGN);
  ASSERT_OK(bind(server, (struct sockaddr*) &address, length));
  ASSERT_OK(listen(server, 512));
  ASSERT_OK(getsockname(server, (struct sockaddr*) &address, &length));
  helper_ready(ntohs(address.sin_port));
  echo_forever(server);
}

HELPER_IMPL(pipe_echo_server) {
  struct sockaddr_un address;
  int server = socket(AF_UNIX, SOCK_STREAM, 0);

  signal(SIGPIPE, SIG_IGN);
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s", getenv("OXUV_TEST_PIPE"));
  ASSERT_OK(bind(server, (struct sockaddr*) &address, sizeof(address)));
  ASSERT_OK(listen(server, 512));
  helper_ready(0);
  echo_forever(server);
}

int start_tcp_echo_server(void) {
  int port;
  start_helper("tcp_echo_server", &port);
  return port;
}

void start_pipe_echo_server(const char* path) {
  setenv("OXUV_TEST_PIPE", path, 1);
  start_helper("pipe_echo_server", NULL);
}

/* --- The order of events ------------------------------------------------------------------- */

static char noted[1 << 16];
static size_t noted_size;

void note(const char* format, ...) {
  va_list arguments;
  size_t left = sizeof(noted) - noted_size;
  int size;

  if (noted_size > 0) {
    noted[noted_size++] = ' ';
    left--;
  }
  va_start(arguments, format);
  size = vsnprintf(noted + noted_size, left, format, arguments);
  va_end(arguments);
  ASSERT_LT(size, left);
  noted_size += (size_t) size;
}

const char* notes(void) {
  return noted;
}

void clear_notes(void) {
  noted[0] = '\0';
  noted_size = 0;
}

/* --- Helpers of tests ---------------------------------------------------------------------- */

static int count_entries(const char* path) {
  DIR* dir = opendir(path);
  int count = 0;
  ASSERT_NOT_NULL(dir);
  while (readdir(dir) != NULL) count++;
  closedir(dir);
  return count - 2;
}

int fd_count(void) {
  return count_entries("/proc/self/fd") - 1;
}

int thread_count(void) {
  return count_entries("/proc/self/task");
}

static void close_handle(uv_handle_t* handle, void* arg) {
  (void) arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void close_loop(uv_loop_t* loop) {
  uv_walk(loop, close_handle, NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(loop));
}

void make_sure_nothing_leaked(void) {
  int now;
  close_loop(uv_default_loop());
  uv_library_shutdown();
  now = fd_count();
  if (now > first_fd_count) FAIL("%d descriptors leaked", now - first_fd_count);
}

const char* test_tmpdir(void) {
  const char* base = getenv("TMPDIR");
  if (tmpdir[0] == '\0') {
    snprintf(tmpdir, sizeof(tmpdir), "%s/oxuv-XXXXXX", base != NULL ? base : "/tmp");
    ASSERT_NOT_NULL(mkdtemp(tmpdir));
  }
  return tmpdir;
}

const char* test_path(const char* name) {
  static char paths[8][512];
  static int next;
  char* path = paths[next++ % 8];
  snprintf(path, sizeof(paths[0]), "%s/%s", test_tmpdir(), name);
  return path;
}

void write_file(const char* path, const void* data, size_t size) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, data, size), (ssize_t) size);
  close(fd);
}

static void on_time_over(uv_timer_t* timer) {
  *(int*) timer->data = 1;
}

int is_under_valgrind(void) {
  const char* preload = getenv("LD_PRELOAD");
  return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

void run_until(uv_loop_t* loop, const int* flag, int value) {
  uv_timer_t* timer = malloc(sizeof(*timer));
  int time_over = 0;

  ASSERT_OK(uv_timer_init(loop, timer));
  timer->data = &time_over;
  ASSERT_OK(uv_timer_start(timer, on_time_over, 20000, 0));
  while (*flag < value && !time_over) uv_run(loop, UV_RUN_ONCE);
  if (*flag < value) FAIL("waited for too long: %d of %d", *flag, value);
  uv_close((uv_handle_t*) timer, (uv_close_cb) (void (*)(void)) free);
  uv_run(loop, UV_RUN_NOWAIT);
}

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

uint64_t used_ns(void) {
  struct timespec now;
  ASSERT_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
  return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

void spin(uint64_t milliseconds) {
  uint64_t end = nanoseconds() + milliseconds * 1000000;
  while (nanoseconds() < end) continue;
}

struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t) port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int port_of(uv_tcp_t* handle) {
  struct sockaddr_in address;
  int length = sizeof(address);
  ASSERT_OK(uv_tcp_getsockname(handle, (struct sockaddr*) &address, &length));
  return ntohs(address.sin_port);
}

void alloc_static(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  static char memory[65536];
  (void) handle, (void) suggested;
  *buf = uv_buf_init(memory, sizeof(memory));
}
