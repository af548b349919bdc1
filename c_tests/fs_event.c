/* https://docs.libuv.org/en/v1.x/fs_event.html; whole trees are in fs_event_tree.c. */
#include "task.h"

#include <sched.h>
#include <stdarg.h>

enum { most = 40000 };

struct event {
  uv_fs_event_t* handle;
  char name[32];
  int has_name;
  int events;
  int status;
};

static uv_fs_event_t handles[4];
static struct event reported[most];
static int count;
static int closed;

static void on_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  ASSERT_LT(count, most);
  reported[count].handle = handle;
  reported[count].has_name = name != NULL;
  snprintf(reported[count].name, sizeof(reported[count].name), "%s", name == NULL ? "" : name);
  reported[count].events = events;
  reported[count].status = status;
  count++;
}

static void never(uv_fs_event_t* handle, const char* name, int events, int status) {
  FAIL("called for %p: %s %d %d", (void*) handle, name, events, status);
}

static void on_close(uv_handle_t* handle) {
  (void) handle;
  closed++;
}

static void iterate(void) {
  int i;
  for (i = 0; i < 3; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

/* Exactly these events were reported since the last time, in pairs of name and events. */
static void expect(const char* first, ...) {
  const char* name = first;
  int i;
  va_list list;
  iterate();
  va_start(list, first);
  for (i = 0; name != NULL; i++) {
    int events = va_arg(list, int);
    if (i >= count) FAIL("no event for %s", name);
    ASSERT_OK(reported[i].status);
    ASSERT_STR_EQ(reported[i].name, name);
    ASSERT_EQ(reported[i].events, events);
    name = va_arg(list, const char*);
  }
  va_end(list);
  if (count > i) FAIL("an event too many: %s %d", reported[i].name, reported[i].events);
  count = 0;
}

static void touch(const char* path) {
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  ASSERT_GE(fd, 0);
  close(fd);
}

static void add_to(const char* path) {
  int fd = open(path, O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "x", 1), 1);
  close(fd);
}

/* How many watches the process has. */
static int watch_count(void) {
  char path[64];
  char line[256];
  int total = 0;
  int fd;
  for (fd = 0; fd < 100; fd++) {
    FILE* info;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    info = fopen(path, "r");
    if (info == NULL) continue;
    while (fgets(line, sizeof(line), info) != NULL)
      if (strncmp(line, "inotify wd:", 11) == 0) total++;
    fclose(info);
  }
  return total;
}

static void start(int index, const char* path) {
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[index]));
  ASSERT_OK(uv_fs_event_start(&handles[index], on_event, path, 0));
}

static void enter_tmpdir(void) {
  ASSERT_OK(chdir(test_tmpdir()));
  ASSERT_OK(mkdir("w", 0755));
  ASSERT_OK(mkdir("other", 0755));
}

static void leave(void) {
  ASSERT_OK(chdir("/"));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_happens_in_a_directory) {
  enter_tmpdir();
  start(0, "w");
  touch("w/a");
  expect("a", UV_RENAME, NULL);
  add_to("w/a");
  expect("a", UV_CHANGE, NULL);
  ASSERT_OK(chmod("w/a", 0600));
  expect("a", UV_CHANGE, NULL);
  ASSERT_OK(rename("w/a", "w/b"));
  expect("a", UV_RENAME, "b", UV_RENAME, NULL);
  ASSERT_OK(rename("w/b", "other/b"));
  expect("b", UV_RENAME, NULL);
  add_to("other/b");
  expect(NULL);
  ASSERT_OK(rename("other/b", "w/c"));
  expect("c", UV_RENAME, NULL);
  ASSERT_OK(link("w/c", "w/d"));
  expect("d", UV_RENAME, NULL);
  ASSERT_OK(unlink("w/c"));
  expect("c", UV_RENAME, NULL);
  ASSERT_OK(mkdir("w/s", 0755));
  expect("s", UV_RENAME, NULL);
  touch("w/s/deep");
  expect(NULL);
  leave();
}

