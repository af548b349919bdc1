/* Uses what C++ programs use of the headers. Compiled as C++98 to C++23. */

/* Programs do this although the header does it, too. */
extern "C" {
#include <uv.h>
#include <uv/tree.h>
}

#if !defined(UV_TREE_H_) || UV_VERSION_HEX < ((1 << 16) | (53 << 8))
# error "a macro that programs test for is missing"
#endif

/* The mode of a terminal as an enumerator, an int, a bool, a value to be converted. */
static int set_modes(uv_tty_t *tty, int number, bool flag) {
  return uv_tty_set_mode(tty, UV_TTY_MODE_RAW) + uv_tty_set_mode(tty, 1) +
         uv_tty_set_mode(tty, number) + uv_tty_set_mode(tty, flag) +
         uv_tty_set_mode(tty, static_cast<uv_tty_mode_t>(number));
}

/* Both functions have an address. */
static int (*const by_mode)(uv_tty_t *, uv_tty_mode_t) = uv_tty_set_mode;
static int (*const by_number)(uv_tty_t *, int) = uv_tty_set_mode;

/* Functions and callbacks as arguments of templates. */
template <class Handle, int (*init)(uv_loop_t *, Handle *)>
class Owner {
 public:
  explicit Owner(uv_loop_t *loop) {
    if (init(loop, &handle_) == 0) handle_.data = this;
  }
  void close() {
    uv_close(reinterpret_cast<uv_handle_t *>(&handle_), closed);
  }
  Handle *get() { return &handle_; }

 private:
  static void closed(uv_handle_t *handle) { delete static_cast<Owner *>(handle->data); }
  Handle handle_;
};

template <void (*callback)(uv_timer_t *)>
static int start(uv_timer_t *timer) {
  return uv_timer_start(timer, callback, 1, 0);
}

/* Not static: an argument of a template in C++98. */
void on_timer(uv_timer_t *timer) {
  uv_timer_stop(timer);
}

/* Structs with the members of the library's, as bindings define them. */
struct Handle {
  UV_HANDLE_FIELDS
};
struct Poll {
  UV_HANDLE_FIELDS
  uv_poll_cb poll_cb;
  UV_POLL_PRIVATE_FIELDS
};
class Derived : public uv_tcp_t {
 public:
  Derived() : uv_tcp_t(), more(0) {}
  int more;
};

/* Overloads and specialisations by the types of handles and requests. */
template <class T>
struct Kind;
#define HANDLE(upper, lower)                                   \
  template <>                                                  \
  struct Kind<uv_##lower##_t> {                                \
    static int value() { return UV_##upper; }                  \
  };                                                           \
  inline int kind_of(const uv_##lower##_t *) { return UV_##upper; }
UV_HANDLE_TYPE_MAP(HANDLE)
UV_REQ_TYPE_MAP(HANDLE)
#undef HANDLE

static const char *message_of(int error) {
  switch (error) {
#define CODE(name, message) case UV_##name: return message;
    UV_ERRNO_MAP(CODE)
#undef CODE
  }
  return "";
}

static const struct {
  int error;
  const char *name;
} errors[] = {
#define ROW(name, message) {UV_##name, #name},
    UV_ERRNO_MAP(ROW)
#undef ROW
};

static uv_once_t once = UV_ONCE_INIT;
static void run_once() {}

/* Members, flags and conversions in use. */
static int members(uv_loop_t *loop, uv_stream_t *stream, uv_poll_t *poll, int mode) {
  uv_process_options_t options = uv_process_options_t();
  uv_stdio_container_t stdio[2];
  uv_timespec_t time = {0, 0};
  uv_buf_t buffers[] = {{NULL, 0}, uv_buf_init(const_cast<char *>("x"), 1)};
  uv_interface_address_t address = uv_interface_address_t();
  uv_any_handle any_handle;
  uv_any_req any_request;

  options.flags = UV_PROCESS_DETACHED | UV_PROCESS_SETUID;
  options.stdio = stdio;
  stdio[0].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_READABLE_PIPE);
  stdio[0].data.stream = stream;
  stdio[1].flags = UV_INHERIT_FD;
  stdio[1].data.fd = 1;
  any_handle.tcp.data = NULL;
  any_request.write.data = NULL;
  uv_once(&once, run_once);
  uv_loop_configure(loop, UV_LOOP_BLOCK_SIGNAL, SIGPROF);
  uv_poll_start(poll, UV_READABLE | UV_DISCONNECT, NULL);
  uv_run(loop, static_cast<uv_run_mode>(mode));
  return address.address.address4.sin_port + address.netmask.netmask6.sin6_port +
         static_cast<int>(time.tv_sec) + static_cast<int>(buffers[1].len) +
         static_cast<int>(loop->active_reqs.count) + stream->u.fd + options.stdio[1].data.fd +
         (any_handle.handle.data == any_request.req.data);
}

