/* What is never done in the loop's own thread: what could make the loop wait, end the process, or
 * pass what waits. https://docs.libuv.org/en/v1.x/design.html#file-i-o */
#include "in_place.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

static uv_timer_t timer;
static int ticks;

static void on_tick(uv_timer_t* handle) {
  ticks++;
}

static void start_ticking(void) {
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, on_tick, 1, 1));
}

static void set_up(void) {
  need_in_place();
  write_file(test_path("file"), "hello, world", 12);
}

static const char* file(void) {
  return test_path("file");
}

static int64_t told_somehow(int started) {
  int before = in_place_calls;
  ASSERT_OK(started);
  ASSERT_EQ(in_place_calls, before);
  run_until(uv_default_loop(), &in_place_calls, before + 1);
  return in_place_req.result;
}

/* --- What would wait ----------------------------------------------------------------------- */

/* The loop goes on while an operation waits. */
static void check_waiting(int started) {
  int before = in_place_calls;
  ASSERT_OK(started);
  run_until(uv_default_loop(), &ticks, ticks + 10);
  ASSERT_EQ(in_place_calls, before);
}

TEST_IMPL_SERIAL(opening_a_fifo) {
  int reader;
  int writer;
  set_up();
  ASSERT_OK(mkfifo(test_path("fifo"), 0600));
  learn_mount(uv_default_loop(), test_tmpdir());
  start_ticking();
  check_waiting(START(open, test_path("fifo"), O_RDONLY, 0));
  writer = open(test_path("fifo"), O_WRONLY);
  ASSERT_GE(writer, 0);
  run_until(uv_default_loop(), &in_place_calls, 2);
  reader = (int) in_place_req.result;
  ASSERT_GE(reader, 0);
  uv_fs_req_cleanup(&in_place_req);
  ASSERT_EQ(fcntl(reader, F_GETFL) & O_NONBLOCK, 0);
  /* Reading from it, too. */
  {
    char memory[10];
    uv_buf_t buf = uv_buf_init(memory, sizeof(memory));
    check_waiting(START(read, reader, &buf, 1, -1));
    ASSERT_EQ(write(writer, "x", 1), 1);
    run_until(uv_default_loop(), &in_place_calls, 3);
    ASSERT_EQ(in_place_req.result, 1);
  }
  close(reader);
  close(writer);
  MAKE_SURE_NOTHING_LEAKED();
}

/* A link to a FIFO, and a FIFO that takes a file's place. */
TEST_IMPL_SERIAL(what_becomes_a_fifo) {
  enum { rounds = 200 };
  int writer;
  int i;
  set_up();
  ASSERT_OK(mkfifo(test_path("fifo"), 0600));
  ASSERT_OK(symlink("fifo", test_path("link")));
  learn_mount(uv_default_loop(), test_tmpdir());
  start_ticking();
  check_waiting(START(open, test_path("link"), O_RDONLY, 0));
  writer = open(test_path("fifo"), O_WRONLY);
  run_until(uv_default_loop(), &in_place_calls, 2);
  close((int) in_place_req.result);
  uv_fs_req_cleanup(&in_place_req);
  /* While there is a writer, opening does not wait, whoever does it. */
  for (i = 0; i < rounds; i++) {
    struct stat s;
    ASSERT_OK(rename(test_path(i % 2 == 0 ? "fifo" : "other"), test_path("file")));
    if (i % 2 == 0) write_file(test_path("other"), "x", 1);
    else ASSERT_OK(mkfifo(test_path("fifo"), 0600));
    if (i % 2 == 0) continue;
    ASSERT_OK(stat(file(), &s));
    ASSERT_GE(told_somehow(START(open, file(), O_RDONLY, 0)), 0);
    ASSERT_EQ(fcntl((int) in_place_req.result, F_GETFL) & O_NONBLOCK, 0);
    close((int) in_place_req.result);
    uv_fs_req_cleanup(&in_place_req);
  }
  close(writer);
  MAKE_SURE_NOTHING_LEAKED();
}

