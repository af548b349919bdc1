/* Handles without data: timers, the three kinds that belong to a phase, async, signals, files watched,
 * processes. */
#include "sequences.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct slot* slot_of(const void* handle) {
  return (struct slot*) handle;
}

/* A callback of an open handle, in the world's thread. */
static struct slot* called(const void* handle, enum kind kind) {
  struct slot* slot = slot_of(handle);
  PROMISE(slot->kind == kind);
  PROMISE(!slot->is_closing);
  PROMISE(uv_is_closing((uv_handle_t*) handle) == 0);
  slot->world->callbacks++;
  return slot;
}

static void on_timer(uv_timer_t* handle) {
  struct slot* slot = called(handle, TIMER);
  PROMISE(slot->is_started);
  if (slot->repeat == 0) slot->is_started = 0;
  check_slot(slot);
  trace(slot->world, "timer called", slot, 0);
  act_in_callback(slot->world);
}

static void on_phase(struct slot* slot, const char* name) {
  PROMISE(slot->is_started);
  check_slot(slot);
  trace(slot->world, name, slot, 0);
  act_in_callback(slot->world);
}

static void on_prepare(uv_prepare_t* handle) {
  on_phase(called(handle, PREPARE), "prepare called");
}

static void on_check(uv_check_t* handle) {
  on_phase(called(handle, CHECK), "check called");
}

static void on_idle(uv_idle_t* handle) {
  on_phase(called(handle, IDLE), "idle called");
}

static void on_async(uv_async_t* handle) {
  struct slot* slot = called(handle, ASYNC);
  unsigned sends = atomic_load(&slot->sends);
  PROMISE(sends != slot->seen_sends || !slot->world->traces);
  slot->seen_sends = sends;
  trace(slot->world, "async called", slot, 0);
  act_in_callback(slot->world);
}

static void on_signal(uv_signal_t* handle, int signum) {
  struct slot* slot = called(handle, SIGNAL);
  PROMISE(slot->signum == signum);
  check_slot(slot);
  act_in_callback(slot->world);
}

static void on_fs_event(uv_fs_event_t* handle, const char* name, int events, int status) {
  struct slot* slot = called(handle, FS_EVENT);
  PROMISE(slot->is_started);
  PROMISE(status <= 0 && (status < 0 || (events & ~(UV_RENAME | UV_CHANGE)) == 0));
  PROMISE(name == NULL || strlen(name) < 256);
  act_in_callback(slot->world);
}

static void on_fs_poll(uv_fs_poll_t* handle, int status, const uv_stat_t* old, const uv_stat_t* new) {
  struct slot* slot = called(handle, FS_POLL);
  PROMISE(slot->is_started && status <= 0);
  PROMISE(old != NULL && new != NULL);
  act_in_callback(slot->world);
}

static void on_exit_of_child(uv_process_t* handle, int64_t status, int signum) {
  struct slot* slot = called(handle, PROCESS);
  PROMISE(slot->is_started);
  PROMISE(status == 0 || signum == 0);
  slot->is_started = 0;
  act_in_callback(slot->world);
}

/* The slot may be used again, unless another thread is still within a send. */
static void on_close(uv_handle_t* handle) {
  struct slot* slot = slot_of(handle);
  PROMISE(slot->kind != FREE && slot->is_closing == 1);
  PROMISE(slot->requests == 0);
  PROMISE(uv_is_active(handle) == 0);
  trace(slot->world, "closed", slot, 0);
  slot->is_closing = 2;
  slot->world->callbacks++;
  act_in_callback(slot->world);
}

void close_slot(struct slot* slot) {
  if (slot->kind == FREE || slot->is_closing) return;
  slot->is_closing = 1;
  slot->is_started = 0;
  atomic_store(&slot->is_sendable, 0);
  if (slot->peer != NULL) slot->peer->peer = NULL;
  slot->peer = NULL;
  uv_close((uv_handle_t*) &slot->handle, on_close);
  PROMISE(uv_is_closing((uv_handle_t*) &slot->handle));
  /* What a poll handle watched may be closed as soon as the handle is. */
  if (slot->own_fd >= 0) PROMISE(close(slot->own_fd) == 0 && close(slot->peer_fd) == 0);
  slot->own_fd = slot->peer_fd = -1;
}

/* Compares the library's view of a handle with the model's. */
void check_slot(struct slot* slot) {
  uv_handle_t* handle = (uv_handle_t*) &slot->handle;
  if (slot->kind == FREE || slot->is_closing == 2) return;
  PROMISE(!!uv_is_closing(handle) == (slot->is_closing == 1));
  PROMISE(uv_handle_get_loop(handle) == &slot->world->loop);
  PROMISE(!!uv_has_ref(handle) == slot->is_referenced);
  if (slot->is_closing) return;
  switch (slot->kind) {
    case TIMER:
      PROMISE(uv_timer_get_repeat(&slot->handle.timer) == slot->repeat);
      /* Timers that are due together are not active until each one's turn. */
      if (slot->world->depth == 0) PROMISE(!!uv_is_active(handle) == slot->is_started);
      break;
    case PREPARE:
    case CHECK:
    case IDLE:
    case FS_EVENT:
    case FS_POLL:
    case PROCESS:
      PROMISE(!!uv_is_active(handle) == slot->is_started);
      break;
    case SIGNAL:
      /* One that was ever to come once may have been stopped meanwhile. */
      if (!slot->was_started) PROMISE(!!uv_is_active(handle) == slot->is_started);
      break;
    case ASYNC:
      PROMISE(uv_is_active(handle));
      break;
    default:
      break;
  }
}

