/* A program on libuv, for the tests of the command: what it does is its argument. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static void on_signal(uv_signal_t *handle, int number) {
  printf("signal %d\n", number);
  uv_close((uv_handle_t *)handle, NULL);
}

static void on_timer(uv_timer_t *timer) {
  uv_close((uv_handle_t *)timer, NULL);
}

int main(int count, char **arguments) {
  uv_loop_t *loop = uv_default_loop();
  uv_signal_t handle;
  uv_timer_t timer;
  const char *what = count > 1 ? arguments[1] : "";
  if (strcmp(what, "exit") == 0)
    return atoi(arguments[2]);
  if (strcmp(what, "killed") == 0)
    raise(atoi(arguments[2]));
  if (strcmp(what, "variable") == 0) {
    const char *value = getenv(arguments[2]);
    puts(value != NULL ? value : "(not set)");
    return 0;
  }
  if (strcmp(what, "wait") == 0) {
    uv_signal_init(loop, &handle);
    uv_signal_start(&handle, on_signal, SIGTERM);
    puts("ready");
    fflush(stdout);
  } else {
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, on_timer, 1, 0);
  }
  return uv_run(loop, UV_RUN_DEFAULT);
}