HELPER_IMPL(lease_holder) {
  sigset_t set;
  int signum;
  int fd = open(getenv("OXUV_TEST_FILE"), O_RDWR);
  sigemptyset(&set);
  sigaddset(&set, SIGIO);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  helper_ready(fd >= 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0 ? 0 : errno);
  /* Somebody wants the file; he gets it when the test says so. */
  do sigwait(&set, &signum);
  while (signum != SIGUSR1);
  fcntl(fd, F_SETLEASE, F_UNLCK);
  for (;;) pause();
}

TEST_IMPL_SERIAL(a_lease_of_another_process) {
  pid_t holder;
  int refused;
  set_up();
  learn_mount(uv_default_loop(), test_tmpdir());
  setenv("OXUV_TEST_FILE", file(), 1);
  holder = start_helper("lease_holder", &refused);
  if (refused != 0) SKIP("no lease: %s", strerror(refused));
  start_ticking();
  ASSERT_OK(told_somehow(START(stat, file())));
  uv_fs_req_cleanup(&in_place_req);
  check_waiting(START(open, file(), O_RDONLY, 0));
  ASSERT_OK(kill(holder, SIGUSR1));
  run_until(uv_default_loop(), &in_place_calls, 3);
  ASSERT_GE(in_place_req.result, 0);
  ASSERT_EQ(fcntl((int) in_place_req.result, F_GETFL) & O_NONBLOCK, 0);
  close((int) in_place_req.result);
  uv_fs_req_cleanup(&in_place_req);
  end_helper(holder);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Order --------------------------------------------------------------------------------- */

static void note_job(uv_work_t* req, int status) {
  note("job%d", (int) (req - jobs));
}

static void note_fs(uv_fs_t* req) {
  note("fs");
  in_place_calls++;
  uv_fs_req_cleanup(req);
}

/* Where one thread does everything, it does so in the order of the submissions. */
TEST_IMPL_SERIAL(a_single_thread_is_not_overtaken) {
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t req;
  int i;
  set_up();
  set_pool_size(1);
  learn_mount(loop, test_tmpdir());
  ASSERT_OK(sem_init(&jobs_begun, 0, 0));
  ASSERT_OK(sem_init(&jobs_may_end, 0, 0));
  ASSERT_OK(uv_queue_work(loop, &jobs[0], job, note_job));
  ASSERT_OK(uv_queue_work(loop, &jobs[1], job, note_job));
  wait_for(&jobs_begun);
  ASSERT_OK(uv_fs_stat(loop, &req, file(), note_fs));
  for (i = 0; i < 3; i++) ASSERT_NE(uv_run(loop, UV_RUN_NOWAIT), 0);
  ASSERT_NOTES("");
  sem_post(&jobs_may_end);
  sem_post(&jobs_may_end);
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_NOTES("job0 job1 fs");
  MAKE_SURE_NOTHING_LEAKED();
}

/* What one thread has written is there for the read that was started after the write. */
TEST_IMPL_SERIAL(a_single_thread_reads_what_it_wrote) {
  uv_loop_t* loop = uv_default_loop();
  uv_fs_t write_req, read_req;
  char memory[4];
  uv_buf_t out = uv_buf_init("abcd", 4);
  uv_buf_t in = uv_buf_init(memory, 4);
  int i;
  int fd;
  set_up();
  set_pool_size(1);
  learn_mount(loop, test_tmpdir());
  fd = open(file(), O_RDWR);
  for (i = 0; i < 100; i++) {
    ASSERT_EQ(pwrite(fd, "....", 4, 0), 4);
    ASSERT_OK(uv_fs_write(loop, &write_req, fd, &out, 1, 0, note_fs));
    ASSERT_OK(uv_fs_read(loop, &read_req, fd, &in, 1, 0, note_fs));
    ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
    ASSERT_NOTES("fs fs");
    ASSERT_MEM_EQ(memory, "abcd", 4);
  }
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Turned off ---------------------------------------------------------------------------- */

TEST_IMPL_SERIAL(turned_off_by_the_environment) {
  need_cached_calls();
  write_file(file(), "hello, world", 12);
  ASSERT_OK(setenv("OXUV_FS_INLINE", "0", 1));
  block_pool();
  ASSERT_OK(BY_POOL(stat, file()));
  ASSERT_OK(BY_POOL(access, file(), F_OK));
  ASSERT_EQ(BY_POOL(stat, test_path("nothing")), UV_ENOENT);
  end_in_place();
}

/* --- Filters of system calls --------------------------------------------------------------- */

/* From here on the process ends when it calls openat2. */
static void forbid_openat2(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0x80000000u /* SECCOMP_RET_KILL_PROCESS */),
    BPF_STMT(BPF_RET | BPF_K, 0x7fff0000u /* SECCOMP_RET_ALLOW */),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    SKIP("no filter of system calls: %s", strerror(errno));
}

static void use_everything(void) {
  char memory[20];
  uv_buf_t buf = uv_buf_init(memory, sizeof(memory));
  int fd;
  ASSERT_OK(told_somehow(START(stat, file())));
  uv_fs_req_cleanup(&in_place_req);
  ASSERT_OK(told_somehow(START(access, file(), R_OK)));
  uv_fs_req_cleanup(&in_place_req);
  fd = (int) told_somehow(START(open, file(), O_RDONLY, 0));
  ASSERT_GE(fd, 0);
  uv_fs_req_cleanup(&in_place_req);
  ASSERT_OK(told_somehow(START(fstat, fd)));
  uv_fs_req_cleanup(&in_place_req);
  ASSERT_EQ(told_somehow(START(read, fd, &buf, 1, -1)), 12);
  uv_fs_req_cleanup(&in_place_req);
  ASSERT_EQ(told_somehow(START(readlink, file())), UV_EINVAL);
  uv_fs_req_cleanup(&in_place_req);
  close(fd);
}

static void set_up_default(void) {
  need_cached_calls();
  write_file(file(), "hello, world", 12);
  ASSERT_OK(unsetenv("OXUV_FS_INLINE"));
}

TEST_IMPL_SERIAL(a_filter_before_the_start) {
  set_up_default();
  forbid_openat2();
  use_everything();
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL_SERIAL(a_filter_between_iterations) {
  set_up_default();
  use_everything();
  use_everything();
  forbid_openat2();
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

static void forbid_and_go_on(uv_fs_t* req) {
  uv_fs_req_cleanup(req);
  /* This iteration has done something in place already, the filter is one of the very moment. */
  ASSERT_OK(uv_fs_stat(req->loop, req, file(), note_fs));
  forbid_openat2();
  ASSERT_OK(START(stat, file()));
}

TEST_IMPL_SERIAL(a_filter_within_a_callback) {
  uv_fs_t req;
  set_up_default();
  use_everything();
  ASSERT_OK(uv_fs_stat(uv_default_loop(), &req, file(), forbid_and_go_on));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_NOTES("fs");
  ASSERT_OK(in_place_req.result);
  uv_fs_req_cleanup(&in_place_req);
  use_everything();
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Forks --------------------------------------------------------------------------------- */

static void check_child(pid_t pid) {
  int status;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

/* ThreadSanitizer follows no thread that a forked child starts, if there were threads before. */
static void need_threads_after_fork(void) {
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
  SKIP("not possible with ThreadSanitizer");
#endif
#endif
}

TEST_IMPL_SERIAL(a_forked_child_goes_on) {
  uv_loop_t* loop = uv_default_loop();
  pid_t pid;
  int i;
  need_threads_after_fork();
  set_up();
  learn_mount(loop, test_tmpdir());
  for (i = 0; i < 3; i++) {
    pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ASSERT_OK(uv_loop_fork(loop));
      use_everything();
      block_pool();
      ASSERT_OK(IN_PLACE(stat, file()));
      let_go();
      ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
      _exit(0);
    }
    check_child(pid);
    use_everything();
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* What was done and not told when the process forked is told in both. */
TEST_IMPL_SERIAL(a_fork_before_it_is_told) {
  uv_loop_t* loop = uv_default_loop();
  pid_t pid;
  set_up();
  learn_mount(loop, test_tmpdir());
  ASSERT_OK(START(stat, file()));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) ASSERT_OK(uv_loop_fork(loop));
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  ASSERT_EQ(in_place_calls, 2);
  ASSERT_OK(in_place_req.result);
  uv_fs_req_cleanup(&in_place_req);
  if (pid == 0) _exit(0);
  check_child(pid);
  MAKE_SURE_NOTHING_LEAKED();
}
