/* Watching goes on where the system fails for a moment: what is watched stays watched, the failure
 * is reported, and what could not be scanned is scanned again.
 * https://docs.libuv.org/en/v1.x/fs_event.html */
#include "task.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/inotify.h>

/* --- Calls that fail --------------------------------------------------------------------- */

enum call { OPEN, OPEN_STREAM, NEXT_ENTRY, ADD_WATCH, INSTANCE, READ, ALLOCATE, call_count };

/* The library's calls end up here, as with programs that interpose libc. Of those of one kind,
 * `passes` are let pass, and `refusals` fail then. */
static enum call refused = call_count;
static int passes;
static int refusals;
static int refusal_error;
/* How many were refused. */
static int refused_count;
/* The library's inotify descriptor. */
static int instance = -1;
/* The next read of events says that events were lost. */
static int fake_overflow;
static int reads;

static int refuses(enum call call) {
  if (call != refused || passes-- > 0 || refusals == 0) return 0;
  if (refusals > 0) refusals--;
  refused_count++;
  errno = refusal_error;
  return 1;
}

/* Lets `after` calls pass, then refuses `times` of them, or all if `times` is -1. */
static void refuse(enum call call, int after, int times, int error) {
  refused = call;
  passes = after;
  refusals = times;
  refusal_error = error;
  refused_count = 0;
}

static void* real(const char* name) {
  void* function = dlsym(RTLD_NEXT, name);
  if (function == NULL) abort();
  return function;
}

#define REAL(type, name, ...)                                                                      \
  type (*call)(__VA_ARGS__);                                                                       \
  *(void**) &call = real(name)

static int any_openat(const char* name, int folder, const char* path, int flags, mode_t mode) {
  REAL(int, name, int, const char*, int, mode_t);
  return refuses(OPEN) ? -1 : call(folder, path, flags, mode);
}

/* Where files are large by an option, these names stand for those with 64; in musl it is the other way
 * round. */
#ifdef __LP64__
int openat(int folder, const char* path, int flags, ...) {
  va_list list;
  mode_t mode;
  va_start(list, flags);
  mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
  va_end(list);
  return any_openat("openat", folder, path, flags, mode);
}

struct dirent* readdir(DIR* stream) {
  REAL(struct dirent*, "readdir", DIR*);
  return refuses(NEXT_ENTRY) ? NULL : call(stream);
}
#endif

#ifndef openat64
int openat64(int folder, const char* path, int flags, ...) {
  va_list list;
  mode_t mode;
  va_start(list, flags);
  mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
  va_end(list);
  return any_openat("openat64", folder, path, flags, mode);
}
#endif

DIR* fdopendir(int fd) {
  REAL(DIR*, "fdopendir", int);
  return refuses(OPEN_STREAM) ? NULL : call(fd);
}

#ifndef readdir64
struct dirent64* readdir64(DIR* stream) {
  REAL(struct dirent64*, "readdir64", DIR*);
  return refuses(NEXT_ENTRY) ? NULL : call(stream);
}
#endif

int inotify_init1(int flags) {
  REAL(int, "inotify_init1", int);
  if (refuses(INSTANCE)) return -1;
  return instance = call(flags);
}

int inotify_add_watch(int fd, const char* path, uint32_t mask) {
  REAL(int, "inotify_add_watch", int, const char*, uint32_t);
  return refuses(ADD_WATCH) ? -1 : call(fd, path, mask);
}

ssize_t read(int fd, void* buffer, size_t size) {
  static const struct inotify_event overflow = {.wd = -1, .mask = IN_Q_OVERFLOW};
  REAL(ssize_t, "read", int, void*, size_t);
  if (fd != instance || fd == -1) return call(fd, buffer, size);
  reads++;
  if (refuses(READ)) return -1;
  if (fake_overflow) {
    fake_overflow = 0;
    memcpy(buffer, &overflow, sizeof(overflow));
    return sizeof(overflow);
  }
  return call(fd, buffer, size);
}

static void* my_malloc(size_t size) {
  return refuses(ALLOCATE) ? NULL : malloc(size);
}

