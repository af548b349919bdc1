/* The title of the process: https://docs.libuv.org/en/v1.x/misc.html#c.uv_setup_args */
#include "task.h"

#include <limits.h>
#include <sys/wait.h>

/* What main() was given, which its own main() does not hand on. */
static int main_argc;
static char** main_argv;
/* The arguments as uv_setup_args() returns them. */
static char** arguments;

/* The bytes of the arguments: the program's name and the test's, with their terminators. */
static size_t room;

__attribute__((constructor)) static void keep_arguments(int argc, char** argv) {
  int i;
  main_argc = argc;
  main_argv = argv;
  for (i = 0; i < argc; i++) room += strlen(argv[i]) + 1;
}

static void set_up(void) {
  ASSERT_EQ(main_argc, 2);
  arguments = uv_setup_args(main_argc, main_argv);
  ASSERT_NOT_NULL(arguments);
}

static void expect_title(const char* expected) {
  char title[PATH_MAX];
  memset(title, '#', sizeof(title));
  ASSERT_OK(uv_get_process_title(title, sizeof(title)));
  ASSERT_STR_EQ(title, expected);
}

static size_t read_file(const char* path, char* buffer, size_t size) {
  FILE* file = fopen(path, "r");
  size_t length;
  ASSERT_NOT_NULL(file);
  length = fread(buffer, 1, size - 1, file);
  buffer[length] = '\0';
  fclose(file);
  return length;
}

/* The title as `ps` shows it: then zeros to the end of the memory of the arguments. */
static void expect_shown(const char* expected) {
  char shown[PATH_MAX];
  size_t length = read_file("/proc/self/cmdline", shown, sizeof(shown));
  size_t i;
  /* Valgrind shows a copy, made before the title. */
  if (getenv("OXUV_TEST_WRAPPER") != NULL) return;
  ASSERT_EQ(length, room);
  ASSERT_STR_EQ(shown, expected);
  for (i = strlen(expected); i < length; i++) ASSERT_EQ(shown[i], '\0');
}

TEST_IMPL(without_the_arguments_there_is_no_title) {
  char title[64];
  ASSERT_EQ(uv_get_process_title(title, sizeof(title)), UV_ENOBUFS);
  ASSERT_EQ(uv_set_process_title("title"), UV_ENOBUFS);
}

TEST_IMPL(the_title_is_the_programs_name_at_first) {
  set_up();
  expect_title(main_argv[0]);
}

TEST_IMPL(a_title_shows) {
  char name[64];
  set_up();
  ASSERT_OK(uv_set_process_title("the title"));
  expect_title("the title");
  expect_shown("the title");
  read_file("/proc/self/comm", name, sizeof(name));
  ASSERT_STR_EQ(name, "the title\n");
  ASSERT_OK(uv_set_process_title("other"));
  expect_title("other");
  expect_shown("other");
  ASSERT_OK(uv_set_process_title(""));
  expect_title("");
  expect_shown("");
  ASSERT_OK(uv_set_process_title("the title"));
  expect_title("the title");
  expect_shown("the title");
}

TEST_IMPL(a_title_is_no_format) {
  set_up();
  ASSERT_OK(uv_set_process_title("%s%n%s%n%x"));
  expect_title("%s%n%s%n%x");
}

TEST_IMPL(the_arguments_live_on_in_a_copy) {
  char* program = strdup(main_argv[0]);
  char* test = strdup(main_argv[1]);
  set_up();
  ASSERT_OK(uv_set_process_title("x"));
  ASSERT_STR_EQ(arguments[0], program);
  ASSERT_STR_EQ(arguments[1], test);
  ASSERT_NULL(arguments[2]);
  free(program);
  free(test);
}

TEST_IMPL(a_long_title_is_cut_and_spares_the_environment) {
  extern char** environ;
  char* first = strdup(environ[0]);
  char long_title[2 * PATH_MAX];

  set_up();
  memset(long_title, 'x', sizeof(long_title) - 1);
  long_title[sizeof(long_title) - 1] = '\0';
  ASSERT_OK(uv_set_process_title(long_title));
  long_title[room - 1] = '\0';
  expect_title(long_title);
  expect_shown(long_title);
  ASSERT_STR_EQ(environ[0], first);
  free(first);
}

