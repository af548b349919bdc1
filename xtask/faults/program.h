/* The frame of the programs that `cargo xtask faults` runs while calls of theirs fail.
 *
 * A program starts its work in `program()` and calls `finish()` when all of it is done. It tells the
 * frame of each error that the library reports, and of each request that it begins and that ends.
 * The frame closes everything, checks that nothing is left, and prints one line:
 *
 *   outcome right            all work was done, and all data was as expected
 *   outcome error NAME CALL  the library reported an error; everything else was as it must be
 *   outcome fault TEXT       something is wrong that was not reported
 */
#ifndef FAULTS_PROGRAM_H
#define FAULTS_PROGRAM_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The loop that the frame runs and closes. */
extern uv_loop_t loop;

/* To be written by each program: begins its work. */
void program(void);

/* The same, if it has threads or descriptors to end with: called when the loop's handles are closed. */
void at_end(void) __attribute__((weak));

/* --- Telling the frame --------------------------------------------------------------------- */

/* Whether a call failed. If so its error is kept, and everything is closed. */
int fails(int64_t code, const char* call);

/* The same, but the program goes on. */
int notes(int64_t code, const char* call);

/* Whether any error was reported so far, or the program has waited in vain. */
int is_told(void);

/* Whether everything is being closed. */
int is_ending(void);

/* All that the program set out to do is done: everything is closed. */
void finish(void);

/* A request was accepted. */
void begun(const void* request, const char* call);

/* Its callback came: a fault if it is the second one, or if the request was not accepted. */
void ended(const void* request);

/* Closes a handle, unless that has been done. */
void close_handle(void* handle);

/* Ends the process with a fault. */
void fault(const char* format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* What must be so whatever fails. */
#define EXPECT(what, ...)                                                                          \
  do {                                                                                             \
    if (!(what)) fault(__VA_ARGS__);                                                               \
  } while (0)

/* What must be so unless an error was reported. */
#define EXPECT_UNLESS_TOLD(what, ...) EXPECT(is_told() || (what), __VA_ARGS__)

/* A call without which the program cannot go on: the function returns if it fails. */
#define MUST(call)                                                                                 \
  do {                                                                                             \
    if (fails((call), #call)) return;                                                              \
  } while (0)

/* The same of a call that takes a request, whose callback comes later. */
#define BEGIN(request, call)                                                                       \
  do {                                                                                             \
    if (fails((call), #call)) return;                                                              \
    begun((request), #call);                                                                       \
  } while (0)

/* --- Data ---------------------------------------------------------------------------------- */

/* Byte number `at` of what the programs send and store. */
unsigned char pattern(size_t at);
void fill(char* data, size_t at, size_t size);
/* A fault unless the data are those of that place. */
void check(const char* data, size_t at, size_t size, const char* where);

/* Gives every read the same memory, of 64 KiB. */
void give_buffer(uv_handle_t* handle, size_t size, uv_buf_t* buf);

/* --- Calls of the program's own ------------------------------------------------------------ */

/* They go to the kernel with a mark that the driver and its filters leave alone. */
#define OWN_MARK 0x0bead0ffL
#define OWN3(number, a, b, c) syscall((number), (long) (a), (long) (b), (long) (c), 0L, 0L, OWN_MARK)
#define OWN4(number, a, b, c, d)                                                                   \
  syscall((number), (long) (a), (long) (b), (long) (c), (long) (d), 0L, OWN_MARK)

int own_open(const char* path, int flags);
long own_read(int fd, void* data, size_t size);
long own_write(int fd, const void* data, size_t size);
void own_close(int fd);
/* Leaves it to the frame. */
void own_close_at_end(int fd);
void own_unlink(const char* path);
void own_mkdir(const char* path);
void own_rmdir(const char* path);
void own_socketpair(int fds[2]);
/* Moves a descriptor above the standard ones, which uv_close leaves open. */
void own_move_up(int* fd);
void own_nonblocking(int fd);
/* Creates a file of that many bytes of the pattern. */
void own_make_file(const char* path, size_t size);
/* Waits for a child; its status as wait(2) has it. */
int own_wait(pid_t pid);
void own_kill(pid_t pid, int number);

/* --- For the frame itself ------------------------------------------------------------------ */

/* conditions.c: what the environment asks for. Surroundings stay to the end. */
void set_surroundings(void);
void set_conditions(void);
void lift_conditions(void);
int is_limited(void);

/* allocator.c: an allocator that counts, and fails as asked for. */
void use_counting_allocator(void);
long allocations_taken(void);
long blocks_left(void);

/* A line for the driver. */
void print(const char* format, ...) __attribute__((format(printf, 1, 2)));

/* In a child of fork(2): what it ends with goes to its parent as its status. */
void continue_as_child(void);
/* What a child of fork(2) that continued so ended with. */
void judge_child(int status);

#endif
