/* Files: each of some rows writes one, reads it back, renames it and removes it, again and again. */
#include "soak.h"

#include <fcntl.h>

enum { rows = 4, largest_part = 20000, longest_pause_ms = 40 };

struct row {
  uv_fs_t request; /* first */
  uv_timer_t pause;
  uint64_t random_state;
  uint64_t seed;
  uint64_t size, at;
  uv_file file;
  unsigned last_tick;
  char path[300], other[310];
  char data[largest_part];
};

static struct row all[rows];

static void begin(struct row* row);
static void write_part(struct row* row);
static void read_part(struct row* row);

/* What a request returned; the next one may be begun. */
static int64_t take(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  int64_t result = request->result;
  EXPECT(result >= 0, "file operation %d: %s", request->fs_type, uv_err_name((int) result));
  row->last_tick = ticks;
  uv_fs_req_cleanup(request);
  return result;
}

static uint64_t part_size(struct row* row) {
  uint64_t size = 1 + draw_below(&row->random_state, largest_part);
  return size < row->size - row->at ? size : row->size - row->at;
}

static void on_pause(uv_timer_t* timer) {
  begin((struct row*) ((char*) timer - offsetof(struct row, pause)));
}

static void on_removed(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  take(request);
  totals.files++;
  if (is_ending)
    uv_close((uv_handle_t*) &row->pause, NULL);
  else
    MUST(uv_timer_start(&row->pause, on_pause, draw_below(&row->random_state, longest_pause_ms),
                        0));
}

static void on_renamed(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  take(request);
  MUST(uv_fs_unlink(&loop, request, row->other, on_removed));
}

static void on_file_closed(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  take(request);
  MUST(uv_fs_rename(&loop, request, row->path, row->other, on_renamed));
}

static void on_read(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  int64_t size = take(request);
  EXPECT(size > 0 || row->at == row->size, "lost: file %s ends at %llu of %llu", row->path,
         (unsigned long long) row->at, (unsigned long long) row->size);
  check(row->data, row->seed, row->at, (size_t) size, row->path);
  row->at += (uint64_t) size;
  if (size == 0)
    MUST(uv_fs_close(&loop, request, row->file, on_file_closed));
  else
    read_part(row);
}

/* Asks for more than there is at the end. */
static void read_part(struct row* row) {
  uv_buf_t buf = uv_buf_init(row->data, 1 + draw_below(&row->random_state, largest_part));
  MUST(uv_fs_read(&loop, &row->request, row->file, &buf, 1, (int64_t) row->at, on_read));
}

static void on_status(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  uint64_t size = request->statbuf.st_size;
  take(request);
  EXPECT(size == row->size, "wrong: file %s has %llu bytes of %llu", row->path,
         (unsigned long long) size, (unsigned long long) row->size);
  row->at = 0;
  read_part(row);
}

static void on_written(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  row->at += (uint64_t) take(request);
  if (row->at < row->size)
    write_part(row);
  else
    MUST(uv_fs_fstat(&loop, request, row->file, on_status));
}

static void write_part(struct row* row) {
  uv_buf_t buf = uv_buf_init(row->data, (unsigned) part_size(row));
  fill(row->data, row->seed, row->at, buf.len);
  MUST(uv_fs_write(&loop, &row->request, row->file, &buf, 1, (int64_t) row->at, on_written));
}

static void on_opened(uv_fs_t* request) {
  struct row* row = (struct row*) request;
  row->file = (uv_file) take(request);
  write_part(row);
}

static void begin(struct row* row) {
  row->seed = draw(&row->random_state);
  row->size = 1 + draw_below(&row->random_state, 100000);
  row->at = 0;
  snprintf(row->path, sizeof(row->path), "%s/%016llx", settings.folder,
           (unsigned long long) row->seed);
  snprintf(row->other, sizeof(row->other), "%s.old", row->path);
  MUST(uv_fs_open(&loop, &row->request, row->path, O_CREAT | O_EXCL | O_RDWR, 0600, on_opened));
}

void start_files(void) {
  size_t i;
  for (i = 0; i < rows; i++) {
    all[i].random_state = settings.seed + 100 + i;
    all[i].last_tick = ticks;
    MUST(uv_timer_init(&loop, &all[i].pause));
    begin(&all[i]);
  }
}

void check_files(void) {
  size_t i;
  for (i = 0; i < rows && !is_ending; i++)
    EXPECT(!is_tired(all[i].last_tick), "hang: a file operation waits");
}