TEST_IMPL(what_happens_to_a_directory_itself) {
  enter_tmpdir();
  start(0, "w");
  ASSERT_OK(chmod("w", 0700));
  expect("w", UV_RENAME | UV_CHANGE, NULL);
  ASSERT_OK(rename("w", "v"));
  expect("w", UV_RENAME, NULL);
  touch("v/a");
  expect("a", UV_RENAME, NULL);
  ASSERT_OK(unlink("v/a"));
  expect("a", UV_RENAME, NULL);
  ASSERT_OK(rmdir("v"));
  expect("w", UV_RENAME, "w", UV_RENAME, NULL);
  ASSERT(uv_is_active((uv_handle_t*) &handles[0]));
  /* The name is free for another file, which is not watched. */
  ASSERT_OK(mkdir("w", 0755));
  touch("w/a");
  expect(NULL);
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], on_event, "w", 0));
  touch("w/b");
  expect("b", UV_RENAME, NULL);
  leave();
}

TEST_IMPL(what_happens_to_a_file) {
  enter_tmpdir();
  touch("w/f");
  touch("w/g");
  start(0, "w/f");
  add_to("w/g");
  expect(NULL);
  add_to("w/f");
  expect("f", UV_CHANGE, NULL);
  ASSERT_OK(chmod("w/f", 0600));
  expect("f", UV_CHANGE, NULL);
  ASSERT_OK(rename("w/f", "w/h"));
  expect("f", UV_RENAME, NULL);
  add_to("w/h");
  expect("f", UV_CHANGE, NULL);
  ASSERT_OK(unlink("w/h"));
  /* One link less, deleted, watched no more. */
  expect("f", UV_CHANGE, "f", UV_RENAME, "f", UV_RENAME, NULL);
  leave();
}

TEST_IMPL(links_are_followed) {
  enter_tmpdir();
  touch("f");
  ASSERT_OK(symlink("f", "l"));
  start(0, "l");
  add_to("f");
  expect("l", UV_CHANGE, NULL);
  ASSERT_OK(unlink("l"));
  expect(NULL);
  leave();
}

TEST_IMPL(the_last_part_of_the_path_names_what_is_watched) {
  static const char* paths[] = {"w", "./w", "other/../w", "."};
  static const char* names[] = {"w", "w", "w", "."};
  int i;
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  for (i = 0; i < 4; i++) {
    ASSERT_OK(uv_fs_event_start(&handles[0], on_event, paths[i], 0));
    ASSERT_OK(chmod(paths[i], 0700));
    expect(names[i], UV_RENAME | UV_CHANGE, NULL);
    ASSERT_OK(uv_fs_event_stop(&handles[0]));
  }
  leave();
}

TEST_IMPL(slashes_at_the_end_are_no_part) {
  OXUV_ONLY();
  enter_tmpdir();
  start(0, "w///");
  ASSERT_OK(chmod("w", 0700));
  expect("w", UV_RENAME | UV_CHANGE, NULL);
  leave();
}

TEST_IMPL(start_reports_errors) {
  char path[256];
  size_t size = sizeof(path);
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  ASSERT_EQ(uv_fs_event_start(&handles[0], never, "w/nothing", 0), UV_ENOENT);
  ASSERT_EQ(uv_fs_event_start(&handles[0], never, "", 0), UV_ENOENT);
  ASSERT_EQ(uv_fs_event_start(&handles[0], never, "w/nothing", UV_FS_EVENT_RECURSIVE), UV_ENOENT);
  ASSERT(!uv_is_active((uv_handle_t*) &handles[0]));
  ASSERT_EQ(uv_fs_event_getpath(&handles[0], path, &size), UV_EINVAL);
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], never, "w", 0));
  ASSERT(uv_is_active((uv_handle_t*) &handles[0]));
  ASSERT_EQ(uv_fs_event_start(&handles[0], never, "w", 0), UV_EINVAL);
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  leave();
}

TEST_IMPL(start_refuses_what_cannot_work) {
  OXUV_ONLY();
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  ASSERT_EQ(uv_fs_event_start(&handles[0], NULL, "w", 0), UV_EINVAL);
  ASSERT_EQ(uv_fs_event_start(&handles[0], never, NULL, 0), UV_EINVAL);
  uv_close((uv_handle_t*) &handles[0], NULL);
  ASSERT_EQ(uv_fs_event_start(&handles[0], never, "w", 0), UV_EINVAL);
  leave();
}

