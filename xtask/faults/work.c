/* Jobs, some of them cancelled, and random bytes. */
#include "program.h"

#include <stdatomic.h>

enum { jobs = 30, kept = 20 };

static uv_work_t job[jobs];
static atomic_int runs[jobs];
static uv_random_t random_request;
static unsigned char bytes[3000];
static int left;

static void one_end(void) {
  if (--left == 0) finish();
}

static void run_job(uv_work_t* request) {
  atomic_fetch_add(&runs[request - job], 1);
}

static void after_job(uv_work_t* request, int status) {
  int run = atomic_load(&runs[request - job]);
  ended(request);
  if (status == UV_ECANCELED)
    EXPECT(run == 0 && request - job >= kept, "a cancelled job ran");
  else if (!notes(status, "uv_after_work_cb"))
    EXPECT(run == 1, "a job ran %d times", run);
  one_end();
}

static void on_random(uv_random_t* request, int status, void* data, size_t size) {
  size_t i;
  int others = 0;
  ended(request);
  if (!notes(status, "uv_random_cb")) {
    EXPECT(data == bytes && size == sizeof(bytes), "other memory was filled");
    for (i = 1; i < size; i++) others += bytes[i] != bytes[0];
    EXPECT(others > 0, "random bytes are all alike");
  }
  one_end();
}

void program(void) {
  unsigned char direct[500];
  int i;
  left = jobs + 1;
  for (i = 0; i < jobs; i++) {
    if (notes(uv_queue_work(&loop, &job[i], run_job, after_job), "uv_queue_work")) {
      one_end();
      continue;
    }
    begun(&job[i], "uv_queue_work");
    if (i >= kept) uv_cancel((uv_req_t*) &job[i]);
  }
  if (notes(uv_random(&loop, &random_request, bytes, sizeof(bytes), 0, on_random), "uv_random"))
    one_end();
  else
    begun(&random_request, "uv_random");
  notes(uv_random(NULL, NULL, direct, sizeof(direct), 0, NULL), "uv_random");
}
