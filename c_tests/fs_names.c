/* Links, renaming and paths. https://docs.libuv.org/en/v1.x/fs.html */
#include "fs.h"

TEST_FS(files_are_renamed) {
  const char* one = test_path("one");
  const char* two = test_path("two");

  write_file(one, "1", 1);
  write_file(two, "2", 1);
  ASSERT_OK(FS_KEEP(rename, one, two));
  ASSERT_STR_EQ(fs_req.path, one);
  fs_clean(0);
  ASSERT(!fs_exists(one));
  fs_check_content(two, "1", 1);
  ASSERT_EQ(FS(rename, one, two), UV_ENOENT);
  ASSERT_EQ(FS(rename, two, test_path("missing/two")), UV_ENOENT);
  ASSERT_OK(mkdir(test_path("folder"), 0755));
  ASSERT_EQ(FS(rename, two, test_path("folder")), UV_EISDIR);
  ASSERT_OK(FS(rename, two, two));
  fs_check_content(two, "1", 1);
}

TEST_FS(files_are_linked_and_unlinked) {
  const char* file = test_path("file");
  const char* link = test_path("link");

  write_file(file, "text", 4);
  ASSERT_OK(FS(link, file, link));
  ASSERT_EQ(fs_lstat(link).st_ino, fs_lstat(file).st_ino);
  ASSERT_EQ(fs_lstat(file).st_nlink, 2);
  ASSERT_EQ(FS(link, file, link), UV_EEXIST);
  ASSERT_EQ(FS(link, test_path("missing"), test_path("other")), UV_ENOENT);
  ASSERT_OK(FS(unlink, file));
  ASSERT_EQ(FS(unlink, file), UV_ENOENT);
  fs_check_content(link, "text", 4);
  ASSERT_NE(FS(unlink, test_tmpdir()), 0);
  ASSERT_OK(FS(unlink, link));
}

TEST_FS(symbolic_links) {
  const char* link = test_path("link");
  char text[64];

  ASSERT_OK(FS(symlink, "where/ever", link, 0));
  ASSERT_EQ(readlink(link, text, sizeof(text)), 10);
  ASSERT_OK(FS_KEEP(readlink, link));
  ASSERT_STR_EQ(fs_req.ptr, "where/ever");
  ASSERT_STR_EQ(fs_req.path, link);
  fs_clean(0);
  ASSERT_EQ(FS(symlink, "where/ever", link, 0), UV_EEXIST);
  ASSERT_OK(FS(symlink, "a", test_path("directory"), UV_FS_SYMLINK_DIR));
  ASSERT_OK(FS(symlink, "a", test_path("junction"), UV_FS_SYMLINK_JUNCTION));
  ASSERT_EQ(FS(symlink, "", test_path("empty"), 0), UV_ENOENT);
  ASSERT_OK(FS(unlink, link));
  ASSERT(!fs_exists(link));
}

TEST_FS(readlink_fails_as_it_should) {
  const char* file = test_path("file");

  fs_touch(file);
  ASSERT_EQ(FS_KEEP(readlink, file), UV_EINVAL);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(readlink, test_path("missing")), UV_ENOENT);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
}

TEST_FS(links_of_any_length) {
  static const int lengths[] = {1, 254, 255, 256, 257, 511, 512, 513, 1023, 1024, 2048, 4094, 4095};
  char target[4096];
  const char* link;
  size_t i;

  for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    link = test_path("link");
    memset(target, 'x', lengths[i]);
    target[lengths[i]] = '\0';
    if (symlink(target, link) != 0) {
      ASSERT_EQ(errno, ENAMETOOLONG);
      continue;
    }
    ASSERT_OK(FS_KEEP(readlink, link));
    ASSERT_STR_EQ(fs_req.ptr, target);
    fs_clean(0);
    ASSERT_OK(unlink(link));
  }
}

TEST_FS(real_paths) {
  char folder[PATH_MAX];
  char expected[PATH_MAX + 16];

  ASSERT_NOT_NULL(realpath(test_tmpdir(), folder));
  ASSERT_OK(mkdir(test_path("folder"), 0755));
  fs_touch(test_path("folder/file"));
  ASSERT_OK(symlink("folder", test_path("link")));
  snprintf(expected, sizeof(expected), "%s/folder/file", folder);
  ASSERT_OK(FS_KEEP(realpath, test_path("link/.././/link/file")));
  ASSERT_STR_EQ(fs_req.ptr, expected);
  fs_clean(0);
  ASSERT_OK(FS_KEEP(realpath, "/"));
  ASSERT_STR_EQ(fs_req.ptr, "/");
  fs_clean(0);
  ASSERT_OK(chdir(folder));
  ASSERT_OK(FS_KEEP(realpath, "link/file"));
  ASSERT_STR_EQ(fs_req.ptr, expected);
  fs_clean(0);
  ASSERT_OK(chdir("/"));
  ASSERT_EQ(FS_KEEP(realpath, test_path("missing")), UV_ENOENT);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
  ASSERT_EQ(FS(realpath, test_path("folder/file/more")), UV_ENOTDIR);
  ASSERT_OK(symlink("loop", test_path("loop")));
  ASSERT_EQ(FS(realpath, test_path("loop")), UV_ELOOP);
}

/* A path of more than 255 bytes, as long as the system allows. */
TEST_FS(long_real_paths) {
  char path[PATH_MAX];
  char name[201];
  size_t length;

  memset(name, 'n', 200);
  name[200] = '\0';
  ASSERT_NOT_NULL(realpath(test_tmpdir(), path));
  for (length = strlen(path); length + 202 < PATH_MAX; length += 201) {
    path[length] = '/';
    strcpy(path + length + 1, name);
    ASSERT_OK(FS(mkdir, path, 0755));
  }
  ASSERT_GT(length, 3500);
  ASSERT_OK(FS_KEEP(realpath, path));
  ASSERT_STR_EQ(fs_req.ptr, path);
  fs_clean(0);
}
