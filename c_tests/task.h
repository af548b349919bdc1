/* The pattern of the C tests: TEST_IMPL(name) { ... } in any file of this folder is a test of its
 * own, which runs in a process of its own. Assertions print both values and end the process. */
#ifndef OXUV_TASK_H
#define OXUV_TASK_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

/* --- Tests and helper processes ------------------------------------------------------------ */

struct task {
  const char* name;
  void (*run)(void);
  int seconds;   /* Time limit. */
  int is_serial; /* Must not run beside other tests. */
  int is_helper; /* Not a test: run by start_helper(). */
  int is_timed;  /* Judges times: depends on a quiet machine. */
  struct task* next;
};

void task_register(struct task* task);

#define TASK__(name_, seconds_, serial_, helper_, timed_)                                          \
  static void run_##name_(void);                                                                   \
  static struct task task_##name_ = {#name_,  run_##name_, seconds_, serial_,                      \
                                     helper_, timed_,      NULL};                                  \
  __attribute__((constructor)) static void register_##name_(void) {                                \
    task_register(&task_##name_);                                                                  \
  }                                                                                                \
  static void run_##name_(void)

#define TEST_IMPL(name) TASK__(name, 30, 0, 0, 0)
/* With another time limit than 30 seconds. */
#define TEST_IMPL_LIMIT(name, seconds) TASK__(name, seconds, 0, 0, 0)
/* Not beside other tests: it measures, or uses up something that all processes have in common. */
#define TEST_IMPL_SERIAL(name) TASK__(name, 60, 1, 0, 0)
#define TEST_IMPL_SERIAL_LIMIT(name, seconds) TASK__(name, seconds, 1, 0, 0)
/* Judges processor time or latency, which depends on what else the machine does. It runs alone, and
 * only where it is asked for (`-- --ignored`): no part of the gate. */
#define TEST_IMPL_TIMED(name, seconds) TASK__(name, seconds, 1, 0, 1)
#define HELPER_IMPL(name) TASK__(name, 0, 0, 1, 0)

/* Runs a helper of this program in a process of its own, and waits until it calls helper_ready().
 * Returns its process id; *number is what it said. The helper is ended with the test. */
pid_t start_helper(const char* name, int* number);
/* Called by the helper, with a number (a port, say) for the test. */
void helper_ready(int number);
/* Ends a helper and waits for it. */
void end_helper(pid_t pid);

/* Ends the test as not possible here. */
#define SKIP(...)                                                                                  \
  do {                                                                                             \
    printf(__VA_ARGS__);                                                                           \
    fflush(stdout);                                                                                \
    _exit(77);                                                                                     \
  } while (0)

#if defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1
#endif
#endif
#ifndef HAS_THREAD_SANITIZER
#define HAS_THREAD_SANITIZER 0
#endif

/* ThreadSanitizer itself is in the way of the test, which then says why. */
#define NOT_WITH_THREAD_SANITIZER(...)                                                             \
  do {                                                                                             \
    if (HAS_THREAD_SANITIZER) SKIP("ThreadSanitizer " __VA_ARGS__);                                \
  } while (0)

/* The test checks something in which this library decides otherwise than libuv. */
#define OXUV_ONLY()                                                                                \
  do {                                                                                             \
    if (getenv("OXUV_TEST_OTHER") != NULL) SKIP("decided otherwise than in libuv");               \
  } while (0)

/* --- Assertions ---------------------------------------------------------------------------- */

#define FAIL(...)                                                                                  \
  do {                                                                                             \
    fflush(stdout);                                                                                \
    fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                \
    fprintf(stderr, __VA_ARGS__);                                                                  \
    fprintf(stderr, "\n");                                                                         \
    fflush(stderr);                                                                                \
    abort();                                                                                       \
  } while (0)

