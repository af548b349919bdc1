/* What the files of the soak have in common. Two processes run them: a server, and a client that keeps
 * a great many connections open. Both also write files, start children, watch a folder and use the
 * pool. All data are made from a seed, so that each side knows what it must get.
 *
 * A process ends with status 0 once its standard input has ended, all work under way is done, and
 * nothing is left. It ends with one line, `fault ...`, and status 1 as soon as anything is wrong.
 */
#ifndef SOAK_H
#define SOAK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- The frame: main.c ------------------------------------------------------------------------ */

extern uv_loop_t loop;

/* What the command line says. */
struct settings {
  const char* folder;        /* of this process's own files */
  unsigned connections;      /* how many are kept open */
  unsigned longest_pause_ms; /* between two messages of a connection */
  unsigned patience_ticks;   /* without progress, until something counts as lost */
  uint64_t seed;
};
extern struct settings settings;

/* What a process has done. */
struct totals {
  unsigned open, made, resets;
  uint64_t bytes; /* verified */
  unsigned files, children, watches, jobs, timers;
};
extern struct totals totals;

/* Seconds in which the process ran. One that is stopped for a while has not lost anything. */
extern unsigned ticks;

/* Standard input has ended: nothing new is begun. */
extern int is_ending;

/* Ends the process. */
void fault(const char* format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define EXPECT(what, ...)                                                                          \
  do {                                                                                             \
    if (!(what)) fault(__VA_ARGS__);                                                               \
  } while (0)

/* A call that cannot fail here. */
#define MUST(call)                                                                                 \
  do {                                                                                             \
    int64_t result_ = (call);                                                                      \
    EXPECT(result_ >= 0, "%s: %s", #call, uv_err_name((int) result_));                             \
  } while (0)

/* Whether that tick was too long ago. */
int is_tired(unsigned last_tick);

/* --- Data ------------------------------------------------------------------------------------- */

/* The next of a row of random numbers. */
uint64_t draw(uint64_t* state);
/* A random number below `limit`. */
unsigned draw_below(uint64_t* state, unsigned limit);

/* The data of a seed, from byte number `at` on. */
void fill(char* data, uint64_t seed, uint64_t at, size_t size);
/* A fault unless the data are those. Counts them. */
void check(const char* data, uint64_t seed, uint64_t at, size_t size, const char* where);

/* --- Connections: peers.c, client.c, server.c -------------------------------------------------- */

/* How a connection ends. */
enum end {
  BOTH_SHUT,          /* first the client, then the server */
  SERVER_SHUTS_FIRST, /* as soon as `end_at` is there; the client goes on */
  CLIENT_RESETS,
  SERVER_RESETS,
  CLIENT_CLOSES /* with what is still to be written */
};

/* All that will be said on a connection: known to both sides by its seed. */
struct plan {
  uint64_t to_server, to_client; /* bytes */
  enum end end;
  uint64_t end_at;   /* bytes to the server before that happens */
  uint64_t messages; /* of the client */
};

struct peer {
  union {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle; /* first */
  uv_timer_t timer;
  uv_connect_t connect;
  uv_shutdown_t shutdown;
  struct peer* next; /* of those that are not in use */
  struct plan plan;
  uint64_t seed;
  uint64_t sent, received;
  uint64_t timer_due;
  unsigned last_tick;
  unsigned writes; /* under way */
  unsigned handles;
  unsigned char greeting[8]; /* the seed, as it comes */
  char is_server, is_pipe, is_refused, is_stopped, has_shut, is_shut_done, has_end, is_closing;
};

enum { greeting_size = 8 };

struct plan plan_of(uint64_t seed);
struct peer* new_peer(int is_server, int is_pipe);
/* Sends the next bytes. Nothing is left to do with the peer if it returns 0. */
int send_part(struct peer* peer, uint64_t size);
/* Ends this side's stream. */
void shut(struct peer* peer);
void close_peer(struct peer* peer);
void reset_peer(struct peer* peer);
/* What this side sends in all. */
uint64_t own_total(const struct peer* peer);
/* Calls `on_pause` after so many milliseconds. */
void pause_peer(struct peer* peer, unsigned ms);
void read_peer(struct peer* peer);
void stop_reading(struct peer* peer);

/* What a side does */
struct side {
  void (*on_data)(struct peer* peer);  /* when data came, or the other side's stream ended */
  void (*on_sent)(struct peer* peer);  /* when all writes are done */
  void (*on_pause)(struct peer* peer); /* after a pause */
  void (*on_gone)(void);               /* when nothing is left of a connection */
};
extern const struct side client_side, server_side;

/* Listens, and prints the port. */
void start_server(void);
void stop_server(void);
/* Keeps connections open to a server that has a socket in `server_folder`. */
void start_client(const char* server_folder, int port);

/* How many addresses the server listens on: each has ports of its own for those that connect. */
enum { addresses = 8 };

/* --- The rest: files.c, jobs.c ----------------------------------------------------------------- */

void start_files(void);
void start_jobs(void);
/* A fault if one of them has not gone on for too long. */
void check_files(void);
void check_jobs(void);
/* The process is one of the children that are started: repeats what it reads. */
int run_child(const char* status);

#endif