TEST_IMPL(getpath_gives_the_path_as_it_was_given) {
  static const char* paths[] = {"w", "w/", "w///", "other/../w", "other//..//w//"};
  char path[64];
  size_t size;
  int i;
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  for (i = 0; i < 5; i++) {
    size_t length = strlen(paths[i]);
    ASSERT_OK(uv_fs_event_start(&handles[0], never, paths[i], 0));
    size = length;
    ASSERT_EQ(uv_fs_event_getpath(&handles[0], path, &size), UV_ENOBUFS);
    ASSERT_EQ(size, length + 1);
    memset(path, 'x', sizeof(path));
    ASSERT_OK(uv_fs_event_getpath(&handles[0], path, &size));
    ASSERT_EQ(size, length);
    ASSERT_STR_EQ(path, paths[i]);
    ASSERT_EQ(path[length + 1], 'x');
    ASSERT_OK(uv_fs_event_stop(&handles[0]));
  }
  leave();
}

TEST_IMPL(handles_share_a_watch) {
  int i;
  enter_tmpdir();
  for (i = 0; i < 4; i++) start(i, i % 2 ? "w" : "./w");
  ASSERT_EQ(watch_count(), 1);
  touch("w/a");
  iterate();
  ASSERT_EQ(count, 4);
  for (i = 0; i < 4; i++) {
    ASSERT_PTR_EQ(reported[i].handle, &handles[i]);
    ASSERT_STR_EQ(reported[i].name, "a");
  }
  count = 0;
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  uv_close((uv_handle_t*) &handles[2], NULL);
  touch("w/b");
  iterate();
  ASSERT_EQ(count, 2);
  ASSERT_PTR_EQ(reported[0].handle, &handles[1]);
  ASSERT_PTR_EQ(reported[1].handle, &handles[3]);
  ASSERT_OK(uv_fs_event_stop(&handles[1]));
  ASSERT_EQ(watch_count(), 1);
  ASSERT_OK(uv_fs_event_stop(&handles[3]));
  ASSERT_EQ(watch_count(), 0);
  leave();
}

TEST_IMPL(names_of_one_file_stay_apart) {
  OXUV_ONLY();
  enter_tmpdir();
  touch("a");
  ASSERT_OK(link("a", "b"));
  start(0, "a");
  start(1, "b");
  add_to("a");
  expect("a", UV_CHANGE, "b", UV_CHANGE, NULL);
  leave();
}

static void stop_all(uv_fs_event_t* handle, const char* name, int events, int status) {
  int i;
  /* The name is still there after the handle was stopped. */
  ASSERT_OK(uv_fs_event_stop(handle));
  on_event(handle, name, events, status);
  for (i = 1; i < 3; i++) uv_close((uv_handle_t*) &handles[i], on_close);
}

TEST_IMPL(a_callback_may_stop_and_close_the_others) {
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], stop_all, "w", 0));
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[1]));
  ASSERT_OK(uv_fs_event_start(&handles[1], never, "w", 0));
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[2]));
  ASSERT_OK(uv_fs_event_start(&handles[2], never, "w", 0));
  ASSERT_OK(chmod("w", 0700));
  touch("w/a");
  touch("w/b");
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(count, 1);
  ASSERT_STR_EQ(reported[0].name, "w");
  ASSERT_EQ(closed, 2);
  leave();
}

static void start_another(uv_fs_event_t* handle, const char* name, int events, int status) {
  on_event(handle, name, events, status);
  if (count > 1) return;
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[1]));
  ASSERT_OK(uv_fs_event_start(&handles[1], on_event, "w", 0));
  ASSERT_OK(uv_fs_event_stop(handle));
  ASSERT_OK(uv_fs_event_start(handle, on_event, "w", 0));
}

TEST_IMPL(a_start_in_a_callback_gets_later_events) {
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], start_another, "w", 0));
  touch("w/a");
  iterate();
  ASSERT_EQ(count, 1);
  touch("w/b");
  iterate();
  ASSERT_EQ(count, 3);
  ASSERT_STR_EQ(reported[1].name, "b");
  ASSERT_STR_EQ(reported[2].name, "b");
  leave();
}

TEST_IMPL(nothing_is_reported_after_stopping_or_closing) {
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], never, "w", 0));
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[1]));
  ASSERT_OK(uv_fs_event_start(&handles[1], never, "w", 0));
  touch("w/a");
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  uv_close((uv_handle_t*) &handles[1], on_close);
  ASSERT_EQ(closed, 0);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(closed, 1);
  leave();
}

