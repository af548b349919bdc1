/* Threads, what belongs to each, and where they run:
 * https://docs.libuv.org/en/v1.x/threading.html */
#include "task.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static uv_sem_t may_end;
static uv_sem_t begun;

static void store(void* arg) {
  *(int*) arg += 1;
}

TEST_IMPL(a_thread_gets_its_argument_and_can_be_joined) {
  uv_thread_t threads[8];
  int numbers[8] = {0};
  int i;
  for (i = 0; i < 8; i++) ASSERT_OK(uv_thread_create(&threads[i], store, &numbers[i]));
  for (i = 0; i < 8; i++) {
    ASSERT_OK(uv_thread_join(&threads[i]));
    ASSERT_EQ(numbers[i], 1);
  }
  MAKE_SURE_NOTHING_LEAKED();
}

static void wait_to_end(void* arg) {
  (void) arg;
  uv_sem_post(&begun);
  uv_sem_wait(&may_end);
}

static void start_waiting(uv_thread_t* thread) {
  ASSERT_OK(uv_sem_init(&begun, 0));
  ASSERT_OK(uv_sem_init(&may_end, 0));
  ASSERT_OK(uv_thread_create(thread, wait_to_end, NULL));
  uv_sem_wait(&begun);
}

static void stop_waiting(uv_thread_t* thread) {
  uv_sem_post(&may_end);
  ASSERT_OK(uv_thread_join(thread));
  uv_sem_destroy(&begun);
  uv_sem_destroy(&may_end);
}

static void compare_self(void* arg) {
  uv_thread_t creator = *(uv_thread_t*) arg;
  uv_thread_t self = uv_thread_self();
  ASSERT_EQ(uv_thread_equal(&self, &creator), 0);
  ASSERT_NE(uv_thread_equal(&self, &self), 0);
}

TEST_IMPL(threads_are_distinguished) {
  uv_thread_t self = uv_thread_self();
  uv_thread_t again = uv_thread_self();
  uv_thread_t thread;
  ASSERT_NE(uv_thread_equal(&self, &again), 0);
  ASSERT_OK(uv_thread_create(&thread, compare_self, &self));
  ASSERT_OK(uv_thread_join(&thread));
}

static void post_begun(void* arg) {
  (void) arg;
  uv_sem_post(&begun);
}

TEST_IMPL(a_detached_thread_needs_no_join) {
  uv_thread_t thread;
  ASSERT_OK(uv_sem_init(&begun, 0));
  ASSERT_OK(uv_thread_create(&thread, post_begun, NULL));
  ASSERT_OK(uv_thread_detach(&thread));
  uv_sem_wait(&begun);
}

/* The ids are the system's own. */
TEST_IMPL(a_thread_can_be_joined_by_the_system) {
  uv_thread_t thread;
  int number = 0;
  ASSERT_OK(uv_thread_create(&thread, store, &number));
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_EQ(number, 1);
}

/* --- Stacks -------------------------------------------------------------------------------- */

static void get_stack_size(void* arg) {
  pthread_attr_t attr;
  ASSERT_OK(pthread_getattr_np(pthread_self(), &attr));
  ASSERT_OK(pthread_attr_getstacksize(&attr, arg));
  ASSERT_OK(pthread_attr_destroy(&attr));
}

static size_t stack_size_with(const uv_thread_options_t* options) {
  uv_thread_t thread;
  size_t size = 0;
  ASSERT_OK(uv_thread_create_ex(&thread, options, get_stack_size, &size));
  ASSERT_OK(uv_thread_join(&thread));
  return size;
}

static size_t stack_size_of(size_t size) {
  uv_thread_options_t options;
  options.flags = UV_THREAD_HAS_STACK_SIZE;
  options.stack_size = size;
  return stack_size_with(&options);
}

TEST_IMPL(a_stack_is_as_large_as_was_asked) {
  const size_t page = sysconf(_SC_PAGESIZE);
  ASSERT_EQ(stack_size_of(1 << 20), 1 << 20);
  ASSERT_EQ(stack_size_of((1 << 20) + 1), (1 << 20) + page);
  ASSERT_EQ(stack_size_of((1 << 20) - 1), 1 << 20);
  /* A size below the system's minimum is that minimum. */
  ASSERT_GE(stack_size_of(1), PTHREAD_STACK_MIN);
  ASSERT_LE(stack_size_of(1), 1 << 20);
}

TEST_IMPL(without_a_size_a_stack_is_as_large_as_the_main_threads_may_get) {
  uv_thread_options_t options;
  struct rlimit limit;
  uv_thread_t thread;
  size_t size;

  ASSERT_OK(getrlimit(RLIMIT_STACK, &limit));
  limit.rlim_cur = 3 << 20;
  ASSERT_OK(setrlimit(RLIMIT_STACK, &limit));
  size = stack_size_of(0);
  ASSERT_EQ(size, 3 << 20);
  ASSERT_OK(uv_thread_create(&thread, get_stack_size, &size));
  ASSERT_OK(uv_thread_join(&thread));
  ASSERT_EQ(size, 3 << 20);
  options.flags = UV_THREAD_NO_FLAGS;
  options.stack_size = 1 << 20;
  ASSERT_EQ(stack_size_with(&options), size);
}

