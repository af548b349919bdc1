/* The frame: main(), what a program prints, and what is checked at the end. */
#include "program.h"

#include <stdarg.h>

uv_loop_t loop;

/* Ends a program that waits for what does not come. */
static uv_timer_t guard;

static int report_fd = 1;
static int is_child;
static int is_finished;
static int is_closing_all;
static int is_guard_over;
static int first_code;
static char first_call[80];
static int handles_closing;
static int handles_closed;
static int fds_before;
static int fds_to_close[16];
static int fds_to_close_count;

static struct {
  const void* request;
  const char* call;
} pending[4096];
static int pending_count;

/* --- Telling ------------------------------------------------------------------------------- */

static void tell_list(const char* format, va_list arguments) {
  char text[2048];
  int size = vsnprintf(text, sizeof(text), format, arguments);
  if (size >= (int) sizeof(text)) size = sizeof(text) - 1;
  own_write(report_fd, text, (size_t) size);
}

void print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  tell_list(format, arguments);
  va_end(arguments);
}

static void end_process(int code) {
  for (;;) OWN3(SYS_exit_group, code, 0, 0);
}

void fault(const char* format, ...) {
  va_list arguments;
  print("outcome fault %s", is_child ? "in the child: " : "");
  va_start(arguments, format);
  tell_list(format, arguments);
  va_end(arguments);
  if (first_code != 0) print(" [after %s %s]", uv_err_name(first_code), first_call);
  print("\n");
  end_process(20);
  abort();
}

static void keep_error(int64_t code, const char* call) {
  size_t length = strcspn(call, "(");
  if (first_code != 0) return;
  first_code = (int) code;
  snprintf(first_call, sizeof(first_call), "%.*s", (int) length, call);
}

static void on_closed(uv_handle_t* handle) {
  (void) handle;
  handles_closed++;
  EXPECT(handles_closed <= handles_closing, "a close callback came twice");
}

void close_handle(void* handle) {
  if (uv_is_closing(handle)) return;
  handles_closing++;
  uv_close(handle, on_closed);
}

static void close_one(uv_handle_t* handle, void* unused) {
  (void) unused;
  close_handle(handle);
}

static void close_all(void) {
  if (is_closing_all) return;
  is_closing_all = 1;
  uv_walk(&loop, close_one, NULL);
}

int notes(int64_t code, const char* call) {
  /* What is reported later than that comes of closing. */
  if (code < 0 && !is_guard_over) keep_error(code, call);
  return code < 0;
}

int fails(int64_t code, const char* call) {
  if (!notes(code, call)) return 0;
  close_all();
  return 1;
}

int is_told(void) {
  return first_code != 0 || is_guard_over;
}

int is_ending(void) {
  return is_closing_all;
}

void finish(void) {
  is_finished = 1;
  close_all();
}

void begun(const void* request, const char* call) {
  EXPECT(pending_count < (int) COUNT(pending), "the frame has no room for requests");
  pending[pending_count].request = request;
  pending[pending_count].call = call;
  pending_count++;
}

void ended(const void* request) {
  int i;
  for (i = 0; i < pending_count; i++) {
    if (pending[i].request != request) continue;
    pending[i] = pending[--pending_count];
    return;
  }
  fault("twice: a callback of a request that is not under way");
}

static void on_guard(uv_timer_t* timer) {
  (void) timer;
  is_guard_over = 1;
  close_all();
}

/* --- Data ---------------------------------------------------------------------------------- */

unsigned char pattern(size_t at) {
  return (unsigned char) (at * 131 + (at >> 8) * 7 + 3);
}

void fill(char* data, size_t at, size_t size) {
  size_t i;
  for (i = 0; i < size; i++) data[i] = (char) pattern(at + i);
}

void check(const char* data, size_t at, size_t size, const char* where) {
  size_t i;
  for (i = 0; i < size; i++)
    EXPECT((unsigned char) data[i] == pattern(at + i), "%s: wrong data at %zu", where, at + i);
}

void give_buffer(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  static char memory[65536];
  (void) handle;
  (void) size;
  *buf = uv_buf_init(memory, sizeof(memory));
}

/* --- Calls of the program's own ------------------------------------------------------------ */

/* Under a limit the program itself may be refused something: that says nothing of the library. */
static void must(long result, const char* what) {
  if (result < 0 && is_limited()) {
    print("outcome error %s of the program's own\n", uv_err_name(-errno));
    end_process(0);
  }
  EXPECT(result >= 0, "the program's own %s failed: %s", what, strerror(errno));
}

