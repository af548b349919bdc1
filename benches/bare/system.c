/* Processes and threads by the C library alone. */
#include "../bench.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

static void spawn(const struct bench* bench) {
  static char program[] = "/bin/true";
  char* arguments[] = {program, NULL};
  (void) bench;
  bench_start();
  do {
    pid_t pid;
    int status;
    CHECK(posix_spawn(&pid, program, NULL, NULL, arguments, environ) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
  } while (bench_more(1));
}

static void* do_nothing(void* argument) { return argument; }

static void thread(const struct bench* bench) {
  (void) bench;
  bench_start();
  do {
    pthread_t made;
    CHECK(pthread_create(&made, NULL, do_nothing, NULL) == 0);
    CHECK(pthread_join(made, NULL) == 0);
  } while (bench_more(1));
}

const struct bench benches[] = {
    {.name = "spawn", .text = "posix_spawn and waitpid", .run = spawn},
    {.name = "thread", .text = "pthread_create and pthread_join", .run = thread},
    {.name = NULL},
};