static void* my_realloc(void* memory, size_t size) {
  return refuses(ALLOCATE) ? NULL : realloc(memory, size);
}

static void* my_calloc(size_t count, size_t size) {
  return refuses(ALLOCATE) ? NULL : calloc(count, size);
}

/* --- A tree that is watched -------------------------------------------------------------- */

static uv_loop_t* loop;
static uv_fs_event_t handles[2];
/* The number of failures of each handle, the last one, and how often events were lost. */
static int failures[2];
static int failure[2];
static int events_lost[2];
/* What is waited for: each of these names, reported by the handle. */
static char awaited[16][96];
static int is_reported[2][16];
static int awaited_count;
static int is_complete;

static int index_of(uv_fs_event_t* handle) {
  return (int) (handle - handles);
}

static void check_whether_complete(void) {
  int which, i;
  is_complete = 1;
  for (which = 0; which < 2; which++)
    if (uv_is_active((uv_handle_t*) &handles[which]))
      for (i = 0; i < awaited_count; i++) is_complete &= is_reported[which][i];
}

static void on_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  int which = index_of(handle);
  int i;

  if (status != 0) {
    ASSERT_EQ(events, 0);
    failures[which]++;
    failure[which] = status;
    return;
  }
  ASSERT_NE(events, 0);
  if (name == NULL) {
    events_lost[which]++;
    return;
  }
  for (i = 0; i < awaited_count; i++)
    if (strcmp(name, awaited[i]) == 0) is_reported[which][i] = 1;
  check_whether_complete();
}

static void touch(const char* format, ...) {
  char path[128];
  va_list list;
  FILE* file;
  va_start(list, format);
  vsnprintf(path, sizeof(path), format, list);
  va_end(list);
  file = fopen(path, "a");
  ASSERT_NOT_NULL(file);
  fclose(file);
}

static void await(const char* format, ...) {
  va_list list;
  ASSERT_LT(awaited_count, 16);
  va_start(list, format);
  vsnprintf(awaited[awaited_count++], sizeof(awaited[0]), format, list);
  va_end(list);
}

static void await_nothing(void) {
  memset(is_reported, 0, sizeof(is_reported));
  awaited_count = 0;
}

static void run_until_reported(void) {
  check_whether_complete();
  run_until(loop, &is_complete, 1);
  await_nothing();
}

static const char* const folders[] = {"a", "a/deep", "b", "b/deep", "c", "c/deep"};
enum { folder_count = sizeof(folders) / sizeof(folders[0]) };

/* Something new in each of the folders is reported. */
static void check_all_is_watched(void) {
  static int number;
  char path[64];
  int i;
  number++;
  for (i = 0; i < folder_count; i++) await("%s/new%d", folders[i], number);
  await("new%d", number);
  for (i = 0; i < awaited_count; i++) touch("w/%s", awaited[i]);
  run_until_reported();
  for (i = 0; i < folder_count; i++) {
    snprintf(path, sizeof(path), "w/%s/new%d", folders[i], number);
    ASSERT_OK(unlink(path));
  }
  snprintf(path, sizeof(path), "w/new%d", number);
  ASSERT_OK(unlink(path));
}

static void make_tree(void) {
  char path[64];
  int i;
  OXUV_ONLY();
  loop = uv_default_loop();
  ASSERT_OK(chdir(test_tmpdir()));
  ASSERT_OK(mkdir("w", 0755));
  ASSERT_OK(mkdir("out", 0755));
  for (i = 0; i < folder_count; i++) {
    snprintf(path, sizeof(path), "w/%s", folders[i]);
    ASSERT_OK(mkdir(path, 0755));
  }
  touch("w/a/deep/old");
}

static int try_start(int which, const char* path) {
  failures[which] = 0;
  failure[which] = 0;
  events_lost[which] = 0;
  return uv_fs_event_start(&handles[which], on_event, path, UV_FS_EVENT_RECURSIVE);
}

static void start(int which, const char* path) {
  ASSERT_OK(uv_fs_event_init(loop, &handles[which]));
  ASSERT_OK(try_start(which, path));
}

static void stop(int which) {
  uv_close((uv_handle_t*) &handles[which], NULL);
  await_nothing();
  uv_run(loop, UV_RUN_NOWAIT);
}