static struct slot* free_slot(struct world* world) {
  unsigned first = pick(world, SLOTS);
  unsigned i;
  for (i = 0; i < SLOTS; i++) {
    struct slot* slot = &world->slots[(first + i) % SLOTS];
    if (slot->is_closing == 2 && atomic_load(&slot->senders) == 0) slot->kind = FREE;
    if (slot->kind == FREE) {
      memset(&slot->handle, 0xa5, sizeof slot->handle);
      slot->is_closing = slot->is_started = slot->was_started = slot->requests = 0;
      slot->is_referenced = 1;
      slot->repeat = slot->sent = slot->received = 0;
      slot->own_fd = slot->peer_fd = -1;
      slot->peer = NULL;
      slot->seen_sends = 0;
      atomic_store(&slot->sends, 0);
      return slot;
    }
  }
  return NULL;
}

/* An open handle, of one kind or (FREE) of any. */
struct slot* pick_slot(struct world* world, enum kind kind) {
  unsigned first = pick(world, SLOTS);
  unsigned i;
  for (i = 0; i < SLOTS; i++) {
    struct slot* slot = &world->slots[(first + i) % SLOTS];
    if (slot->kind != FREE && !slot->is_closing && (kind == FREE || slot->kind == kind)) return slot;
  }
  return NULL;
}

static int spawn(struct slot* slot) {
  static char* sleeps[] = {"sleep", "0.01", NULL};
  static char* ends[] = {"true", NULL};
  uv_process_options_t options;
  memset(&options, 0, sizeof options);
  options.exit_cb = on_exit_of_child;
  options.args = chance(slot->world, 50) ? ends : sleeps;
  options.file = chance(slot->world, 10) ? "/nonexistent" : options.args[0];
  return uv_spawn(&slot->world->loop, &slot->handle.process, &options);
}

static int init(struct slot* slot, enum kind kind) {
  uv_loop_t* loop = &slot->world->loop;
  switch (kind) {
    case TIMER: return uv_timer_init(loop, &slot->handle.timer);
    case PREPARE: return uv_prepare_init(loop, &slot->handle.prepare);
    case CHECK: return uv_check_init(loop, &slot->handle.check);
    case IDLE: return uv_idle_init(loop, &slot->handle.idle);
    case ASYNC: return uv_async_init(loop, &slot->handle.async, on_async);
    case UDP: return make_udp(slot);
    case POLL: return make_poll(slot);
    case SIGNAL: return uv_signal_init(loop, &slot->handle.signal);
    case FS_EVENT: return uv_fs_event_init(loop, &slot->handle.fs_event);
    case FS_POLL: return uv_fs_poll_init(loop, &slot->handle.fs_poll);
    default: return UV_EINVAL;
  }
}

/* A failed uv_spawn leaves a handle that has to be closed, and is not active. */
static void make_process(struct slot* slot) {
  int error = spawn(slot);
  PROMISE(error == 0 || error == UV_ENOENT || is_shortage(error));
  slot->kind = PROCESS;
  slot->is_started = error == 0;
  check_slot(slot);
  if (error != 0) close_slot(slot);
}

void make_handle(struct world* world) {
  enum kind kind = 1 + pick(world, KINDS - 1);
  struct slot* slot;
  struct slot* other;
  int error;
  if (!(world->kinds & 1u << kind)) return;
  slot = free_slot(world);
  if (slot == NULL) return;
  if (kind == PROCESS) {
    if (chance(world, 30)) make_process(slot);
    return;
  }
  if (kind == TCP || kind == PIPE) {
    slot->kind = kind;
    other = free_slot(world);
    slot->kind = FREE;
    if (other != NULL) (void) make_stream_pair(world, slot, other, kind);
    return;
  }
  error = init(slot, kind);
  trace(world, "init", slot, error);
  PROMISE(error == 0 || is_shortage(error));
  if (error != 0) return;
  slot->kind = kind;
  atomic_store(&slot->is_sendable, kind == ASYNC);
  check_slot(slot);
}

static void use_timer(struct slot* slot) {
  struct world* world = slot->world;
  uv_timer_t* timer = &slot->handle.timer;
  uint64_t timeout = world->traces ? pick(world, 2) * 3600000 : pick(world, 4);
  int error;
  switch (pick(world, 5)) {
    case 0:
    case 1:
      slot->repeat = world->traces ? pick(world, 2) * 3600000 : pick(world, 3);
      PROMISE(uv_timer_start(timer, on_timer, timeout, slot->repeat) == 0);
      slot->is_started = slot->was_started = 1;
      break;
    case 2:
      PROMISE(uv_timer_stop(timer) == 0);
      slot->is_started = 0;
      break;
    case 3:
      error = uv_timer_again(timer);
      PROMISE(error == (slot->was_started ? 0 : UV_EINVAL));
      if (error == 0 && slot->repeat != 0) slot->is_started = 1;
      break;
    default:
      PROMISE(uv_timer_start(timer, NULL, timeout, 0) == UV_EINVAL);
  }
}

