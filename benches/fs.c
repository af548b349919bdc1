/* File operations through the loop, of files whose answer is in memory and of files that have to be
 * read from the disk. */
#include "uv_bench.h"

#include <fcntl.h>

enum { SIZE = 4096, MAXIMUM = 64 };

enum operation { STAT, LSTAT, FSTAT, ACCESS, READLINK, OPEN, OPEN_CLOSE, READ, READ_FILE, REALPATH };

/* One sequence of requests: the next begins in the callback of the one before. */
struct chain {
  uv_fs_t request;
  enum operation operation;
  int step;
  int opened;
  uint64_t began;
  /* A file of its own, and a descriptor of it that stays open. */
  char path[256];
  int fd;
  char memory[SIZE];
};

static struct chain chains[MAXIMUM];
static int is_over;
static int is_uncached;

static void make_file(struct chain* chain, long number) {
  char name[32];
  snprintf(name, sizeof(name), "file-%ld", number);
  strcpy(chain->path, bench_path(name));
  chain->fd = open(chain->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(chain->fd >= 0);
  memset(chain->memory, 'x', SIZE);
  CHECK(write(chain->fd, chain->memory, SIZE) == SIZE);
  if (is_uncached) CHECK(fsync(chain->fd) == 0);
  if (chain->operation != READLINK) return;
  snprintf(name, sizeof(name), "link-%ld", number);
  strcpy(chain->path, bench_path(name));
  CHECK(symlink("target", chain->path) == 0);
}

static void on_done(uv_fs_t* request);

static void read_at_start(struct chain* chain, int fd) {
  uv_buf_t buf = uv_buf_init(chain->memory, SIZE);
  OK(uv_fs_read(chain->request.loop, &chain->request, fd, &buf, 1, 0, on_done));
}

/* Open, fstat, read, close: what reading a whole file takes. */
static void next_step(struct chain* chain, uv_loop_t* loop) {
  switch (chain->step) {
  case 0: OK(uv_fs_open(loop, &chain->request, chain->path, O_RDONLY, 0, on_done)); break;
  case 1: OK(uv_fs_fstat(loop, &chain->request, chain->opened, on_done)); break;
  case 2: read_at_start(chain, chain->opened); break;
  case 3: OK(uv_fs_close(loop, &chain->request, chain->opened, on_done)); break;
  }
}

static void begin(struct chain* chain, uv_loop_t* loop) {
  uv_fs_t* request = &chain->request;
  if (is_uncached) CHECK(posix_fadvise(chain->fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
  chain->began = bench_now();
  chain->step = 0;
  request->loop = loop;
  switch (chain->operation) {
  case STAT: OK(uv_fs_stat(loop, request, chain->path, on_done)); break;
  case LSTAT: OK(uv_fs_lstat(loop, request, chain->path, on_done)); break;
  case FSTAT: OK(uv_fs_fstat(loop, request, chain->fd, on_done)); break;
  case ACCESS: OK(uv_fs_access(loop, request, chain->path, R_OK, on_done)); break;
  case READLINK: OK(uv_fs_readlink(loop, request, chain->path, on_done)); break;
  case REALPATH: OK(uv_fs_realpath(loop, request, chain->path, on_done)); break;
  case READ: read_at_start(chain, chain->fd); break;
  case OPEN:
  case OPEN_CLOSE:
  case READ_FILE: next_step(chain, loop); break;
  }
}

/* Whether the operation has another step, which is begun. */
static int goes_on(struct chain* chain, uv_loop_t* loop) {
  if (chain->step == 0) chain->opened = (int) chain->request.result;
  if (chain->operation == OPEN) CHECK(close(chain->opened) == 0);
  if (chain->operation == OPEN_CLOSE && chain->step == 0)
    chain->step = 3;
  else if (chain->operation == READ_FILE && chain->step < 3)
    chain->step++;
  else
    return 0;
  uv_fs_req_cleanup(&chain->request);
  next_step(chain, loop);
  return 1;
}

static void on_done(uv_fs_t* request) {
  struct chain* chain = CONTAINER(request, struct chain, request);
  uv_loop_t* loop = request->loop;
  if (request->result < 0) OK(request->result);
  if (goes_on(chain, loop)) return;
  uv_fs_req_cleanup(request);
  if (is_over) return;
  bench_latency(bench_now() - chain->began);
  if (bench_more(1))
    begin(chain, loop);
  else
    is_over = 1;
}

static void run_chains(const struct bench* bench) {
  uv_loop_t loop;
  OK(uv_loop_init(&loop));
  for (long i = 0; i < bench->n; i++) {
    chains[i].operation = (enum operation) bench->m;
    make_file(&chains[i], i);
  }
  bench_start();
  for (long i = 0; i < bench->n; i++) begin(&chains[i], &loop);
  uv_run(&loop, UV_RUN_DEFAULT);
}

static void run_uncached(const struct bench* bench) {
  is_uncached = 1;
  run_chains(bench);
}

static void stat_sync(const struct bench* bench) {
  uv_fs_t request;
  (void) bench;
  make_file(&chains[0], 0);
  bench_start();
  do {
    OK(uv_fs_stat(NULL, &request, chains[0].path, NULL));
    uv_fs_req_cleanup(&request);
  } while (bench_more(1));
}

static void read_sync(const struct bench* bench) {
  uv_fs_t request;
  (void) bench;
  make_file(&chains[0], 0);
  uv_buf_t buf = uv_buf_init(chains[0].memory, SIZE);
  bench_start();
  do {
    CHECK(uv_fs_read(NULL, &request, chains[0].fd, &buf, 1, 0, NULL) == SIZE);
    uv_fs_req_cleanup(&request);
  } while (bench_more(1));
}

#define CACHED(name_, operation, number, what)                                                     \
  {.name = #name_ "_" #number,                                                                     \
   .text = what ", cached, " #number " in flight",                                                 \
   .run = run_chains,                                                                              \
   .n = number,                                                                                    \
   .m = operation,                                                                                 \
   .bare = "fs::" #name_}
#define FAMILY(name, operation, what)                                                              \
  CACHED(name, operation, 1, what), CACHED(name, operation, 8, what),                              \
      CACHED(name, operation, 64, what)
#define UNCACHED(name_, operation, number, what)                                                   \
  {.name = #name_ "_uncached_" #number,                                                            \
   .text = what ", dropped from the cache before, " #number " in flight",                          \
   .run = run_uncached,                                                                            \
   .n = number,                                                                                    \
   .m = operation,                                                                                 \
   .bare = "fs::" #name_ "_uncached"}
#define STAT_SERIES(number) CACHED(stat, STAT, number, "uv_fs_stat")

const struct bench benches[] = {
    {.name = "stat_sync",
     .text = "uv_fs_stat without a callback",
     .run = stat_sync,
     .bare = "fs::stat"},
    {.name = "read_sync",
     .text = "uv_fs_read of 4 KiB without a callback",
     .run = read_sync,
     .bare = "fs::read"},
    STAT_SERIES(1),
    STAT_SERIES(2),
    STAT_SERIES(3),
    STAT_SERIES(4),
    STAT_SERIES(5),
    STAT_SERIES(6),
    STAT_SERIES(7),
    STAT_SERIES(8),
    STAT_SERIES(9),
    STAT_SERIES(10),
    STAT_SERIES(64),
    FAMILY(lstat, LSTAT, "uv_fs_lstat"),
    FAMILY(fstat, FSTAT, "uv_fs_fstat"),
    FAMILY(access, ACCESS, "uv_fs_access"),
    FAMILY(readlink, READLINK, "uv_fs_readlink"),
    FAMILY(open, OPEN, "uv_fs_open, and a plain close"),
    FAMILY(open_close, OPEN_CLOSE, "uv_fs_open and uv_fs_close"),
    FAMILY(read, READ, "uv_fs_read of 4 KiB"),
    FAMILY(readfile, READ_FILE, "open, fstat, read of 4 KiB and close"),
    FAMILY(realpath, REALPATH, "uv_fs_realpath"),
    UNCACHED(read, READ, 1, "uv_fs_read of 4 KiB"),
    UNCACHED(read, READ, 8, "uv_fs_read of 4 KiB"),
    UNCACHED(read, READ, 64, "uv_fs_read of 4 KiB"),
    UNCACHED(readfile, READ_FILE, 1, "open, fstat, read of 4 KiB and close"),
    UNCACHED(readfile, READ_FILE, 8, "open, fstat, read of 4 KiB and close"),
    UNCACHED(readfile, READ_FILE, 64, "open, fstat, read of 4 KiB and close"),
    {.name = NULL},
};