static void leave(void) {
  refuse(call_count, 0, 0, 0);
  ASSERT_OK(chdir("/"));
  MAKE_SURE_NOTHING_LEAKED();
}

/* Nothing is reported besides that did not happen. */
static int has_other_than_names(void) {
  return failures[0] > 0 || events_lost[0] > 0;
}

/* Does `body` with the first call of a kind refused, then the second, and so on until none is.
 * Returns how often one was. */
static int for_each_call(enum call call, int error, void (*body)(void)) {
  int after = 0;
  do {
    refuse(call, after++, 1, error);
    body();
    ASSERT_LT(after, 200);
  } while (refused_count > 0);
  return after - 1;
}

static void for_each_failure(void (*body)(void)) {
  int total = 0;
  make_tree();
  total += for_each_call(OPEN, EIO, body);
  total += for_each_call(OPEN, EMFILE, body);
  total += for_each_call(OPEN_STREAM, ENOMEM, body);
  total += for_each_call(NEXT_ENTRY, EIO, body);
  total += for_each_call(ADD_WATCH, ENOSPC, body);
  ASSERT_GT(total, 0);
  leave();
}

/* --- Each call once ---------------------------------------------------------------------- */

static void start_and_check(void) {
  int error = uv_translate_sys_error(refusal_error);
  int result;
  ASSERT_OK(uv_fs_event_init(loop, &handles[0]));
  result = try_start(0, "w");
  if (result != 0) {
    /* The root itself. */
    ASSERT_EQ(result, error);
    ASSERT_OK(try_start(0, "w"));
  }
  check_all_is_watched();
  ASSERT_EQ(failures[0], result == 0 && refused_count > 0);
  if (failures[0] > 0) ASSERT_EQ(failure[0], error);
  stop(0);
}

TEST_IMPL_LIMIT(a_start_whose_calls_fail, 120) {
  for_each_failure(start_and_check);
}

static void new_folder_and_check(void) {
  enum call call = refused;
  static int number;
  number++;
  refused = call_count;
  start(0, "w");
  ASSERT_OK(mkdir("out/new", 0755));
  ASSERT_OK(mkdir("out/new/x", 0755));
  ASSERT_OK(mkdir("out/new/x/y", 0755));
  touch("out/new/x/y/file");
  touch("out/new/file");
  refused = call;
  ASSERT_OK(rename("out/new", "w/new"));
  await("new");
  await("new/file");
  await("new/x");
  await("new/x/y");
  await("new/x/y/file");
  run_until_reported();
  await("new/x/y/later");
  await("new/x/later");
  touch("w/new/x/y/later");
  touch("w/new/x/later");
  run_until_reported();
  check_all_is_watched();
  ASSERT_EQ(failures[0], refused_count > 0);
  refused = call_count;
  ASSERT_EQ(system("rm -r w/new"), 0);
  stop(0);
  refused = call;
}

TEST_IMPL_LIMIT(a_new_directory_where_calls_fail, 120) {
  for_each_failure(new_folder_and_check);
}

static void lose_events(void) {
  fake_overflow = 1;
  touch("w/trigger");
  ASSERT_OK(unlink("w/trigger"));
}

static void overflow_and_check(void) {
  enum call call = refused;
  refused = call_count;
  start(0, "w");
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_EQ(failures[0], 0);
  refused = call;
  lose_events();
  run_until(loop, &events_lost[0], 1);
  check_all_is_watched();
  ASSERT_EQ(failures[0], refused_count > 0);
  ASSERT_EQ(events_lost[0], 1);
  stop(0);
}

TEST_IMPL_LIMIT(a_scan_after_an_overflow_whose_calls_fail, 120) {
  for_each_failure(overflow_and_check);
}

