/* Random calls of the API, checked against a small model of what must come of them.
 *
 * A world is a loop with its handles and requests. One thread serves each world. All decisions come
 * from the world's random numbers, so that a seed repeats them as far as the system's timing allows.
 */
#ifndef SEQUENCES_H
#define SEQUENCES_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

enum kind {
  FREE,
  TIMER,
  PREPARE,
  CHECK,
  IDLE,
  ASYNC,
  TCP,
  PIPE,
  UDP,
  POLL,
  SIGNAL,
  FS_EVENT,
  FS_POLL,
  PROCESS,
  KINDS
};

enum { SLOTS = 24, REQUESTS = 48, CHUNK = 512 };

struct world;

/* A handle, and what the model knows of it. */
struct slot {
  union uv_any_handle handle;
  struct world* world;
  enum kind kind;
  int is_closing;
  int is_started;       /* what uv_is_active must say, where the model knows it */
  int is_referenced;
  uint64_t repeat;      /* of a timer */
  int was_started;      /* a timer that uv_timer_again may start; a signal started to come once */
  int signum;           /* of a signal handle */
  int own_fd;           /* the socket that a poll handle watches, or -1 */
  int peer_fd;          /* its other end, or -1 */
  struct slot* peer;    /* the other end of a stream, or NULL */
  uint64_t sent;        /* bytes that a stream was given, in order */
  uint64_t received;    /* bytes that came from the peer */
  int requests;         /* writes and sends whose callback is to come */
  char buffer[CHUNK];
  atomic_int is_sendable; /* an open async handle, which other threads may send */
  atomic_int senders;   /* threads within uv_async_send */
  atomic_uint sends;    /* of an async handle */
  unsigned seen_sends;  /* those that a callback has answered */
};

enum request_kind { NONE, WORK, FS, ADDRESS, NAME, RANDOM, WRITE, SHUTDOWN, SEND };

/* A request, and whether its callback is to come. */
struct request {
  union uv_any_req req;
  struct world* world;
  enum request_kind kind;
  struct slot* slot;    /* of a write, a shutdown or a send */
  int is_cancelled;     /* uv_cancel has returned 0 */
  atomic_int runs;      /* of a work callback */
  int fd;               /* that a file request uses, or -1 */
  char buffer[CHUNK];
};

struct world {
  uv_loop_t loop;
  uint64_t random;
  unsigned kinds;       /* bit n: handles of kind n are made */
  int has_requests;     /* requests are made */
  int has_limits;       /* descriptors run out now and then */
  int traces;           /* every call and callback is printed */
  unsigned operations;  /* still to be made */
  unsigned depth;       /* of callbacks that make calls */
  int is_ending;
  uint64_t callbacks;
  char folder[128];
  char file[160];
  uv_timer_t pulse;     /* lets no run wait for ever */
  struct slot slots[SLOTS];
  struct request requests[REQUESTS];
};

/* Ends the process: the library has broken a promise. */
#define PROMISE(condition)                                                    \
  do {                                                                        \
    if (!(condition)) broken(#condition, __FILE__, __LINE__);                 \
  } while (0)

void broken(const char* condition, const char* file, int line);

/* A number below `limit`, which is above 0. */
uint64_t pick(struct world* world, uint64_t limit);
int chance(struct world* world, unsigned percent);

/* Prints a call or callback, the handle's number and a result, in a world that traces. */
void trace(struct world* world, const char* what, const void* slot, long result);

/* Whether a call may have failed with `error` for want of descriptors, memory or processes. */
int is_shortage(int error);

/* Makes some random calls, from a callback. */
void act_in_callback(struct world* world);
void act(struct world* world);

/* handles.c */
void make_handle(struct world* world);
void use_handle(struct world* world);
void close_slot(struct slot* slot);
void check_slot(struct slot* slot);
struct slot* pick_slot(struct world* world, enum kind kind);

/* streams.c */
int make_stream_pair(struct world* world, struct slot* one, struct slot* other, enum kind kind);
int make_udp(struct slot* slot);
int make_poll(struct slot* slot);
void use_stream(struct slot* slot);
void use_udp(struct slot* slot);
void use_poll(struct slot* slot);

/* requests.c */
struct request* free_request(struct world* world);
struct request* request_of(const void* req);
/* Counts a callback of a request, which must have been active. */
void finish_request(struct request* request);
void make_request(struct world* world);
void cancel_request(struct world* world);

#endif
