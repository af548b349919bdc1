/* The order of operations: what an operation changes is seen by what is started after it, and
 * callbacks come in the order in which things happened, in whatever thread.
 * https://docs.libuv.org/en/v1.x/design.html#file-i-o */
#include "inline.h"
#include "refuse.h"

#include <poll.h>

static uv_fs_t change;
static uv_fs_t question;
static int changes_done;
static int fd;

static const char* at(const char* name) {
  static char paths[8][1024];
  static int next;
  char* path = paths[next++ % 8];
  snprintf(path, sizeof(paths[0]), "%s/%s", test_tmpdir(), name);
  return path;
}

static void on_change(uv_fs_t* req) {
  /* Some of them keep what they made. */
  if ((req->fs_type == UV_FS_OPEN || req->fs_type == UV_FS_MKSTEMP) && req->result >= 0)
    close((int) req->result);
  uv_fs_req_cleanup(req);
  changes_done++;
}

static void set_up(void) {
  need_inline();
  write_file(at("file"), "hello, world", 12);
  fd = open(at("file"), O_RDWR);
  ASSERT_GE(fd, 0);
  block_pool();
}

static void end(void) {
  let_go();
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- What changes something ---------------------------------------------------------------- */

static uv_buf_t buf = {(char*) "x", 1};

#define ON uv_default_loop(), &change
#define STARTER(name, ...)                                                                         \
  static int start_##name(void) { return __VA_ARGS__; }

STARTER(write, uv_fs_write(ON, fd, &buf, 1, 0, on_change))
STARTER(write_at_the_position, uv_fs_write(ON, fd, &buf, 1, -1, on_change))
STARTER(ftruncate, uv_fs_ftruncate(ON, fd, 5, on_change))
STARTER(sendfile, uv_fs_sendfile(ON, fd, fd, 0, 1, on_change))
STARTER(copyfile, uv_fs_copyfile(ON, at("file"), at("copy"), 0, on_change))
STARTER(unlink, uv_fs_unlink(ON, at("copy"), on_change))
STARTER(mkdir, uv_fs_mkdir(ON, at("made"), 0700, on_change))
STARTER(rmdir, uv_fs_rmdir(ON, at("made"), on_change))
STARTER(mkdtemp, uv_fs_mkdtemp(ON, at("tempXXXXXX"), on_change))
STARTER(mkstemp, uv_fs_mkstemp(ON, at("tempXXXXXX"), on_change))
STARTER(symlink, uv_fs_symlink(ON, "file", at("link"), 0, on_change))
STARTER(link, uv_fs_link(ON, at("file"), at("hard"), on_change))
STARTER(rename, uv_fs_rename(ON, at("hard"), at("other"), on_change))
STARTER(chmod, uv_fs_chmod(ON, at("file"), 0600, on_change))
STARTER(fchmod, uv_fs_fchmod(ON, fd, 0600, on_change))
STARTER(chown, uv_fs_chown(ON, at("file"), (uv_uid_t) -1, (uv_gid_t) -1, on_change))
STARTER(fchown, uv_fs_fchown(ON, fd, (uv_uid_t) -1, (uv_gid_t) -1, on_change))
STARTER(lchown, uv_fs_lchown(ON, at("file"), (uv_uid_t) -1, (uv_gid_t) -1, on_change))
STARTER(utime, uv_fs_utime(ON, at("file"), 1, 1, on_change))
STARTER(futime, uv_fs_futime(ON, fd, 1, 1, on_change))
STARTER(lutime, uv_fs_lutime(ON, at("file"), 1, 1, on_change))
STARTER(open_new, uv_fs_open(ON, at("new"), O_WRONLY | O_CREAT, 0600, on_change))
STARTER(open_new_for_reading, uv_fs_open(ON, at("new2"), O_RDONLY | O_CREAT, 0600, on_change))
STARTER(open_and_empty, uv_fs_open(ON, at("new"), O_WRONLY | O_TRUNC, 0600, on_change))

static int (*const changing[])(void) = {
  start_write, start_write_at_the_position, start_ftruncate, start_sendfile, start_copyfile,
  start_unlink, start_mkdir, start_rmdir, start_mkdtemp, start_mkstemp, start_symlink, start_link,
  start_rename, start_chmod, start_fchmod, start_chown, start_fchown, start_lchown, start_utime,
  start_futime, start_lutime, start_open_new, start_open_new_for_reading, start_open_and_empty,
};
enum { changing_count = sizeof(changing) / sizeof(changing[0]) };

/* A question about a file that is started now waits like any other operation. */
static void check_waiting(void) {
  int before = inline_calls;
  int i;
  ASSERT_OK(uv_fs_stat(uv_default_loop(), &question, test_tmpdir(), on_inline));
  for (i = 0; i < 3; i++) uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  ASSERT_EQ(inline_calls, before);
}

static void let_all_go_on(int questions) {
  int before = inline_calls;
  let_go();
  run_until(uv_default_loop(), &inline_calls, before + questions);
  run_until(uv_default_loop(), &jobs_ended, 2);
}

TEST_IMPL_SERIAL(nothing_overtakes_what_changes_something) {
  int i;
  set_up();
  for (i = 0; i < changing_count; i++) {
    ASSERT_OK(INLINE(stat, at("file")));
    changes_done = 0;
    ASSERT_OK(changing[i]());
    check_waiting();
    ASSERT_EQ(changes_done, 0);
    let_all_go_on(1);
    run_until(uv_default_loop(), &changes_done, 1);
    uv_fs_req_cleanup(&question);
    occupy(uv_default_loop(), 2);
  }
  ASSERT_OK(INLINE(stat, at("file")));
  end();
}

TEST_IMPL_SERIAL(what_changes_nothing_is_overtaken) {
  static char memory[16];
  uv_buf_t room = uv_buf_init(memory, sizeof(memory));
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t reqs[9];
  int i = 0;
  set_up();
  changes_done = 0;
  ASSERT_OK(uv_fs_read(loop, &reqs[i++], fd, &room, 1, 0, on_change));
  ASSERT_OK(uv_fs_fsync(loop, &reqs[i++], fd, on_change));
  ASSERT_OK(uv_fs_fdatasync(loop, &reqs[i++], fd, on_change));
  ASSERT_OK(uv_fs_scandir(loop, &reqs[i++], test_tmpdir(), 0, on_change));
  ASSERT_OK(uv_fs_realpath(loop, &reqs[i++], test_tmpdir(), on_change));
  ASSERT_OK(uv_fs_statfs(loop, &reqs[i++], test_tmpdir(), on_change));
  ASSERT_OK(uv_fs_open(loop, &reqs[i++], at("file"), O_RDWR, 0, on_change));
  ASSERT_OK(uv_fs_open(loop, &reqs[i++], test_tmpdir(), O_RDONLY | O_DIRECTORY, 0, on_change));
  ASSERT_OK(uv_fs_close(loop, &reqs[i++], dup(fd), on_change));
  ASSERT_OK(INLINE(stat, at("file")));
  ASSERT_EQ(changes_done, 0);
  let_go();
  run_until(loop, &changes_done, i);
  end();
}

TEST_IMPL_SERIAL(a_change_that_was_cancelled_is_none) {
  int i;
  set_up();
  for (i = 0; i < changing_count; i++) {
    changes_done = 0;
    ASSERT_OK(changing[i]());
    ASSERT_OK(uv_cancel((uv_req_t*) &change));
    run_until(uv_default_loop(), &changes_done, 1);
    ASSERT_OK(INLINE(stat, at("file")));
  }
  end();
}

static void ask_in_callback(uv_fs_t* req) {
  ASSERT_EQ(req->result, 1);
  uv_fs_req_cleanup(req);
  /* Only the pool's last thread is free, and it is occupied now. */
  ASSERT_OK(uv_queue_work(uv_default_loop(), &jobs[1], job, after_job));
  wait_for(&jobs_begun);
  ASSERT_OK(INLINE(stat, at("file")));
  changes_done++;
}

/* The change is done before its callback. */
TEST_IMPL_SERIAL(a_change_that_is_done_is_under_way_no_more) {
  need_inline();
  write_file(at("file"), "hello, world", 12);
  fd = open(at("file"), O_RDWR);
  set_pool_size(2);
  learn_mount(uv_default_loop(), test_tmpdir());
  occupy(uv_default_loop(), 1);
  ASSERT_OK(uv_fs_write(uv_default_loop(), &change, fd, &buf, 1, 0, ask_in_callback));
  run_until(uv_default_loop(), &changes_done, 1);
  jobs_count = 2;
  end();
}

/* A change by another loop is not overtaken either. */
TEST_IMPL_SERIAL(what_another_loop_changes_is_not_overtaken) {
  uv_loop_t other;
  set_up();
  ASSERT_OK(uv_loop_init(&other));
  changes_done = 0;
  ASSERT_OK(uv_fs_mkdir(&other, &change, at("made"), 0700, on_change));
  check_waiting();
  let_all_go_on(1);
  ASSERT_OK(uv_run(&other, UV_RUN_DEFAULT));
  ASSERT_EQ(changes_done, 1);
  uv_fs_req_cleanup(&question);
  ASSERT_OK(uv_loop_close(&other));
  occupy(uv_default_loop(), 2);
  ASSERT_OK(INLINE(stat, at("made")));
  end();
}

/* A child has no part in what its parent's pool is about to do. */
TEST_IMPL_SERIAL(what_the_parent_changes_is_not_the_childs) {
  pid_t pid;
  NOT_WITH_THREAD_SANITIZER("cannot trace threads of a forked child");
  set_up();
  changes_done = 0;
  ASSERT_OK(start_mkdir());
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(uv_default_loop()));
    occupy(uv_default_loop(), 2);
    ASSERT_OK(INLINE(stat, at("file")));
    ASSERT_OK(uv_cancel((uv_req_t*) &change));
    run_until(uv_default_loop(), &changes_done, 1);
    ASSERT_OK(INLINE(stat, at("file")));
    /* A change of its own counts as ever. */
    ASSERT_OK(start_mkdir());
    check_waiting();
    let_go();
    run_until(uv_default_loop(), &changes_done, 2);
    _exit(0);
  }
  wait_for_child(pid);
  let_go();
  run_until(uv_default_loop(), &changes_done, 1);
  run_until(uv_default_loop(), &jobs_ended, 2);
  occupy(uv_default_loop(), 2);
  ASSERT_OK(INLINE(stat, at("file")));
  end();
}