TEST_IMPL(loops_have_an_inotify_instance_each) {
  uv_loop_t loops[2];
  uv_fs_event_t of[2];
  int before;
  int i;
  enter_tmpdir();
  for (i = 0; i < 2; i++) ASSERT_OK(uv_loop_init(&loops[i]));
  before = fd_count();
  for (i = 0; i < 2; i++) {
    ASSERT_OK(uv_fs_event_init(&loops[i], &of[i]));
    ASSERT_OK(uv_fs_event_start(&of[i], on_event, "w", 0));
    ASSERT_OK(uv_fs_event_stop(&of[i]));
    ASSERT_OK(uv_fs_event_start(&of[i], on_event, "w", 0));
  }
  ASSERT_EQ(fd_count(), before + 2);
  touch("w/a");
  uv_run(&loops[0], UV_RUN_NOWAIT);
  ASSERT_EQ(count, 1);
  ASSERT_PTR_EQ(reported[0].handle, &of[0]);
  uv_run(&loops[1], UV_RUN_NOWAIT);
  ASSERT_EQ(count, 2);
  for (i = 0; i < 2; i++) close_loop(&loops[i]);
  leave();
}

TEST_IMPL(a_started_handle_keeps_the_loop_alive) {
  enter_tmpdir();
  start(0, "w");
  ASSERT(uv_loop_alive(uv_default_loop()));
  uv_unref((uv_handle_t*) &handles[0]);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  uv_ref((uv_handle_t*) &handles[0]);
  ASSERT(uv_loop_alive(uv_default_loop()));
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  ASSERT(!uv_loop_alive(uv_default_loop()));
  leave();
}

/* Makes more events than the kernel keeps. */
static void overflow(const char* dir) {
  char path[512];
  char line[32] = "0";
  FILE* limit = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  int most_kept;
  int fd;
  int i;
  if (limit == NULL) SKIP("no limit of events known");
  ASSERT_NOT_NULL(fgets(line, sizeof(line), limit));
  fclose(limit);
  most_kept = atoi(line);
  if (most_kept + 1000 > most) SKIP("too many events to overflow");
  snprintf(path, sizeof(path), "%s/a", dir);
  touch(path);
  fd = open(path, O_WRONLY);
  /* Changes and additions in turn: equal events in a row would be one. */
  for (i = 0; i < most_kept / 2 + 100; i++) {
    ASSERT_OK(chmod(dir, 0700));
    ASSERT_EQ(write(fd, "x", 1), 1);
  }
  close(fd);
}

TEST_IMPL(an_overflow_is_reported_to_all) {
  OXUV_ONLY();
  int found[2] = {0, 0};
  int i;
  enter_tmpdir();
  start(0, "w");
  start(1, "other");
  overflow("w");
  iterate();
  iterate();
  for (i = 0; i < count; i++) {
    ASSERT_OK(reported[i].status);
    if (reported[i].has_name) continue;
    ASSERT_EQ(reported[i].events, UV_CHANGE);
    found[reported[i].handle - handles]++;
  }
  ASSERT_EQ(found[0], 1);
  ASSERT_EQ(found[1], 1);
  count = 0;
  touch("other/a");
  expect("a", UV_RENAME, NULL);
  leave();
}

/* Files that come and go while the directory is watched again and again. */
enum { fleeting = 30000, ahead = 4000 };

static int fleeting_reported[fleeting];
static int fleeting_total;

static void on_fleeting(uv_fs_event_t* handle, const char* name, int events, int status) {
  (void) handle;
  ASSERT_OK(status);
  ASSERT_EQ(events, UV_RENAME);
  ASSERT_NOT_NULL(name);
  fleeting_reported[atoi(name)]++;
  __atomic_add_fetch(&fleeting_total, 1, __ATOMIC_RELEASE);
}

static void on_repeated(uv_fs_event_t* handle, const char* name, int events, int status) {
  (void) handle, (void) name, (void) events;
  ASSERT_OK(status);
}

