/* Signals: two watchers of one, one of another for a single time. */
#include "program.h"

enum { watchers = 3 };

static uv_signal_t signals[watchers];
static int called[watchers];

static void on_signal(uv_signal_t* handle, int number) {
  int which = (int) (handle - signals);
  EXPECT(!uv_is_closing((uv_handle_t*) handle), "a signal after uv_close");
  EXPECT(number == (which == 2 ? SIGUSR2 : SIGUSR1), "watcher %d got signal %d", which, number);
  called[which]++;
  EXPECT(which != 2 || called[2] == 1, "twice: a signal for a single time");
  if (called[0] > 0 && called[1] > 0 && called[2] > 0) finish();
}

void program(void) {
  int i;
  for (i = 0; i < watchers; i++) MUST(uv_signal_init(&loop, &signals[i]));
  MUST(uv_signal_start(&signals[0], on_signal, SIGUSR1));
  MUST(uv_signal_start(&signals[1], on_signal, SIGUSR1));
  MUST(uv_signal_start_oneshot(&signals[2], on_signal, SIGUSR2));
  own_kill(getpid(), SIGUSR1);
  own_kill(getpid(), SIGUSR2);
}
