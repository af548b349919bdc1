/* Many file operations one after the other, which a loop gives to a worker that looks for them where
 * that pays: each is done and told once, and the worker is in nobody's way. Whether the loop does so
 * shows in nothing but time; after as many operations as here it has tried it, in any case.
 * https://docs.libuv.org/en/v1.x/fs.html */
#include "in_place.h"
#include "refuse.h"

enum { most = 8, many = 6000 };

/* Begins with its request, by which it is found. */
struct chain {
  uv_fs_t request;
  int left;
};

/* A loop's chains of operations, and what is called when all of them are over. */
struct work {
  uv_loop_t* loop;
  struct chain chains[most];
  int under_way;
  int told;
  void (*after)(struct work* work);
};

static struct work work;

/* Of the file, and so on. Threads use them. */
static char file[256];
static char a_link[256];
static char missing[256];
static char fifo[256];

static void set_up(void) {
  strcpy(file, test_path("file"));
  strcpy(a_link, test_path("link"));
  strcpy(missing, test_path("missing"));
  strcpy(fifo, test_path("fifo"));
  write_file(file, "hello, world", 12);
  make_link("file", a_link);
  ASSERT_OK(mkfifo(fifo, 0600));
  set_pool_size(2);
}

static void next(struct work* on, struct chain* chain);

static void check_result(uv_fs_t* request, int is_missing) {
  if (is_missing) {
    ASSERT_EQ(request->result, UV_ENOENT);
    return;
  }
  ASSERT_GE(request->result, 0);
  if (request->fs_type == UV_FS_STAT) ASSERT_EQ(request->statbuf.st_size, 12);
  if (request->fs_type == UV_FS_READLINK) ASSERT_STR_EQ((const char*) request->ptr, "file");
  if (request->fs_type == UV_FS_OPEN) ASSERT_OK(close((int) request->result));
}

static void on_done(uv_fs_t* request) {
  struct chain* chain = (struct chain*) request;
  struct work* on = request->data;
  check_result(request, chain->left % 7 == 0);
  uv_fs_req_cleanup(request);
  on->told++;
  chain->left--;
  next(on, chain);
}

static void next(struct work* on, struct chain* chain) {
  uv_fs_t* request = &chain->request;
  const char* path = chain->left % 7 == 0 ? missing : file;
  if (chain->left == 0) {
    if (--on->under_way == 0 && on->after != NULL) on->after(on);
    return;
  }
  request->data = on;
  switch (chain->left % 4) {
  case 0: ASSERT_OK(uv_fs_stat(on->loop, request, path, on_done)); break;
  case 1: ASSERT_OK(uv_fs_open(on->loop, request, path, O_RDONLY, 0, on_done)); break;
  case 2: ASSERT_OK(uv_fs_access(on->loop, request, path, R_OK, on_done)); break;
  case 3:
    if (chain->left % 7 != 0) path = a_link;
    ASSERT_OK(uv_fs_readlink(on->loop, request, path, on_done));
    break;
  }
}

/* So many chains of so many operations together. */
static void start(struct work* on, uv_loop_t* loop, int chains, int operations) {
  int i;
  on->loop = loop;
  on->under_way = chains;
  for (i = 0; i < chains; i++) {
    on->chains[i].left = operations / chains;
    next(on, &on->chains[i]);
  }
}

static void run(int chains, void (*after)(struct work*)) {
  work.after = after;
  start(&work, uv_default_loop(), chains, many);
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_EQ(work.under_way, 0);
}

TEST_IMPL_SERIAL(each_is_told_once) {
  int chains;
  set_up();
  for (chains = 1; chains <= most; chains *= 2) {
    work.told = 0;
    run(chains, NULL);
    ASSERT_EQ(work.told, many / chains * chains);
  }
  end_in_place();
}

static void run_loop(void* argument) {
  struct work* on = argument;
  uv_loop_t loop;
  ASSERT_OK(uv_loop_init(&loop));
  start(on, &loop, 3, many);
  ASSERT_OK(uv_run(&loop, UV_RUN_DEFAULT));
  ASSERT_EQ(on->told, many);
  ASSERT_OK(uv_loop_close(&loop));
}

TEST_IMPL_SERIAL(loops_are_in_nobodys_way) {
  static struct work works[3];
  uv_thread_t threads[3];
  int i;
  set_up();
  for (i = 0; i < 3; i++) ASSERT_OK(uv_thread_create(&threads[i], run_loop, &works[i]));
  for (i = 0; i < 3; i++) ASSERT_OK(uv_thread_join(&threads[i]));
  end_in_place();
}

/* --- A worker that is kept waiting --------------------------------------------------------- */

