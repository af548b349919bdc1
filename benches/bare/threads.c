/* Hand-over between threads on the bare system calls. */
#include "../bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

/* --- A futex: one thread asks, the other answers ----------------------------------------- */

static atomic_int turn;

static void wait_for(int mine) {
  for (int seen; (seen = atomic_load(&turn)) != mine;)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void give_to(int other) {
  atomic_store(&turn, other);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void* answer(void* argument) {
  for (;;) {
    wait_for(1);
    give_to(0);
  }
  return argument;
}

static void futex(const struct bench* bench) {
  pthread_t thread;
  (void) bench;
  CHECK(pthread_create(&thread, NULL, answer, NULL) == 0);
  bench_start();
  do {
    give_to(1);
    wait_for(0);
  } while (bench_more(1));
}

/* --- Eventfds: a loop on epoll wakes others, which wake it ------------------------------- */

struct pair {
  pthread_t thread;
  int there;
  int here;
};

static void send_event(int fd) {
  uint64_t one = 1;
  CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void take_event(int fd) {
  uint64_t sum;
  CHECK(read(fd, &sum, sizeof(sum)) == sizeof(sum));
}

static int epoll_of(int fd) {
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
  return epoll;
}

static void* run_there(void* argument) {
  struct pair* pair = argument;
  int epoll = epoll_of(pair->there);
  send_event(pair->here);
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
    take_event(pair->there);
    send_event(pair->here);
  }
  return NULL;
}

static void eventfd_pairs(const struct bench* bench) {
  static struct pair pairs[8];
  int epoll = epoll_create1(0);
  bench_start();
  for (long i = 0; i < bench->n; i++) {
    pairs[i].there = eventfd(0, EFD_NONBLOCK);
    pairs[i].here = eventfd(0, EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &pairs[i]};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pairs[i].here, &event) == 0);
    CHECK(pthread_create(&pairs[i].thread, NULL, run_there, &pairs[i]) == 0);
  }
  for (;;) {
    struct epoll_event events[8];
    int count = epoll_wait(epoll, events, 8, -1);
    for (int i = 0; i < count; i++) {
      struct pair* pair = events[i].data.ptr;
      take_event(pair->here);
      if (!bench_more(2)) return;
      send_event(pair->there);
    }
  }
}

/* --- No thread blocks: one that finds nothing yields the processor ----------------------- */

struct place {
  _Alignas(64) atomic_int there;
  _Alignas(64) atomic_int here;
  pthread_t thread;
};

static int take(atomic_int* sent) {
  return atomic_load(sent) && atomic_exchange(sent, 0);
}

static void* answer_awake(void* argument) {
  struct place* place = argument;
  atomic_store(&place->here, 1);
  for (;;) {
    if (take(&place->there))
      atomic_store(&place->here, 1);
    else
      sched_yield();
  }
  return NULL;
}

static void awake_pairs(const struct bench* bench) {
  static struct place places[8];
  bench_start();
  for (long i = 0; i < bench->n; i++)
    CHECK(pthread_create(&places[i].thread, NULL, answer_awake, &places[i]) == 0);
  for (;;) {
    int any = 0;
    for (long i = 0; i < bench->n; i++) {
      if (!take(&places[i].here)) continue;
      if (!bench_more(2)) return;
      atomic_store(&places[i].there, 1);
      any = 1;
    }
    if (!any) sched_yield();
  }
}

/* --- Both threads only read: how far it is from one processor to the other --------------- */

static void* answer_at_once(void* argument) {
  struct place* place = argument;
  for (;;)
    if (take(&place->there)) atomic_store(&place->here, 1);
  return NULL;
}

static void distance(const struct bench* bench) {
  static struct place place;
  (void) bench;
  CHECK(pthread_create(&place.thread, NULL, answer_at_once, &place) == 0);
  bench_start();
  do {
    atomic_store(&place.there, 1);
    while (!take(&place.here)) {}
  } while (bench_more(1));
}

#define EVENTFD(number)                                                                            \
  {.name = "eventfd_" #number,                                                                     \
   .text = "one wake-up through epoll and an eventfd",                                             \
   .run = eventfd_pairs,                                                                           \
   .n = number}

#define AWAKE(number)                                                                              \
  {.name = "awake_" #number,                                                                       \
   .text = "one hand-over between threads that yield and never block",                             \
   .run = awake_pairs,                                                                             \
   .n = number}

const struct bench benches[] = {
    {.name = "futex", .text = "to another thread and back by a futex", .run = futex},
    EVENTFD(1),
    EVENTFD(2),
    EVENTFD(4),
    EVENTFD(8),
    AWAKE(1),
    AWAKE(2),
    AWAKE(4),
    AWAKE(8),
    {.name = "distance",
     .text = "to another thread and back, neither of which blocks or yields",
     .run = distance},
    {.name = NULL},
};
