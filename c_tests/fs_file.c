/* Open files. https://docs.libuv.org/en/v1.x/fs.html */
#include "fs.h"

static int open_file(const char* path, int flags) {
  int64_t fd = FS(open, path, flags, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  return (int) fd;
}

static int64_t read_text(int fd, char* text, size_t room, int64_t offset) {
  uv_buf_t buf = uv_buf_init(text, room);
  memset(text, 0, room);
  return FS(read, fd, &buf, 1, offset);
}

static int64_t write_text(int fd, const char* text, int64_t offset) {
  uv_buf_t buf = uv_buf_init((char*) text, strlen(text));
  return FS(write, fd, &buf, 1, offset);
}

TEST_FS(a_file_is_written_and_read) {
  const char* path = test_path("file");
  char text[32];
  int fd = open_file(path, UV_FS_O_RDWR | UV_FS_O_CREAT | UV_FS_O_EXCL);

  ASSERT_EQ(write_text(fd, "hello, world", -1), 12);
  ASSERT_EQ(read_text(fd, text, sizeof(text), -1), 0);
  ASSERT_EQ(read_text(fd, text, sizeof(text), 0), 12);
  ASSERT_STR_EQ(text, "hello, world");
  ASSERT_EQ(read_text(fd, text, 5, 7), 5);
  ASSERT_MEM_EQ(text, "world", 5);
  ASSERT_EQ(read_text(fd, text, sizeof(text), 12), 0);
  ASSERT_EQ(read_text(fd, text, sizeof(text), 1000), 0);
  ASSERT_OK(FS(fsync, fd));
  ASSERT_OK(FS(fdatasync, fd));
  ASSERT_OK(FS(close, fd));
  ASSERT_EQ(FS(close, fd), UV_EBADF);
  fs_check_content(path, "hello, world", 12);
}

TEST_FS(offsets_leave_the_position_alone) {
  char text[16];
  int fd = open_file(test_path("file"), UV_FS_O_RDWR | UV_FS_O_CREAT);

  ASSERT_EQ(write_text(fd, "abcdef", -1), 6);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 6);
  ASSERT_EQ(write_text(fd, "XY", 1), 2);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 6);
  ASSERT_EQ(read_text(fd, text, sizeof(text), 2), 4);
  ASSERT_STR_EQ(text, "Ydef");
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 6);
  ASSERT_EQ(lseek(fd, 3, SEEK_SET), 3);
  ASSERT_EQ(read_text(fd, text, 2, -1), 2);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), 5);
  ASSERT_OK(FS(close, fd));
}

TEST_FS(the_request_has_path_and_type) {
  const char* path = test_path("file");

  ASSERT_EQ(FS_KEEP(open, path, UV_FS_O_RDONLY, 0), UV_ENOENT);
  ASSERT_EQ(fs_req.fs_type, UV_FS_OPEN);
  ASSERT_EQ(uv_fs_get_type(&fs_req), UV_FS_OPEN);
  ASSERT_EQ(uv_fs_get_result(&fs_req), UV_ENOENT);
  ASSERT_EQ(uv_fs_get_system_error(&fs_req), ENOENT);
  ASSERT_STR_EQ(uv_fs_get_path(&fs_req), path);
  ASSERT_EQ(uv_fs_get_path(&fs_req) == path, !fs_is_async);
  ASSERT_NULL(uv_fs_get_ptr(&fs_req));
  ASSERT_PTR_EQ(uv_fs_get_statbuf(&fs_req), &fs_req.statbuf);
  fs_clean(0);
}

TEST_FS(opening_fails_as_it_should) {
  const char* file = test_path("file");
  const char* link = test_path("link");
  char name[5000];

  fs_touch(file);
  ASSERT_OK(symlink(link, link));
  memset(name, 'a', sizeof(name));
  name[sizeof(name) - 1] = '\0';
  ASSERT_EQ(FS(open, file, UV_FS_O_CREAT | UV_FS_O_EXCL, 0600), UV_EEXIST);
  ASSERT_EQ(FS(open, file, UV_FS_O_DIRECTORY, 0), UV_ENOTDIR);
  ASSERT_EQ(FS(open, test_path("file/more"), UV_FS_O_RDONLY, 0), UV_ENOTDIR);
  ASSERT_EQ(FS(open, link, UV_FS_O_RDONLY, 0), UV_ELOOP);
  ASSERT_EQ(FS(open, test_tmpdir(), UV_FS_O_WRONLY, 0), UV_EISDIR);
  ASSERT_EQ(FS(open, "", UV_FS_O_RDONLY, 0), UV_ENOENT);
  ASSERT_EQ(FS(open, name, UV_FS_O_RDONLY, 0), UV_ENAMETOOLONG);
}

