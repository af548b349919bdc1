/* A native addon as npm packages have them: it gets the loop of Node's and works on it with
 * uv_*. */
#include <node_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct {
  napi_env env;
  napi_async_context context;
  napi_ref callback;
  uv_loop_t* loop;
  uv_timer_t timer;
  uv_async_t async;
  uv_thread_t thread;
  uv_work_t work;
  uv_fs_t stat;
  uv_tcp_t server, client, peer;
  uv_connect_t connect;
  uv_write_t write;
  uv_buf_t text;
  char storage[64];
  int ticks, handles;
  long sum;
} Task;

static const char* TEXT = "through a socket of the addon's";

/* Calls the function of JavaScript's with a word and a number. */
static void report(Task* task, const char* what, double number) {
  napi_handle_scope scope;
  napi_value arguments[2], callback, receiver;
  napi_open_handle_scope(task->env, &scope);
  napi_create_string_utf8(task->env, what, NAPI_AUTO_LENGTH, &arguments[0]);
  napi_create_double(task->env, number, &arguments[1]);
  napi_get_reference_value(task->env, task->callback, &callback);
  napi_get_global(task->env, &receiver);
  if (napi_make_callback(task->env, task->context, receiver, callback, 2, arguments, NULL) != napi_ok)
    abort();
  napi_close_handle_scope(task->env, scope);
}

static void on_close(uv_handle_t* handle) {
  Task* task = handle->data;
  if (--task->handles == 0)
    report(task, "closed", 0);
}

static void close_handle(void* handle) {
  uv_close(handle, on_close);
}

static void on_timer(uv_timer_t* timer) {
  Task* task = timer->data;
  report(task, "tick", ++task->ticks);
  if (task->ticks == 3)
    close_handle(timer);
}

static void in_thread(void* argument) {
  uv_async_send(argument);
}

static void on_async(uv_async_t* async) {
  Task* task = async->data;
  uv_thread_join(&task->thread);
  report(task, "async", 1);
  close_handle(async);
}

static void in_pool(uv_work_t* work) {
  Task* task = work->data;
  for (int number = 1; number <= 1000; number++)
    task->sum += number;
}

static void after_work(uv_work_t* work, int status) {
  Task* task = work->data;
  report(task, "work", status == 0 ? task->sum : status);
}

static void on_stat(uv_fs_t* request) {
  Task* task = request->data;
  report(task, "stat", request->result < 0 ? request->result : (double) request->statbuf.st_size);
  uv_fs_req_cleanup(request);
}

static void on_alloc(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  Task* task = handle->data;
  (void) size;
  *buf = uv_buf_init(task->storage, sizeof(task->storage));
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  Task* task = stream->data;
  if (size == UV_EOF)
    return;
  if (size != (ssize_t) strlen(TEXT) || memcmp(buf->base, TEXT, size) != 0)
    abort();
  report(task, "read", size);
  close_handle(&task->server);
  close_handle(&task->client);
  close_handle(&task->peer);
}

static void on_connection(uv_stream_t* server, int status) {
  Task* task = server->data;
  if (status != 0 || uv_accept(server, (uv_stream_t*) &task->peer) != 0)
    abort();
  uv_read_start((uv_stream_t*) &task->peer, on_alloc, on_read);
}

static void on_write(uv_write_t* request, int status) {
  (void) request;
  if (status != 0)
    abort();
}

static void on_connect(uv_connect_t* request, int status) {
  Task* task = request->data;
  if (status != 0)
    abort();
  task->text = uv_buf_init((char*) TEXT, strlen(TEXT));
  uv_write(&task->write, (uv_stream_t*) &task->client, &task->text, 1, on_write);
}

static void start_sockets(Task* task) {
  struct sockaddr_in address;
  struct sockaddr_storage bound;
  int size = sizeof(bound);
  uv_tcp_init(task->loop, &task->server);
  uv_tcp_init(task->loop, &task->client);
  uv_tcp_init(task->loop, &task->peer);
  task->server.data = task->client.data = task->peer.data = task->connect.data = task;
  uv_ip4_addr("127.0.0.1", 0, &address);
  if (uv_tcp_bind(&task->server, (struct sockaddr*) &address, 0) != 0 ||
      uv_listen((uv_stream_t*) &task->server, 1, on_connection) != 0 ||
      uv_tcp_getsockname(&task->server, (struct sockaddr*) &bound, &size) != 0 ||
      uv_tcp_connect(&task->connect, &task->client, (struct sockaddr*) &bound, on_connect) != 0)
    abort();
}

/* start(file, callback) */
static napi_value start(napi_env env, napi_callback_info info) {
  size_t count = 2, length;
  napi_value arguments[2], name;
  char path[1024];
  Task* task = calloc(1, sizeof(*task));

  task->env = env;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_string_utf8(env, arguments[0], path, sizeof(path), &length);
  napi_create_reference(env, arguments[1], 1, &task->callback);
  napi_create_string_utf8(env, "addon", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &task->context);
  if (napi_get_uv_event_loop(env, &task->loop) != napi_ok)
    abort();

  task->handles = 5;
  uv_timer_init(task->loop, &task->timer);
  uv_async_init(task->loop, &task->async, on_async);
  task->timer.data = task->async.data = task->work.data = task->stat.data = task;
  uv_timer_start(&task->timer, on_timer, 1, 1);
  uv_thread_create(&task->thread, in_thread, &task->async);
  uv_queue_work(task->loop, &task->work, in_pool, after_work);
  uv_fs_stat(task->loop, &task->stat, path, on_stat);
  start_sockets(task);
  napi_create_string_utf8(env, uv_version_string(), NAPI_AUTO_LENGTH, &name);
  return name;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "start", NAPI_AUTO_LENGTH, start, NULL, &function);
  napi_set_named_property(env, exports, "start", function);
  return exports;
}