/* --- Order of callbacks -------------------------------------------------------------------- */

static void note_first(uv_fs_t* req) {
  note("first");
  ASSERT_GE(req->result, 0);
  uv_fs_req_cleanup(req);
}

static void note_work(uv_work_t* req, int status) {
  ASSERT_OK(status);
  note("first");
}

static void note_random(uv_random_t* req, int status, void* memory, size_t length) {
  ASSERT_OK(status);
  note("first");
}

static void note_name(uv_getnameinfo_t* req, int status, const char* host, const char* service) {
  note("first");
}

static int seconds;

static void note_second(uv_fs_t* req) {
  note("second");
  seconds++;
  ASSERT_OK(req->result);
  uv_fs_req_cleanup(req);
}

static void note_address(uv_getaddrinfo_t* req, int status, struct addrinfo* found) {
  note("second");
  seconds++;
  ASSERT_OK(status);
  uv_freeaddrinfo(found);
}

static void do_nothing(uv_work_t* req) {
  (void) req;
}

static int is_woken(uv_loop_t* loop, int timeout) {
  struct pollfd one = {uv_backend_fd(loop), POLLIN, 0};
  return poll(&one, 1, timeout);
}

/* Until nothing of earlier rounds wakes the loop, which has polled at least once. */
static void settle(uv_loop_t* loop) {
  uv_run(loop, UV_RUN_NOWAIT);
  while (is_woken(loop, 0) == 1) uv_run(loop, UV_RUN_NOWAIT);
}

