/* Programs that are watched by an instrument: each runs in a child, with a variable set. */
#ifndef OXUV_DIAGNOSE_H
#define OXUV_DIAGNOSE_H

#include "task.h"

#include <dlfcn.h>

/* The instruments are not built for sanitizers, and not for another machine's programs. Their
 * threads stay to the end, with memory that valgrind takes for lost. */
static inline void need_instruments(void) {
  char path[4096];
  Dl_info info;
  char* slash;

  OXUV_ONLY();
  if (is_under_valgrind()) SKIP("threads of the instruments stay to the end");
  ASSERT_NE(dladdr((void*) (uintptr_t) uv_version, &info), 0);
  ASSERT_LT(snprintf(path, sizeof(path), "%s", info.dli_fname), (int) sizeof(path) - 64);
  slash = strrchr(path, '/');
  ASSERT(slash != NULL);
  strcpy(slash, "/oxuv/liboxuv_diagnose.so");
  if (access(path, R_OK) != 0) SKIP("no instruments");
}

struct watched {
  pid_t pid;
  int said; /* Its standard error stream. */
  char text[16384];
  size_t length;
};

/* Runs `program` in a child, and then exit(). The test's own folder is the current one. */
static inline void watch(struct watched* child, const char* name, const char* value,
                         void (*program)(void)) {
  int ends[2];

  need_instruments();
  ASSERT_OK(chdir(test_tmpdir()));
  ASSERT_OK(pipe(ends));
  child->length = 0;
  child->text[0] = '\0';
  child->pid = fork();
  ASSERT_GE(child->pid, 0);
  if (child->pid == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    ASSERT_OK(setenv(name, value, 1));
    program();
    exit(0);
  }
  close(ends[1]);
  child->said = ends[0];
}

/* Reads what the child says until `text` is among it, or to the end. */
static inline void wait_until_said(struct watched* child, const char* text) {
  while (text == NULL || strstr(child->text, text) == NULL) {
    size_t room = sizeof(child->text) - 1 - child->length;
    ssize_t count = read(child->said, child->text + child->length, room);
    if (count <= 0) break;
    child->length += count;
    child->text[child->length] = '\0';
  }
  if (text != NULL && strstr(child->text, text) == NULL) FAIL("said: %s", child->text);
}

static inline void expect_exit(struct watched* child) {
  int status;

  wait_until_said(child, NULL);
  close(child->said);
  ASSERT_EQ(waitpid(child->pid, &status, 0), child->pid);
  if (status != 0) FAIL("status %d, said: %s", status, child->text);
}

#endif
