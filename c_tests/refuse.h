/* A system that refuses new threads, and children to try that in. */
#ifndef OXUV_REFUSE_H
#define OXUV_REFUSE_H

#include "task.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* From here on the system refuses new threads, as it does at a limit of processes. */
static inline void refuse_threads(void) {
#define REFUSE(call, number)                                                                       \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),                                                 \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    REFUSE(__NR_clone3, ENOSYS),
    REFUSE(__NR_clone, EAGAIN),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    SKIP("no system call filters here");
}

static inline void wait_for_child(pid_t pid) {
  int status;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) SKIP("not possible here");
  ASSERT_EQ(status, 0);
}

/* In a process that ends without checks of a sanitizer's, which need threads. */
static inline void run_in_child(void (*body)(void)) {
  pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    body();
    fflush(stdout);
    _exit(0);
  }
  wait_for_child(pid);
}

#endif
