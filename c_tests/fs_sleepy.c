/* A file system that answers when the test wants it to: the loop goes on meanwhile. It is served
 * through /dev/fuse by a process of its own, in a mount namespace of the test's. */
#include "inline.h"

#include <linux/fuse.h>
#include <sched.h>
#include <sys/mount.h>

/* --- The file system ----------------------------------------------------------------------- */

enum { root_node = FUSE_ROOT_ID, file_node, link_node };

static const char content[] = "hello, world";

/* The thread that has the byte in it may answer: the server for a moment, or the test, which then
 * keeps the server waiting. */
static int gate[2];
/* How long the kernel may rely on an answer, in seconds. */
static uint64_t validity;

static void take_gate(void) {
  char byte;
  while (read(gate[0], &byte, 1) != 1) ASSERT_EQ(errno, EINTR);
}

static void open_gate(void) {
  ASSERT_EQ(write(gate[1], "x", 1), 1);
}

static struct fuse_attr attributes_of(uint64_t node) {
  struct fuse_attr attr;
  memset(&attr, 0, sizeof(attr));
  attr.ino = node;
  attr.nlink = 1;
  attr.blksize = 4096;
  attr.mode = node == root_node ? S_IFDIR | 0755 : node == file_node ? S_IFREG | 0644 : S_IFLNK | 0777;
  attr.size = node == file_node ? sizeof(content) - 1 : node == link_node ? 4 : 0;
  return attr;
}

static void answer(int fd, const struct fuse_in_header* in, int error, const void* data, size_t size) {
  char memory[8192];
  struct fuse_out_header out = {(uint32_t) (sizeof(out) + size), -error, in->unique};
  memcpy(memory, &out, sizeof(out));
  if (size > 0) memcpy(memory + sizeof(out), data, size);
  if (write(fd, memory, out.len) < 0 && errno != ENOENT && errno != EINTR) _exit(0);
}

static void answer_init(int fd, const struct fuse_in_header* in) {
  const struct fuse_init_in* asked = (const void*) (in + 1);
  struct fuse_init_out out;
  memset(&out, 0, sizeof(out));
  out.major = FUSE_KERNEL_VERSION;
  out.minor = asked->minor < 31 ? asked->minor : 31;
  out.max_readahead = asked->max_readahead;
  out.max_write = 4096;
  answer(fd, in, 0, &out, sizeof(out));
}

static void answer_lookup(int fd, const struct fuse_in_header* in) {
  const char* name = (const char*) (in + 1);
  struct fuse_entry_out out;
  memset(&out, 0, sizeof(out));
  out.nodeid = strcmp(name, "file") == 0 ? file_node : strcmp(name, "link") == 0 ? link_node : 0;
  out.entry_valid = out.attr_valid = validity;
  if (out.nodeid == 0 && validity == 0) {
    answer(fd, in, ENOENT, NULL, 0);
    return;
  }
  /* Node 0 is none; that is remembered, too. */
  if (out.nodeid != 0) out.attr = attributes_of(out.nodeid);
  answer(fd, in, 0, &out, sizeof(out));
}

static void answer_getattr(int fd, const struct fuse_in_header* in) {
  struct fuse_attr_out out;
  memset(&out, 0, sizeof(out));
  out.attr_valid = validity;
  out.attr = attributes_of(in->nodeid);
  answer(fd, in, 0, &out, sizeof(out));
}

static void answer_read(int fd, const struct fuse_in_header* in) {
  const struct fuse_read_in* asked = (const void*) (in + 1);
  size_t size = sizeof(content) - 1;
  size_t from = asked->offset < size ? asked->offset : size;
  answer(fd, in, 0, content + from, size - from < asked->size ? size - from : asked->size);
}

static void answer_statfs(int fd, const struct fuse_in_header* in) {
  struct fuse_statfs_out out;
  memset(&out, 0, sizeof(out));
  out.st.bsize = 4096;
  out.st.namelen = 255;
  answer(fd, in, 0, &out, sizeof(out));
}

static void answer_open(int fd, const struct fuse_in_header* in) {
  struct fuse_open_out out;
  memset(&out, 0, sizeof(out));
  out.open_flags = validity > 0 ? FOPEN_KEEP_CACHE : 0;
  answer(fd, in, 0, &out, sizeof(out));
}