static uv_fs_t reading_end;
static int writing_end = -1;

static void close_reading_end(uv_fs_t* request) {
  ASSERT_GE(request->result, 0);
  ASSERT_OK(close((int) request->result));
  uv_fs_req_cleanup(request);
  in_place_calls++;
}

static void open_writing_end(struct work* on) {
  ASSERT_EQ(in_place_calls, 0);
  writing_end = open(fifo, O_WRONLY);
  ASSERT_GE(writing_end, 0);
}

/* Whoever gets it waits until the operations that follow are done. */
static void open_reading_end(struct work* on) {
  ASSERT_OK(uv_fs_open(on->loop, &reading_end, fifo, O_RDONLY, 0, close_reading_end));
  on->after = open_writing_end;
  start(on, on->loop, 4, many);
}

TEST_IMPL_SERIAL(a_worker_that_waits_holds_nothing_up) {
  set_up();
  run(4, open_reading_end);
  ASSERT_EQ(in_place_calls, 1);
  ASSERT_OK(close(writing_end));
  end_in_place();
}

static int rounds_left = 30;

static void go_on(uv_fs_t* request) {
  close_reading_end(request);
  if (--rounds_left > 0) start(&work, request->loop, 2, 200);
}

/* The loop's thread waits until the worker has opened the other end. */
static void open_both_ends(struct work* on) {
  int fd;
  ASSERT_OK(uv_fs_open(on->loop, &reading_end, fifo, O_RDONLY, 0, go_on));
  fd = open(fifo, O_WRONLY);
  ASSERT_GE(fd, 0);
  ASSERT_OK(close(fd));
}

TEST_IMPL_SERIAL(a_callback_may_wait_for_what_it_opens) {
  set_up();
  run(2, open_both_ends);
  ASSERT_EQ(rounds_left, 0);
  end_in_place();
}

/* --- What ends it -------------------------------------------------------------------------- */

static struct work taken_back;

static void on_taken_back(uv_fs_t* request) {
  struct chain* chain = (struct chain*) request;
  ASSERT_EQ(request->result, chain->left ? UV_ECANCELED : 0);
  uv_fs_req_cleanup(request);
  in_place_calls++;
}

static void start_and_take_back(struct work* on) {
  int i;
  for (i = 0; i < most; i++)
    ASSERT_OK(uv_fs_stat(on->loop, &taken_back.chains[i].request, file, on_taken_back));
  for (i = 0; i < most; i++) {
    int result = uv_cancel((uv_req_t*) &taken_back.chains[i].request);
    if (result != UV_EBUSY) ASSERT_OK(result);
    taken_back.chains[i].left = result == 0;
  }
}

TEST_IMPL_SERIAL(each_can_be_taken_back) {
  set_up();
  run(4, start_and_take_back);
  ASSERT_EQ(in_place_calls, most);
  end_in_place();
}

static void stop(struct work* on) {
  start(on, on->loop, 4, 100);
  on->after = NULL;
  uv_stop(on->loop);
}

TEST_IMPL_SERIAL(a_loop_may_stop_meanwhile) {
  set_up();
  work.after = stop;
  start(&work, uv_default_loop(), 4, many);
  ASSERT_NE(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  ASSERT_EQ(work.told, many);
  while (uv_run(uv_default_loop(), UV_RUN_NOWAIT) != 0) sched_yield();
  ASSERT_EQ(work.told, many + 100);
  end_in_place();
}

static void go_on_in_child(struct work* on) {
  pid_t pid;
  on->after = NULL;
  pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ASSERT_OK(uv_loop_fork(on->loop));
    on->told = 0;
    start(on, on->loop, 4, many);
    return;
  }
  wait_for_child(pid);
}

TEST_IMPL_SERIAL(a_forked_child_goes_on) {
  pid_t parent = getpid();
  NOT_WITH_THREAD_SANITIZER("cannot follow such threads");
  set_up();
  run(4, go_on_in_child);
  ASSERT_EQ(work.told, many);
  if (getpid() != parent) _exit(0);
  end_in_place();
}

static void on_timer(uv_timer_t* handle) {
  uv_close((uv_handle_t*) handle, NULL);
}

TEST_IMPL_TIMED(nobody_looks_when_there_is_nothing, 60) {
  uv_timer_t timer;
  uint64_t used;
  set_up();
  run(4, NULL);
  used = used_ns();
  ASSERT_OK(uv_timer_init(uv_default_loop(), &timer));
  ASSERT_OK(uv_timer_start(&timer, on_timer, 400, 0));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_LT(used_ns() - used, 100000000);
  end_in_place();
}
