/* The pattern of the benchmarks: a program of this folder is a theme, and lists its benchmarks in
 * benches[], ended by an empty row. Each runs in a process of its own:
 *
 *     program --list                        what it has, one line each, fields set apart by tabs
 *     program --run NAME --ms N [--quick]   measures for so long, and prints one line of results
 *
 * Programs in bare/ do the same work on plain system calls, and are linked without libuv. */
#ifndef OXUV_BENCH_H
#define OXUV_BENCH_H

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum bench_kind {
  BENCH_RATE,        /* Operations per second: more is better. */
  BENCH_BYTES,       /* bench_value() in bytes: less is better. */
  BENCH_NANOSECONDS, /* bench_value() in nanoseconds: less is better. */
};

struct bench {
  const char* name;
  const char* text; /* One operation in words. */
  void (*run)(const struct bench* bench);
  long n;             /* The number that varies within a family: in flight, connections, threads … */
  long m;             /* Another number that varies. */
  const char* bare;   /* The program and name in bare/ of the same work. */
  const char* series; /* The plot that shows it against n. */
  enum bench_kind kind;
};

/* The benchmarks of the program. Those whose name begins with _ are not listed. */
extern const struct bench benches[];

/* Whether this run only has to prove that the benchmark runs. */
int bench_quick(void);
/* n, or a small part of it where bench_quick(). */
long bench_scaled(long n);

/* --- Measuring by time ------------------------------------------------------------------- */

/* Starts the clocks, with a short time of warming up that does not count. */
void bench_start(void);

extern uint64_t bench_done__;
extern uint64_t bench_next_check__;
int bench_check__(void);

/* Adds operations that are done, and returns whether to go on. Reads the clock only now and then.
 * After it has returned 0, the clocks have stopped and nothing counts any more. */
static inline int bench_more(uint64_t operations) {
  bench_done__ += operations;
  return bench_done__ < bench_next_check__ || bench_check__();
}

/* --- Measuring rounds of a fixed size ---------------------------------------------------- */

/* Between these the clocks run. */
void bench_resume(void);
void bench_pause(uint64_t operations);
/* Whether there is time for one more round. */
int bench_round(void);

/* --- Other results ----------------------------------------------------------------------- */

/* Nanoseconds of a clock that only goes forward. */
uint64_t bench_now(void);
/* How long one operation took, for the percentiles. */
void bench_latency(uint64_t nanoseconds);
/* The result where it is no rate. */
void bench_value(double value);
/* The result is the latency in the middle. */
void bench_value_is_latency(void);

/* Counts the processor time of that process too, or of that one alone. */
void bench_count_cpu_of(pid_t pid);
void bench_count_cpu_only_of(pid_t pid);
/* Leaves out the time of a clock, such as that of a thread that makes the load. */
void bench_do_not_count_cpu_of(clockid_t clock);

/* --- Helpers ----------------------------------------------------------------------------- */

/* Runs a function in a child process, which is ended with this one, until it calls bench_ready();
 * gives what that said. To be called before the library is used. */
pid_t bench_child(void (*run)(long argument), long argument, long* said);
void bench_ready(long number);
void bench_end_child(pid_t pid);

/* Ends the benchmark as not possible here. */
__attribute__((noreturn, format(printf, 1, 2))) void bench_skip(const char* format, ...);
__attribute__((noreturn, format(printf, 3, 4))) void bench_fail(const char* file, int line,
                                                                const char* format, ...);
/* The benchmark ends unless it is so. */
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) bench_fail(__FILE__, __LINE__, "%s (errno %d)", #condition, errno);          \
  } while (0)

/* A path in a folder of this process, which is removed at its end; one of several buffers. */
const char* bench_path(const char* name);
/* Allows as many descriptors as the machine does; skips the benchmark if those are too few. */
void bench_need_descriptors(long count);
/* Bytes of memory that this process has in use: resident, without shared file mappings. */
long bench_memory(pid_t pid);
/* Keeps the processor busy. */
void bench_spin(uint64_t nanoseconds);

#endif
