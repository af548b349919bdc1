/* The library brought in by dlopen and taken out again, by programs that do not link to it:
 * plug-ins do so. It leaves nothing behind: no mapping, thread, descriptor, memory, nor a function
 * to be called at forks and at the end. */
#include "task.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>

#define FUNCTIONS(X)                                                                               \
  X(async_init) X(async_send) X(close) X(fs_event_init) X(fs_event_start) X(fs_open) X(fs_stat)    \
  X(fs_req_cleanup) X(getaddrinfo) X(freeaddrinfo) X(key_create) X(key_delete) X(key_set)          \
  X(library_shutdown) X(loop_close) X(loop_init) X(pipe_init) X(process_kill) X(queue_work)        \
  X(random) X(read_start) X(run) X(setup_args) X(signal_init) X(signal_start)                      \
  X(signal_start_oneshot) X(sleep) X(spawn) X(stop) X(thread_create) X(thread_join)                \
  X(timer_init) X(timer_start) X(version) X(walk)

/* The functions of the library that is loaded. */
static struct {
  void* library;
  char path[4096];
#define X(name) __typeof__(&uv_##name) name;
  FUNCTIONS(X)
#undef X
} uv;

static void* find(const char* name) {
  void* symbol = dlsym(uv.library, name);
  if (symbol == NULL) FAIL("%s", dlerror());
  return symbol;
}

/* This program's own libuv, if it is a shared library, stays loaded, and is the same one for the
 * loader however often it is opened: a copy is not. */
static const char* library_to_load(void) {
  static char path[4096];
  Dl_info info;
  uv_fs_t req;

  ASSERT(dladdr((void*) (uintptr_t) uv_version, &info) != 0);
  if (strstr(info.dli_fname, ".so") == NULL) return "libuv.so.1";
  snprintf(path, sizeof(path), "%s", test_path("libuv.so.1"));
  if (access(path, F_OK) != 0) {
    ASSERT_OK(uv_fs_copyfile(NULL, &req, info.dli_fname, path, 0, NULL));
    uv_fs_req_cleanup(&req);
  }
  return path;
}

#ifndef __GLIBC__
#define RTLD_DEEPBIND 0
#endif

static void load(void) {
  const char* name = library_to_load();
  /* This library calls its own functions in any case; libuv calls this program's otherwise. */
  int is_other = getenv("OXUV_TEST_OTHER") != NULL;
  Dl_info info;

  uv.library = dlopen(name, RTLD_NOW | RTLD_LOCAL | (is_other ? RTLD_DEEPBIND : 0));
  if (uv.library == NULL) FAIL("%s", dlerror());
#define X(name) *(void**) &uv.name = find("uv_" #name);
  FUNCTIONS(X)
#undef X
  ASSERT(dladdr((void*) (uintptr_t) uv.version, &info) != 0);
  ASSERT_NOT_NULL(realpath(info.dli_fname, uv.path));
  ASSERT_NE((intptr_t) uv.version, (intptr_t) uv_version);
}

/* How many lines of this process's list of mappings name the loaded library. */
static int mappings(void) {
  FILE* maps = fopen("/proc/self/maps", "re");
  char line[8192];
  int count = 0;
  ASSERT_NOT_NULL(maps);
  while (fgets(line, sizeof(line), maps) != NULL) count += strstr(line, uv.path) != NULL;
  fclose(maps);
  return count;
}

static void unload(void) {
  ASSERT_GT(mappings(), 0);
  ASSERT_OK(dlclose(uv.library));
  ASSERT_EQ(mappings(), 0);
}

