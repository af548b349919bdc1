/* UV_FS_EVENT_RECURSIVE: https://docs.libuv.org/en/v1.x/fs_event.html#c.uv_fs_event_flags. libuv
 * accepts the flag on Linux and watches the directory alone. */
#include "task.h"

#include <sched.h>
#include <stdarg.h>

enum { most = 200000 };

struct event {
  char* name;
  int events;
  int status;
};

static uv_fs_event_t root;
static struct event reported[most];
static int count;
static int done;

static void on_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  (void) handle;
  ASSERT_LT(count, most);
  reported[count].name = name == NULL ? NULL : strdup(name);
  reported[count].events = events;
  reported[count].status = status;
  count++;
  if (name != NULL && strcmp(name, "done") == 0) done = 1;
}

static void clear(void) {
  while (count > 0) free(reported[--count].name);
}

static void iterate(void) {
  int i;
  for (i = 0; i < 5; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

static int was_reported(const char* name) {
  int i;
  for (i = 0; i < count; i++)
    if (reported[i].name != NULL && strcmp(reported[i].name, name) == 0) return 1;
  return 0;
}

/* These names were reported since the last time, and no others. */
static void expect(const char* first, ...) {
  const char* names[16];
  const char* name = first;
  int total = 0;
  int i, j;
  va_list list;
  iterate();
  va_start(list, first);
  for (; name != NULL; name = va_arg(list, const char*)) names[total++] = name;
  va_end(list);
  for (i = 0; i < total; i++)
    if (!was_reported(names[i])) FAIL("not reported: %s", names[i]);
  for (i = 0; i < count; i++) {
    ASSERT_OK(reported[i].status);
    ASSERT_NOT_NULL(reported[i].name);
    for (j = 0; j < total && strcmp(reported[i].name, names[j]) != 0; j++) continue;
    if (j == total) FAIL("reported though not expected: %s", reported[i].name);
  }
  clear();
}

static void touch(const char* path) {
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  ASSERT_GE(fd, 0);
  close(fd);
}

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

static void start(const char* path) {
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &root));
  ASSERT_OK(uv_fs_event_start(&root, on_event, path, UV_FS_EVENT_RECURSIVE));
}

static void enter_tmpdir(void) {
  OXUV_ONLY();
  ASSERT_OK(chdir(test_tmpdir()));
  ASSERT_OK(mkdir("w", 0755));
  ASSERT_OK(mkdir("w/a", 0755));
  ASSERT_OK(mkdir("w/a/b", 0755));
  ASSERT_OK(mkdir("out", 0755));
  touch("w/a/b/file");
}

