/* Shared libraries: https://docs.libuv.org/en/v1.x/dll.html */
#include "task.h"

/* A library of the test's own. */
static const char* build_library(void) {
  static const char source[] = "int seven = 7;\n"
                               "int twice(int n) { return 2 * n; }\n"
                               "__asm__(\".globl nowhere\\n.set nowhere, 0\\n\");\n";
  static char path[512];
  char command[2048];

  snprintf(path, sizeof(path), "%s", test_path("library.so"));
  write_file(test_path("library.c"), source, sizeof(source) - 1);
  snprintf(command, sizeof(command), "${OXUV_TEST_CC:-cc} -shared -fPIC -o %s %s", path,
           test_path("library.c"));
  if (system(command) != 0) SKIP("no compiler");
  return path;
}

TEST_IMPL(a_library_gives_what_it_exports) {
  uv_lib_t lib;
  int (*twice)(int);
  void* address;

  ASSERT_OK(uv_dlopen(build_library(), &lib));
  ASSERT_STR_EQ(uv_dlerror(&lib), "no error");
  ASSERT_OK(uv_dlsym(&lib, "seven", &address));
  ASSERT_EQ(*(int*) address, 7);
  ASSERT_OK(uv_dlsym(&lib, "twice", (void**) &twice));
  ASSERT_EQ(twice(21), 42);
  uv_dlclose(&lib);
}

TEST_IMPL(a_symbol_may_be_at_null) {
  uv_lib_t lib;
  void* address = &lib;

  ASSERT_OK(uv_dlopen(build_library(), &lib));
  ASSERT_OK(uv_dlsym(&lib, "nowhere", &address));
  ASSERT_NULL(address);
  ASSERT_STR_EQ(uv_dlerror(&lib), "no error");
  uv_dlclose(&lib);
}

TEST_IMPL(a_missing_symbol_is_an_error) {
  uv_lib_t lib;
  void* address = &lib;

  ASSERT_OK(uv_dlopen(NULL, &lib));
  ASSERT_EQ(uv_dlsym(&lib, "no_such_symbol", &address), -1);
  ASSERT_NULL(address);
  ASSERT_NOT_NULL(strstr(uv_dlerror(&lib), "no_such_symbol"));
  ASSERT_EQ(uv_dlsym(&lib, "nor_this_one", &address), -1);
  ASSERT_NOT_NULL(strstr(uv_dlerror(&lib), "nor_this_one"));
  /* The last error is reported, whatever went well since. */
  ASSERT_OK(uv_dlsym(&lib, "printf", &address));
  ASSERT_NOT_NULL(strstr(uv_dlerror(&lib), "nor_this_one"));
  uv_dlclose(&lib);
}

TEST_IMPL(a_missing_library_is_an_error) {
  const char* path = test_path("missing.so");
  uv_lib_t lib;

  memset(&lib, 0x55, sizeof(lib));
  ASSERT_EQ(uv_dlopen(path, &lib), -1);
  ASSERT_NOT_NULL(strstr(uv_dlerror(&lib), path));
  ASSERT_STR_EQ(uv_dlerror(&lib), uv_dlerror(&lib));
  /* Gives the message back; a second time has no effect. */
  uv_dlclose(&lib);
  ASSERT_STR_EQ(uv_dlerror(&lib), "no error");
  uv_dlclose(&lib);
}

TEST_IMPL(what_is_no_library_is_an_error) {
  uv_lib_t lib;

  write_file(test_path("text.so"), "no library", 10);
  ASSERT_EQ(uv_dlopen(test_path("text.so"), &lib), -1);
  ASSERT_NOT_NULL(strstr(uv_dlerror(&lib), "text.so"));
  uv_dlclose(&lib);
}

TEST_IMPL(without_a_name_it_is_the_program_itself) {
  uv_lib_t lib;
  void* address;

  ASSERT_OK(uv_dlopen(NULL, &lib));
  ASSERT_OK(uv_dlsym(&lib, "printf", &address));
  ASSERT_PTR_EQ(address, (void*) (uintptr_t) printf);
  uv_dlclose(&lib);
}

TEST_IMPL(messages_come_from_the_right_library) {
  uv_lib_t first;
  uv_lib_t second;
  void* address;

  ASSERT_OK(uv_dlopen(NULL, &first));
  ASSERT_OK(uv_dlopen(NULL, &second));
  ASSERT_EQ(uv_dlsym(&first, "missing_in_the_first", &address), -1);
  ASSERT_STR_EQ(uv_dlerror(&second), "no error");
  ASSERT_EQ(uv_dlsym(&second, "missing_in_the_second", &address), -1);
  ASSERT_NOT_NULL(strstr(uv_dlerror(&first), "missing_in_the_first"));
  uv_dlclose(&first);
  ASSERT_NOT_NULL(strstr(uv_dlerror(&second), "missing_in_the_second"));
  uv_dlclose(&second);
}
