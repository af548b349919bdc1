/* What real programs rely on beyond the documentation. See docs/guards.md. */
#include "task.h"

#include <dlfcn.h>
#include <netinet/in.h>

/* --- uvloop: bits of a handle's flags ---------------------------------------------------- */

static uv_pipe_t pipe_handle;
static int reads;
static ssize_t last_read;

static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  last_read = count;
  reads++;
}

/* uvloop reads from the end that it writes to, so as to learn that the reader is gone. */
TEST_IMPL(the_readable_bit_is_the_programs_to_set) {
  int fds[2];

  ASSERT_OK(uv_pipe(fds, 0, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe_handle, 0));
  pipe_handle.flags |= 0x4000;
  ASSERT(uv_is_readable((uv_stream_t*) &pipe_handle));
  ASSERT_OK(uv_pipe_open(&pipe_handle, fds[1]));
  ASSERT_OK(uv_read_start((uv_stream_t*) &pipe_handle, alloc_static, on_read));
  ASSERT_NE(uv_run(uv_default_loop(), UV_RUN_NOWAIT), 0);
  ASSERT_EQ(reads, 0);
  ASSERT_OK(close(fds[0]));
  run_until(uv_default_loop(), &reads, 1);
  ASSERT_LT(last_read, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_bits_of_the_directions_have_their_values) {
  int fds[2];
  uv_pipe_t reader;
  uv_pipe_t writer;

  ASSERT_OK(uv_pipe(fds, 0, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &reader, 0));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &writer, 0));
  ASSERT_EQ(reader.flags & 0xc000, 0);
  ASSERT_OK(uv_pipe_open(&reader, fds[0]));
  ASSERT_OK(uv_pipe_open(&writer, fds[1]));
  ASSERT_EQ(reader.flags & 0xc000, 0x4000);
  ASSERT_EQ(writer.flags & 0xc000, 0x8000);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Fields that programs read ----------------------------------------------------------- */

static void on_poll(uv_poll_t* handle, int status, int events) {}

/* libwebsockets */
TEST_IMPL(the_descriptor_of_a_poll_handle_is_in_its_watcher) {
  uv_poll_t handle;
  int fds[2];

  ASSERT_OK(pipe(fds));
  ASSERT_OK(uv_poll_init(uv_default_loop(), &handle, fds[0]));
  ASSERT_EQ(handle.io_watcher.fd, fds[0]);
  ASSERT_OK(uv_poll_start(&handle, UV_READABLE, on_poll));
  ASSERT_EQ(handle.io_watcher.fd, fds[0]);
  ASSERT_OK(uv_poll_stop(&handle));
  ASSERT_EQ(handle.io_watcher.fd, fds[0]);
  uv_close((uv_handle_t*) &handle, NULL);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_OK(close(fds[0]));
  ASSERT_OK(close(fds[1]));
  MAKE_SURE_NOTHING_LEAKED();
}

static int done;

static void on_write(uv_write_t* req, int status) {
  /* This write is no longer in the queue. */
  ASSERT_EQ(req->handle->write_queue_size, uv_stream_get_write_queue_size(req->handle));
  done++;
}