/* What was registered for forks and for the end of the process is not called any more. */
static void expect_forks_and_ends_to_work(void) {
  int status;
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) exit(0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

static int is_default(int signum) {
  struct sigaction action;
  ASSERT_OK(sigaction(signum, NULL, &action));
  return action.sa_handler == SIG_DFL;
}

/* --- Using everything -------------------------------------------------------------------- */

static uv_loop_t loop;
static int done;
static int jobs_at_work;
static uv_async_t async;
static uv_key_t key;

static void close_handle(uv_handle_t* handle, void* arg) {
  (void) arg;
  if (!uv_is_closing(handle)) uv.close(handle, NULL);
}

static void on_timer(uv_timer_t* handle) {
  done++;
  uv.close((uv_handle_t*) handle, NULL);
}

static void meet(uv_work_t* req) {
  (void) req;
  /* Memory of their own, which stays with the C library. */
  free(malloc(100));
  __atomic_add_fetch(&jobs_at_work, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&jobs_at_work, __ATOMIC_SEQ_CST) < 4) usleep(100);
}

static void after_work(uv_work_t* req, int status) {
  ASSERT_OK(status);
  (void) req;
  done++;
}

static void on_fs(uv_fs_t* req) {
  ASSERT_GE(req->result, 0);
  if (req->fs_type == UV_FS_OPEN) close((int) req->result);
  uv.fs_req_cleanup(req);
  done++;
}

static void on_addresses(uv_getaddrinfo_t* req, int status, struct addrinfo* addresses) {
  ASSERT_OK(status);
  (void) req;
  uv.freeaddrinfo(addresses);
  done++;
}

static void on_random(uv_random_t* req, int status, void* bytes, size_t size) {
  ASSERT_OK(status);
  (void) req, (void) bytes, (void) size;
  done++;
}

static void on_async(uv_async_t* handle) {
  done++;
  uv.close((uv_handle_t*) handle, NULL);
}

static void on_signal(uv_signal_t* handle, int signum) {
  (void) signum;
  done++;
  uv.close((uv_handle_t*) handle, NULL);
}

static void on_exit_of_child(uv_process_t* process, int64_t status, int signum) {
  ASSERT_EQ(status, 3);
  ASSERT_EQ(signum, 0);
  done++;
  uv.close((uv_handle_t*) process, NULL);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  (void) buf;
  if (size >= 0) return;
  ASSERT_EQ(size, UV_EOF);
  done++;
  uv.close((uv_handle_t*) stream, NULL);
}

static void on_fs_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  ASSERT_OK(status);
  (void) name, (void) events;
  done++;
  uv.close((uv_handle_t*) handle, NULL);
}

static void send_from_thread(void* arg) {
  uv.key_set(&key, arg);
  ASSERT_OK(uv.async_send(&async));
}

static void start_child(uv_process_t* process, uv_pipe_t* pipe) {
  static char* args[] = {"/bin/sh", "-c", "echo hello; exit 3", NULL};
  uv_process_options_t options;
  uv_stdio_container_t stdio[2];
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  options.exit_cb = on_exit_of_child;
  ASSERT_OK(uv.pipe_init(&loop, pipe, 0));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*) pipe;
  options.stdio = stdio;
  options.stdio_count = 2;
  ASSERT_OK(uv.spawn(&loop, process, &options));
  ASSERT_OK(uv.read_start((uv_stream_t*) pipe, alloc_static, on_read));
}

static void use_pool(uv_work_t* works, uv_fs_t* files) {
  static uv_getaddrinfo_t names;
  static uv_random_t random;
  static char bytes[16];
  int i;
  jobs_at_work = 0;
  for (i = 0; i < 4; i++) ASSERT_OK(uv.queue_work(&loop, &works[i], meet, after_work));
  ASSERT_OK(uv.fs_stat(&loop, &files[0], "/", on_fs));
  ASSERT_OK(uv.fs_open(&loop, &files[1], "/dev/null", O_RDONLY | O_CLOEXEC, 0, on_fs));
  ASSERT_OK(uv.getaddrinfo(&loop, &names, on_addresses, "127.0.0.1", "1", NULL));
  ASSERT_OK(uv.random(&loop, &random, bytes, sizeof(bytes), 0, on_random));
}