TEST_IMPL(a_title_needs_room) {
  char title[16];
  set_up();
  ASSERT_OK(uv_set_process_title("four"));
  ASSERT_EQ(uv_get_process_title(NULL, sizeof(title)), UV_EINVAL);
  ASSERT_EQ(uv_get_process_title(title, 0), UV_EINVAL);
  memset(title, '#', sizeof(title));
  ASSERT_EQ(uv_get_process_title(title, 1), UV_ENOBUFS);
  ASSERT_EQ(uv_get_process_title(title, 4), UV_ENOBUFS);
  ASSERT_OK(uv_get_process_title(title, 5));
  ASSERT_STR_EQ(title, "four");
  ASSERT_EQ(title[5], '#');
}

TEST_IMPL(a_title_does_not_change_the_programs_path) {
  char before[PATH_MAX];
  char after[PATH_MAX];
  size_t size;
  set_up();
  size = sizeof(before);
  ASSERT_OK(uv_exepath(before, &size));
  ASSERT_OK(uv_set_process_title("/somewhere/else"));
  size = sizeof(after);
  ASSERT_OK(uv_exepath(after, &size));
  ASSERT_STR_EQ(before, after);
}

TEST_IMPL(no_arguments_are_no_arguments) {
  char* none[] = {NULL};
  char title[16];
  ASSERT_PTR_EQ(uv_setup_args(0, none), none);
  ASSERT_EQ(uv_get_process_title(title, sizeof(title)), UV_ENOBUFS);
}

TEST_IMPL(setting_up_again_changes_nothing) {
  OXUV_ONLY();
  set_up();
  ASSERT_OK(uv_set_process_title("title"));
  ASSERT_PTR_EQ(uv_setup_args(main_argc, arguments), arguments);
  expect_title("title");
}

TEST_IMPL(no_title_is_an_error) {
  OXUV_ONLY();
  set_up();
  ASSERT_EQ(uv_set_process_title(NULL), UV_EINVAL);
}

static uv_sem_t may_end;

static void set_titles(void* arg) {
  int i;
  (void) arg;
  for (i = 0; i < 500; i++) {
    ASSERT_OK(uv_set_process_title("AAAAAAAAAAAA"));
    ASSERT_OK(uv_set_process_title("bbb"));
  }
  uv_sem_post(&may_end);
}

TEST_IMPL(other_threads_see_whole_titles) {
  uv_thread_t thread;
  char title[64];

  NOT_WITH_THREAD_SANITIZER("does not see how Rust's own library waits for a lock");
  set_up();
  ASSERT_OK(uv_set_process_title("bbb"));
  ASSERT_OK(uv_sem_init(&may_end, 0));
  ASSERT_OK(uv_thread_create(&thread, set_titles, NULL));
  do {
    ASSERT_OK(uv_get_process_title(title, sizeof(title)));
    if (strcmp(title, "bbb") != 0) ASSERT_STR_EQ(title, "AAAAAAAAAAAA");
  } while (uv_sem_trywait(&may_end) != 0);
  ASSERT_OK(uv_thread_join(&thread));
  uv_sem_destroy(&may_end);
}

/* The fork may come while the other thread is within uv_set_process_title. */
TEST_IMPL(a_forked_child_may_set_the_title) {
  uv_thread_t thread;
  int status;

  OXUV_ONLY();
  NOT_WITH_THREAD_SANITIZER("starts no threads in a forked child");
  set_up();
  ASSERT_NOT_NULL(uv_default_loop());
  ASSERT_OK(uv_sem_init(&may_end, 0));
  ASSERT_OK(uv_thread_create(&thread, set_titles, NULL));
  do {
    pid_t child = fork();
    ASSERT_NE(child, -1);
    if (child == 0) _exit(uv_set_process_title("child") == 0 ? 0 : 1);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  } while (uv_sem_trywait(&may_end) != 0);
  ASSERT_OK(uv_thread_join(&thread));
  uv_sem_destroy(&may_end);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_end_of_the_library_is_the_end_of_the_title) {
  char title[64];
  set_up();
  ASSERT_OK(uv_set_process_title("title"));
  MAKE_SURE_NOTHING_LEAKED();
  ASSERT_EQ(uv_get_process_title(title, sizeof(title)), UV_ENOBUFS);
}