TEST_IMPL(a_stack_too_large_for_memory_is_an_error) {
  uv_thread_options_t options;
  uv_thread_t thread;
  int number = 0;
  options.flags = UV_THREAD_HAS_STACK_SIZE;
  options.stack_size = SIZE_MAX / 16 * 15;
  ASSERT_LT(uv_thread_create_ex(&thread, &options, store, &number), 0);
  ASSERT_EQ(number, 0);
}

/* --- Names --------------------------------------------------------------------------------- */

static void check_names(void* arg) {
  static const char long_name[] = "a name that is too long";
  uv_thread_t self = uv_thread_self();
  char name[32];
  (void) arg;

  ASSERT_OK(uv_thread_setname("short"));
  memset(name, '#', sizeof(name));
  ASSERT_OK(uv_thread_getname(&self, name, sizeof(name)));
  ASSERT_STR_EQ(name, "short");
  /* Names are cut where they do not fit, on either side. */
  memset(name, '#', sizeof(name));
  ASSERT_OK(uv_thread_getname(&self, name, 3));
  ASSERT_STR_EQ(name, "sh");
  ASSERT_EQ(name[3], '#');
  ASSERT_OK(uv_thread_getname(&self, name, 1));
  ASSERT_STR_EQ(name, "");
  ASSERT_OK(uv_thread_setname(long_name));
  ASSERT_OK(uv_thread_getname(&self, name, sizeof(name)));
  ASSERT_EQ(strlen(name), 15);
  ASSERT_OK(strncmp(name, long_name, 15));
  ASSERT_OK(uv_thread_setname(""));
  ASSERT_OK(uv_thread_getname(&self, name, sizeof(name)));
  ASSERT_STR_EQ(name, "");
}

TEST_IMPL(a_thread_has_a_name) {
  uv_thread_t thread;
  ASSERT_OK(uv_thread_create(&thread, check_names, NULL));
  ASSERT_OK(uv_thread_join(&thread));
}

static void name_and_wait(void* arg) {
  ASSERT_OK(uv_thread_setname("another name"));
  wait_to_end(arg);
}

TEST_IMPL(the_name_of_another_thread_can_be_read) {
  uv_thread_t thread;
  char name[32];
  ASSERT_OK(uv_sem_init(&begun, 0));
  ASSERT_OK(uv_sem_init(&may_end, 0));
  ASSERT_OK(uv_thread_create(&thread, name_and_wait, NULL));
  uv_sem_wait(&begun);
  ASSERT_OK(uv_thread_getname(&thread, name, sizeof(name)));
  ASSERT_STR_EQ(name, "another name");
  stop_waiting(&thread);
}

TEST_IMPL(a_name_is_not_cut_within_a_character) {
  uv_thread_t self = uv_thread_self();
  char name[32];

  OXUV_ONLY();
  /* 14 bytes, then a character of three. */
  ASSERT_OK(uv_thread_setname("12345678901234\xe2\x82\xac"));
  ASSERT_OK(uv_thread_getname(&self, name, sizeof(name)));
  ASSERT_STR_EQ(name, "12345678901234");
}

TEST_IMPL(names_need_memory) {
  uv_thread_t self = uv_thread_self();
  char name[32];
  ASSERT_EQ(uv_thread_setname(NULL), UV_EINVAL);
  ASSERT_EQ(uv_thread_getname(&self, NULL, sizeof(name)), UV_EINVAL);
  ASSERT_EQ(uv_thread_getname(&self, name, 0), UV_EINVAL);
}

/* --- Processors ---------------------------------------------------------------------------- */

TEST_IMPL(a_mask_says_where_a_thread_may_run) {
  const int size = uv_cpumask_size();
  uv_thread_t thread;
  cpu_set_t set;
  char* mask;
  int cpu;

  ASSERT_EQ(size, CPU_SETSIZE);
  mask = malloc(size);
  ASSERT_OK(sched_getaffinity(0, sizeof(set), &set));
  start_waiting(&thread);
  memset(mask, 0x55, size);
  ASSERT_OK(uv_thread_getaffinity(&thread, mask, size));
  for (cpu = 0; cpu < size; cpu++) ASSERT_EQ(mask[cpu], CPU_ISSET(cpu, &set) != 0);
  stop_waiting(&thread);
  free(mask);
}

static int first_of(const char* mask, int size) {
  int cpu;
  for (cpu = 0; cpu < size && !mask[cpu]; cpu++) continue;
  ASSERT_LT(cpu, size);
  return cpu;
}