static void use_everything(void) {
  uv_timer_t timer;
  uv_work_t works[4];
  uv_fs_t files[2];
  uv_signal_t signals[2];
  uv_process_t process;
  uv_pipe_t pipe;
  uv_fs_event_t watcher;
  uv_thread_t thread;

  done = 0;
  ASSERT_OK(uv.loop_init(&loop));
  ASSERT_OK(uv.timer_init(&loop, &timer));
  ASSERT_OK(uv.timer_start(&timer, on_timer, 1, 0));
  use_pool(works, files);
  ASSERT_OK(uv.signal_init(&loop, &signals[0]));
  ASSERT_OK(uv.signal_start(&signals[0], on_signal, SIGUSR1));
  ASSERT_OK(uv.signal_init(&loop, &signals[1]));
  ASSERT_OK(uv.signal_start_oneshot(&signals[1], on_signal, SIGUSR2));
  ASSERT_OK(kill(getpid(), SIGUSR1));
  ASSERT_OK(kill(getpid(), SIGUSR2));
  ASSERT_OK(uv.fs_event_init(&loop, &watcher));
  ASSERT_OK(uv.fs_event_start(&watcher, on_fs_event, test_tmpdir(), 0));
  write_file(test_path("touched"), "x", 1);
  ASSERT_OK(uv.async_init(&loop, &async, on_async));
  ASSERT_OK(uv.key_create(&key));
  ASSERT_OK(uv.thread_create(&thread, send_from_thread, &loop));
  start_child(&process, &pipe);
  ASSERT_OK(uv.run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(done, 1 + 4 + 2 + 2 + 2 + 1 + 1 + 2);
  ASSERT_OK(uv.thread_join(&thread));
  uv.key_delete(&key);
  ASSERT_OK(uv.loop_close(&loop));
}

TEST_IMPL_LIMIT(it_leaves_nothing_behind_ten_times, 60) {
  NOT_WITH_THREAD_SANITIZER("has a thread of its own");
  int fds, threads, i;
  library_to_load();
  fds = fd_count();
  threads = thread_count();
  for (i = 0; i < 10; i++) {
    load();
    use_everything();
    unload();
    ASSERT_EQ(fd_count(), fds);
    ASSERT_EQ(thread_count(), threads + HAS_THREAD_SANITIZER);
    ASSERT(is_default(SIGCHLD) && is_default(SIGUSR1) && is_default(SIGUSR2));
    expect_forks_and_ends_to_work();
  }
  MAKE_SURE_NOTHING_LEAKED();
}

/* The kilobytes that this process has mapped. */
static long mapped_kilobytes(void) {
  FILE* statm = fopen("/proc/self/statm", "re");
  long pages;
  ASSERT_NOT_NULL(statm);
  ASSERT_EQ(fscanf(statm, "%ld", &pages), 1);
  fclose(statm);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The stack that is kept for children, the stacks of threads, and whatever else is mapped. */
TEST_IMPL_LIMIT(it_gives_its_memory_back, 60) {
  enum { warm_up = 4, rounds = 24 };
  long before = 0;
  int i;
  NOT_WITH_THREAD_SANITIZER("maps memory of its own");
#ifdef __SANITIZE_ADDRESS__
  SKIP("AddressSanitizer maps memory of its own");
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  SKIP("AddressSanitizer maps memory of its own");
#endif
#endif
  if (is_under_valgrind()) SKIP("valgrind maps memory of its own");
  /* Else threads of the C library's would get heaps of their own, at random. */
#ifdef M_ARENA_MAX
  ASSERT_EQ(mallopt(M_ARENA_MAX, 1), 1);
#endif
  for (i = 0; i < rounds; i++) {
    if (i == warm_up) before = mapped_kilobytes();
    load();
    use_everything();
    unload();
  }
  /* Less than a stack for a child each time. */
  ASSERT_LT(mapped_kilobytes() - before, (rounds - warm_up) * 128);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Jobs under way ---------------------------------------------------------------------- */

enum { queued = 20 };

static int jobs_done;

static void slow_job(uv_work_t* req) {
  (void) req;
  usleep(20 * 1000);
  __atomic_add_fetch(&jobs_done, 1, __ATOMIC_SEQ_CST);
}

static void never(uv_work_t* req, int status) {
  (void) req, (void) status;
  FAIL("the loop does not run");
}

TEST_IMPL(unloading_waits_for_jobs) {
  static uv_work_t works[queued];
  int i;
  load();
  ASSERT_OK(uv.loop_init(&loop));
  for (i = 0; i < queued; i++) ASSERT_OK(uv.queue_work(&loop, &works[i], slow_job, never));
  unload();
  ASSERT_EQ(jobs_done, queued);
  ASSERT_EQ(thread_count(), 1 + HAS_THREAD_SANITIZER);
  expect_forks_and_ends_to_work();
}

/* --- Other ways to the end --------------------------------------------------------------- */

TEST_IMPL(it_can_be_shut_down_before) {
  load();
  use_everything();
  uv.library_shutdown();
  unload();
  expect_forks_and_ends_to_work();
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(it_need_not_have_been_used) {
  load();
  unload();
  load();
  ASSERT_OK(uv.loop_init(&loop));
  ASSERT_OK(uv.loop_close(&loop));
  unload();
  expect_forks_and_ends_to_work();
  MAKE_SURE_NOTHING_LEAKED();
}

static void* load_use_unload(void* arg) {
  (void) arg;
  load();
  use_everything();
  unload();
  return NULL;
}

/* Neither what the thread has of the library's nor where it returns to is missing at its end. */
TEST_IMPL(a_thread_may_load_and_unload_it) {
  pthread_t thread;
  int i;
  for (i = 0; i < 3; i++) {
    ASSERT_OK(pthread_create(&thread, NULL, load_use_unload, NULL));
    ASSERT_OK(pthread_join(thread, NULL));
    expect_forks_and_ends_to_work();
  }
  MAKE_SURE_NOTHING_LEAKED();
}

static sem_t has_used_it, is_unloaded;

static void* use_it_and_stay(void* arg) {
  (void) arg;
  use_everything();
  ASSERT_OK(sem_post(&has_used_it));
  ASSERT_OK(sem_wait(&is_unloaded));
  return NULL;
}

/* A thread that has used it ends when it is not there any more. */
TEST_IMPL(a_thread_that_used_it_may_outlive_it) {
  pthread_t thread;
  ASSERT_OK(sem_init(&has_used_it, 0, 0));
  ASSERT_OK(sem_init(&is_unloaded, 0, 0));
  load();
  ASSERT_OK(pthread_create(&thread, NULL, use_it_and_stay, NULL));
  /* Signals for this process may interrupt it. */
  while (sem_wait(&has_used_it) != 0) ASSERT_EQ(errno, EINTR);
  unload();
  ASSERT_OK(sem_post(&is_unloaded));
  ASSERT_OK(pthread_join(thread, NULL));
  expect_forks_and_ends_to_work();
  MAKE_SURE_NOTHING_LEAKED();
}

/* The child has the library without its threads. */
TEST_IMPL(a_forked_child_may_unload_it) {
  int status;
  pid_t pid;
  OXUV_ONLY(); /* libuv waits for threads that the child does not have. */
  load();
  use_everything();
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    unload();
    expect_forks_and_ends_to_work();
    exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  use_everything();
  unload();
  MAKE_SURE_NOTHING_LEAKED();
}

/* Its handle is closed, and it goes on. */
TEST_IMPL(a_running_child_does_not_keep_it) {
  static char* args[] = {"/bin/sleep", "100", NULL};
  uv_process_options_t options;
  uv_process_t process;
  pid_t pid;
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  load();
  ASSERT_OK(uv.loop_init(&loop));
  ASSERT_OK(uv.spawn(&loop, &process, &options));
  pid = process.pid;
  uv.walk(&loop, close_handle, NULL);
  ASSERT_OK(uv.run(&loop, UV_RUN_DEFAULT));
  ASSERT_OK(uv.loop_close(&loop));
  unload();
  ASSERT(is_default(SIGCHLD));
  ASSERT_OK(kill(pid, SIGKILL));
  ASSERT_EQ(waitpid(pid, NULL, 0), pid);
  MAKE_SURE_NOTHING_LEAKED();
}