static void rename_and_check(void) {
  enum call call = refused;
  refused = call_count;
  start(0, "w");
  uv_run(loop, UV_RUN_NOWAIT);
  refused = call;
  ASSERT_OK(rename("w/a", "w/b/a"));
  ASSERT_OK(rename("w/b/deep", "w/c/b"));
  ASSERT_OK(mkdir("w/c/b/new", 0755));
  await("b/a");
  await("c/b");
  await("c/b/new");
  run_until_reported();
  await("b/a/deep/later");
  await("c/b/later");
  await("c/b/new/later");
  touch("w/b/a/deep/later");
  touch("w/c/b/later");
  touch("w/c/b/new/later");
  run_until_reported();
  refused = call_count;
  ASSERT_OK(unlink("w/b/a/deep/later"));
  ASSERT_OK(unlink("w/c/b/later"));
  ASSERT_OK(unlink("w/c/b/new/later"));
  ASSERT_OK(rmdir("w/c/b/new"));
  ASSERT_OK(rename("w/b/a", "w/a"));
  ASSERT_OK(rename("w/c/b", "w/b/deep"));
  await("a");
  await("b/deep");
  run_until_reported();
  check_all_is_watched();
  if (refused_count == 0) ASSERT_EQ(has_other_than_names(), 0);
  stop(0);
  refused = call;
}

TEST_IMPL_LIMIT(directories_that_move_where_calls_fail, 120) {
  for_each_failure(rename_and_check);
}

/* What is moved out is no longer reported, whatever failed at the time. */
static void move_out_and_check(void) {
  enum call call = refused;
  refused = call_count;
  ASSERT_OK(mkdir("w/x", 0755));
  ASSERT_OK(mkdir("w/x/y", 0755));
  start(0, "w");
  uv_run(loop, UV_RUN_NOWAIT);
  refused = call;
  ASSERT_OK(rename("w/x", "out/x"));
  await("x");
  run_until_reported();
  /* Until there is nothing left to be scanned. */
  check_all_is_watched();
  uv_run(loop, UV_RUN_NOWAIT);
  refused = call_count;
  ASSERT_EQ(system("rm -r out/x"), 0);
  check_all_is_watched();
  stop(0);
  refused = call;
}

TEST_IMPL_LIMIT(directories_that_leave_where_calls_fail, 120) {
  for_each_failure(move_out_and_check);
}

static void trees_and_check(void) {
  int which;
  for (which = 0; which < 2; which++) {
    ASSERT_OK(uv_fs_event_init(loop, &handles[which]));
    if (try_start(which, "w") != 0) ASSERT_OK(try_start(which, "w"));
  }
  check_all_is_watched();
  lose_events();
  run_until(loop, &events_lost[1], 1);
  check_all_is_watched();
  for (which = 0; which < 2; which++) {
    ASSERT_LE(failures[which], 1);
    if (refused_count == 0) ASSERT_EQ(failures[which], 0);
  }
  stop(0);
  check_all_is_watched();
  stop(1);
}

TEST_IMPL_LIMIT(several_trees_where_calls_fail, 120) {
  for_each_failure(trees_and_check);
}

/* --- Lasting failures -------------------------------------------------------------------- */

static void expect_failure(int which, int error) {
  run_until(loop, &failures[which], 1);
  ASSERT_EQ(failure[which], error);
  failures[which] = 0;
}

/* It is reported once, and known directories go on. */
static void lasting(enum call call, int error) {
  int i;
  make_tree();
  start(0, "w");
  refuse(call, 0, -1, error);
  lose_events();
  expect_failure(0, uv_translate_sys_error(error));
  check_all_is_watched();
  ASSERT_OK(mkdir("w/late", 0755));
  touch("w/late/file");
  await("late");
  run_until_reported();
  /* More and more seldom. */
  for (i = refused_count + 3; refused_count < i;) uv_run(loop, UV_RUN_ONCE);
  ASSERT_LE(failures[0], 1);
  refuse(call_count, 0, 0, 0);
  await("late/file");
  run_until_reported();
  await("late/later");
  touch("w/late/later");
  run_until_reported();
  check_all_is_watched();
  ASSERT_LE(failures[0], 1);
  stop(0);
  leave();
}

TEST_IMPL(no_descriptors_for_a_while) {
  lasting(OPEN, EMFILE);
}

TEST_IMPL(no_memory_for_streams_for_a_while) {
  lasting(OPEN_STREAM, ENOMEM);
}