TEST_IMPL(a_thread_can_be_bound_to_a_processor) {
  const int size = uv_cpumask_size();
  char* before = calloc(1, size);
  char* one = calloc(1, size);
  char* old = calloc(1, size);
  char* now = calloc(1, size);
  uv_thread_t thread = uv_thread_self();
  int cpu;

  ASSERT_OK(uv_thread_getaffinity(&thread, before, size));
  cpu = first_of(before, size);
  one[cpu] = 1;
  ASSERT_OK(uv_thread_setaffinity(&thread, one, old, size));
  ASSERT_MEM_EQ(old, before, size);
  ASSERT_OK(uv_thread_getaffinity(&thread, now, size));
  ASSERT_MEM_EQ(now, one, size);
  ASSERT_EQ(uv_thread_getcpu(), cpu);
  ASSERT_EQ(uv_available_parallelism(), 1);
  /* The mask before need not be asked for. */
  ASSERT_OK(uv_thread_setaffinity(&thread, before, NULL, size));
  ASSERT_OK(uv_thread_getaffinity(&thread, now, size));
  ASSERT_MEM_EQ(now, before, size);
  free(before);
  free(one);
  free(old);
  free(now);
}

TEST_IMPL(masks_must_be_large_enough) {
  const int size = uv_cpumask_size();
  char* mask = calloc(1, size + 8);
  uv_thread_t self = uv_thread_self();
  ASSERT_EQ(uv_thread_getaffinity(&self, mask, size - 1), UV_EINVAL);
  ASSERT_EQ(uv_thread_setaffinity(&self, mask, mask, size - 1), UV_EINVAL);
  ASSERT_OK(uv_thread_getaffinity(&self, mask, size + 8));
  ASSERT_OK(uv_thread_setaffinity(&self, mask, NULL, size + 8));
  /* On no processor at all, it could not run. */
  memset(mask, 0, size);
  ASSERT_EQ(uv_thread_setaffinity(&self, mask, NULL, size), UV_EINVAL);
  free(mask);
}

/* --- Priorities ---------------------------------------------------------------------------- */

static void lower_priority(void* arg) {
  uv_thread_t self = uv_thread_self();
  int before;
  int now;
  (void) arg;

  errno = 0;
  before = getpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid));
  ASSERT_OK(errno);
  if (before > 2) SKIP("the priority is low already");
  ASSERT_OK(uv_thread_setpriority(self, UV_THREAD_PRIORITY_BELOW_NORMAL));
  now = getpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid));
  ASSERT_EQ(now, 2);
  ASSERT_OK(uv_thread_setpriority(self, UV_THREAD_PRIORITY_LOWEST));
  now = getpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid));
  ASSERT_EQ(now, 4);
  ASSERT_OK(uv_thread_getpriority(self, &now));
  ASSERT_EQ(now, 4);
}

TEST_IMPL(a_thread_can_lower_its_priority) {
  uv_thread_t thread;
  int before = getpriority(PRIO_PROCESS, 0);
  ASSERT_OK(uv_thread_create(&thread, lower_priority, NULL));
  ASSERT_OK(uv_thread_join(&thread));
  /* This thread has a value of its own. */
  ASSERT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

TEST_IMPL(priorities_are_checked) {
  uv_thread_t self = uv_thread_self();
  ASSERT_EQ(uv_thread_setpriority(self, UV_THREAD_PRIORITY_HIGHEST + 1), UV_EINVAL);
  ASSERT_EQ(uv_thread_setpriority(self, UV_THREAD_PRIORITY_LOWEST - 1), UV_EINVAL);
  ASSERT_EQ(uv_thread_getpriority(self, NULL), UV_EINVAL);
}

/* --- Keys ---------------------------------------------------------------------------------- */

static uv_key_t keys[2];

static void use_keys(void* arg) {
  int own;
  ASSERT_NULL(uv_key_get(&keys[0]));
  ASSERT_NULL(uv_key_get(&keys[1]));
  uv_key_set(&keys[0], &own);
  uv_key_set(&keys[1], arg);
  ASSERT_PTR_EQ(uv_key_get(&keys[0]), &own);
  ASSERT_PTR_EQ(uv_key_get(&keys[1]), arg);
  uv_key_set(&keys[0], NULL);
  ASSERT_NULL(uv_key_get(&keys[0]));
}

TEST_IMPL(each_thread_has_its_own_value_under_a_key) {
  uv_thread_t thread;
  int value;
  ASSERT_OK(uv_key_create(&keys[0]));
  ASSERT_OK(uv_key_create(&keys[1]));
  ASSERT_NULL(uv_key_get(&keys[0]));
  uv_key_set(&keys[0], &value);
  ASSERT_OK(uv_thread_create(&thread, use_keys, &value));
  ASSERT_OK(uv_thread_join(&thread));
  ASSERT_PTR_EQ(uv_key_get(&keys[0]), &value);
  ASSERT_NULL(uv_key_get(&keys[1]));
  uv_key_delete(&keys[0]);
  uv_key_delete(&keys[1]);
}

TEST_IMPL(keys_run_out_with_an_error) {
  static uv_key_t many[PTHREAD_KEYS_MAX + 1];
  int count = 0;
  int result = 0;
  while (count <= PTHREAD_KEYS_MAX && (result = uv_key_create(&many[count])) == 0) count++;
  ASSERT_EQ(result, UV_EAGAIN);
  while (count > 0) uv_key_delete(&many[--count]);
  ASSERT_OK(uv_key_create(&many[0]));
  uv_key_delete(&many[0]);
}
