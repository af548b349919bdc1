/* A program whose functions for changing user and group are not the C library's: fakeroot and its
 * like put theirs in their place, and keep the identity of a process in its memory and environment.
 * Here the program itself is such a library. */
#include "task.h"

#include <dlfcn.h>
#include <pthread.h>

/* Adds a call to the list of calls in the child's environment. */
static void note_call(const char* function, int argument) {
  const char* before = getenv("CALLS");
  char calls[256];
  snprintf(calls, sizeof(calls), "%s%s(%d) ", before == NULL ? "" : before, function, argument);
  setenv("CALLS", calls, 1);
}

static int refuse(int id) {
  if (id != 666) return 0;
  errno = ERANGE;
  return -1;
}

/* Only the child reads this. */
static int groups_are_kept;

int setgroups(size_t count, const gid_t* groups) {
  (void) groups;
  note_call("setgroups", (int) count);
  errno = EACCES;
  return groups_are_kept ? -1 : 0;
}

int setgid(gid_t gid) {
  note_call("setgid", (int) gid);
  return refuse((int) gid);
}

/* For one that is this process's user already the C library's own function is called. */
int setuid(uid_t uid) {
  int (*next)(uid_t);
  note_call("setuid", (int) uid);
  if (uid != getuid()) return refuse((int) uid);
  *(void**) &next = dlsym(RTLD_NEXT, "setuid");
  return next == NULL ? -1 : next(uid);
}

/* --- Starting ---------------------------------------------------------------------------- */

static uv_process_t process;
static uv_stdio_container_t stdio[20];
static int exit_count;
static char output[4096];
static size_t output_size;

static void on_exit_close(uv_process_t* handle, int64_t status, int signum) {
  ASSERT_EQ(status, 7);
  ASSERT_EQ(signum, 0);
  exit_count++;
  uv_close((uv_handle_t*) handle, NULL);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  if (size < 0) {
    uv_close((uv_handle_t*) stream, NULL);
    return;
  }
  ASSERT_LT(output_size + size, sizeof(output));
  memcpy(output + output_size, buf->base, size);
  output_size += size;
}

/* Starts a shell, collects its output and waits for its end. The result is uv_spawn's. */
static int run_shell(uv_loop_t* loop, uv_process_options_t* options, const char* script) {
  char* args[] = {"/bin/sh", "-c", (char*) script, NULL};
  uv_pipe_t pipe;
  int result;

  if (options->file == NULL) options->file = args[0];
  options->args = args;
  options->exit_cb = on_exit_close;
  ASSERT_OK(uv_pipe_init(loop, &pipe, 0));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*) &pipe;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  options->stdio = stdio;
  if (options->stdio_count == 0) options->stdio_count = 3;
  output_size = 0;
  memset(output, 0, sizeof(output));
  result = uv_spawn(loop, &process, options);
  if (result == 0) {
    ASSERT_OK(uv_read_start((uv_stream_t*) &pipe, alloc_static, on_read));
  } else {
    uv_close((uv_handle_t*) &process, NULL);
    uv_close((uv_handle_t*) &pipe, NULL);
  }
  ASSERT_OK(uv_run(loop, UV_RUN_DEFAULT));
  /* This process stays as it is. */
  ASSERT_NULL(getenv("CALLS"));
  ASSERT_EQ(waitpid(-1, NULL, WNOHANG), -1);
  return result;
}

static uv_process_options_t options_for(unsigned flags) {
  uv_process_options_t options;
  memset(&options, 0, sizeof(options));
  options.flags = flags;
  options.uid = 1234;
  options.gid = 2345;
  return options;
}

static const char* calls_for(unsigned flags) {
  uv_process_options_t options = options_for(flags);
  int before = exit_count;
  ASSERT_OK(run_shell(uv_default_loop(), &options, "echo \"$CALLS\"; exit 7"));
  ASSERT_EQ(exit_count, before + 1);
  return output;
}