static void make_fleeting(void* arg) {
  char path[32];
  int i;
  for (i = 0; i < fleeting; i++) {
    /* Never so far ahead of the loop that the kernel's queue would overflow. */
    while (2 * i - __atomic_load_n(&fleeting_total, __ATOMIC_ACQUIRE) > ahead)
      sched_yield();
    snprintf(path, sizeof(path), "w/%d", i);
    touch(path);
    ASSERT_OK(unlink(path));
  }
  __atomic_store_n((int*) arg, 1, __ATOMIC_RELEASE);
}

/* The kernel must not lose, for a moment, what is watched for. */
TEST_IMPL_LIMIT(watching_again_loses_nothing, 120) {
  OXUV_ONLY();
  uv_thread_t thread;
  int over = 0;
  int i;
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[0]));
  ASSERT_OK(uv_fs_event_start(&handles[0], on_fleeting, "w", 0));
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &handles[1]));
  ASSERT_OK(uv_thread_create(&thread, make_fleeting, &over));
  while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
    for (i = 0; i < 500; i++) {
      unsigned int flags = i % 100 == 0 ? UV_FS_EVENT_RECURSIVE : 0;
      ASSERT_OK(uv_fs_event_start(&handles[1], on_repeated, "w", flags));
      ASSERT_OK(uv_fs_event_stop(&handles[1]));
    }
    iterate();
  }
  ASSERT_OK(uv_thread_join(&thread));
  iterate();
  for (i = 0; i < fleeting; i++)
    if (fleeting_reported[i] != 2) FAIL("%d was reported %d times", i, fleeting_reported[i]);
  leave();
}

enum { folders = 200 };

static uv_fs_event_t watchers[folders];
static int reported_by[folders];
static int reported_total;

static void on_folder(uv_fs_event_t* handle, const char* name, int events, int status) {
  char expected[32];
  int number = (int) (handle - watchers);
  ASSERT_OK(status);
  ASSERT_EQ(events, UV_RENAME);
  snprintf(expected, sizeof(expected), "file%d", number);
  ASSERT_STR_EQ(name, expected);
  reported_by[number]++;
  reported_total++;
}

static void in_child(void (*run)(void)) {
  int status;
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    run();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

static void fill_folders(void) {
  char path[64];
  int i;
  for (i = 0; i < folders; i++) {
    snprintf(path, sizeof(path), "w/%d/file%d", i, i);
    touch(path);
  }
}

TEST_IMPL(two_hundred_directories) {
  char path[64];
  int i;
  enter_tmpdir();
  for (i = 0; i < folders; i++) {
    snprintf(path, sizeof(path), "w/%d", i);
    ASSERT_OK(mkdir(path, 0755));
    ASSERT_OK(uv_fs_event_init(uv_default_loop(), &watchers[i]));
    ASSERT_OK(uv_fs_event_start(&watchers[i], on_folder, path, 0));
  }
  ASSERT_EQ(watch_count(), folders);
  in_child(fill_folders);
  run_until(uv_default_loop(), &reported_total, folders);
  iterate();
  for (i = 0; i < folders; i++) ASSERT_EQ(reported_by[i], 1);
  for (i = 0; i < folders; i += 2) ASSERT_OK(uv_fs_event_stop(&watchers[i]));
  ASSERT_EQ(watch_count(), folders / 2);
  leave();
}

static void watch_after_fork(void) {
  ASSERT_OK(uv_loop_fork(uv_default_loop()));
  touch("w/child");
  expect("child", UV_RENAME, NULL);
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
}

TEST_IMPL(a_forked_loop_watches_anew) {
  enter_tmpdir();
  start(0, "w");
  in_child(watch_after_fork);
  /* The parent's watch was left alone. */
  ASSERT_EQ(watch_count(), 1);
  expect("child", UV_RENAME, NULL);
  leave();
}

static void fork_with_a_path_gone(void) {
  ASSERT_EQ(uv_loop_fork(uv_default_loop()), UV_ENOENT);
  touch("w/child");
  expect("child", UV_RENAME, NULL);
  ASSERT_OK(uv_fs_event_stop(&handles[0]));
  ASSERT_OK(uv_fs_event_stop(&handles[1]));
}

TEST_IMPL(a_path_that_is_gone_does_not_keep_a_forked_loop_from_the_others) {
  OXUV_ONLY();
  enter_tmpdir();
  start(0, "other");
  start(1, "w");
  ASSERT_OK(rename("other", "gone"));
  iterate();
  count = 0;
  in_child(fork_with_a_path_gone);
  leave();
}
