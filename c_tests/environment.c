/* Environment variables and the folders of the user and the process:
 * https://docs.libuv.org/en/v1.x/misc.html#c.uv_os_getenv */
#include "task.h"

#include <limits.h>

static const char* const tmp_names[] = {"TMPDIR", "TMP", "TEMP", "TEMPDIR"};

typedef int (*text_function)(char* buffer, size_t* size);

/* The text has to be what is expected, and the function to keep to the rules of buffers. */
static void expect_text(text_function function, const char* expected) {
  const size_t length = strlen(expected);
  static char buffer[8192];
  size_t size;

  memset(buffer, '#', sizeof(buffer));
  size = sizeof(buffer);
  ASSERT_OK(function(buffer, &size));
  ASSERT_STR_EQ(buffer, expected);
  ASSERT_EQ(size, length);
  /* The text just fits. */
  memset(buffer, '#', sizeof(buffer));
  size = length + 1;
  ASSERT_OK(function(buffer, &size));
  ASSERT_STR_EQ(buffer, expected);
  ASSERT_EQ(size, length);
  ASSERT_EQ(buffer[length + 1], '#');
}

static void expect_no_room(text_function function, size_t room, size_t needed) {
  char buffer[64];
  size_t size = room;
  memset(buffer, '#', sizeof(buffer));
  ASSERT_EQ(function(buffer, &size), UV_ENOBUFS);
  ASSERT_EQ(size, needed);
  ASSERT_EQ(buffer[room], '#');
}

static void expect_checks(text_function function) {
  char buffer[8];
  size_t size = 0;
  ASSERT_EQ(function(buffer, &size), UV_EINVAL);
  size = sizeof(buffer);
  ASSERT_EQ(function(NULL, &size), UV_EINVAL);
  ASSERT_EQ(function(buffer, NULL), UV_EINVAL);
}

/* --- Variables ----------------------------------------------------------------------------- */

static int get_variable(char* buffer, size_t* size) {
  return uv_os_getenv("OXUV_VARIABLE", buffer, size);
}

TEST_IMPL(a_variable_can_be_set_read_and_removed) {
  char buffer[64];
  size_t size = sizeof(buffer);

  ASSERT_EQ(get_variable(buffer, &size), UV_ENOENT);
  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", "first"));
  expect_text(get_variable, "first");
  ASSERT_STR_EQ(getenv("OXUV_VARIABLE"), "first");
  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", "a=b c"));
  expect_text(get_variable, "a=b c");
  expect_no_room(get_variable, 1, 6);
  expect_no_room(get_variable, 5, 6);
  /* Empty is not unset. */
  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", ""));
  expect_text(get_variable, "");
  ASSERT_OK(uv_os_unsetenv("OXUV_VARIABLE"));
  size = sizeof(buffer);
  ASSERT_EQ(get_variable(buffer, &size), UV_ENOENT);
  ASSERT_NULL(getenv("OXUV_VARIABLE"));
  ASSERT_OK(uv_os_unsetenv("OXUV_VARIABLE"));
}

TEST_IMPL(what_others_set_is_seen) {
  ASSERT_OK(setenv("OXUV_VARIABLE", "by the system's function", 1));
  expect_text(get_variable, "by the system's function");
}

TEST_IMPL(a_value_can_be_long) {
  const size_t length = 1 << 20;
  char* value = malloc(length + 1);
  char* buffer = malloc(length + 1);
  size_t size = length + 1;

  memset(value, 'x', length);
  value[length] = '\0';
  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", value));
  ASSERT_OK(get_variable(buffer, &size));
  ASSERT_EQ(size, length);
  ASSERT_STR_EQ(buffer, value);
  free(value);
  free(buffer);
}