static void answer_one(int fd, const struct fuse_in_header* in) {
  switch (in->opcode) {
  case FUSE_INIT: answer_init(fd, in); break;
  case FUSE_LOOKUP: answer_lookup(fd, in); break;
  case FUSE_GETATTR: answer_getattr(fd, in); break;
  case FUSE_OPEN: answer_open(fd, in); break;
  case FUSE_READ: answer_read(fd, in); break;
  case FUSE_STATFS: answer_statfs(fd, in); break;
  case FUSE_READLINK: answer(fd, in, 0, "file", 4); break;
  case FUSE_ACCESS:
  case FUSE_FLUSH:
  case FUSE_RELEASE: answer(fd, in, 0, NULL, 0); break;
  default: answer(fd, in, ENOSYS, NULL, 0); break;
  }
}

static void serve(int fd) {
  static _Alignas(8) char memory[1 << 17];
  const struct fuse_in_header* in = (const void*) memory;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    ssize_t size = read(fd, memory, sizeof(memory));
    if (size < 0 && errno == ENODEV) _exit(0);
    if (size < (ssize_t) sizeof(*in)) continue;
    if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET) continue;
    if (in->opcode == FUSE_INTERRUPT) continue;
    if (in->opcode == FUSE_DESTROY) _exit(0);
    if (in->opcode != FUSE_INIT) {
      take_gate();
      open_gate();
    }
    answer_one(fd, in);
  }
}

/* --- Mounting it --------------------------------------------------------------------------- */

static void write_text(const char* path, const char* text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) SKIP("%s: %s", path, strerror(errno));
  close(fd);
}

static void enter_namespace(void) {
  char map[64];
  uid_t user = geteuid();
  if (unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0)
    SKIP("no mount namespace: %s", strerror(errno));
  if (user != 0) {
    snprintf(map, sizeof(map), "0 %d 1", (int) user);
    write_text("/proc/self/uid_map", map);
  }
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    SKIP("mounts cannot be made private: %s", strerror(errno));
}

static pid_t server;
static char folder[512];

static void mount_it(const char* name) {
  char options[128];
  int fd = open("/dev/fuse", O_RDWR);
  if (fd < 0) SKIP("/dev/fuse: %s", strerror(errno));
  snprintf(folder, sizeof(folder), "%s", test_path(name));
  ASSERT_OK(mkdir(folder, 0755));
  snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
  if (mount("sleepy", folder, "fuse", MS_NOSUID | MS_NODEV, options) != 0)
    SKIP("mount: %s", strerror(errno));
  server = fork();
  ASSERT_GE(server, 0);
  if (server == 0) serve(fd);
  close(fd);
}

static void unmount_it(void) {
  int status;
  ASSERT_OK(umount2(folder, MNT_DETACH));
  kill(server, SIGKILL);
  ASSERT_EQ(waitpid(server, &status, 0), server);
  ASSERT_OK(rmdir(folder));
}

static const char* at(const char* name) {
  static char paths[4][1024];
  static int next;
  char* path = paths[next++ % 4];
  snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
  return path;
}

static uv_timer_t timer;
static int ticks;

static void on_tick(uv_timer_t* handle) {
  ticks++;
}

static void set_up(uint64_t seconds) {
  need_inline();
  validity = seconds;
  enter_namespace();
  ASSERT_OK(pipe(gate));
  open_gate();
  mount_it("sleepy");
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, on_tick, 1, 1));
}

