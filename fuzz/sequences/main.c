/* Runs a sequence: `sequences SEED OPERATIONS [MODE…]`.
 *
 * Modes: `loops` (three loops, each on a thread of its own), `senders` (threads that send to async
 * handles), `limits` (descriptors run out now and then), `trace` (only what is decided by the calls
 * alone, each call and callback printed: two libraries must print the same).
 *
 * Ends with 0 and a line of counts, or aborts with a line that names the broken promise.
 */
#include "../../c_tests/sanitizer.h"
#include "sequences.h"
#include "../descriptors.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WORLDS = 3, SENDERS = 2, DEPTH = 3, RUNS_TO_SETTLE = 10000 };

/* Handles whose callbacks are decided by the calls alone. */
#define CALLS_ALONE (1u << TIMER | 1u << PREPARE | 1u << CHECK | 1u << IDLE | 1u << ASYNC)

/* ThreadSanitizer takes a child that shares memory for a thread, and its reports are lost. */
#define ALL_KINDS (HAS_THREAD_SANITIZER ? ~(1u << PROCESS) : ~0u)

static struct world worlds[WORLDS];
static atomic_int sending;
static const char* command;

void broken(const char* condition, const char* file, int line) {
  fprintf(stderr, "%s: broken: %s (%s:%d)\n", command, condition, file, line);
  abort();
}

/* xorshift64*: Marsaglia, "Xorshift RNGs", 2003; Vigna's multiplier. */
uint64_t pick(struct world* world, uint64_t limit) {
  uint64_t x = world->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  world->random = x;
  return (x * 0x2545f4914f6cdd1dull >> 33) % limit;
}

int chance(struct world* world, unsigned percent) {
  return pick(world, 100) < percent;
}

void trace(struct world* world, const char* what, const void* slot, long result) {
  if (!world->traces) return;
  printf("%s %d %ld\n", what, (int) ((const struct slot*) slot - world->slots), result);
}

int is_shortage(int error) {
  return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOMEM || error == UV_ENOSPC ||
         error == UV_EAGAIN;
}

/* The limit counts for the whole process: other worlds see it, too. */
static void change_limit(void) {
  struct rlimit limit;
  int fd = dup(0);
  PROMISE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = fd < 0 || limit.rlim_cur < 1024 ? 1024 : (rlim_t) fd;
  PROMISE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (fd >= 0) close(fd);
}

void act(struct world* world) {
  unsigned choice = pick(world, 100);
  if (world->operations == 0 || world->is_ending) return;
  world->operations--;
  if (choice < 12) make_handle(world);
  else if (choice < 64) use_handle(world);
  else if (choice < 70) {
    struct slot* slot = pick_slot(world, FREE);
    if (slot != NULL) close_slot(slot);
  } else if (choice < 90) {
    if (world->has_requests) make_request(world);
  } else if (choice < 96) {
    if (world->has_requests) cancel_request(world);
  } else if (choice < 98) uv_stop(&world->loop);
  else if (world->has_limits) change_limit();
}

void act_in_callback(struct world* world) {
  unsigned calls;
  if (world->is_ending || world->depth >= DEPTH) return;
  world->depth++;
  for (calls = pick(world, 3); calls > 0; calls--) act(world);
  world->depth--;
}

static void on_pulse(uv_timer_t* pulse) {
  struct world* world = pulse->data;
  act_in_callback(world);
}

static void check_all(struct world* world) {
  int i;
  for (i = 0; i < SLOTS; i++) check_slot(&world->slots[i]);
}

static void make_world(struct world* world) {
  int fd;
  PROMISE(uv_loop_init(&world->loop) == 0);
  strcpy(world->folder, "/tmp/sequences-XXXXXX");
  PROMISE(mkdtemp(world->folder) != NULL);
  snprintf(world->file, sizeof world->file, "%s/file", world->folder);
  fd = creat(world->file, 0600);
  PROMISE(fd >= 0 && close(fd) == 0);
  for (int i = 0; i < SLOTS; i++) {
    world->slots[i].world = world;
    world->slots[i].own_fd = world->slots[i].peer_fd = -1;
  }
  if (world->traces) return;
  PROMISE(uv_timer_init(&world->loop, &world->pulse) == 0);
  world->pulse.data = world;
  PROMISE(uv_timer_start(&world->pulse, on_pulse, 1, 1) == 0);
}

/* Runs until nothing keeps the loop alive, which all that was closed or cancelled must allow. */
static void settle(struct world* world) {
  int runs = 0;
  while (uv_run(&world->loop, UV_RUN_ONCE) != 0) PROMISE(++runs < RUNS_TO_SETTLE);
  PROMISE(!uv_loop_alive(&world->loop));
}

/* What was sent before the senders ended is delivered by now. A loop runs only while a handle with a
 * reference is active. */
