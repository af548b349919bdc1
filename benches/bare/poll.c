/* What waiting for events costs when there are none. */
#include "../bench.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static void wait_for_nothing(const struct bench* bench) {
  struct epoll_event event = {.events = EPOLLIN};
  int epoll = epoll_create1(0);
  (void) bench;
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd(0, EFD_NONBLOCK), &event) == 0);
  bench_start();
  do {
    CHECK(epoll_wait(epoll, &event, 1, 0) == 0);
  } while (bench_more(1));
}

const struct bench benches[] = {
    {.name = "epoll_wait", .text = "epoll_wait that does not wait", .run = wait_for_nothing},
    {.name = NULL},
};
