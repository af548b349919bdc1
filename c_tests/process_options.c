/* https://docs.libuv.org/en/v1.x/process.html: what a child begins with: program, arguments,
 * environment, folder, session, user and group, signals. Descriptors are in process_stdio.c. */
#include "task.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>

static int exit_count;
static int64_t exit_status;

static void on_exit_close(uv_process_t* process, int64_t status, int signum) {
  ASSERT_EQ(signum, 0);
  exit_count++;
  exit_status = status;
  uv_close((uv_handle_t*) process, NULL);
}

/* What the child wrote to its standard output. */
static char output[16384];
static size_t output_size;

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) {
  if (size < 0) {
    uv_close((uv_handle_t*) stream, NULL);
    return;
  }
  ASSERT_LT(output_size + size, sizeof(output));
  memcpy(output + output_size, buf->base, size);
  output_size += size;
}

static uv_process_t process;

/* Starts a process, collects its output, and waits for its end. The result is uv_spawn's. */
static int run_process(uv_process_options_t* options) {
  uv_stdio_container_t stdio[3];
  uv_pipe_t pipe;
  int result;
  int before = exit_count;
  ASSERT_OK(uv_pipe_init(uv_default_loop(), &pipe, 0));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*) &pipe;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  options->stdio = stdio;
  options->stdio_count = 3;
  options->exit_cb = on_exit_close;
  output_size = 0;
  memset(output, 0, sizeof(output));
  result = uv_spawn(uv_default_loop(), &process, options);
  if (result == 0) {
    ASSERT_OK(uv_read_start((uv_stream_t*) &pipe, alloc_static, on_read));
  } else {
    uv_close((uv_handle_t*) &process, NULL);
    uv_close((uv_handle_t*) &pipe, NULL);
  }
  ASSERT_EQ(uv_run(uv_default_loop(), UV_RUN_DEFAULT), 0);
  ASSERT_EQ(exit_count, before + (result == 0));
  return result;
}

static uv_process_options_t options_for(char** args) {
  uv_process_options_t options;
  memset(&options, 0, sizeof(options));
  options.file = args[0];
  options.args = args;
  return options;
}

static int run_shell(uv_process_options_t* options, const char* script) {
  char* args[] = {"/bin/sh", "-c", (char*) script, NULL};
  options->file = args[0];
  options->args = args;
  return run_process(options);
}

/* This program, running a helper. */
static int run_helper(uv_process_options_t* options, char* name) {
  static char path[4096];
  char* args[] = {path, name, NULL};
  ASSERT_GT(readlink("/proc/self/exe", path, sizeof(path) - 1), 0);
  options->file = path;
  options->args = args;
  return run_process(options);
}

/* --- Program and arguments ------------------------------------------------------------------ */

TEST_IMPL(arguments_are_passed_as_they_are) {
  char* args[] = {"its name", "-c", "printf '[%s]' \"$0\" \"$@\"", "a b", "",
                  "\"quoted\"", "$HOME *", "\xff\n", NULL};
  uv_process_options_t options = options_for(args);
  options.file = "/bin/sh";
  ASSERT_OK(run_process(&options));
  ASSERT_STR_EQ(output, "[a b][][\"quoted\"][$HOME *][\xff\n]");
  MAKE_SURE_NOTHING_LEAKED();
}

/* A folder with a program that prints its own path. */
static const char* folder_with_program(const char* folder, const char* name, int mode) {
  static const char script[] = "#!/bin/sh\necho \"$0\"\n";
  char path[600];
  const char* made = test_path(folder);
  mkdir(made, 0755);
  snprintf(path, sizeof(path), "%s/%s", made, name);
  write_file(path, script, sizeof(script) - 1);
  ASSERT_OK(chmod(path, mode));
  return made;
}

static void expect_found(const char* path_variable, const char* cwd, const char* expected) {
  char* args[] = {"program-of-the-test", NULL};
  char* env[] = {"X=1", (char*) path_variable, NULL};
  char line[700];
  uv_process_options_t options = options_for(args);
  options.env = env;
  options.cwd = cwd;
  ASSERT_OK(run_process(&options));
  snprintf(line, sizeof(line), "%s\n", expected);
  ASSERT_STR_EQ(output, line);
}