/* Until a worker has finished a job, which the loop reports when it polls. */
static void wait_for_the_pool(uv_loop_t* loop) {
  ASSERT_EQ(is_woken(loop, -1), 1);
}

static void do_nothing_idle(uv_idle_t* idle) {
  (void) idle;
}

/* What a worker has done before is reported before what is done inline. */
TEST_IMPL(what_happened_first_is_reported_first) {
  enum { kinds = 4 };
  uv_loop_t* loop = uv_default_loop();
  uv_work_t work;
  uv_random_t random;
  uv_getnameinfo_t name;
  uv_getaddrinfo_t address;
  struct sockaddr_in loopback;
  uv_idle_t idle;
  char bytes[8];
  int i;
  write_file(at("file"), "hello, world", 12);
  fd = open(at("file"), O_RDWR);
  ASSERT_OK(uv_ip4_addr("127.0.0.1", 80, &loopback));
  learn_mount(loop, at("file"));
  /* A loop without anything to do does not poll. */
  ASSERT_OK(uv_idle_init(loop, &idle));
  ASSERT_OK(uv_idle_start(&idle, do_nothing_idle));
  for (i = 0; i < 2 * kinds; i++) {
    settle(loop);
    switch (i / 2) {
    case 0: ASSERT_OK(uv_fs_write(loop, &change, fd, &buf, 1, 0, note_first)); break;
    case 1: ASSERT_OK(uv_queue_work(loop, &work, do_nothing, note_work)); break;
    case 2: ASSERT_OK(uv_random(loop, &random, bytes, sizeof(bytes), 0, note_random)); break;
    case 3:
      ASSERT_OK(uv_getnameinfo(loop, &name, note_name, (const struct sockaddr*) &loopback,
                               NI_NUMERICHOST | NI_NUMERICSERV));
      break;
    }
    wait_for_the_pool(loop);
    if (i % 2 == 0) ASSERT_OK(uv_fs_stat(loop, &question, at("file"), note_second));
    else ASSERT_OK(uv_getaddrinfo(loop, &address, note_address, "127.0.0.1", "80", NULL));
    run_until(loop, &seconds, i + 1);
    settle(loop);
    ASSERT_NOTES("first second");
  }
  uv_close((uv_handle_t*) &idle, NULL);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

static void note_job(uv_work_t* req, int status) {
  ASSERT_OK(status);
  note("job%d", (int) (req - jobs));
}

/* Several that were done before, in their order, and one that is done afterwards. */
TEST_IMPL_SERIAL(the_order_of_many) {
  uv_loop_t* loop = uv_default_loop();
  set_up();
  let_go();
  run_until(loop, &jobs_ended, 2);
  /* One thread is left, which does these in their order. */
  occupy(loop, 1);
  ASSERT_OK(uv_queue_work(loop, &jobs[1], do_nothing, note_job));
  ASSERT_OK(uv_queue_work(loop, &jobs[2], do_nothing, note_job));
  ASSERT_OK(uv_queue_work(loop, &jobs[3], job, note_job));
  wait_for(&jobs_begun);
  ASSERT_OK(uv_fs_stat(loop, &question, at("file"), note_second));
  jobs_count = 2;
  let_go();
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("job1 job2 second job3");
  end();
}

static void cancel_first(uv_fs_t* req) {
  ASSERT_EQ(req->result, UV_ECANCELED);
  uv_fs_req_cleanup(req);
  note("first");
}

/* A cancelled operation comes in that order as well. */
TEST_IMPL_SERIAL(what_was_cancelled_first_is_reported_first) {
  uv_loop_t* loop = uv_default_loop();
  static char memory[4];
  uv_buf_t room = uv_buf_init(memory, sizeof(memory));
  set_up();
  ASSERT_OK(uv_fs_read(loop, &change, fd, &room, 1, 0, cancel_first));
  ASSERT_OK(uv_cancel((uv_req_t*) &change));
  ASSERT_OK(uv_fs_stat(loop, &question, at("file"), note_second));
  uv_run(loop, UV_RUN_NOWAIT);
  ASSERT_NOTES("first second");
  end();
}