TEST_FS(appending_and_truncating) {
  const char* path = test_path("file");
  int fd = open_file(path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_APPEND);

  ASSERT_EQ(write_text(fd, "one", -1), 3);
  ASSERT_EQ(write_text(fd, "two", -1), 3);
  ASSERT_OK(FS(close, fd));
  fs_check_content(path, "onetwo", 6);
  fd = open_file(path, UV_FS_O_RDWR);
  ASSERT_OK(FS(ftruncate, fd, 4));
  fs_check_content(path, "onet", 4);
  ASSERT_OK(FS(ftruncate, fd, 6));
  fs_check_content(path, "onet\0\0", 6);
  ASSERT_EQ(FS(ftruncate, fd, -1), UV_EINVAL);
  ASSERT_OK(FS(close, fd));
  fd = open_file(path, UV_FS_O_RDONLY | UV_FS_O_TRUNC);
  ASSERT_EQ(FS(ftruncate, fd, 1), UV_EINVAL);
  ASSERT_OK(FS(close, fd));
  fs_check_content(path, "", 0);
}

/* More buffers than the kernel takes at once. */
TEST_FS(many_buffers) {
  enum { count = 3333, size = 7 };
  static uv_buf_t bufs[count];
  static char data[count * size];
  static char found[count * size];
  const char* path = test_path("file");
  int offset = fs_is_async ? 5 : 0;
  int fd = open_file(path, UV_FS_O_RDWR | UV_FS_O_CREAT);
  int64_t total = 0;
  int i;

  for (i = 0; i < count * size; i++) data[i] = (char) (i * 31 % 251);
  for (i = 0; i < count; i++) bufs[i] = uv_buf_init(data + i * size, size);
  ASSERT_EQ(FS(write, fd, bufs, count, -1), count * size);
  ASSERT_EQ(lseek(fd, 0, SEEK_CUR), count * size);
  fs_check_content(path, data, sizeof(data));
  ASSERT_EQ(FS(write, fd, bufs, count, offset), count * size);
  ASSERT_EQ(fs_lstat(path).st_size, count * size + offset);
  /* The caller's array is not changed. */
  for (i = 0; i < count; i++) {
    ASSERT_PTR_EQ(bufs[i].base, data + i * size);
    ASSERT_EQ(bufs[i].len, size);
  }
  for (i = 0; i < count; i++) bufs[i] = uv_buf_init(found + i * size, size);
  while (total < count * size) {
    int64_t n = FS(read, fd, bufs + total / size, count - total / size, offset + total);
    ASSERT_EQ(n, (count - total / size < 1024 ? count - total / size : 1024) * size);
    total += n;
  }
  ASSERT_MEM_EQ(found, data, sizeof(data));
  ASSERT_OK(FS(close, fd));
}

TEST_FS(a_few_buffers) {
  char parts[3][4] = {"abc", "def", "ghi"};
  uv_buf_t bufs[6];
  const char* path = test_path("file");
  int fd = open_file(path, UV_FS_O_RDWR | UV_FS_O_CREAT);
  int i;

  for (i = 0; i < 6; i++) bufs[i] = uv_buf_init(parts[i % 3], i < 3 ? 3 : 0);
  for (i = 1; i <= 6; i++) ASSERT_EQ(FS(write, fd, bufs, i, 0), i < 3 ? i * 3 : 9);
  fs_check_content(path, "abcdefghi", 9);
  memset(parts, 0, sizeof(parts));
  ASSERT_EQ(FS(read, fd, bufs, 4, 1), 8);
  ASSERT_STR_EQ(parts[0], "bcd");
  ASSERT_STR_EQ(parts[2], "hi");
  bufs[0] = uv_buf_init(NULL, 0);
  ASSERT_EQ(FS(write, fd, bufs, 1, -1), 0);
  ASSERT_EQ(FS(read, fd, bufs, 1, -1), 0);
  ASSERT_OK(FS(close, fd));
}

TEST_FS(empty_buffers_do_not_hide_the_rest) {
  OXUV_ONLY();
  static uv_buf_t bufs[2000];
  const char* path = test_path("file");
  int fd;

  fd = open_file(path, UV_FS_O_WRONLY | UV_FS_O_CREAT);
  bufs[1500] = uv_buf_init("text", 4);
  ASSERT_EQ(FS(write, fd, bufs, 2000, -1), 4);
  fs_check_content(path, "text", 4);
  ASSERT_OK(FS(close, fd));
}