static void leave(void) {
  clear();
  ASSERT_OK(chdir("/"));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(names_are_relative_to_the_root) {
  enter_tmpdir();
  start("w");
  /* What was there before is not reported. */
  expect(NULL);
  ASSERT_EQ(watch_count(), 3);
  touch("w/x");
  expect("x", NULL);
  touch("w/a/y");
  expect("a/y", NULL);
  ASSERT_OK(chmod("w/a/b/file", 0600));
  iterate();
  ASSERT_EQ(count, 1);
  ASSERT_STR_EQ(reported[0].name, "a/b/file");
  ASSERT_EQ(reported[0].events, UV_CHANGE);
  clear();
  ASSERT_OK(unlink("w/a/b/file"));
  iterate();
  ASSERT_EQ(count, 1);
  ASSERT_EQ(reported[0].events, UV_RENAME);
  expect("a/b/file", NULL);
  /* Reported once, by the directory above. */
  ASSERT_OK(chmod("w/a/b", 0700));
  iterate();
  ASSERT_EQ(count, 1);
  expect("a/b", NULL);
  ASSERT_OK(chmod("w", 0700));
  expect("w", NULL);
  leave();
}

TEST_IMPL(new_directories_are_watched_with_what_is_in_them) {
  enter_tmpdir();
  start("w");
  ASSERT_OK(mkdir("w/n", 0755));
  ASSERT_OK(mkdir("w/n/m", 0755));
  ASSERT_OK(mkdir("w/n/m/l", 0755));
  touch("w/n/m/l/file");
  touch("w/n/file");
  expect("n", "n/m", "n/m/l", "n/m/l/file", "n/file", NULL);
  touch("w/n/m/l/later");
  expect("n/m/l/later", NULL);
  ASSERT_OK(unlink("w/n/m/l/later"));
  expect("n/m/l/later", NULL);
  leave();
}

TEST_IMPL(renamed_directories_keep_their_watches) {
  enter_tmpdir();
  start("w");
  ASSERT_OK(rename("w/a", "w/z"));
  expect("a", "z", NULL);
  ASSERT_EQ(watch_count(), 3);
  touch("w/z/b/one");
  expect("z/b/one", NULL);
  ASSERT_OK(rename("w/z/b", "w/b"));
  expect("z/b", "b", NULL);
  touch("w/b/two");
  touch("w/z/three");
  expect("b/two", "z/three", NULL);
  ASSERT_OK(rename("w/z", "w/b/z"));
  touch("w/b/z/four");
  expect("z", "b/z", "b/z/four", NULL);
  ASSERT_EQ(watch_count(), 3);
  leave();
}

TEST_IMPL(many_renames_before_the_loop_scans) {
  enter_tmpdir();
  start("w");
  ASSERT_OK(rename("w/a", "w/1"));
  ASSERT_OK(rename("w/1", "w/2"));
  ASSERT_OK(rename("w/2/b", "w/3"));
  ASSERT_OK(rename("w/2", "w/3/4"));
  ASSERT_OK(mkdir("w/a", 0755));
  ASSERT_OK(mkdir("w/1", 0755));
  iterate();
  clear();
  ASSERT_EQ(watch_count(), 5);
  touch("w/3/4/p");
  touch("w/3/q");
  touch("w/a/r");
  touch("w/1/s");
  expect("3/4/p", "3/q", "a/r", "1/s", NULL);
  leave();
}

TEST_IMPL(what_is_moved_out_is_watched_no_more) {
  enter_tmpdir();
  start("w");
  ASSERT_OK(rename("w/a", "out/a"));
  expect("a", NULL);
  ASSERT_EQ(watch_count(), 1);
  touch("out/a/x");
  touch("out/a/b/x");
  expect(NULL);
  leave();
}

TEST_IMPL(what_is_moved_in_is_reported_with_its_contents) {
  enter_tmpdir();
  ASSERT_OK(mkdir("out/d", 0755));
  ASSERT_OK(mkdir("out/d/e", 0755));
  touch("out/d/e/file");
  start("w");
  ASSERT_OK(rename("out/d", "w/d"));
  expect("d", "d/e", "d/e/file", NULL);
  touch("w/d/e/later");
  expect("d/e/later", NULL);
  leave();
}

TEST_IMPL(a_directory_may_replace_another) {
  enter_tmpdir();
  ASSERT_OK(mkdir("w/empty", 0755));
  start("w");
  ASSERT_OK(rename("w/a", "w/empty"));
  expect("a", "empty", NULL);
  ASSERT_EQ(watch_count(), 3);
  touch("w/empty/b/x");
  expect("empty/b/x", NULL);
  leave();
}

TEST_IMPL(removed_directories_are_watched_no_more) {
  int i;
  enter_tmpdir();
  start("w");
  for (i = 0; i < 50; i++) {
    ASSERT_OK(unlink("w/a/b/file"));
    ASSERT_OK(rmdir("w/a/b"));
    ASSERT_OK(rmdir("w/a"));
    iterate();
    ASSERT_EQ(watch_count(), 1);
    ASSERT_OK(mkdir("w/a", 0755));
    ASSERT_OK(mkdir("w/a/b", 0755));
    touch("w/a/b/file");
    iterate();
    ASSERT(was_reported("a/b/file"));
    ASSERT_EQ(watch_count(), 3);
    clear();
  }
  ASSERT_OK(uv_fs_event_stop(&root));
  ASSERT_EQ(watch_count(), 0);
  leave();
}

TEST_IMPL(symbolic_links_are_not_followed) {
  enter_tmpdir();
  ASSERT_OK(symlink("../out", "w/l"));
  ASSERT_OK(symlink("..", "w/a/up"));
  start("w");
  ASSERT_EQ(watch_count(), 3);
  touch("out/x");
  expect(NULL);
  ASSERT_OK(symlink("../out", "w/m"));
  expect("m", NULL);
  touch("out/y");
  expect(NULL);
  leave();
}

TEST_IMPL(the_root_may_be_a_link) {
  enter_tmpdir();
  ASSERT_OK(symlink("w", "l"));
  start("l");
  touch("w/a/x");
  expect("a/x", NULL);
  leave();
}

TEST_IMPL(of_a_file_there_is_no_tree) {
  enter_tmpdir();
  start("w/a/b/file");
  ASSERT_OK(chmod("w/a/b/file", 0600));
  expect("file", NULL);
  leave();
}

TEST_IMPL(the_working_directory_may_change) {
  char path[64];
  size_t size = sizeof(path);
  enter_tmpdir();
  start("w");
  ASSERT_OK(chdir("/"));
  ASSERT_OK(mkdir(test_path("w/n"), 0755));
  touch(test_path("w/n/file"));
  expect("n", "n/file", NULL);
  touch(test_path("w/n/later"));
  expect("n/later", NULL);
  ASSERT_OK(uv_fs_event_getpath(&root, path, &size));
  ASSERT_STR_EQ(path, "w");
  leave();
}

TEST_IMPL(a_root_that_moved_is_watched_on) {
  int i;
  int reported_so = 0;
  enter_tmpdir();
  start("w");
  ASSERT_OK(rename("w", "v"));
  expect("w", NULL);
  touch("v/a/b/x");
  expect("a/b/x", NULL);
  /* What appears in it cannot be reached any more, and that is reported. */
  ASSERT_OK(mkdir("v/n", 0755));
  iterate();
  for (i = 0; i < count; i++)
    if (reported[i].status == UV_ENOENT && strcmp(reported[i].name, "n") == 0) reported_so++;
  ASSERT_EQ(reported_so, 1);
  leave();
}

static uv_fs_event_t other;
static int other_count;

static void on_other(uv_fs_event_t* handle, const char* name, int events, int status) {
  (void) handle, (void) events;
  ASSERT_OK(status);
  ASSERT_STR_EQ(name, "b/x");
  other_count++;
}

TEST_IMPL(trees_may_overlap) {
  uv_fs_event_t plain;
  enter_tmpdir();
  start("w");
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &other));
  ASSERT_OK(uv_fs_event_start(&other, on_other, "w/a", UV_FS_EVENT_RECURSIVE));
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &plain));
  ASSERT_OK(uv_fs_event_start(&plain, on_event, "w/a/b", 0));
  ASSERT_EQ(watch_count(), 3);
  touch("w/a/b/x");
  expect("a/b/x", "x", NULL);
  ASSERT_EQ(other_count, 1);
  ASSERT_OK(uv_fs_event_stop(&root));
  ASSERT_EQ(watch_count(), 2);
  ASSERT_OK(unlink("w/a/b/x"));
  expect("x", NULL);
  ASSERT_EQ(other_count, 2);
  leave();
}