static void check_sends(struct world* world) {
  int i;
  for (i = 0; i < SLOTS; i++) {
    struct slot* slot = &world->slots[i];
    if (slot->kind != ASYNC || slot->is_closing) continue;
    uv_ref((uv_handle_t*) &slot->handle);
    slot->is_referenced = 1;
  }
  for (i = 0; i < 3; i++) uv_run(&world->loop, UV_RUN_NOWAIT);
  for (i = 0; i < SLOTS; i++) {
    struct slot* slot = &world->slots[i];
    if (slot->kind != ASYNC || slot->is_closing) continue;
    PROMISE(slot->seen_sends == atomic_load(&slot->sends));
  }
}

static void end_world(struct world* world) {
  int i;
  world->is_ending = 1;
  check_sends(world);
  check_all(world);
  for (i = 0; i < SLOTS; i++) close_slot(&world->slots[i]);
  if (!world->traces) uv_close((uv_handle_t*) &world->pulse, NULL);
  for (i = 0; i < REQUESTS; i++) cancel_request(world);
  settle(world);
  for (i = 0; i < SLOTS; i++) {
    PROMISE(world->slots[i].kind == FREE || world->slots[i].is_closing == 2);
  }
  for (i = 0; i < REQUESTS; i++) PROMISE(world->requests[i].kind == NONE);
  PROMISE(uv_loop_close(&world->loop) == 0);
  unlink(world->file);
  rmdir(world->folder);
}

static void* run_world(void* argument) {
  struct world* world = argument;
  while (world->operations > 0) {
    unsigned calls = 1 + pick(world, 8);
    while (calls-- > 0) act(world);
    check_all(world);
    switch (world->traces ? 0 : pick(world, 8)) {
      case 0: uv_run(&world->loop, UV_RUN_NOWAIT); break;
      case 1: uv_stop(&world->loop); uv_run(&world->loop, UV_RUN_DEFAULT); break;
      default: uv_run(&world->loop, UV_RUN_ONCE);
    }
  }
  return NULL;
}

/* Sends to whatever async handle is open. `senders` keeps the slot from being used anew. */
static void* send_always(void* argument) {
  struct world* world = argument;
  unsigned i = 0;
  while (atomic_load(&sending)) {
    struct slot* slot = &world->slots[i++ % SLOTS];
    atomic_fetch_add(&slot->senders, 1);
    if (atomic_load(&slot->is_sendable)) {
      atomic_fetch_add(&slot->sends, 1);
      PROMISE(uv_async_send(&slot->handle.async) == 0);
    }
    atomic_fetch_sub(&slot->senders, 1);
    if (i % 64 == 0) usleep(50);
  }
  return NULL;
}

static void raise_limit(void) {
  struct rlimit limit;
  PROMISE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
  PROMISE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void run_all(int count, int senders) {
  pthread_t threads[WORLDS], others[SENDERS];
  int i;
  for (i = 0; i < count; i++) make_world(&worlds[i]);
  atomic_store(&sending, senders);
  for (i = 0; i < senders; i++) pthread_create(&others[i], NULL, send_always, &worlds[0]);
  for (i = 1; i < count; i++) pthread_create(&threads[i], NULL, run_world, &worlds[i]);
  run_world(&worlds[0]);
  for (i = 1; i < count; i++) pthread_join(threads[i], NULL);
  atomic_store(&sending, 0);
  for (i = 0; i < senders; i++) pthread_join(others[i], NULL);
  raise_limit();
  for (i = 0; i < count; i++) end_world(&worlds[i]);
}

static int has_mode(int argc, char** argv, const char* mode) {
  int i;
  for (i = 3; i < argc; i++)
    if (strcmp(argv[i], mode) == 0) return 1;
  return 0;
}

int main(int argc, char** argv) {
  char text[256] = "";
  int count, before, i;
  uint64_t callbacks = 0;
  if (argc < 3) return fprintf(stderr, "usage: sequences SEED OPERATIONS [MODE...]\n"), 2;
  for (i = 0; i < argc; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", argv[i]);
  command = text;
  alarm(120);
  signal(SIGPIPE, SIG_IGN);
  raise_limit();
  before = count_descriptors();
  count = has_mode(argc, argv, "loops") ? WORLDS : 1;
  for (i = 0; i < count; i++) {
    struct world* world = &worlds[i];
    world->random = (strtoull(argv[1], NULL, 10) + i) * 0x9e3779b97f4a7c15ull | 1;
    world->operations = strtoul(argv[2], NULL, 10);
    world->traces = has_mode(argc, argv, "trace");
    world->has_requests = !world->traces;
    world->has_limits = has_mode(argc, argv, "limits");
    world->kinds = world->traces ? CALLS_ALONE : ALL_KINDS;
  }
  run_all(count, has_mode(argc, argv, "senders") ? SENDERS : 0);
  uv_library_shutdown();
  PROMISE(count_descriptors() == before);
  for (i = 0; i < count; i++) callbacks += worlds[i].callbacks;
  if (!worlds[0].traces) printf("%llu callbacks\n", (unsigned long long) callbacks);
  return 0;
}