#define ASSERT(condition)                                                                          \
  do {                                                                                             \
    if (!(condition)) FAIL("assertion failed: %s", #condition);                                    \
  } while (0)

#define ASSERT_COMPARE__(a, operator, b)                                                           \
  do {                                                                                             \
    int64_t a__ = (int64_t) (a);                                                                   \
    int64_t b__ = (int64_t) (b);                                                                   \
    if (!(a__ operator b__))                                                                       \
      FAIL("assertion failed: %s %s %s (%" PRId64 " %s %" PRId64 ")", #a, #operator, #b, a__,      \
           #operator, b__);                                                                        \
  } while (0)

#define ASSERT_EQ(a, b) ASSERT_COMPARE__(a, ==, b)
#define ASSERT_NE(a, b) ASSERT_COMPARE__(a, !=, b)
#define ASSERT_LT(a, b) ASSERT_COMPARE__(a, <, b)
#define ASSERT_LE(a, b) ASSERT_COMPARE__(a, <=, b)
#define ASSERT_GT(a, b) ASSERT_COMPARE__(a, >, b)
#define ASSERT_GE(a, b) ASSERT_COMPARE__(a, >=, b)

/* Zero; an error code is shown by its name. */
#define ASSERT_OK(result)                                                                          \
  do {                                                                                             \
    int64_t result__ = (int64_t) (result);                                                         \
    if (result__ != 0) {                                                                           \
      char name__[64];                                                                             \
      FAIL("not 0: %s (%" PRId64 " %s)", #result, result__,                                        \
           uv_err_name_r((int) result__, name__, sizeof(name__)));                                 \
    }                                                                                              \
  } while (0)

#define ASSERT_STR_EQ(a, b)                                                                        \
  do {                                                                                             \
    const char* a__ = (a);                                                                         \
    const char* b__ = (b);                                                                         \
    if (a__ == NULL || b__ == NULL || strcmp(a__, b__) != 0)                                       \
      FAIL("assertion failed: %s == %s (\"%s\" == \"%s\")", #a, #b, a__ ? a__ : "(null)",          \
           b__ ? b__ : "(null)");                                                                  \
  } while (0)

#define ASSERT_MEM_EQ(a, b, size)                                                                  \
  do {                                                                                             \
    if (memcmp(a, b, size) != 0) FAIL("assertion failed: %s and %s differ", #a, #b);               \
  } while (0)

#define ASSERT_PTR_EQ(a, b)                                                                        \
  do {                                                                                             \
    const void* a__ = (const void*) (a);                                                           \
    const void* b__ = (const void*) (b);                                                           \
    if (a__ != b__) FAIL("assertion failed: %s == %s (%p == %p)", #a, #b, a__, b__);               \
  } while (0)

#define ASSERT_NULL(a) ASSERT_PTR_EQ(a, NULL)
#define ASSERT_NOT_NULL(a)                                                                         \
  do {                                                                                             \
    if ((a) == NULL) FAIL("assertion failed: %s is not NULL", #a);                                 \
  } while (0)

/* --- The order of events ------------------------------------------------------------------- */

/* Adds a word to the notes of this test, as printf does; words are set apart by a blank. */
__attribute__((format(printf, 1, 2))) void note(const char* format, ...);
/* The notes so far. */
const char* notes(void);
void clear_notes(void);

/* Asserts what was noted since the last time, and starts anew. */
#define ASSERT_NOTES(expected)                                                                     \
  do {                                                                                             \
    ASSERT_STR_EQ(notes(), expected);                                                              \
    clear_notes();                                                                                 \
  } while (0)

/* --- Helpers of tests ---------------------------------------------------------------------- */

/* How many descriptors this process has open. */
int fd_count(void);
/* How many threads this process has. */
int thread_count(void);
/* Closes every handle of the loop, runs it to its end, and closes it. */
void close_loop(uv_loop_t* loop);
/* Ends a test: closes the default loop, shuts the library down, and checks that no descriptor is
 * open that was not when the test began. */
void make_sure_nothing_leaked(void);
#define MAKE_SURE_NOTHING_LEAKED() make_sure_nothing_leaked()
/* A folder of the test's own, removed at its end; and a path in it, in one of several buffers. */
const char* test_tmpdir(void);
const char* test_path(const char* name);
/* Writes a file. */
void write_file(const char* path, const void* data, size_t size);
/* Runs the loop until *flag is at least `value`; fails the test after 20 seconds. */
void run_until(uv_loop_t* loop, const int* flag, int value);
int is_under_valgrind(void);
/* Nanoseconds of processor time that this process has used. */
uint64_t used_ns(void);
/* Keeps the thread busy, for a time in milliseconds. */
void spin(uint64_t milliseconds);
/* 127.0.0.1 with a port, 0 for any. */
struct sockaddr_in loopback(int port);
/* The port that a TCP handle is bound to. */
int port_of(uv_tcp_t* handle);
/* Hands out always the same memory: for readers that are done with it in the callback. */
void alloc_static(uv_handle_t* handle, size_t suggested, uv_buf_t* buf);
/* Starts an echo server in a process of its own: on TCP (returns the port), or on a Unix socket. */
int start_tcp_echo_server(void);
void start_pipe_echo_server(const char* path);

#endif