TEST_IMPL(directories_move_from_tree_to_tree) {
  enter_tmpdir();
  start("w");
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &other));
  ASSERT_OK(uv_fs_event_start(&other, on_event, "out", UV_FS_EVENT_RECURSIVE));
  ASSERT_OK(rename("w/a", "out/z"));
  expect("a", "z", "z/b", "z/b/file", NULL);
  ASSERT_EQ(watch_count(), 4);
  touch("out/z/b/x");
  expect("z/b/x", NULL);
  leave();
}

static void stop_at_third(uv_fs_event_t* handle, const char* name, int events, int status) {
  on_event(handle, name, events, status);
  if (count == 3) ASSERT_OK(uv_fs_event_stop(handle));
  ASSERT_LE(count, 3);
}

static void close_at_second(uv_fs_event_t* handle, const char* name, int events, int status) {
  on_event(handle, name, events, status);
  if (count == 2) uv_close((uv_handle_t*) handle, NULL);
  ASSERT_LE(count, 2);
}

TEST_IMPL(a_callback_may_stop_and_close) {
  int i;
  char path[64];
  enter_tmpdir();
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &root));
  ASSERT_OK(uv_fs_event_start(&root, stop_at_third, "w", UV_FS_EVENT_RECURSIVE));
  ASSERT_OK(mkdir("out/n", 0755));
  for (i = 0; i < 10; i++) {
    snprintf(path, sizeof(path), "out/n/%d", i);
    touch(path);
  }
  ASSERT_OK(rename("out/n", "w/n"));
  iterate();
  ASSERT_EQ(count, 3);
  ASSERT_EQ(watch_count(), 0);
  clear();
  ASSERT_OK(uv_fs_event_start(&root, close_at_second, "w", UV_FS_EVENT_RECURSIVE));
  ASSERT_OK(rename("w/n", "out/n"));
  ASSERT_OK(rename("out/n", "w/n"));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(count, 2);
  leave();
}

