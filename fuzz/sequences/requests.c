/* Requests that the thread pool runs. */
#include "sequences.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct request* request_of(const void* req) {
  return (struct request*) req;
}

struct request* free_request(struct world* world) {
  int i;
  for (i = 0; i < REQUESTS; i++) {
    struct request* request = &world->requests[i];
    if (request->kind != NONE) continue;
    memset(&request->req, 0xa5, sizeof request->req);
    request->world = world;
    request->slot = NULL;
    request->is_cancelled = 0;
    request->fd = -1;
    atomic_store(&request->runs, 0);
    return request;
  }
  return NULL;
}

void finish_request(struct request* request) {
  struct world* world = request->world;
  PROMISE(request->kind != NONE);
  if (request->slot != NULL) {
    PROMISE(request->slot->requests > 0 && request->slot->is_closing < 2);
    request->slot->requests--;
  }
  request->kind = NONE;
  world->callbacks++;
  act_in_callback(world);
}

/* A request that uv_cancel has taken back says so, and no other does. */
static void check_status(struct request* request, ssize_t status) {
  PROMISE((status == UV_ECANCELED || status == UV_EAI_CANCELED) == request->is_cancelled);
}

static void run_work(uv_work_t* req) {
  atomic_fetch_add(&request_of(req)->runs, 1);
}

static void on_work(uv_work_t* req, int status) {
  struct request* request = request_of(req);
  PROMISE(request->kind == WORK);
  check_status(request, status);
  PROMISE(atomic_load(&request->runs) == !request->is_cancelled);
  finish_request(request);
}

static void on_address(uv_getaddrinfo_t* req, int status, struct addrinfo* found) {
  struct request* request = request_of(req);
  PROMISE(request->kind == ADDRESS);
  check_status(request, status);
  PROMISE((found != NULL) == (status == 0));
  uv_freeaddrinfo(found);
  finish_request(request);
}

static void on_name(uv_getnameinfo_t* req, int status, const char* host, const char* service) {
  struct request* request = request_of(req);
  PROMISE(request->kind == NAME);
  check_status(request, status);
  PROMISE(status != 0 || (strcmp(host, "127.0.0.1") == 0 && strcmp(service, "80") == 0));
  finish_request(request);
}

static void on_random(uv_random_t* req, int status, void* buffer, size_t length) {
  struct request* request = request_of(req);
  PROMISE(request->kind == RANDOM && buffer == request->buffer && length == 16);
  check_status(request, status);
  finish_request(request);
}

static void on_fs(uv_fs_t* req) {
  struct request* request = request_of(req);
  ssize_t result = uv_fs_get_result(req);
  PROMISE(request->kind == FS);
  check_status(request, result);
  if (uv_fs_get_type(req) == UV_FS_STAT && result == 0) PROMISE(req->statbuf.st_mode != 0);
  if (uv_fs_get_type(req) == UV_FS_REALPATH && result == 0)
    PROMISE(((char*) uv_fs_get_ptr(req))[0] == '/');
  if (uv_fs_get_type(req) == UV_FS_OPEN && result >= 0) PROMISE(close((int) result) == 0);
  if (uv_fs_get_type(req) == UV_FS_SCANDIR && result > 0) {
    uv_dirent_t entry;
    ssize_t count = 0;
    while (uv_fs_scandir_next(req, &entry) == 0) count++;
    PROMISE(count == result);
  }
  uv_fs_req_cleanup(req);
  if (request->fd >= 0) PROMISE(close(request->fd) == 0);
  finish_request(request);
}

/* Reads from or writes to the world's file, through a descriptor that the callback closes. */
static int move_data(struct request* request, uv_loop_t* loop, int writes) {
  uv_buf_t buffer = uv_buf_init(request->buffer, 16);
  request->fd = open(request->world->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (request->fd < 0) return UV_EMFILE;
  memset(request->buffer, 'x', 16);
  return writes ? uv_fs_write(loop, &request->req.fs, request->fd, &buffer, 1, 0, on_fs)
                : uv_fs_read(loop, &request->req.fs, request->fd, &buffer, 1, 0, on_fs);
}

static int make_fs(struct request* request) {
  struct world* world = request->world;
  uv_loop_t* loop = &world->loop;
  uv_fs_t* req = &request->req.fs;
  switch (pick(world, 8)) {
    case 0: return uv_fs_stat(loop, req, world->file, on_fs);
    case 1: return uv_fs_open(loop, req, world->file, UV_FS_O_RDONLY, 0, on_fs);
    case 2: return uv_fs_realpath(loop, req, world->folder, on_fs);
    case 3: return uv_fs_scandir(loop, req, world->folder, 0, on_fs);
    case 4: return uv_fs_lstat(loop, req, "/nonexistent/file", on_fs);
    case 5: return uv_fs_access(loop, req, world->folder, UV_FS_O_RDONLY, on_fs);
    case 6: return move_data(request, loop, 0);
    default: return move_data(request, loop, 1);
  }
}

static int start(struct request* request, enum request_kind kind) {
  uv_loop_t* loop = &request->world->loop;
  struct sockaddr_in address;
  struct addrinfo hints;
  switch (kind) {
    case WORK:
      return uv_queue_work(loop, &request->req.work, run_work, on_work);
    case ADDRESS:
      memset(&hints, 0, sizeof hints);
      hints.ai_flags = AI_NUMERICHOST;
      return uv_getaddrinfo(loop, &request->req.getaddrinfo, on_address, "127.0.0.1", "80", &hints);
    case NAME:
      PROMISE(uv_ip4_addr("127.0.0.1", 80, &address) == 0);
      return uv_getnameinfo(loop, &request->req.getnameinfo, on_name, (struct sockaddr*) &address,
                            NI_NUMERICHOST | NI_NUMERICSERV);
    case RANDOM:
      return uv_random(loop, &request->req.random, request->buffer, 16, 0, on_random);
    default:
      return make_fs(request);
  }
}

void make_request(struct world* world) {
  enum request_kind kind = 1 + pick(world, RANDOM);
  struct request* request = free_request(world);
  int error;
  if (request == NULL) return;
  request->kind = kind;
  error = start(request, kind);
  if (error == 0) return;
  PROMISE(is_shortage(error));
  if (request->fd >= 0) close(request->fd);
  request->kind = NONE;
}

void cancel_request(struct world* world) {
  struct request* request = &world->requests[pick(world, REQUESTS)];
  int error;
  /* A write that is taken back would leave a gap in its stream's pattern. */
  if (request->kind == NONE || request->kind == WRITE) return;
  error = uv_cancel((uv_req_t*) &request->req);
  if (request->slot != NULL) {
    PROMISE(error == UV_EINVAL);
    return;
  }
  PROMISE(error == 0 || error == UV_EBUSY);
  if (error == 0) request->is_cancelled = 1;
  else PROMISE(!request->is_cancelled);
}