TEST_IMPL(directories_that_cannot_be_read_for_a_while) {
  lasting(NEXT_ENTRY, EIO);
}

TEST_IMPL(no_watches_for_a_while) {
  lasting(ADD_WATCH, ENOSPC);
}

TEST_IMPL(no_memory_for_a_while) {
  OXUV_ONLY();
  ASSERT_OK(uv_replace_allocator(my_malloc, my_realloc, my_calloc, free));
  make_tree();
  start(0, "w");
  refuse(ALLOCATE, 0, 1000, ENOMEM);
  lose_events();
  ASSERT_OK(mkdir("w/late", 0755));
  touch("w/late/file");
  while (refused_count < 10) uv_run(loop, UV_RUN_ONCE);
  refuse(call_count, 0, 0, 0);
  await("late/later");
  for (; awaited_count > 0 && !is_reported[0][0];) {
    touch("w/late/later");
    ASSERT_OK(unlink("w/late/later"));
    uv_run(loop, UV_RUN_ONCE);
  }
  await_nothing();
  check_all_is_watched();
  stop(0);
  leave();
}

/* What cannot be scanned does not keep a loop alive that has nothing else. */
TEST_IMPL(retries_do_not_keep_the_loop_alive) {
  make_tree();
  start(0, "w");
  refuse(OPEN, 0, -1, EMFILE);
  lose_events();
  expect_failure(0, UV_EMFILE);
  uv_unref((uv_handle_t*) &handles[0]);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  stop(0);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  leave();
}

static void count_handle(uv_handle_t* handle, void* count) {
  ++*(int*) count;
}

TEST_IMPL(retries_show_no_handle) {
  int count = 0;
  make_tree();
  start(0, "w");
  refuse(OPEN, 0, -1, EMFILE);
  lose_events();
  expect_failure(0, UV_EMFILE);
  uv_walk(loop, count_handle, &count);
  ASSERT_EQ(count, 1);
  stop(0);
  /* Nor does it keep the loop from being closed. */
  ASSERT_OK(uv_loop_close(loop));
  loop = uv_default_loop();
  leave();
}

static void close_when_reported(uv_fs_event_t* handle, const char* name, int events, int status) {
  if (status == 0) return;
  failures[index_of(handle)]++;
  uv_close((uv_handle_t*) handle, NULL);
}

static void restart_when_reported(uv_fs_event_t* handle, const char* name, int events, int status) {
  if (status == 0) return;
  failures[index_of(handle)]++;
  ASSERT_OK(uv_fs_event_stop(handle));
  refuse(call_count, 0, 0, 0);
  ASSERT_OK(uv_fs_event_start(handle, on_event, "w", UV_FS_EVENT_RECURSIVE));
}

TEST_IMPL(closing_when_a_failure_is_reported) {
  int which;
  make_tree();
  for (which = 0; which < 2; which++) {
    ASSERT_OK(uv_fs_event_init(loop, &handles[which]));
    ASSERT_OK(uv_fs_event_start(&handles[which], close_when_reported, "w", UV_FS_EVENT_RECURSIVE));
  }
  refuse(NEXT_ENTRY, 0, -1, EIO);
  lose_events();
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(failures[0], 1);
  ASSERT_EQ(failures[1], 1);
  leave();
}

TEST_IMPL(closing_when_reported_at_the_start) {
  make_tree();
  ASSERT_OK(uv_fs_event_init(loop, &handles[0]));
  refuse(NEXT_ENTRY, 3, -1, EIO);
  ASSERT_OK(uv_fs_event_start(&handles[0], close_when_reported, "w", UV_FS_EVENT_RECURSIVE));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(failures[0], 1);
  leave();
}

TEST_IMPL(starting_anew_when_a_failure_is_reported) {
  make_tree();
  ASSERT_OK(uv_fs_event_init(loop, &handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], restart_when_reported, "w", UV_FS_EVENT_RECURSIVE));
  refuse(OPEN, 2, -1, EMFILE);
  lose_events();
  run_until(loop, &failures[0], 1);
  check_all_is_watched();
  stop(0);
  leave();
}

/* --- Rights ------------------------------------------------------------------------------ */

