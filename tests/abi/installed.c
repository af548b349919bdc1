/* Built against an installed library, shared or static. The argument is the file that the library
 * must come from. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

static int fired;

static void on_timer(uv_timer_t *timer) {
  fired++;
  uv_close((uv_handle_t *) timer, NULL);
}

static void demand(int condition, const char *what) {
  if (!condition) {
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
  }
}

int main(int argc, char **argv) {
  uv_loop_t loop;
  uv_timer_t timer;
  Dl_info info;

  demand(argc == 2, "one argument");
  demand(dladdr((void *) uv_version, &info) != 0, "dladdr");
  demand(strcmp(realpath(info.dli_fname, NULL), realpath(argv[1], NULL)) == 0, info.dli_fname);

  demand(uv_version() == UV_VERSION_HEX, "uv_version");
  demand(uv_loop_init(&loop) == 0, "uv_loop_init");
  demand(uv_timer_init(&loop, &timer) == 0, "uv_timer_init");
  demand(uv_timer_start(&timer, on_timer, 1, 0) == 0, "uv_timer_start");
  demand(uv_run(&loop, UV_RUN_DEFAULT) == 0, "uv_run");
  demand(fired == 1, "the timer");
  demand(uv_loop_close(&loop) == 0, "uv_loop_close");
  return 0;
}
