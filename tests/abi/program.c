/* Uses what programs use of the header. Compiled as C and as C++. */

#include <uv.h>
#include <uv/tree.h>

#if UV_VERSION_HEX < 0x010000 || UV_VERSION_HEX >= 0x020000
# error "not version 1"
#endif

#if !defined(UV_LOOP_USE_IO_URING_SQPOLL) || !defined(UV_EXTERN)
# error "a macro that programs test for is missing"
#endif

#define CODE(name, message) case UV_##name: return message;
#define HANDLE(name, type) case UV_##name: return sizeof(uv_##type##_t);
#define SWITCH(map) switch (code) { map default: break; }

static const char *message(int code) {
  SWITCH(UV_ERRNO_MAP(CODE))
  return "";
}

static size_t handle_size(uv_handle_type code) {
  SWITCH(UV_HANDLE_TYPE_MAP(HANDLE))
  return 0;
}

static size_t request_size(uv_req_type code) {
  SWITCH(UV_REQ_TYPE_MAP(HANDLE))
  return 0;
}

static uv_once_t once = UV_ONCE_INIT;

static void run_once(void) {}

static void on_close(uv_handle_t *handle) {
  handle->data = NULL;
}

static void on_timer(uv_timer_t *timer) {
  uv_close((uv_handle_t *) timer, on_close);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status) {
  enum uv_fs_event event = UV_CHANGE;
  (void) handle;
  (void) name;
  (void) status;
  (void) (events & event);
}

static void on_written(uv_write_t *request, int status) {
  /* Both names of the last word that requests reserve. */
  request->reserved2[0] = NULL;
  request->write_extra.nwritten = 0;
  (void) status;
}

/* What programs in the wild read. */
static int peek(uv_loop_t *loop, uv_tcp_t *tcp, uv_udp_t *udp, uv_poll_t *poll) {
  return (int) loop->active_handles + loop->backend_fd + (int) loop->stop_flag +
         (int) loop->time + (int) loop->active_reqs.count + tcp->io_watcher.fd +
         (int) tcp->write_queue_size + tcp->accepted_fd + tcp->u.fd +
         (int) tcp->flags + (int) udp->send_queue_size + poll->io_watcher.fd;
}

struct node {
  RB_ENTRY(node) entry;
  int key;
};
RB_HEAD(tree, node);

static int compare(struct node *a, struct node *b) {
  return a->key < b->key ? -1 : a->key > b->key;
}

RB_PROTOTYPE_STATIC(tree, node, entry, compare)
RB_GENERATE_STATIC(tree, node, entry, compare)
RB_HEAD(shared_tree, node);
RB_PROTOTYPE(shared_tree, node, entry, compare)
RB_GENERATE(shared_tree, node, entry, compare)

static int tree_size(struct node *node) {
  struct tree tree = RB_INITIALIZER(&tree);
  struct node *next;
  int size = 0;
  RB_INSERT(tree, &tree, node);
  RB_FOREACH_SAFE(node, tree, &tree, next) {
    size++;
    RB_REMOVE(tree, &tree, node);
  }
  return size;
}

int main(void) {
  uv_loop_t loop;
  uv_timer_t timer;
  uv_tcp_t tcp;
  uv_udp_t udp;
  uv_poll_t poll;
  uv_fs_event_t event;
  uv_fs_t request;
  uv_write_t write;
  uv_buf_t buffer;
  union uv_any_handle any;
  struct node node;
  struct sockaddr_in address;
  double times[3];
  uv_file pair[2];
  uv_run_mode mode = UV_RUN_DEFAULT;

  uv_once(&once, run_once);
  uv_loop_init(&loop);
  uv_loop_configure(&loop, UV_LOOP_BLOCK_SIGNAL, SIGPROF);
  uv_loop_configure(&loop, UV_METRICS_IDLE_TIME);
  uv_timer_init(&loop, &timer);
  uv_timer_start(&timer, on_timer, 1, 0);
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_init(&loop, &tcp);
  uv_tcp_bind(&tcp, (const struct sockaddr *) &address, UV_TCP_IPV6ONLY);
  uv_udp_init_ex(&loop, &udp, AF_INET | UV_UDP_RECVMMSG);
  uv_poll_init(&loop, &poll, 0);
  uv_fs_event_init(&loop, &event);
  uv_fs_event_start(&event, on_event, ".", UV_FS_EVENT_RECURSIVE);
  uv_fs_open(&loop, &request, ".", UV_FS_O_RDONLY | UV_FS_O_DIRECTORY, 0, NULL);
#ifdef INFINITY /* Not in C of 1989 with nothing but POSIX of 1995. */
  uv_fs_utime(&loop, &request, ".", UV_FS_UTIME_NOW, UV_FS_UTIME_OMIT, NULL);
#endif
  buffer = uv_buf_init((char *) "x", 1);
  uv_write(&write, (uv_stream_t *) &tcp, &buffer, 1, on_written);
  uv_pipe(pair, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
  uv_loadavg(times);
  any.handle.data = NULL;
  node.key = 1;
  uv_run(&loop, mode);
  return peek(&loop, &tcp, &udp, &poll) + (int) handle_size(UV_TCP) +
         (int) request_size(UV_WRITE) + (message(UV_EOF) == NULL) +
         (any.async.data == NULL) + tree_size(&node);
}