TEST_IMPL(names_and_values_are_checked) {
  char buffer[8];
  size_t size = sizeof(buffer);

  ASSERT_EQ(uv_os_setenv(NULL, "x"), UV_EINVAL);
  ASSERT_EQ(uv_os_setenv("OXUV_VARIABLE", NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_setenv("", "x"), UV_EINVAL);
  ASSERT_EQ(uv_os_setenv("a=b", "x"), UV_EINVAL);
  ASSERT_EQ(uv_os_unsetenv(NULL), UV_EINVAL);
  ASSERT_EQ(uv_os_unsetenv(""), UV_EINVAL);
  ASSERT_EQ(uv_os_unsetenv("a=b"), UV_EINVAL);
  ASSERT_EQ(uv_os_getenv(NULL, buffer, &size), UV_EINVAL);
  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", "x"));
  expect_checks(get_variable);
}

static void expect_item(const uv_env_item_t* item, const char* name, const char* value) {
  ASSERT_STR_EQ(item->name, name);
  ASSERT_STR_EQ(item->value, value);
}

TEST_IMPL(all_variables_are_listed_in_their_order) {
  static char* variables[] = {"A=", "B==x", "no equals sign", "=begins with it", "C=1=2", NULL};
  extern char** environ;
  char** before = environ;
  uv_env_item_t* items;
  int count;

  environ = variables;
  ASSERT_OK(uv_os_environ(&items, &count));
  environ = before;
  ASSERT_EQ(count, 4);
  expect_item(&items[0], "A", "");
  expect_item(&items[1], "B", "=x");
  expect_item(&items[2], "", "begins with it");
  expect_item(&items[3], "C", "1=2");
  uv_os_free_environ(items, count);
}

/* The list is a copy. */
TEST_IMPL(a_list_stays_as_it_is) {
  uv_env_item_t* items;
  int count;
  int seen = 0;
  int i;

  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", "before"));
  ASSERT_OK(uv_os_environ(&items, &count));
  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", "after"));
  for (i = 0; i < count; i++) {
    if (strcmp(items[i].name, "OXUV_VARIABLE") != 0) continue;
    ASSERT_STR_EQ(items[i].value, "before");
    seen++;
  }
  ASSERT_EQ(seen, 1);
  uv_os_free_environ(items, count);
}

TEST_IMPL(an_empty_environment_is_an_empty_list) {
  uv_env_item_t* items = NULL;
  int count = -1;

  ASSERT_OK(clearenv());
  ASSERT_OK(uv_os_setenv("OXUV_VARIABLE", "x"));
  ASSERT_OK(uv_os_unsetenv("OXUV_VARIABLE"));
  ASSERT_OK(uv_os_environ(&items, &count));
  ASSERT_EQ(count, 0);
  uv_os_free_environ(items, count);
}

/* --- Folders ------------------------------------------------------------------------------- */

TEST_IMPL(the_home_folder_is_what_the_variable_says) {
  ASSERT_OK(setenv("HOME", "/home/of/the_user", 1));
  expect_text(uv_os_homedir, "/home/of/the_user");
  expect_no_room(uv_os_homedir, 17, 18);
  ASSERT_OK(setenv("HOME", "/", 1));
  expect_text(uv_os_homedir, "/");
  ASSERT_OK(setenv("HOME", "/x/", 1));
  expect_text(uv_os_homedir, "/x/");
  ASSERT_OK(setenv("HOME", "", 1));
  expect_text(uv_os_homedir, "");
  expect_checks(uv_os_homedir);
}

TEST_IMPL(without_the_variable_the_user_database_knows_the_home_folder) {
  uv_passwd_t user;
  ASSERT_OK(unsetenv("HOME"));
  if (uv_os_get_passwd(&user) != 0) SKIP("the user is in no database");
  expect_text(uv_os_homedir, user.homedir);
  expect_no_room(uv_os_homedir, 1, strlen(user.homedir) + 1);
  uv_os_free_passwd(&user);
}

TEST_IMPL(the_first_of_four_variables_is_the_temporary_folder) {
  char value[16];
  int i;

  for (i = 0; i < 4; i++) ASSERT_OK(unsetenv(tmp_names[i]));
  expect_text(uv_os_tmpdir, "/tmp");
  expect_no_room(uv_os_tmpdir, 4, 5);
  for (i = 3; i >= 0; i--) {
    snprintf(value, sizeof(value), "/%d", i);
    ASSERT_OK(setenv(tmp_names[i], value, 1));
    expect_text(uv_os_tmpdir, value);
  }
  ASSERT_OK(setenv("TMPDIR", "/", 1));
  expect_text(uv_os_tmpdir, "/");
  ASSERT_OK(setenv("TMPDIR", "", 1));
  expect_text(uv_os_tmpdir, "");
  expect_checks(uv_os_tmpdir);
}

TEST_IMPL(the_temporary_folder_loses_a_slash_at_its_end) {
  char buffer[64];
  size_t size = sizeof(buffer);

  ASSERT_OK(setenv("TMPDIR", "/some/folder/", 1));
  ASSERT_OK(uv_os_tmpdir(buffer, &size));
  ASSERT_STR_EQ(buffer, "/some/folder");
  ASSERT_EQ(size, 12);
}

TEST_IMPL(the_current_folder_can_be_changed) {
  char folder[PATH_MAX];
  char before[PATH_MAX];
  size_t size = sizeof(before);

  ASSERT_OK(uv_cwd(before, &size));
  ASSERT_EQ(before[0], '/');
  ASSERT_NOT_NULL(realpath(test_tmpdir(), folder));
  ASSERT_OK(uv_chdir(folder));
  expect_text(uv_cwd, folder);
  expect_no_room(uv_cwd, 1, strlen(folder) + 1);
  ASSERT_OK(uv_chdir("/"));
  expect_text(uv_cwd, "/");
  expect_no_room(uv_cwd, 1, 2);
  expect_checks(uv_cwd);
  ASSERT_OK(uv_chdir(before));
}

TEST_IMPL(there_must_be_a_folder_to_change_to) {
  char before[PATH_MAX];
  size_t size = sizeof(before);

  ASSERT_OK(uv_cwd(before, &size));
  ASSERT_EQ(uv_chdir(test_path("none")), UV_ENOENT);
  ASSERT_EQ(uv_chdir(""), UV_ENOENT);
  write_file(test_path("file"), "", 0);
  ASSERT_EQ(uv_chdir(test_path("file")), UV_ENOTDIR);
  expect_text(uv_cwd, before);
}

TEST_IMPL(a_folder_that_is_gone_is_not_found) {
  char folder[PATH_MAX];
  char buffer[PATH_MAX];
  size_t size;

  snprintf(folder, sizeof(folder), "%s", test_path("gone"));
  ASSERT_OK(mkdir(folder, 0700));
  ASSERT_OK(uv_chdir(folder));
  ASSERT_OK(rmdir(folder));
  size = sizeof(buffer);
  ASSERT_EQ(uv_cwd(buffer, &size), UV_ENOENT);
  size = 1;
  ASSERT_EQ(uv_cwd(buffer, &size), UV_ENOENT);
  ASSERT_OK(uv_chdir("/"));
}

/* Folders may lie deeper than a path can say in one call. */
TEST_IMPL(a_deep_folder_has_a_long_path) {
  static char buffer[8192];
  char name[251];
  size_t begin;
  size_t size;
  int depth;

  ASSERT_OK(uv_chdir(test_tmpdir()));
  size = sizeof(buffer);
  ASSERT_OK(uv_cwd(buffer, &size));
  begin = size;
  memset(name, 'd', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  for (depth = 0; depth < 20; depth++) {
    ASSERT_OK(mkdir(name, 0700));
    ASSERT_OK(uv_chdir(name));
  }
  size = sizeof(buffer);
  ASSERT_OK(uv_cwd(buffer, &size));
  ASSERT_EQ(size, begin + 20 * 251);
  ASSERT_EQ(strlen(buffer), size);
  while (depth-- > 0) {
    ASSERT_OK(uv_chdir(".."));
    ASSERT_OK(rmdir(name));
  }
  ASSERT_OK(uv_chdir("/"));
}

TEST_IMPL(a_long_path_says_how_much_room_it_needs) {
  char buffer[16];
  char name[251];
  size_t size = sizeof(buffer);
  int depth;

  OXUV_ONLY();
  ASSERT_OK(uv_chdir(test_tmpdir()));
  memset(name, 'd', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  for (depth = 0; depth < 20; depth++) {
    ASSERT_OK(mkdir(name, 0700));
    ASSERT_OK(uv_chdir(name));
  }
  ASSERT_EQ(uv_cwd(buffer, &size), UV_ENOBUFS);
  ASSERT_GT(size, 20 * 251);
  while (depth-- > 0) {
    ASSERT_OK(uv_chdir(".."));
    ASSERT_OK(rmdir(name));
  }
  ASSERT_OK(uv_chdir("/"));
}

/* --- The program --------------------------------------------------------------------------- */

TEST_IMPL(the_path_of_the_program_is_cut_to_fit) {
  char link[PATH_MAX];
  char path[PATH_MAX];
  char cut[16];
  ssize_t length;
  size_t size;

  length = readlink("/proc/self/exe", link, sizeof(link) - 1);
  ASSERT_GT(length, (ssize_t) sizeof(cut));
  link[length] = '\0';
  size = sizeof(path);
  ASSERT_OK(uv_exepath(path, &size));
  ASSERT_STR_EQ(path, link);
  ASSERT_EQ(size, length);
  memset(cut, '#', sizeof(cut));
  size = 8;
  ASSERT_OK(uv_exepath(cut, &size));
  ASSERT_EQ(size, 7);
  ASSERT_EQ(strlen(cut), 7);
  ASSERT_MEM_EQ(cut, link, 7);
  ASSERT_EQ(cut[8], '#');
  size = 1;
  ASSERT_OK(uv_exepath(cut, &size));
  ASSERT_EQ(size, 0);
  ASSERT_STR_EQ(cut, "");
  expect_checks(uv_exepath);
}
