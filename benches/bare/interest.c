/* Changes of interest, one system call each and many by one: what a loop could win by batching
 * them. Run by hand, for benches/notes.md. */
#include "../bench.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { AT_ONCE = 64 };

static int epoll;
static int fds[AT_ONCE];
static struct epoll_event event = {.events = EPOLLIN};

static void open_sockets(void) {
  epoll = epoll_create1(0);
  for (int i = 0; i < AT_ONCE; i++) {
    fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fds[i] >= 0);
  }
}

static void repeat(void (*change)(int operation)) {
  bench_start();
  do {
    change(EPOLL_CTL_ADD);
    change(EPOLL_CTL_MOD);
    change(EPOLL_CTL_DEL);
  } while (bench_more(3 * AT_ONCE));
}

/* --- epoll_ctl ----------------------------------------------------------------------------- */

static void change_each(int operation) {
  for (int i = 0; i < AT_ONCE; i++) CHECK(epoll_ctl(epoll, operation, fds[i], &event) == 0);
}

static void by_calls(const struct bench* bench) {
  (void) bench;
  open_sockets();
  repeat(change_each);
}

/* --- io_uring ------------------------------------------------------------------------------ */

static int ring;
static struct io_uring_sqe* entries;
static unsigned *tail, *mask, *order, *done_head, *done_tail;

static void open_ring(void) {
  struct io_uring_params is = {0};
  ring = (int) syscall(SYS_io_uring_setup, AT_ONCE, &is);
  if (ring < 0) bench_skip("no io_uring");
  CHECK(is.features & IORING_FEAT_SINGLE_MMAP);
  size_t size = is.cq_off.cqes + is.cq_entries * sizeof(struct io_uring_cqe);
  int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
  char* memory = mmap(NULL, size, protection, flags, ring, IORING_OFF_SQ_RING);
  CHECK(memory != MAP_FAILED);
  tail = (unsigned*) (memory + is.sq_off.tail);
  mask = (unsigned*) (memory + is.sq_off.ring_mask);
  order = (unsigned*) (memory + is.sq_off.array);
  done_head = (unsigned*) (memory + is.cq_off.head);
  done_tail = (unsigned*) (memory + is.cq_off.tail);
  size = is.sq_entries * sizeof(*entries);
  entries = mmap(NULL, size, protection, flags, ring, IORING_OFF_SQES);
  CHECK(entries != MAP_FAILED);
}

static void change_at_once(int operation) {
  for (unsigned i = 0; i < AT_ONCE; i++) {
    unsigned at = (*tail + i) & *mask;
    memset(&entries[at], 0, sizeof(entries[at]));
    entries[at].opcode = IORING_OP_EPOLL_CTL;
    entries[at].fd = epoll;
    entries[at].off = (uint64_t) fds[i];
    entries[at].len = (unsigned) operation;
    entries[at].addr = (uint64_t) (uintptr_t) &event;
    order[at] = at;
  }
  __atomic_store_n(tail, *tail + AT_ONCE, __ATOMIC_RELEASE);
  long taken = syscall(SYS_io_uring_enter, ring, AT_ONCE, AT_ONCE, IORING_ENTER_GETEVENTS, NULL, 0);
  CHECK(taken == AT_ONCE);
  unsigned last = __atomic_load_n(done_tail, __ATOMIC_ACQUIRE);
  CHECK(last - *done_head == AT_ONCE);
  __atomic_store_n(done_head, last, __ATOMIC_RELEASE);
}

static void by_ring(const struct bench* bench) {
  (void) bench;
  open_sockets();
  open_ring();
  repeat(change_at_once);
}

/* --- Closing ------------------------------------------------------------------------------- */

static void open_and_close(const struct bench* bench) {
  open_sockets();
  bench_start();
  do {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    if (bench->n) CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
    CHECK(close(fd) == 0);
  } while (bench_more(1));
}

const struct bench benches[] = {
    {.name = "calls", .text = "one of 64 changes, by epoll_ctl", .run = by_calls},
    {.name = "ring", .text = "one of 64 changes, by io_uring", .run = by_ring},
    {.name = "close", .text = "a socket opened, watched, closed", .run = open_and_close},
    {.name = "delete_and_close",
     .text = "the same, taken out of the poller before it is closed",
     .run = open_and_close,
     .n = 1},
    {.name = NULL},
};