/* A directory that may not be read is no failure; it is watched as soon as it may be. */
TEST_IMPL(a_directory_that_may_be_read_later) {
  make_tree();
  ASSERT_OK(mkdir("out/x", 0755));
  ASSERT_OK(mkdir("out/x/y", 0755));
  touch("out/x/file");
  start(0, "w");
  /* The root is opened, the new one is not. */
  refuse(OPEN, 1, 1, EACCES);
  ASSERT_OK(rename("out/x", "w/x"));
  await("x");
  run_until_reported();
  ASSERT_EQ(refused_count, 1);
  ASSERT_OK(chmod("w/x", 0700));
  await("x/file");
  await("x/y");
  run_until_reported();
  await("x/y/later");
  touch("w/x/y/later");
  run_until_reported();
  ASSERT_EQ(has_other_than_names(), 0);
  stop(0);
  leave();
}

TEST_IMPL(a_watched_directory_that_may_not_be_read_later) {
  make_tree();
  start(0, "w");
  /* The root is opened, what is first in it is not. */
  refuse(OPEN, 1, 1, EACCES);
  lose_events();
  run_until(loop, &events_lost[0], 1);
  ASSERT_EQ(refused_count, 1);
  check_all_is_watched();
  ASSERT_EQ(failures[0], 0);
  stop(0);
  leave();
}

/* --- Forks ------------------------------------------------------------------------------- */

static void in_child(void (*body)(void)) {
  int status;
  pid_t pid;
  fflush(stdout);
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    body();
    fflush(stdout);
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

static void fork_and_check(void) {
  ASSERT_OK(uv_loop_fork(loop));
  check_all_is_watched();
  ASSERT_EQ(failures[0], refused_count > 0);
}

/* Does what `for_each_call` does, each in a child: what it counts is lost with it. */
TEST_IMPL_LIMIT(a_forked_loop_whose_calls_fail, 120) {
  static const enum call calls[] = {OPEN, OPEN_STREAM, NEXT_ENTRY};
  int i, after;
  make_tree();
  NOT_WITH_THREAD_SANITIZER("starts no threads in a forked child");
  start(0, "w");
  for (i = 0; i < 3; i++)
    for (after = 0; after < 8; after++) {
      refuse(calls[i], after, 1, EIO);
      in_child(fork_and_check);
    }
  /* The first watch is that of the root. */
  for (after = 1; after < 8; after++) {
    refuse(ADD_WATCH, after, 1, ENOSPC);
    in_child(fork_and_check);
  }
  refuse(call_count, 0, 0, 0);
  stop(0);
  leave();
}

static void fork_without_instance(void) {
  ASSERT_EQ(uv_loop_fork(loop), UV_EMFILE);
  refuse(call_count, 0, 0, 0);
  /* Handles that are started anew have an instance of the child's own. */
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], on_event, "w", UV_FS_EVENT_RECURSIVE));
  check_all_is_watched();
  start(1, "w/a");
  await("later");
  touch("w/a/later");
  touch("w/later");
  run_until_reported();
  uv_close((uv_handle_t*) &handles[0], NULL);
  uv_close((uv_handle_t*) &handles[1], NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(loop));
}

static void fork_and_end_without_instance(void) {
  ASSERT_EQ(uv_loop_fork(loop), UV_EMFILE);
  uv_close((uv_handle_t*) &handles[0], NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv_loop_close(loop));
}

TEST_IMPL(a_forked_loop_that_gets_no_instance) {
  make_tree();
  NOT_WITH_THREAD_SANITIZER("starts no threads in a forked child");
  start(0, "w");
  refuse(INSTANCE, 0, -1, EMFILE);
  in_child(fork_without_instance);
  in_child(fork_and_end_without_instance);
  refuse(call_count, 0, 0, 0);
  /* Its parent's instance was left alone. */
  check_all_is_watched();
  ASSERT_EQ(has_other_than_names(), 0);
  stop(0);
  leave();
}

static int forked = -1;