TEST_IMPL(programs_are_searched_in_the_childs_path) {
  const char* good = folder_with_program("good", "program-of-the-test", 0755);
  const char* plain = folder_with_program("plain", "program-of-the-test", 0644);
  char* args[] = {"program-of-the-test", NULL};
  char* no_path[] = {"X=1", NULL};
  char* without[] = {"PATH=/nonexistent:/etc/passwd", NULL};
  char* not_for_us[] = {NULL, NULL};
  char* standard[] = {"true", NULL};
  uv_process_options_t options;
  char variable[1400];
  char expected[700];

  snprintf(expected, sizeof(expected), "%s/program-of-the-test", good);
  snprintf(variable, sizeof(variable), "PATH=%s", good);
  expect_found(variable, NULL, expected);
  snprintf(variable, sizeof(variable), "PATH=/nonexistent:/etc/passwd:%s:/bin", good);
  expect_found(variable, NULL, expected);
  /* A file that cannot be executed is passed over. */
  snprintf(variable, sizeof(variable), "PATH=%s:%s", plain, good);
  expect_found(variable, NULL, expected);
  /* An empty part is the child's working folder. */
  expect_found("PATH=", good, "program-of-the-test");
  expect_found("PATH=/nonexistent:", good, "program-of-the-test");
  expect_found("PATH=:/nonexistent", good, "program-of-the-test");
  expect_found("PATH=good", test_tmpdir(), "good/program-of-the-test");

  /* This process's PATH counts only where the child has its environment. */
  setenv("PATH", good, 1);
  options = options_for(args);
  ASSERT_OK(run_process(&options));
  options.env = no_path;
  ASSERT_EQ(run_process(&options), UV_ENOENT);
  options.env = without;
  ASSERT_EQ(run_process(&options), UV_ENOTDIR);
  snprintf(variable, sizeof(variable), "PATH=%s:/nonexistent", plain);
  not_for_us[0] = variable;
  options.env = not_for_us;
  ASSERT_EQ(run_process(&options), UV_EACCES);
  /* Without a PATH there is a default. */
  options = options_for(standard);
  options.env = no_path;
  ASSERT_OK(run_process(&options));
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(a_path_is_not_searched_for) {
  const char* good = folder_with_program("good", "program-of-the-test", 0755);
  char* args[] = {"./program-of-the-test", NULL};
  uv_process_options_t options = options_for(args);
  setenv("PATH", good, 1);
  ASSERT_EQ(run_process(&options), UV_ENOENT);
  /* The path is relative to the child's working folder. */
  options.cwd = good;
  ASSERT_OK(run_process(&options));
  ASSERT_STR_EQ(output, "./program-of-the-test\n");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Environment and working folder ---------------------------------------------------------- */

TEST_IMPL(the_environment_is_this_processs_or_the_given_one) {
  char* args[] = {"/usr/bin/env", NULL};
  char* env[] = {"B=two", "A=one", "A=again", "no equals sign", NULL};
  char* nothing[] = {NULL};
  uv_process_options_t options = options_for(args);
  setenv("OXUV_INHERITED", "yes", 1);
  ASSERT_OK(run_process(&options));
  ASSERT_NOT_NULL(strstr(output, "OXUV_INHERITED=yes\n"));
  options.env = env;
  ASSERT_OK(run_process(&options));
  ASSERT_STR_EQ(output, "B=two\nA=one\nA=again\nno equals sign\n");
  options.env = nothing;
  ASSERT_OK(run_process(&options));
  ASSERT_STR_EQ(output, "");
  /* The parent's is as it was. */
  ASSERT_STR_EQ(getenv("OXUV_INHERITED"), "yes");
  ASSERT_NULL(getenv("B"));
  clearenv();
  options.env = NULL;
  ASSERT_OK(run_process(&options));
  ASSERT_STR_EQ(output, "");
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(the_working_folder_is_the_childs_own) {
  char before[4096];
  char after[4096];
  uv_process_options_t options = {0};
  ASSERT_NOT_NULL(getcwd(before, sizeof(before)));
  options.cwd = "/usr";
  ASSERT_OK(run_shell(&options, "pwd"));
  ASSERT_STR_EQ(output, "/usr\n");
  options.cwd = "/nonexistent";
  ASSERT_EQ(run_shell(&options, "pwd"), UV_ENOENT);
  options.cwd = "/etc/passwd";
  ASSERT_EQ(run_shell(&options, "pwd"), UV_ENOTDIR);
  options.cwd = "";
  ASSERT_EQ(run_shell(&options, "pwd"), UV_ENOENT);
  ASSERT_NOT_NULL(getcwd(after, sizeof(after)));
  ASSERT_STR_EQ(before, after);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Session --------------------------------------------------------------------------------- */

HELPER_IMPL(print_session) {
  printf("%d %d %d\n", getpid() == getsid(0), getpid() == getpgrp(), getppid());
}

TEST_IMPL(a_detached_process_has_a_session_of_its_own) {
  uv_process_options_t options = {0};
  char expected[64];
  ASSERT_OK(run_helper(&options, "print_session"));
  snprintf(expected, sizeof(expected), "0 0 %d\n", getpid());
  ASSERT_STR_EQ(output, expected);
  options.flags = UV_PROCESS_DETACHED;
  ASSERT_OK(run_helper(&options, "print_session"));
  snprintf(expected, sizeof(expected), "1 1 %d\n", getpid());
  ASSERT_STR_EQ(output, expected);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(flags_of_windows_have_no_effect) {
  uv_process_options_t options = {0};
  options.flags = UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS | UV_PROCESS_WINDOWS_HIDE |
                  UV_PROCESS_WINDOWS_HIDE_CONSOLE | UV_PROCESS_WINDOWS_HIDE_GUI |
                  UV_PROCESS_WINDOWS_FILE_PATH_EXACT_NAME;
  ASSERT_OK(run_shell(&options, "echo hello"));
  ASSERT_STR_EQ(output, "hello\n");
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- Signals --------------------------------------------------------------------------------- */

/* A set of signals in /proc/self/status, as a program without handlers of its own sees it. */
static uint64_t signals(const char* name) {
  char* line = strstr(output, name);
  ASSERT_NOT_NULL(line);
  return strtoull(line + strlen(name), NULL, 16);
}

static void on_posix_signal(int signum) {
  (void) signum;
}

static void expect_default_signals(unsigned flags) {
  char* args[] = {"/bin/cat", "/proc/self/status", NULL};
  uv_process_options_t options = options_for(args);
  /* 32 and 33 are libc's. */
  uint64_t libcs = (uint64_t) 3 << 31;
  options.flags = flags;
  options.uid = getuid();
  options.gid = getgid();
  ASSERT_OK(run_process(&options));
  ASSERT_EQ(signals("SigBlk:"), 0);
  ASSERT_EQ(signals("SigIgn:") & ~libcs, 0);
  ASSERT_EQ(signals("SigCgt:"), 0);
}

TEST_IMPL(all_signals_have_their_default_actions) {
  sigset_t mask;
  int signum;
  for (signum = 1; signum <= 64; signum++) {
    /* What cannot be changed, and what the test needs. */
    if (signum == SIGABRT || signum == SIGCHLD) continue;
    signal(signum, signum % 2 ? SIG_IGN : on_posix_signal);
  }
  sigfillset(&mask);
  sigdelset(&mask, SIGCHLD);
  ASSERT_OK(sigprocmask(SIG_BLOCK, &mask, NULL));
  expect_default_signals(0);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(all_signals_have_their_default_actions_for_another_user) {
  OXUV_ONLY(); /* libuv leaves ignored real-time signals ignored here. */
  if (getuid() != 0) SKIP("only root may change groups");
  signal(SIGRTMIN + 1, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  expect_default_signals(UV_PROCESS_SETUID | UV_PROCESS_SETGID);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- User and group -------------------------------------------------------------------------- */

HELPER_IMPL(print_identity) {
  uid_t uids[3];
  gid_t gids[3];
  ASSERT_OK(getresuid(&uids[0], &uids[1], &uids[2]));
  ASSERT_OK(getresgid(&gids[0], &gids[1], &gids[2]));
  printf("%d %d %d, %d %d %d, %d groups\n", (int) uids[0], (int) uids[1], (int) uids[2],
         (int) gids[0], (int) gids[1], (int) gids[2], getgroups(0, NULL));
}

/* Whether others can execute this program and load its library. */
static int is_in_reach_of_others(void) {
  uv_process_options_t options = {0};
  options.flags = UV_PROCESS_SETUID;
  options.uid = 12345;
  return run_helper(&options, "print_identity") == 0 && exit_status == 0;
}

#define NEEDS_ROOT()                                                                               \
  do {                                                                                             \
    if (getuid() != 0) SKIP("only root may change user and group");                                \
    if (!is_in_reach_of_others()) SKIP("others cannot execute the test program");                  \
  } while (0)

TEST_IMPL(user_and_group_are_changed_for_good) {
  uv_process_options_t options = {0};
  gid_t groups[] = {1, 2, 3};
  NEEDS_ROOT();
  ASSERT_OK(setgroups(3, groups));
  options.uid = 12345;
  options.gid = 23456;
  /* Ids are set only where the flags say so. */
  ASSERT_OK(run_helper(&options, "print_identity"));
  ASSERT_STR_EQ(output, "0 0 0, 0 0 0, 3 groups\n");
  options.flags = UV_PROCESS_SETGID;
  ASSERT_OK(run_helper(&options, "print_identity"));
  ASSERT_STR_EQ(output, "0 0 0, 23456 23456 23456, 0 groups\n");
  options.flags = UV_PROCESS_SETUID;
  ASSERT_OK(run_helper(&options, "print_identity"));
  ASSERT_STR_EQ(output, "12345 12345 12345, 0 0 0, 0 groups\n");
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  ASSERT_OK(run_helper(&options, "print_identity"));
  ASSERT_STR_EQ(output, "12345 12345 12345, 23456 23456 23456, 0 groups\n");
  /* Nothing of that happens to this process, nor to its threads. */
  ASSERT_EQ(getuid(), 0);
  ASSERT_EQ(getegid(), 0);
  ASSERT_EQ(getgroups(0, NULL), 3);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_IMPL(another_user_does_not_make_this_process_undumpable) {
  uv_process_options_t options = {0};
  NEEDS_ROOT();
  ASSERT_EQ(prctl(PR_GET_DUMPABLE), 1);
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  options.uid = 12345;
  options.gid = 23456;
  ASSERT_OK(run_helper(&options, "print_identity"));
  ASSERT_EQ(prctl(PR_GET_DUMPABLE), 1);
  options.cwd = "/nonexistent";
  ASSERT_EQ(run_shell(&options, "exit 0"), UV_ENOENT);
  ASSERT_EQ(prctl(PR_GET_DUMPABLE), 1);
  options.cwd = NULL;
  /* A process that does not want to be dumped stays like that. */
  ASSERT_OK(prctl(PR_SET_DUMPABLE, 0));
  ASSERT_OK(run_helper(&options, "print_identity"));
  ASSERT_EQ(prctl(PR_GET_DUMPABLE), 0);
  MAKE_SURE_NOTHING_LEAKED();
}

/* The folder is entered with this process's rights; the program is executed with the child's. */
TEST_IMPL(rights_are_given_up_after_the_folder_is_entered) {
  char* args[] = {"program-of-the-test", NULL};
  uv_process_options_t options = {0};
  const char* folder;
  NEEDS_ROOT();
  folder = folder_with_program("private", "program-of-the-test", 0700);
  ASSERT_OK(chmod(folder, 0700));
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  options.uid = 12345;
  options.gid = 23456;
  options.cwd = folder;
  ASSERT_OK(run_shell(&options, "echo hello"));
  ASSERT_STR_EQ(output, "hello\n");
  options.file = "./program-of-the-test";
  options.args = args;
  ASSERT_EQ(run_process(&options), UV_EACCES);
  MAKE_SURE_NOTHING_LEAKED();
}

static void as_nobody(void (*work)(void)) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    if (getuid() == 0) {
      ASSERT_OK(setgroups(0, NULL));
      ASSERT_OK(setgid(23456));
      ASSERT_OK(setuid(12345));
    }
    work();
    _exit(0);
  }
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
}

static void try_other_identities(void) {
  uv_process_options_t options = {0};
  options.flags = UV_PROCESS_SETUID;
  options.uid = getuid() + 1;
  ASSERT_EQ(run_shell(&options, "exit 0"), UV_EPERM);
  options.flags = UV_PROCESS_SETGID;
  options.gid = getgid() + 1;
  ASSERT_EQ(run_shell(&options, "exit 0"), UV_EPERM);
  options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
  ASSERT_EQ(run_shell(&options, "exit 0"), UV_EPERM);
  /* One's own are allowed; that the groups cannot be given up is no error. */
  options.uid = getuid();
  options.gid = getgid();
  ASSERT_OK(run_shell(&options, "exit 0"));
  ASSERT_OK(uv_loop_close(uv_default_loop()));
}

TEST_IMPL(identities_that_are_not_ones_own_are_refused) {
  as_nobody(try_other_identities);
}