#if __cplusplus >= 201103L
#define ASSERT_NOT_0(upper, lower) static_assert(UV_##upper != 0, #lower);
UV_HANDLE_TYPE_MAP(ASSERT_NOT_0)
UV_REQ_TYPE_MAP(ASSERT_NOT_0)
static_assert(UV_ERRNO_MAX < UV_EOF, "the codes have an end");
static_assert(offsetof(uv_handle_t, data) == 0, "standard layout");

static int later(uv_loop_t *loop, uv_tty_t *tty) {
  uv_process_options_t options{};
  const uv_buf_t nothing[] = {{nullptr, 0}, {nullptr, 0}};
  uv_buf_t buffer = uv_buf_t{nullptr, 0};
  auto set = static_cast<int (*)(uv_tty_t *, int)>(&uv_tty_set_mode);
  uv_walk(loop, [](uv_handle_t *handle, void *) { uv_unref(handle); }, nullptr);
  buffer = {nothing[0].base, nothing[1].len};
  decltype(uv_version()) version = UV_VERSION_HEX;
  return set(tty, 0) + static_cast<int>(buffer.len + version) + (options.file == nullptr);
}
#else
static int later(uv_loop_t *, uv_tty_t *) { return 0; }
#endif

/* Trees of the program's structs. */
struct Node {
  RB_ENTRY(Node) entry;
  int key;
};
static int compare(const Node *a, const Node *b) {
  return a->key < b->key ? -1 : a->key > b->key;
}
RB_HEAD(Tree, Node);
RB_PROTOTYPE_STATIC(Tree, Node, entry, compare)
RB_GENERATE_STATIC(Tree, Node, entry, compare)

static int nodes() {
  Tree tree = RB_INITIALIZER(&tree);
  Node node;
  Node *each;
  Node *next;
  int sum = 0;
  node.key = 1;
  RB_INSERT(Tree, &tree, &node);
  RB_FOREACH(each, Tree, &tree) sum += each->key;
  RB_FOREACH_REVERSE(each, Tree, &tree) sum += each->key;
  RB_FOREACH_SAFE(each, Tree, &tree, next) RB_REMOVE(Tree, &tree, each);
  return RB_EMPTY(&tree) ? sum : 0;
}

int main() {
  uv_loop_t *loop = uv_default_loop();
  uv_tty_t tty;
  uv_poll_t poll;
  Derived tcp;
  Handle handle = Handle();
  Poll own = Poll();
  Owner<uv_timer_t, uv_timer_init> *timer = new Owner<uv_timer_t, uv_timer_init>(loop);

  start<on_timer>(timer->get());
  timer->close();
  uv_run(loop, UV_RUN_DEFAULT);
  if (nodes() != 2 || uv_tty_init(loop, &tty, -1, 0) == 0) return 1;
  /* The rest is there to be compiled. */
  if (uv_version() != 0) return 0;
  handle.data = own.data = NULL;
  uv_tcp_init(loop, &tcp);
  return set_modes(&tty, 0, false) + by_mode(&tty, UV_TTY_MODE_IO) + by_number(&tty, 0) +
         members(loop, reinterpret_cast<uv_stream_t *>(&tcp), &poll, 0) + later(loop, &tty) +
         kind_of(static_cast<uv_tcp_t *>(&tcp)) + Kind<uv_write_t>::value() + tcp.more +
         (message_of(UV_EOF) == errors[0].name) + (handle.data == own.data) + own.io_watcher.fd;
}