static void fork_in_callback(uv_fs_event_t* handle, const char* name, int events, int status) {
  if (forked == -1) {
    forked = fork();
    if (forked == 0) {
      /* The watches get other numbers than they had. */
      uv_close((uv_handle_t*) &handles[1], NULL);
      ASSERT_OK(uv_loop_fork(loop));
      return;
    }
  }
  if (forked == 0) ASSERT_STR_EQ(name, "child");
  if (strcmp(name, forked == 0 ? "child" : "last") == 0) is_complete = 1;
}

/* What was read before is the parent's. */
TEST_IMPL(a_fork_in_a_callback) {
  int status;
  make_tree();
  NOT_WITH_THREAD_SANITIZER("starts no threads in a forked child");
  ASSERT_OK(uv_fs_event_init(loop, &handles[1]));
  ASSERT_OK(uv_fs_event_start(&handles[1], on_event, "w/b", 0));
  ASSERT_OK(uv_fs_event_init(loop, &handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], fork_in_callback, "w/a", 0));
  touch("w/a/first");
  touch("w/b/second");
  touch("w/a/last");
  is_complete = 0;
  while (forked == -1) uv_run(loop, UV_RUN_ONCE);
  if (forked == 0) {
    touch("w/a/child");
    run_until(loop, &is_complete, 1);
    fflush(stdout);
    _exit(0);
  }
  run_until(loop, &is_complete, 1);
  ASSERT_EQ(waitpid(forked, &status, 0), forked);
  ASSERT_EQ(status, 0);
  stop(0);
  stop(1);
  leave();
}

/* --- Events that cannot be read ---------------------------------------------------------- */

static void on_timer(uv_timer_t* timer) {
  *(int*) timer->data = 1;
}

static void reads_fail(int error, unsigned flags) {
  uv_timer_t timer;
  int is_over = 0;
  make_tree();
  ASSERT_OK(uv_fs_event_init(loop, &handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], on_event, "w", flags));
  ASSERT_OK(uv_fs_event_init(loop, &handles[1]));
  ASSERT_OK(uv_fs_event_start(&handles[1], on_event, "w", 0));
  refuse(READ, 0, -1, error);
  touch("w/file");
  expect_failure(0, uv_translate_sys_error(error));
  expect_failure(1, uv_translate_sys_error(error));
  reads = 0;
  timer.data = &is_over;
  ASSERT_OK(uv_timer_init(loop, &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 300, 0));
  run_until(loop, &is_over, 1);
  /* Once for each handle, and at growing intervals. */
  ASSERT_EQ(failures[0], 0);
  ASSERT_EQ(failures[1], 0);
  ASSERT_LT(reads, 50);
  uv_close((uv_handle_t*) &timer, NULL);
  refuse(call_count, 0, 0, 0);
  await("file");
  await("file2");
  touch("w/file2");
  run_until_reported();
  ASSERT_EQ(has_other_than_names(), 0);
  /* It is reported again when it happens again. */
  refuse(READ, 0, 3, error);
  touch("w/file3");
  expect_failure(0, uv_translate_sys_error(error));
  await("file3");
  run_until_reported();
  stop(0);
  stop(1);
  leave();
}

TEST_IMPL(events_that_cannot_be_read) {
  reads_fail(EIO, 0);
}

TEST_IMPL(events_of_a_tree_that_cannot_be_read) {
  reads_fail(EINVAL, UV_FS_EVENT_RECURSIVE);
}

TEST_IMPL(no_memory_for_events) {
  reads_fail(ENOMEM, 0);
}

TEST_IMPL(closing_when_events_cannot_be_read) {
  int which;
  make_tree();
  for (which = 0; which < 2; which++) {
    ASSERT_OK(uv_fs_event_init(loop, &handles[which]));
    ASSERT_OK(uv_fs_event_start(&handles[which], close_when_reported, "w", 0));
  }
  refuse(READ, 0, -1, EIO);
  touch("w/file");
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(failures[0], 1);
  ASSERT_EQ(failures[1], 1);
  /* One that is started while it lasts gets its events. */
  start(0, "w");
  touch("w/file2");
  uv_run(loop, UV_RUN_NOWAIT);
  refuse(call_count, 0, 0, 0);
  check_all_is_watched();
  stop(0);
  leave();
}