/* Allows this process that many watches more, by a user namespace of its own. */
static void limit_watches(int limit) {
  char text[16];
  int length = snprintf(text, sizeof(text), "%d", limit);
  int fd;
  if (unshare(CLONE_NEWUSER) != 0) SKIP("no user namespaces");
  fd = open("/proc/sys/user/max_inotify_watches", O_WRONLY);
  if (fd < 0 || write(fd, text, (size_t) length) != length) SKIP("the limit cannot be set");
  close(fd);
}

TEST_IMPL(the_limit_of_watches_is_reported_and_the_rest_goes_on) {
  int reported_so = 0;
  int i;
  enter_tmpdir();
  for (i = 0; i < 20; i++) {
    char path[64];
    snprintf(path, sizeof(path), "w/%d", i);
    ASSERT_OK(mkdir(path, 0755));
  }
  limit_watches(10);
  start("w");
  ASSERT_EQ(count, 0);
  iterate();
  for (i = 0; i < count; i++) {
    ASSERT_EQ(reported[i].status, UV_ENOSPC);
    ASSERT_EQ(reported[i].events, 0);
    ASSERT_NOT_NULL(reported[i].name);
    reported_so++;
  }
  ASSERT_EQ(reported_so, 1);
  ASSERT_EQ(watch_count(), 10);
  clear();
  ASSERT_OK(mkdir("w/new", 0755));
  iterate();
  ASSERT_EQ(count, 2);
  ASSERT_STR_EQ(reported[0].name, "new");
  ASSERT_OK(reported[0].status);
  ASSERT_STR_EQ(reported[1].name, "new");
  ASSERT_EQ(reported[1].status, UV_ENOSPC);
  clear();
  touch("w/file");
  expect("file", NULL);
  ASSERT_OK(uv_fs_event_init(uv_default_loop(), &other));
  ASSERT_EQ(uv_fs_event_start(&other, on_event, "out", UV_FS_EVENT_RECURSIVE), UV_ENOSPC);
  leave();
}