static void end(void) {
  unmount_it();
  close(gate[0]);
  close(gate[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Tests --------------------------------------------------------------------------------- */

/* The operation waits for the server (if it has to be asked), and the loop does not. The gate was
 * taken before the operation was started. */
static int64_t check_deferred(int started, int must_ask) {
  int before = inline_calls;
  ASSERT_OK(started);
  run_until(uv_default_loop(), &ticks, ticks + 10);
  if (must_ask) ASSERT_EQ(inline_calls, before);
  open_gate();
  run_until(uv_default_loop(), &inline_calls, inline_calls == before ? before + 1 : before);
  return inline_req.result;
}

#define DEFERRED(must_ask, name, ...)                                                              \
  (take_gate(), check_deferred(START(name, __VA_ARGS__), must_ask))

static void check_status(int64_t result, uint64_t node) {
  ASSERT_OK(result);
  ASSERT_EQ(inline_req.statbuf.st_ino, node);
  uv_fs_req_cleanup(&inline_req);
}

/* Every operation that is done inline elsewhere, on what nothing is known of, or, in later rounds,
 * on what the kernel may remember. */
static void ask_everything(int must_ask) {
  char memory[32];
  uv_buf_t buf = uv_buf_init(memory, sizeof(memory));
  int fd;
  int i;
  check_status(DEFERRED(must_ask, stat, at("file")), file_node);
  check_status(DEFERRED(must_ask, lstat, at("link")), link_node);
  check_status(DEFERRED(must_ask, stat, at("link")), file_node);
  ASSERT_OK(DEFERRED(must_ask, access, at("file"), R_OK));
  uv_fs_req_cleanup(&inline_req);
  ASSERT_OK(DEFERRED(must_ask, readlink, at("link")));
  ASSERT_STR_EQ(inline_req.ptr, "file");
  uv_fs_req_cleanup(&inline_req);
  ASSERT_EQ(DEFERRED(must_ask, stat, at("nothing")), UV_ENOENT);
  uv_fs_req_cleanup(&inline_req);
  /* The server always gets a request to open. */
  fd = (int) DEFERRED(1, open, at("file"), O_RDONLY, 0);
  ASSERT_GE(fd, 0);
  uv_fs_req_cleanup(&inline_req);
  ASSERT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  check_status(DEFERRED(must_ask, fstat, fd), file_node);
  for (i = 0; i < 2; i++) {
    ASSERT_EQ(DEFERRED(must_ask && i == 0, read, fd, &buf, 1, 0), 12);
    ASSERT_MEM_EQ(memory, content, 12);
    uv_fs_req_cleanup(&inline_req);
  }
  ASSERT_EQ(DEFERRED(0, read, fd, &buf, 1, -1), 12);
  uv_fs_req_cleanup(&inline_req);
  close(fd);
}

TEST_IMPL(nothing_is_remembered) {
  set_up(0);
  ask_everything(1);
  ask_everything(1);
  end();
}

TEST_IMPL(everything_is_remembered) {
  struct stat s;
  set_up(3600);
  ASSERT_OK(stat(at("file"), &s));
  ASSERT_OK(stat(at("link"), &s));
  ASSERT_NE(stat(at("nothing"), &s), 0);
  ask_everything(0);
  ask_everything(0);
  end();
}

/* A new mount is not taken for the one that was there before, nor for the folder below it. */
TEST_IMPL(a_mount_in_place_of_a_file_system_that_is_known) {
  int i;
  set_up(3600);
  learn_mount(uv_default_loop(), test_tmpdir());
  for (i = 0; i < 3; i++) {
    uint64_t again = i % 2 == 0 ? 0 : 3600;
    unmount_it();
    ASSERT_OK(mkdir(folder, 0755));
    write_file(at("file"), "local", 5);
    ASSERT_OK(START(stat, at("file")));
    run_until(uv_default_loop(), &inline_calls, inline_calls + 1);
    ASSERT_EQ(inline_req.statbuf.st_size, 5);
    uv_fs_req_cleanup(&inline_req);
    ASSERT_OK(unlink(at("file")));
    ASSERT_OK(rmdir(folder));
    validity = again;
    mount_it("sleepy");
    check_status(DEFERRED(1, stat, at("file")), file_node);
  }
  end();
}

/* A link from a local folder, and the folder that it is mounted on, as a way to local files. */
TEST_IMPL(paths_that_lead_through_it) {
  struct stat s;
  set_up(0);
  learn_mount(uv_default_loop(), test_tmpdir());
  make_link(at("file"), test_path("there"));
  write_file(test_path("local"), "x", 1);
  ASSERT_OK(stat(test_path("there"), &s));
  check_status(DEFERRED(1, stat, test_path("there")), file_node);
  ASSERT_OK(DEFERRED(1, access, test_path("there"), R_OK));
  uv_fs_req_cleanup(&inline_req);
  ASSERT_OK(DEFERRED(0, readlink, test_path("there")));
  ASSERT_STR_EQ(inline_req.ptr, at("file"));
  uv_fs_req_cleanup(&inline_req);
  ASSERT_OK(DEFERRED(0, stat, at("../local")));
  ASSERT_EQ(inline_req.statbuf.st_size, 1);
  uv_fs_req_cleanup(&inline_req);
  end();
}