int own_open(const char* path, int flags) {
  long fd = OWN4(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
  must(fd, path);
  return (int) fd;
}

long own_read(int fd, void* data, size_t size) {
  long got;
  do got = OWN3(SYS_read, fd, data, size);
  while (got < 0 && errno == EINTR);
  return got;
}

long own_write(int fd, const void* data, size_t size) {
  long done;
  do done = OWN3(SYS_write, fd, data, size);
  while (done < 0 && errno == EINTR);
  return done;
}

void own_close(int fd) {
  OWN3(SYS_close, fd, 0, 0);
}

void own_close_at_end(int fd) {
  EXPECT(fds_to_close_count < (int) COUNT(fds_to_close), "the frame has no room for descriptors");
  fds_to_close[fds_to_close_count++] = fd;
}

void own_unlink(const char* path) {
  OWN3(SYS_unlinkat, AT_FDCWD, path, 0);
}

void own_mkdir(const char* path) {
  must(OWN3(SYS_mkdirat, AT_FDCWD, path, 0700), "mkdir");
}

void own_rmdir(const char* path) {
  OWN3(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

void own_socketpair(int fds[2]) {
  must(OWN4(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "socketpair");
  own_move_up(&fds[0]);
  own_move_up(&fds[1]);
}

void own_move_up(int* fd) {
  long moved;
  if (*fd > 2) return;
  moved = OWN3(SYS_fcntl, *fd, F_DUPFD_CLOEXEC, 3);
  must(moved, "fcntl");
  own_close(*fd);
  *fd = (int) moved;
}

void own_nonblocking(int fd) {
  must(OWN3(SYS_fcntl, fd, F_SETFL, OWN3(SYS_fcntl, fd, F_GETFL, 0) | O_NONBLOCK), "fcntl");
}

void own_make_file(const char* path, size_t size) {
  char block[4096];
  size_t at = 0;
  int fd = own_open(path, O_CREAT | O_TRUNC | O_WRONLY);
  while (at < size) {
    size_t part = size - at < sizeof(block) ? size - at : sizeof(block);
    long done;
    fill(block, at, part);
    done = own_write(fd, block, part);
    must(done, "write");
    at += (size_t) done;
  }
  own_close(fd);
}

int own_wait(pid_t pid) {
  int status = 0;
  while (OWN4(SYS_wait4, pid, &status, 0, 0) < 0 && errno == EINTR) continue;
  return status;
}

void own_kill(pid_t pid, int number) {
  OWN3(SYS_kill, pid, number, 0);
}

/* --- The end ------------------------------------------------------------------------------- */

struct entry {
  uint64_t inode;
  int64_t next;
  unsigned short size;
  unsigned char type;
  char name[];
};

/* Counts the open descriptors above the standard ones, which uv_close leaves open. Appends what they
 * are to `names` if it is there. */
static int count_fds(char* names, size_t room) {
  char entries[4096];
  int found = 0;
  int folder = own_open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
  long size;
  while ((size = OWN3(SYS_getdents64, folder, entries, sizeof(entries))) > 0) {
    long at = 0;
    while (at < size) {
      struct entry* entry = (struct entry*) (entries + at);
      char target[200] = "";
      at += entry->size;
      if (atoi(entry->name) <= 2 || atoi(entry->name) == folder) continue;
      found++;
      if (names == NULL || strlen(names) + sizeof(target) + 20 > room) continue;
      OWN4(SYS_readlinkat, folder, entry->name, target, sizeof(target) - 1);
      sprintf(names + strlen(names), " %s>%s", entry->name, target);
    }
  }
  own_close(folder);
  return found;
}

static void check_end(void) {
  static char names[4096];
  int i;
  int fds;
  int code;
  EXPECT(!uv_loop_alive(&loop), "the loop is alive after all is closed");
  for (i = 0; i < pending_count; i++) fault("lost: no callback of %s", pending[i].call);
  EXPECT(handles_closing == handles_closed, "lost: %d close callbacks of %d", handles_closed,
         handles_closing);
  code = uv_loop_close(&loop);
  EXPECT(code == 0, "uv_loop_close: %s", uv_err_name(code));
  uv_library_shutdown();
  lift_conditions();
  while (fds_to_close_count > 0) own_close(fds_to_close[--fds_to_close_count]);
  fds = count_fds(NULL, 0);
  if (fds > fds_before) {
    count_fds(names, sizeof(names));
    fault("leaked: %d descriptors, %d before:%s", fds, fds_before, names);
  }
  EXPECT(blocks_left() <= 0, "leaked: %ld blocks of memory", blocks_left());
}

static void tell_outcome(void) {
  print("allocations %ld\n", allocations_taken());
  EXPECT(!is_guard_over, "stalled: the program waited in vain");
  if (first_code != 0) {
    print("outcome error %s %s\n", uv_err_name(first_code), first_call);
    end_process(is_child ? 1 : 0);
  }
  EXPECT(is_finished, "lost: the loop ended before the work was done");
  if (!is_child) print("outcome right\n");
  end_process(0);
}

void continue_as_child(void) {
  is_child = 1;
}

void judge_child(int status) {
  if (WIFSIGNALED(status)) fault("the child of fork ended by signal %d", WTERMSIG(status));
  if (WEXITSTATUS(status) == 20) end_process(20);
  if (WEXITSTATUS(status) != 0) notes(UV_EIO, "in the child");
}

static void start_guard(void) {
  const char* seconds = getenv("FAULTS_SECONDS");
  if (uv_timer_init(&loop, &guard) != 0) fault("uv_timer_init failed");
  /* Without it the driver's own limit ends the process. */
  notes(uv_timer_start(&guard, on_guard, 1000 * (uint64_t) (seconds ? atoi(seconds) : 5), 0),
        "uv_timer_start");
}

int main(void) {
  int code;
  signal(SIGPIPE, SIG_IGN);
  report_fd = fcntl(1, F_DUPFD_CLOEXEC, 100);
  if (report_fd < 0) return 21;
  use_counting_allocator();
  set_surroundings();
  fds_before = count_fds(NULL, 0);
  set_conditions();
  code = uv_loop_init(&loop);
  if (code != 0) {
    keep_error(code, "uv_loop_init");
    uv_library_shutdown();
    lift_conditions();
    EXPECT(count_fds(NULL, 0) <= fds_before, "leaked: descriptors of a refused uv_loop_init");
    EXPECT(blocks_left() <= 0, "leaked: memory of a refused uv_loop_init");
    tell_outcome();
  }
  start_guard();
  program();
  uv_run(&loop, UV_RUN_DEFAULT);
  /* What is left is closed: an error was reported, or nothing keeps the loop alive. */
  is_closing_all = 0;
  close_all();
  uv_run(&loop, UV_RUN_DEFAULT);
  if (at_end != NULL) at_end();
  check_end();
  tell_outcome();
}