TEST_FS(a_full_pipe_takes_a_part) {
  static char data[1 << 20];
  uv_buf_t bufs[2] = {uv_buf_init(data, sizeof(data)), uv_buf_init(data, sizeof(data))};
  int fds[2];
  int64_t n;

  ASSERT_OK(pipe2(fds, O_NONBLOCK));
  n = FS(write, fds[1], bufs, 2, -1);
  ASSERT_GT(n, 0);
  ASSERT_LT(n, (int) sizeof(data));
  ASSERT_EQ(FS(write, fds[1], bufs, 2, -1), UV_EAGAIN);
  ASSERT_EQ(FS(write, fds[1], bufs, 1, 0), UV_ESPIPE);
  ASSERT_EQ(FS(fsync, fds[1]), UV_EINVAL);
  close(fds[0]);
  close(fds[1]);
}

static int drained;

static void* drain(void* arg) {
  static char data[10000];
  int fd = *(int*) arg;
  ssize_t n;
  while ((n = read(fd, data, sizeof(data))) > 0) drained += n;
  return NULL;
}

TEST_FS(writing_goes_on_until_all_is_written) {
  static char data[3 << 20];
  uv_buf_t bufs[3];
  pthread_t thread;
  int fds[2];
  int i;

  for (i = 0; i < 3; i++) bufs[i] = uv_buf_init(data + (i << 20), 1 << 20);
  ASSERT_OK(pipe(fds));
  ASSERT_OK(pthread_create(&thread, NULL, drain, &fds[0]));
  ASSERT_EQ(FS(write, fds[1], bufs, 3, -1), (int) sizeof(data));
  close(fds[1]);
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_EQ(drained, (int) sizeof(data));
  close(fds[0]);
}

static void ignore_signal(int signum) {
}

TEST_IMPL(a_signal_interrupts_reading) {
  struct itimerval often = {{0, 5000}, {0, 5000}};
  struct sigaction action;
  char text[8];
  int fds[2];

  memset(&action, 0, sizeof(action));
  action.sa_handler = ignore_signal;
  ASSERT_OK(sigaction(SIGALRM, &action, NULL));
  ASSERT_OK(pipe(fds));
  ASSERT_OK(setitimer(ITIMER_REAL, &often, NULL));
  ASSERT_EQ(read_text(fds[0], text, sizeof(text), -1), UV_EINTR);
  memset(&often, 0, sizeof(often));
  ASSERT_OK(setitimer(ITIMER_REAL, &often, NULL));
  close(fds[0]);
  close(fds[1]);
  MAKE_SURE_NOTHING_LEAKED();
}

TEST_FS(directories_are_not_read_as_files) {
  char text[8];
  int fd = open_file(test_tmpdir(), UV_FS_O_RDONLY);
  ASSERT_EQ(read_text(fd, text, sizeof(text), 0), UV_EISDIR);
  ASSERT_OK(FS(close, fd));
}

TEST_FS(temporary_files) {
  const char* template = test_path("temporary-XXXXXX");
  char first[512];
  struct stat s;
  int64_t fd;

  fd = FS_KEEP(mkstemp, template);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  ASSERT_NE(strcmp(fs_req.path, template), 0);
  ASSERT_EQ(strncmp(fs_req.path, template, strlen(template) - 6), 0);
  s = fs_lstat(fs_req.path);
  ASSERT_EQ(s.st_mode, S_IFREG | 0600);
  snprintf(first, sizeof(first), "%s", fs_req.path);
  fs_clean(0);
  ASSERT_EQ(write_text(fd, "text", -1), 4);
  ASSERT_OK(FS(close, fd));
  fs_check_content(first, "text", 4);
  ASSERT_STR_EQ(template + strlen(template) - 6, "XXXXXX");

  fd = FS_KEEP(mkstemp, template);
  ASSERT_GE(fd, 0);
  ASSERT_NE(strcmp(fs_req.path, first), 0);
  fs_clean(0);
  ASSERT_OK(FS(close, fd));

  ASSERT_EQ(FS_KEEP(mkstemp, test_path("temporary-XXXXX")), UV_EINVAL);
  ASSERT_STR_EQ(fs_req.path, "");
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(mkstemp, ""), UV_EINVAL);
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(mkstemp, test_path("nowhere/XXXXXX")), UV_ENOENT);
  ASSERT_STR_EQ(fs_req.path, "");
  fs_clean(0);
}