static void watch_as_another_user(void) {
  uv_loop_t loop;
  int i;
  if (geteuid() == 0) {
    ASSERT_OK(setgid(65534));
    ASSERT_OK(setuid(65534));
  }
  ASSERT_OK(uv_loop_init(&loop));
  ASSERT_OK(uv_fs_event_init(&loop, &root));
  ASSERT_OK(uv_fs_event_start(&root, on_event, "w", UV_FS_EVENT_RECURSIVE));
  ASSERT_EQ(watch_count(), 3);
  for (i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
  ASSERT_EQ(count, 0);
  close_loop(&loop);
}

TEST_IMPL(directories_that_may_not_be_read_are_left_out) {
  int status;
  pid_t pid;
  enter_tmpdir();
  ASSERT_OK(mkdir("w/x", 0755));
  ASSERT_OK(chmod("w/x", 0));
  ASSERT_OK(chmod(".", 0755));
  pid = fork();
  if (pid == 0) {
    watch_as_another_user();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  ASSERT_OK(chmod("w/x", 0755));
  leave();
}

/* How many events the kernel keeps. */
static int queue_limit(void) {
  char line[32] = "0";
  FILE* limit = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  if (limit == NULL) SKIP("no limit of events known");
  ASSERT_NOT_NULL(fgets(line, sizeof(line), limit));
  fclose(limit);
  if (atoi(line) > most / 2) SKIP("too many events to overflow");
  return atoi(line);
}

TEST_IMPL_LIMIT(after_an_overflow_the_tree_is_scanned_again, 120) {
  int limit;
  int fd;
  int i;
  int overflows = 0;
  enter_tmpdir();
  limit = queue_limit();
  start("w");
  fd = open("w/a/b/file", O_RDONLY);
  /* Changes of mode in turn at two files: equal events in a row would be one. */
  for (i = 0; i < limit / 2 + 100; i++) {
    ASSERT_OK(chmod("w/a/b", 0700));
    ASSERT_OK(fchmod(fd, 0600));
  }
  close(fd);
  ASSERT_OK(mkdir("w/late", 0755));
  ASSERT_OK(mkdir("w/late/r", 0755));
  ASSERT_OK(rename("w/a", "w/moved"));
  ASSERT_OK(mkdir("w/a", 0755));
  ASSERT_OK(mkdir("w/a/b", 0755));
  ASSERT_OK(rmdir("w/late/r"));
  for (i = 0; i < 20; i++) iterate();
  for (i = 0; i < count; i++)
    if (reported[i].name == NULL) {
      ASSERT_EQ(reported[i].events, UV_CHANGE);
      overflows++;
    }
  ASSERT_EQ(overflows, 1);
  clear();
  ASSERT_EQ(watch_count(), 6);
  touch("w/late/x");
  touch("w/moved/b/x");
  touch("w/a/b/x");
  expect("late/x", "moved/b/x", "a/b/x", NULL);
  leave();
}

static void watch_after_fork(void) {
  ASSERT_OK(uv_loop_fork(uv_default_loop()));
  touch("w/a/b/child");
  expect("a/b/child", NULL);
  ASSERT_OK(uv_fs_event_stop(&root));
}

TEST_IMPL(a_forked_loop_watches_the_tree_anew) {
  int status;
  pid_t pid;
  enter_tmpdir();
  start("w");
  pid = fork();
  if (pid == 0) {
    watch_after_fork();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(watch_count(), 3);
  expect("a/b/child", NULL);
  leave();
}

/* The number of folders that a storm makes, one in another's neighbourhood. */
enum { folders = 300 };

/* Makes files in folders made just before, and renames folders, as fast as it can. */
static void storm(void) {
  char path[128];
  char to[128];
  int i;
  for (i = 0; i < folders; i++) {
    snprintf(path, sizeof(path), "w/%d", i);
    ASSERT_OK(mkdir(path, 0755));
    snprintf(path, sizeof(path), "w/%d/s", i);
    ASSERT_OK(mkdir(path, 0755));
    snprintf(path, sizeof(path), "w/%d/s/early", i);
    touch(path);
    snprintf(path, sizeof(path), "w/%d/s/t", i);
    ASSERT_OK(mkdir(path, 0755));
    snprintf(path, sizeof(path), "w/%d", i);
    if (i % 3 == 1) snprintf(to, sizeof(to), "w/%d/in", i - 1);
    if (i % 3 == 2) snprintf(to, sizeof(to), "w/new%d", i);
    if (i % 3 == 0) snprintf(to, sizeof(to), "%s", path);
    ASSERT_OK(rename(path, to));
    snprintf(path, sizeof(path), "%.64s/s/t/late", to);
    touch(path);
  }
  touch("w/done");
}

/* Every file was reported, by the name that it had when it was found. */
static void check_reported(const char* file) {
  char before[64];
  char after[64];
  int i;
  for (i = 0; i < folders; i++) {
    snprintf(before, sizeof(before), "%d/s/%s", i, file);
    if (i % 3 == 0) snprintf(after, sizeof(after), "%d/s/%s", i, file);
    if (i % 3 == 1) snprintf(after, sizeof(after), "%d/in/s/%s", i - 1, file);
    if (i % 3 == 2) snprintf(after, sizeof(after), "new%d/s/%s", i, file);
    if (!was_reported(before) && !was_reported(after)) FAIL("not reported: %s", after);
  }
}

TEST_IMPL_LIMIT(nothing_is_missed_in_a_storm, 120) {
  int status;
  pid_t pid;
  enter_tmpdir();
  start("w");
  pid = fork();
  if (pid == 0) {
    storm();
    _exit(0);
  }
  run_until(uv_default_loop(), &done, 1);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  iterate();
  check_reported("early");
  check_reported("t/late");
  /* And everything is watched now, under its name. */
  ASSERT_EQ(watch_count(), 3 + 3 * folders);
  clear();
  touch("w/0/s/t/after");
  touch("w/0/in/s/t/after");
  touch("w/new2/s/t/after");
  expect("0/s/t/after", "0/in/s/t/after", "new2/s/t/after", NULL);
  leave();
}
