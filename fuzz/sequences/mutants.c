/* Mistakes that the sequences must find: proof that they can. Loaded before the library, this takes the
 * place of some of its functions. `SEQUENCES_MUTANT` names the mistake.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static int is_mutant(const char* name) {
  const char* chosen = getenv("SEQUENCES_MUTANT");
  return chosen != NULL && strcmp(chosen, name) == 0;
}

static int is_turn(unsigned every) {
  static unsigned calls;
  return ++calls % every == 0;
}

/* `lost`: now and then a send wakes nobody. */
int uv_async_send(uv_async_t* handle) {
  static int (*next)(uv_async_t*);
  if (next == NULL) next = (int (*)(uv_async_t*)) dlsym(RTLD_NEXT, "uv_async_send");
  return is_mutant("lost") && is_turn(5) ? 0 : next(handle);
}

/* `twice`: now and then a callback comes twice. */
static uv_after_work_cb after_work;

static void after_twice(uv_work_t* req, int status) {
  after_work(req, status);
  if (is_turn(5)) after_work(req, status);
}

int uv_queue_work(uv_loop_t* loop, uv_work_t* req, uv_work_cb work, uv_after_work_cb after) {
  static int (*next)(uv_loop_t*, uv_work_t*, uv_work_cb, uv_after_work_cb);
  if (next == NULL)
    next = (int (*)(uv_loop_t*, uv_work_t*, uv_work_cb, uv_after_work_cb)) dlsym(RTLD_NEXT,
                                                                                "uv_queue_work");
  after_work = after;
  return next(loop, req, work, is_mutant("twice") ? after_twice : after);
}

/* `leak`: now and then a descriptor stays open. */
int close(int fd) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int)) dlsym(RTLD_NEXT, "close");
  return is_mutant("leak") && is_turn(50) ? 0 : next(fd);
}

/* `order`: a timer that is due at once comes last. */
int uv_timer_start(uv_timer_t* handle, uv_timer_cb callback, uint64_t timeout, uint64_t repeat) {
  static int (*next)(uv_timer_t*, uv_timer_cb, uint64_t, uint64_t);
  if (next == NULL)
    next = (int (*)(uv_timer_t*, uv_timer_cb, uint64_t, uint64_t)) dlsym(RTLD_NEXT,
                                                                         "uv_timer_start");
  return next(handle, callback, is_mutant("order") && timeout == 0 ? 5 : timeout, repeat);
}