static void use_phase(struct slot* slot) {
  int starts = chance(slot->world, 50);
  int error;
  switch (slot->kind) {
    case PREPARE:
      error = starts ? uv_prepare_start(&slot->handle.prepare, on_prepare)
                     : uv_prepare_stop(&slot->handle.prepare);
      break;
    case CHECK:
      error = starts ? uv_check_start(&slot->handle.check, on_check)
                     : uv_check_stop(&slot->handle.check);
      break;
    default:
      error = starts ? uv_idle_start(&slot->handle.idle, on_idle) : uv_idle_stop(&slot->handle.idle);
  }
  PROMISE(error == 0);
  slot->is_started = starts;
}

/* Only signals that do nothing by default: one may come after its last handle was stopped. */
static void use_signal(struct slot* slot) {
  static const int signals[] = {SIGURG, SIGWINCH, SIGCONT};
  uv_signal_t* signal = &slot->handle.signal;
  int signum = signals[pick(slot->world, 3)];
  int is_repeated = chance(slot->world, 50);
  int error;
  switch (pick(slot->world, 4)) {
    case 0:
      PROMISE(uv_signal_stop(signal) == 0);
      slot->is_started = 0;
      return;
    case 1:
      PROMISE(raise(signum) == 0);
      return;
    default:
      /* A started handle of the same signal only gets another callback. */
      if (uv_is_active((uv_handle_t*) signal) && slot->signum == signum) is_repeated = slot->repeat;
      error = is_repeated ? uv_signal_start(signal, on_signal, signum)
                          : uv_signal_start_oneshot(signal, on_signal, signum);
      PROMISE(error == 0 || is_shortage(error));
      slot->is_started = error == 0;
      slot->signum = signum;
      slot->repeat = is_repeated;
      slot->was_started |= !is_repeated;
  }
}

static void touch(const char* path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  PROMISE(write(fd, "x", 1) <= 1);
  close(fd);
}

static void use_fs_event(struct slot* slot) {
  uv_fs_event_t* event = &slot->handle.fs_event;
  int error;
  if (slot->is_started && chance(slot->world, 50)) {
    PROMISE(uv_fs_event_stop(event) == 0);
    slot->is_started = 0;
  } else if (!slot->is_started) {
    unsigned flags = chance(slot->world, 30) ? UV_FS_EVENT_RECURSIVE : 0;
    error = uv_fs_event_start(event, on_fs_event, slot->world->folder, flags);
    PROMISE(error == 0 || is_shortage(error));
    slot->is_started = error == 0;
  } else {
    PROMISE(uv_fs_event_start(event, on_fs_event, slot->world->folder, 0) == UV_EINVAL);
    touch(slot->world->file);
  }
}

static void use_fs_poll(struct slot* slot) {
  uv_fs_poll_t* poll = &slot->handle.fs_poll;
  int error;
  if (slot->is_started && chance(slot->world, 50)) {
    PROMISE(uv_fs_poll_stop(poll) == 0);
    slot->is_started = 0;
  } else {
    error = uv_fs_poll_start(poll, on_fs_poll, slot->world->file, 1 + pick(slot->world, 3));
    PROMISE(error == 0 || is_shortage(error));
    if (error == 0) slot->is_started = 1;
    touch(slot->world->file);
  }
}

static void use_reference(struct slot* slot) {
  uv_handle_t* handle = (uv_handle_t*) &slot->handle;
  slot->is_referenced = chance(slot->world, 50);
  if (slot->is_referenced) uv_ref(handle);
  else uv_unref(handle);
}

void use_handle(struct world* world) {
  struct slot* slot = pick_slot(world, FREE);
  if (slot == NULL) return;
  trace(world, "use", slot, slot->kind);
  if (chance(world, 10)) use_reference(slot);
  else
    switch (slot->kind) {
      case TIMER: use_timer(slot); break;
      case PREPARE:
      case CHECK:
      case IDLE: use_phase(slot); break;
      case ASYNC:
        atomic_fetch_add(&slot->sends, 1);
        PROMISE(uv_async_send(&slot->handle.async) == 0);
        break;
      case TCP:
      case PIPE: use_stream(slot); break;
      case UDP: use_udp(slot); break;
      case POLL: use_poll(slot); break;
      case SIGNAL: use_signal(slot); break;
      case FS_EVENT: use_fs_event(slot); break;
      case FS_POLL: use_fs_poll(slot); break;
      case PROCESS:
        if (slot->is_started) PROMISE(uv_process_kill(&slot->handle.process, SIGTERM) <= 0);
        break;
      default: break;
    }
  check_slot(slot);
}
