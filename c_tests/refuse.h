/* A system that refuses calls; children and threads to try that in. */
#ifndef OXUV_REFUSE_H
#define OXUV_REFUSE_H

#include "task.h"

#include <linux/filter.h>
#include <sys/epoll.h>
#include <pthread.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Where the lower half of an argument is: a filter reads 32 bits at a time. */
#define LOWER_HALF(index)                                                                          \
  (offsetof(struct seccomp_data, args[index]) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

#define REFUSE(call, number)                                                                       \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),                                                 \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))

static inline void install_filter_with(unsigned flags, struct sock_filter* filter, size_t length) {
  struct sock_fprog program = {(unsigned short) length, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) != 0)
    SKIP("no system call filters here");
}

static inline void install_filter(struct sock_filter* filter, size_t length) {
  install_filter_with(0, filter, length);
}

/* From here on the system refuses new threads to every thread, as it does at a limit of
 * processes. */
static inline void refuse_threads(void) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    REFUSE(__NR_clone3, ENOSYS),
    REFUSE(__NR_clone, EAGAIN),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  install_filter_with(SECCOMP_FILTER_FLAG_TSYNC, filter, sizeof(filter) / sizeof(filter[0]));
}

/* From here on the system answers a call with an error. */
static inline void refuse_call(unsigned call, unsigned number) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    REFUSE(call, number),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  install_filter(filter, sizeof(filter) / sizeof(filter[0]));
}

/* From here on the system answers a call with an error if its first argument is `first`. */
static inline void refuse_call_on(unsigned call, int first, unsigned number) {
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER_HALF(0)),
    REFUSE((unsigned) first, number),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  install_filter(filter, sizeof(filter) / sizeof(filter[0]));
}

/* What is refused by epoll_ctl, and how; an operation of 0 is any, a descriptor of -1 as well. */
struct refusal {
  int operation;
  int fd;
  int error;
};

/* From here on epoll_ctl refuses these operations in this thread. */
static inline void refuse_to_watch(struct refusal what) {
#define ARGUMENT(index) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER_HALF(index))
#define UNLESS(wanted, any, skip)                                                                  \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) (wanted), 0, (any) ? 0 : (skip))
  struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    UNLESS(__NR_epoll_ctl, 0, 5),
    ARGUMENT(1),
    UNLESS(what.operation, what.operation == 0, 3),
    ARGUMENT(2),
    UNLESS(what.fd, what.fd == -1, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned) what.error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  install_filter(filter, sizeof(filter) / sizeof(filter[0]));
}

struct refused_body {
  struct refusal what;
  void (*body)(void);
};

static inline void* run_refused_body(void* argument) {
  struct refused_body* refused = argument;
  refuse_to_watch(refused->what);
  refused->body();
  return NULL;
}

/* Runs `body` in a thread to which descriptors are refused: when it is back, they are not. */
static inline void while_refused(struct refusal what, void (*body)(void)) {
  struct refused_body refused = {what, body};
  pthread_t thread;
  ASSERT_OK(pthread_create(&thread, NULL, run_refused_body, &refused));
  ASSERT_OK(pthread_join(thread, NULL));
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