TEST_IMPL(functions_in_place_of_the_c_librarys_are_called) {
  ASSERT_STR_EQ(calls_for(0), "\n");
  ASSERT_STR_EQ(calls_for(UV_PROCESS_SETUID), "setgroups(0) setuid(1234) \n");
  ASSERT_STR_EQ(calls_for(UV_PROCESS_SETGID), "setgroups(0) setgid(2345) \n");
  ASSERT_STR_EQ(calls_for(UV_PROCESS_SETUID | UV_PROCESS_SETGID),
                "setgroups(0) setgid(2345) setuid(1234) \n");
  ASSERT_STR_EQ(calls_for(UV_PROCESS_DETACHED), "\n");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(what_they_refuse_is_an_error) {
  uv_process_options_t options = options_for(UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  options.uid = 666;
  ASSERT_EQ(run_shell(uv_default_loop(), &options, "exit 7"), UV_ERANGE);
  options.uid = 1234;
  options.gid = 666;
  ASSERT_EQ(run_shell(uv_default_loop(), &options, "exit 7"), UV_ERANGE);
  ASSERT_EQ(exit_count, 0);
  /* That groups cannot be given up is no error. */
  options.gid = 2345;
  groups_are_kept = 1;
  ASSERT_OK(run_shell(uv_default_loop(), &options, "exit 7"));
  ASSERT_EQ(exit_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(an_environment_that_is_given_stays_as_it_is) {
  char* environment[] = {"A=1", NULL};
  uv_process_options_t options = options_for(UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  options.env = environment;
  ASSERT_OK(run_shell(uv_default_loop(), &options, "echo $A${CALLS-nothing}; exit 7"));
  ASSERT_STR_EQ(output, "1nothing\n");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_rest_is_as_for_any_other_child) {
  uv_process_options_t options = options_for(UV_PROCESS_SETUID | UV_PROCESS_DETACHED);
  sigset_t set;
  int fd;
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ASSERT_OK(pthread_sigmask(SIG_BLOCK, &set, NULL));
  fd = open("/dev/null", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ASSERT_GE(fd, 0);
  options.cwd = "/dev";
  stdio[3].flags = UV_INHERIT_FD;
  stdio[3].data.fd = fd;
  stdio[4].flags = UV_INHERIT_FD;
  stdio[4].data.fd = 2;
  options.stdio_count = 5;
  ASSERT_OK(run_shell(uv_default_loop(), &options,
                      "pwd; [ $$ = $(ps -o sid= -p $$ 2>/dev/null || echo $$) ] && echo session;"
                      "grep SigBlk /proc/self/status | tr -d '0\t'; : <&3 && : >&4 && echo fds;"
                      "for f in 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && echo $f; done;"
                      "exit 7"));
  ASSERT_STR_EQ(output, "/dev\nsession\nSigBlk:\nfds\n");
  close(fd);
  MAKE_SURE_NOTHING_LEAKED();
}

/* What the child reports does not get lost where it puts its descriptors. */
TEST_IMPL(what_cannot_be_executed_is_reported_whatever_the_descriptors) {
  uv_process_options_t options = options_for(UV_PROCESS_SETUID);
  int i, count;
  OXUV_ONLY(); /* libuv's child puts a descriptor in the place of the one that it reports through. */
  for (i = 3; i < 20; i++) {
    stdio[i].flags = UV_INHERIT_FD;
    stdio[i].data.fd = 2;
  }
  for (count = 3; count <= 20; count++) {
    options.file = "/nonexistent/program";
    options.stdio_count = count;
    ASSERT_EQ(run_shell(uv_default_loop(), &options, ""), UV_ENOENT);
    options.file = NULL;
    options.cwd = "/nonexistent";
    ASSERT_EQ(run_shell(uv_default_loop(), &options, ""), UV_ENOENT);
    options.cwd = NULL;
  }
  ASSERT_OK(run_shell(uv_default_loop(), &options, "exit 7"));
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- In the middle of what other threads do ---------------------------------------------- */

static int keep_going = 1;

static void* allocate_and_free(void* arg) {
  (void) arg;
  while (__atomic_load_n(&keep_going, __ATOMIC_SEQ_CST)) free(malloc(100000));
  return NULL;
}

static int jobs_done;

static void just_work(uv_work_t* req) {
  (void) req;
}

static void after_work(uv_work_t* req, int status) {
  (void) req;
  ASSERT_OK(status);
  jobs_done++;
}

TEST_IMPL(other_threads_and_the_pool_go_on_meanwhile) {
  pthread_t threads[2];
  uv_work_t work;
  int i;
  for (i = 0; i < 2; i++)
    ASSERT_OK(pthread_create(&threads[i], NULL, allocate_and_free, NULL));
  for (i = 0; i < 20; i++) {
    ASSERT_OK(uv_queue_work(uv_default_loop(), &work, just_work, after_work));
    ASSERT_STR_EQ(calls_for(UV_PROCESS_SETUID), "setgroups(0) setuid(1234) \n");
    ASSERT_EQ(jobs_done, i + 1);
  }
  __atomic_store_n(&keep_going, 0, __ATOMIC_SEQ_CST);
  for (i = 0; i < 2; i++) ASSERT_OK(pthread_join(threads[i], NULL));
  MAKE_SURE_NOTHING_LEAKED();
}

static void* stay(void* arg) {
  for (;;) pause();
  return arg;
}

static void start_a_thread(void) {
  pthread_t thread;
  ASSERT_OK(pthread_create(&thread, NULL, stay, NULL));
}

/* The C library changes the user of all threads of a process, and signals them for that. */
TEST_IMPL(a_forked_child_may_have_threads) {
  uv_process_options_t options = options_for(UV_PROCESS_SETUID);
  options.uid = getuid();
  ASSERT_OK(pthread_atfork(NULL, NULL, start_a_thread));
  ASSERT_OK(run_shell(uv_default_loop(), &options, "exit 7"));
  ASSERT_EQ(exit_count, 1);
  MAKE_SURE_NOTHING_LEAKED();
}

static int forks_prepared;

static void on_fork(void) {
  forks_prepared++;
}

/* The library's own functions are there as well, and leave the parent as it is. Other children are
 * made without any. */
TEST_IMPL(only_a_child_of_another_user_is_forked) {
  const char* preload = getenv("LD_PRELOAD");
  if (preload != NULL && strstr(preload, "vgpreload") != NULL)
    SKIP("valgrind makes children in its own way");
  ASSERT_OK(pthread_atfork(on_fork, NULL, NULL));
  calls_for(0);
  ASSERT_EQ(forks_prepared, 0);
  calls_for(UV_PROCESS_SETUID);
  calls_for(UV_PROCESS_SETGID);
  ASSERT_EQ(forks_prepared, 2);
  calls_for(UV_PROCESS_DETACHED);
  ASSERT_EQ(forks_prepared, 2);
  MAKE_SURE_NOTHING_LEAKED();
}