TEST_FS(sendfile_copies_from_an_offset) {
  static char data[200000];
  const char* to = test_path("to");
  int in, out;
  size_t i;

  for (i = 0; i < sizeof(data); i++) data[i] = (char) (i % 253);
  write_file(test_path("from"), data, sizeof(data));
  in = open_file(test_path("from"), UV_FS_O_RDONLY);
  out = open_file(to, UV_FS_O_WRONLY | UV_FS_O_CREAT);
  ASSERT_EQ(FS(sendfile, out, in, 10, 100), 100);
  ASSERT_EQ(FS(sendfile, out, in, 110, 1 << 20), (int) sizeof(data) - 110);
  ASSERT_EQ(FS(sendfile, out, in, 0, 0), 0);
  ASSERT_EQ(FS(sendfile, out, in, sizeof(data), 100), 0);
  ASSERT_LT(FS(sendfile, out, in, -1, 100), 0);
  ASSERT_EQ(lseek(in, 0, SEEK_CUR), 0);
  fs_check_content(to, data + 10, sizeof(data) - 10);
  ASSERT_EQ(FS(sendfile, in, out, 0, 10), UV_EBADF);
  ASSERT_EQ(FS(sendfile, -1, in, 0, 10), UV_EBADF);
  ASSERT_EQ(FS(sendfile, out, -1, 0, 10), UV_EBADF);
  ASSERT_OK(FS(close, in));
  ASSERT_OK(FS(close, out));
}

TEST_FS(sendfile_to_and_from_other_kinds_of_files) {
  const char* to = test_path("to");
  char text[64];
  int fds[2];
  int in, out;

  write_file(test_path("from"), "0123456789", 10);
  in = open_file(test_path("from"), UV_FS_O_RDONLY);
  out = open_file(to, UV_FS_O_WRONLY | UV_FS_O_CREAT);
  /* To a socket. */
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  ASSERT_EQ(FS(sendfile, fds[0], in, 3, 5), 5);
  ASSERT_EQ(read(fds[1], text, sizeof(text)), 5);
  ASSERT_MEM_EQ(text, "34567", 5);
  /* From a socket, which has no offset. */
  ASSERT_EQ(write(fds[1], "abcdef", 6), 6);
  ASSERT_EQ(FS(sendfile, out, fds[0], 0, 6), 6);
  close(fds[0]);
  close(fds[1]);
  /* To a pipe, and from it to its end. */
  ASSERT_OK(pipe(fds));
  ASSERT_EQ(FS(sendfile, fds[1], in, 8, 5), 2);
  close(fds[1]);
  ASSERT_EQ(FS(sendfile, out, fds[0], 0, 100), 2);
  close(fds[0]);
  fs_check_content(to, "abcdef89", 8);
  ASSERT_OK(FS(close, in));
  ASSERT_OK(FS(close, out));
}

TEST_FS(sendfile_to_a_file_that_is_appended_to) {
  OXUV_ONLY();
  int in, out;

  write_file(test_path("from"), "0123456789", 10);
  write_file(test_path("to"), "text", 4);
  in = open_file(test_path("from"), UV_FS_O_RDONLY);
  out = open_file(test_path("to"), UV_FS_O_WRONLY | UV_FS_O_APPEND);
  ASSERT_EQ(FS(sendfile, out, in, 2, 5), 5);
  fs_check_content(test_path("to"), "text23456", 9);
  ASSERT_OK(FS(close, in));
  ASSERT_OK(FS(close, out));
}

TEST_FS(sendfile_waits_for_a_full_socket) {
  static char data[3 << 20];
  pthread_t thread;
  int fds[2];
  int in;

  write_file(test_path("from"), data, sizeof(data));
  in = open_file(test_path("from"), UV_FS_O_RDONLY);
  ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  ASSERT_OK(fcntl(fds[0], F_SETFL, O_NONBLOCK));
  ASSERT_OK(pthread_create(&thread, NULL, drain, &fds[1]));
  ASSERT_EQ(FS(sendfile, fds[0], in, 0, sizeof(data)), (int) sizeof(data));
  close(fds[0]);
  ASSERT_OK(pthread_join(thread, NULL));
  ASSERT_EQ(drained, (int) sizeof(data));
  close(fds[1]);
  ASSERT_OK(FS(close, in));
}

TEST_IMPL(handles_of_the_system_are_descriptors) {
  ASSERT_EQ(uv_get_osfhandle(7), 7);
  ASSERT_EQ(uv_open_osfhandle(7), 7);
}