/* Node and uvloop decide by these whether to go on writing. */
TEST_IMPL(the_sizes_of_queues_are_fields) {
  static char data[4 << 20];
  uv_buf_t buf = uv_buf_init(data, sizeof(data));
  uv_write_t reqs[2];
  uv_udp_t udp;
  int fds[2];

  ASSERT_OK(uv_socketpair(SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE));
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe_handle, 0));
  ASSERT_OK(uv_pipe_open(&pipe_handle, fds[0]));
  ASSERT_EQ(pipe_handle.write_queue_size, 0);
  ASSERT_OK(uv_write(&reqs[0], (uv_stream_t*) &pipe_handle, &buf, 1, on_write));
  ASSERT_GT(pipe_handle.write_queue_size, 0);
  ASSERT_LT(pipe_handle.write_queue_size, sizeof(data));
  buf.len = 1000;
  done = (int) pipe_handle.write_queue_size;
  ASSERT_OK(uv_write(&reqs[1], (uv_stream_t*) &pipe_handle, &buf, 1, on_write));
  ASSERT_EQ(pipe_handle.write_queue_size, done + 1000);
  done = 0;
  while (done < 2) {
    while (read(fds[1], data, sizeof(data)) > 0) continue;
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
  }
  ASSERT_EQ(pipe_handle.write_queue_size, 0);
  ASSERT_OK(close(fds[1]));
  ASSERT_OK(uv_udp_init(uv_default_loop(), &udp));
  ASSERT_EQ(udp.send_queue_size, 0);
  ASSERT_EQ(udp.send_queue_count, 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Handles that are members of the program's objects ----------------------------------- */

enum { canary = 0x5ca1ab1e };

/* Handles inside an object, as zeromq's addon has them. */
static struct {
  unsigned first;
  uv_poll_t poll;
  unsigned second;
  uv_timer_t timer;
  unsigned third;
  uv_check_t check;
  unsigned fourth;
  uv_idle_t idle;
  unsigned fifth;
  uv_async_t async;
  unsigned sixth;
  int calls[5];
} object;

static void on_object_poll(uv_poll_t* handle, int status, int events) {
  ASSERT_PTR_EQ(handle, &object.poll);
  object.calls[0]++;
  ASSERT_OK(uv_poll_stop(handle));
}

static void on_object_timer(uv_timer_t* handle) {
  ASSERT_PTR_EQ(handle->data, &object);
  object.calls[1]++;
  ASSERT_OK(uv_async_send(&object.async));
}

static void on_object_check(uv_check_t* handle) {
  object.calls[2]++;
}

static void on_object_idle(uv_idle_t* handle) {
  object.calls[3]++;
}

static void on_object_async(uv_async_t* handle) {
  object.calls[4]++;
}

static void check_canaries(void) {
  ASSERT_EQ(object.first, canary);
  ASSERT_EQ(object.second, canary);
  ASSERT_EQ(object.third, canary);
  ASSERT_EQ(object.fourth, canary);
  ASSERT_EQ(object.fifth, canary);
  ASSERT_EQ(object.sixth, canary);
}

TEST_IMPL(handles_inside_objects_leave_their_neighbours_alone) {
  uv_loop_t* loop = uv_default_loop();
  int fds[2];
  int i;

  object.first = object.second = object.third = canary;
  object.fourth = object.fifth = object.sixth = canary;
  ASSERT_OK(pipe(fds));
  ASSERT_EQ(write(fds[1], "x", 1), 1);
  ASSERT_OK(uv_poll_init(loop, &object.poll, fds[0]));
  ASSERT_OK(uv_poll_start(&object.poll, UV_READABLE, on_object_poll));
  ASSERT_OK(uv_timer_init(loop, &object.timer));
  object.timer.data = &object;
  ASSERT_OK(uv_timer_start(&object.timer, on_object_timer, 1, 0));
  ASSERT_OK(uv_check_init(loop, &object.check));
  ASSERT_OK(uv_check_start(&object.check, on_object_check));
  ASSERT_OK(uv_idle_init(loop, &object.idle));
  ASSERT_OK(uv_idle_start(&object.idle, on_object_idle));
  ASSERT_OK(uv_async_init(loop, &object.async, on_object_async));
  run_until(loop, &object.calls[4], 1);
  for (i = 0; i < 5; i++) ASSERT_GE(object.calls[i], 1);
  check_canaries();
  ASSERT_OK(close(fds[0]));
  ASSERT_OK(close(fds[1]));
  close_loop(loop);
  check_canaries();
}

/* --- BIND: the size of the pool comes after the start ------------------------------------ */

static void just_work(uv_work_t* req) {}

static void after_work(uv_work_t* req, int status) {
  ASSERT_OK(status);
  done++;
}

static uv_mutex_t mutex;
static uv_cond_t all_there;
static int at_once, most_at_once;

/* Ends when seven jobs are there, and no sooner. */
static void meet_others(uv_work_t* req) {
  uv_mutex_lock(&mutex);
  if (++at_once > most_at_once) most_at_once = at_once;
  if (most_at_once >= 7) uv_cond_broadcast(&all_there);
  while (most_at_once < 7) uv_cond_wait(&all_there, &mutex);
  at_once--;
  uv_mutex_unlock(&mutex);
}

TEST_IMPL(the_size_of_the_pool_may_be_set_by_the_program) {
  uv_work_t reqs[16];
  uv_timer_t timer;

  /* The library is in use, but not its pool. */
  ASSERT_OK(uv_os_setenv("UV_THREADPOOL_SIZE", "2"));
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_OK(uv_os_setenv("UV_THREADPOOL_SIZE", "7"));
  ASSERT_OK(uv_mutex_init(&mutex));
  ASSERT_OK(uv_cond_init(&all_there));
  for (done = 0; done < 16; done++)
    ASSERT_OK(uv_queue_work(uv_default_loop(), &reqs[done], meet_others, after_work));
  done = 0;
  run_until(uv_default_loop(), &done, 16);
  ASSERT_EQ(most_at_once, 7);
  MAKE_SURE_NOTHING_LEAKED();
}

/* BIND stops when the version is below the one it was built with. */
TEST_IMPL(the_version_is_no_lower_than_that_of_the_header) {
  ASSERT_GE(uv_version(), UV_VERSION_HEX);
  ASSERT_EQ(uv_version() >> 16, 1);
}

/* --- Brought in by dlopen ---------------------------------------------------------------- */

/* The functions of a second libuv in this process. */
static struct {
  void* library;
  int (*loop_init)(uv_loop_t*);
  int (*loop_close)(uv_loop_t*);
  int (*run)(uv_loop_t*, uv_run_mode);
  int (*timer_init)(uv_loop_t*, uv_timer_t*);
  int (*timer_start)(uv_timer_t*, uv_timer_cb, uint64_t, uint64_t);
  int (*tcp_init)(uv_loop_t*, uv_tcp_t*);
  int (*queue_work)(uv_loop_t*, uv_work_t*, uv_work_cb, uv_after_work_cb);
  void (*close)(uv_handle_t*, uv_close_cb);
} second;

static void* find(const char* name) {
  void* symbol = dlsym(second.library, name);
  Dl_info info;
  ASSERT_NOT_NULL(symbol);
  ASSERT(dladdr(symbol, &info) != 0);
  ASSERT_STR_EQ(info.dli_fname, test_path("second.so"));
  return symbol;
}

/* A copy of the shared library under another name is a library of its own for the loader, also
 * where this program has the archive in it. */
static void load_second(void) {
  char original[4096];
  Dl_info info;
  uv_fs_t req;

  ASSERT(dladdr((void*) (uintptr_t) uv_version, &info) != 0);
  snprintf(original, sizeof(original), "%s", info.dli_fname);
  if (strstr(original, ".so") == NULL)
    snprintf(original, sizeof(original), "%s/libuv.so.1", getenv("LD_LIBRARY_PATH"));
  if (access(test_path("second.so"), F_OK) != 0) {
    ASSERT_OK(uv_fs_copyfile(NULL, &req, original, test_path("second.so"), 0, NULL));
    uv_fs_req_cleanup(&req);
  }
  second.library = dlopen(test_path("second.so"), RTLD_NOW | RTLD_LOCAL);
  if (second.library == NULL) FAIL("%s", dlerror());
  *(void**) &second.loop_init = find("uv_loop_init");
  *(void**) &second.loop_close = find("uv_loop_close");
  *(void**) &second.run = find("uv_run");
  *(void**) &second.timer_init = find("uv_timer_init");
  *(void**) &second.timer_start = find("uv_timer_start");
  *(void**) &second.tcp_init = find("uv_tcp_init");
  *(void**) &second.queue_work = find("uv_queue_work");
  *(void**) &second.close = find("uv_close");
}

static int is_mapped(const char* path) {
  FILE* maps = fopen("/proc/self/maps", "re");
  char line[8192];
  int is_found = 0;
  ASSERT_NOT_NULL(maps);
  while (fgets(line, sizeof(line), maps) != NULL) is_found |= strstr(line, path) != NULL;
  fclose(maps);
  return is_found;
}

static void close_timer(uv_timer_t* timer) {
  second.close((uv_handle_t*) timer, NULL);
}

/* A loop of the second library, with a job. */
static void use_second(void) {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_work_t work;
  uv_tcp_t tcp;

  done = 0;
  ASSERT_OK(second.loop_init(&loop));
  ASSERT_OK(second.timer_init(&loop, &timer));
  ASSERT_OK(second.timer_start(&timer, close_timer, 1, 0));
  ASSERT_OK(second.tcp_init(&loop, &tcp));
  ASSERT_OK(second.queue_work(&loop, &work, just_work, after_work));
  second.close((uv_handle_t*) &tcp, NULL);
  ASSERT_OK(second.run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(done, 1);
  ASSERT_OK(second.loop_close(&loop));
}

static void use_first(void) {
  uv_work_t work;
  done = 0;
  ASSERT_OK(uv_queue_work(uv_default_loop(), &work, just_work, after_work));
  run_until(uv_default_loop(), &done, 1);
}

TEST_IMPL(two_libraries_do_not_meet) {
  OXUV_ONLY(); /* libuv has descriptors of its own for signals, which stay. */
  load_second();
  use_first();
  use_second();
  use_first();
  MAKE_SURE_NOTHING_LEAKED();
}

static void unload_second(void) {
  ASSERT(is_mapped(test_path("second.so")));
  ASSERT_OK(dlclose(second.library));
  ASSERT(!is_mapped(test_path("second.so")));
}

/* Beside one that stays. See unload.c for all that it must not leave behind. */
TEST_IMPL(the_library_can_be_taken_out_again) {
  int status, i;
  pid_t pid;

  OXUV_ONLY();
  load_second();
  use_second();
  unload_second();
  use_first();
  /* What it registered for forks and for the end does not point into nothing. */
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) exit(0);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  for (i = 0; i < 3; i++) {
    load_second();
    use_second();
    unload_second();
  }
  MAKE_SURE_NOTHING_LEAKED();
}

static int job_pipe[2];

static void slow_job(uv_work_t* req) {
  uv_sleep(100);
  ASSERT_EQ(write(job_pipe[1], "done", 4), 4);
}

/* The end of the process waits for the jobs of each library by that library's own function: not
 * twice by the first one's, which is the one that the name finds. */
TEST_IMPL(each_library_ends_its_own_threads) {
  char text[16];
  pid_t pid;

  OXUV_ONLY();
  load_second();
  ASSERT_OK(pipe(job_pipe));
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    uv_loop_t* loop = malloc(sizeof(*loop));
    uv_work_t* work = malloc(sizeof(*work));
    ASSERT_OK(second.loop_init(loop));
    ASSERT_OK(second.queue_work(loop, work, slow_job, NULL));
    exit(0);
  }
  ASSERT_OK(close(job_pipe[1]));
  ASSERT_EQ(waitpid(pid, NULL, 0), pid);
  ASSERT_EQ(read(job_pipe[0], text, sizeof(text)), 4);
  ASSERT_OK(close(job_pipe[0]));
}
