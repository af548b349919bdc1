/* Folders. https://docs.libuv.org/en/v1.x/fs.html */
#include "fs.h"

#include <sys/un.h>

TEST_FS(folders_are_made_and_removed) {
  const char* folder = test_path("folder");

  umask(022);
  ASSERT_OK(FS(mkdir, folder, 0777));
  ASSERT_EQ(fs_lstat(folder).st_mode, S_IFDIR | 0755);
  ASSERT_EQ(FS(mkdir, folder, 0777), UV_EEXIST);
  ASSERT_EQ(FS(mkdir, test_path("missing/folder"), 0777), UV_ENOENT);
  fs_touch(test_path("folder/file"));
  ASSERT_EQ(FS(rmdir, folder), UV_ENOTEMPTY);
  ASSERT_EQ(FS(rmdir, test_path("folder/file")), UV_ENOTDIR);
  ASSERT_EQ(FS(rmdir, test_path("missing")), UV_ENOENT);
  ASSERT_OK(FS(unlink, test_path("folder/file")));
  ASSERT_OK(FS(rmdir, folder));
  ASSERT(!fs_exists(folder));
}

TEST_FS(temporary_folders) {
  const char* template = test_path("temporary-XXXXXX");
  char first[512];

  ASSERT_OK(FS_KEEP(mkdtemp, template));
  ASSERT_EQ(strncmp(fs_req.path, template, strlen(template) - 6), 0);
  ASSERT_NE(strcmp(fs_req.path, template), 0);
  ASSERT_EQ(fs_lstat(fs_req.path).st_mode, S_IFDIR | 0700);
  snprintf(first, sizeof(first), "%s", fs_req.path);
  fs_clean(0);
  ASSERT_OK(FS_KEEP(mkdtemp, template));
  ASSERT_NE(strcmp(fs_req.path, first), 0);
  fs_clean(0);
  ASSERT_STR_EQ(template + strlen(template) - 6, "XXXXXX");
  ASSERT_EQ(FS(mkdtemp, test_path("temporary-XXXXX")), UV_EINVAL);
  ASSERT_EQ(FS(mkdtemp, ""), UV_EINVAL);
  ASSERT_EQ(FS(mkdtemp, test_path("missing/XXXXXX")), UV_ENOENT);
}

static void make_all_kinds(const char* folder) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  int here = open(".", O_RDONLY);

  ASSERT_OK(mkdir(folder, 0755));
  ASSERT_OK(chdir(folder));
  fs_touch("d file");
  fs_touch("B file");
  ASSERT_OK(mkdir("a folder", 0755));
  ASSERT_OK(symlink("a folder", "c link"));
  ASSERT_OK(mkfifo("e fifo", 0600));
  snprintf(address.sun_path, sizeof(address.sun_path), "f socket");
  ASSERT_OK(bind(fd, (struct sockaddr*) &address, sizeof(address)));
  ASSERT_OK(fchdir(here));
  close(fd);
  close(here);
}

/* Sorted by bytes, whatever the locale says. */
static const struct {
  const char* name;
  uv_dirent_type_t type;
} all_kinds[] = {
  {"B file", UV_DIRENT_FILE}, {"a folder", UV_DIRENT_DIR}, {"c link", UV_DIRENT_LINK},
  {"d file", UV_DIRENT_FILE}, {"e fifo", UV_DIRENT_FIFO},  {"f socket", UV_DIRENT_SOCKET},
};

static void check_type(uv_dirent_type_t found, uv_dirent_type_t expected) {
  /* Not all file systems report types. */
  if (found != UV_DIRENT_UNKNOWN) ASSERT_EQ(found, expected);
}

TEST_FS(scandir_gives_sorted_entries) {
  uv_dirent_t entry;
  int i;

  make_all_kinds(test_path("folder"));
  ASSERT_EQ(FS_KEEP(scandir, test_path("folder"), 0), 6);
  ASSERT_NOT_NULL(fs_req.ptr);
  for (i = 0; i < 6; i++) {
    ASSERT_OK(uv_fs_scandir_next(&fs_req, &entry));
    ASSERT_STR_EQ(entry.name, all_kinds[i].name);
    check_type(entry.type, all_kinds[i].type);
  }
  ASSERT_EQ(uv_fs_scandir_next(&fs_req, &entry), UV_EOF);
  ASSERT_EQ(uv_fs_scandir_next(&fs_req, &entry), UV_EOF);
  ASSERT_EQ(fs_req.result, 6);
  fs_clean(0);
}

TEST_FS(scandir_names_stay_until_the_end) {
  OXUV_ONLY();
  uv_dirent_t entries[6];
  int i;

  make_all_kinds(test_path("folder"));
  ASSERT_EQ(FS_KEEP(scandir, test_path("folder"), 0), 6);
  for (i = 0; i < 6; i++) ASSERT_OK(uv_fs_scandir_next(&fs_req, &entries[i]));
  for (i = 0; i < 6; i++) ASSERT_STR_EQ(entries[i].name, all_kinds[i].name);
  fs_clean(0);
}

TEST_FS(scandir_without_entries_and_with_errors) {
  uv_dirent_t entry;
  const char* folder = test_path("folder");
  const char* file = test_path("file");

  ASSERT_OK(mkdir(folder, 0755));
  fs_touch(file);
  ASSERT_EQ(FS_KEEP(scandir, folder, 0), 0);
  ASSERT_NULL(fs_req.ptr);
  ASSERT_EQ(uv_fs_scandir_next(&fs_req, &entry), UV_EOF);
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(scandir, file, 0), UV_ENOTDIR);
  ASSERT_NULL(fs_req.ptr);
  ASSERT_EQ(uv_fs_scandir_next(&fs_req, &entry), UV_ENOTDIR);
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(scandir, test_path("missing"), 0), UV_ENOENT);
  ASSERT_EQ(uv_fs_scandir_next(&fs_req, &entry), UV_ENOENT);
  fs_clean(0);
}

TEST_FS(scandir_need_not_be_read_to_the_end) {
  uv_dirent_t entry;

  make_all_kinds(test_path("folder"));
  ASSERT_EQ(FS_KEEP(scandir, test_path("folder"), 0), 6);
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(scandir, test_path("folder"), 0), 6);
  ASSERT_OK(uv_fs_scandir_next(&fs_req, &entry));
  ASSERT_STR_EQ(entry.name, "B file");
  fs_clean(0);
}

enum { many = 1000 };

static void make_many(const char* folder) {
  char name[256];
  int here = open(".", O_RDONLY);
  int i;

  ASSERT_OK(mkdir(folder, 0755));
  ASSERT_OK(chdir(folder));
  for (i = 0; i < many; i++) {
    snprintf(name, sizeof(name), "%0*d", 4 + i % 250, i);
    fs_touch(name);
  }
  ASSERT_OK(fchdir(here));
  close(here);
}

TEST_FS(scandir_of_many_entries) {
  char last[256] = "";
  uv_dirent_t entry;
  int i;

  make_many(test_path("folder"));
  ASSERT_EQ(FS_KEEP(scandir, test_path("folder"), 0), many);
  for (i = 0; i < many; i++) {
    ASSERT_OK(uv_fs_scandir_next(&fs_req, &entry));
    ASSERT(strcmp(last, entry.name) < 0);
    ASSERT_LT(strlen(entry.name), sizeof(last));
    strcpy(last, entry.name);
  }
  ASSERT_EQ(uv_fs_scandir_next(&fs_req, &entry), UV_EOF);
  fs_clean(0);
}

static uv_dir_t* open_dir(const char* path) {
  uv_dir_t* dir;

  ASSERT_OK(FS_KEEP(opendir, path));
  ASSERT_EQ(fs_req.fs_type, UV_FS_OPENDIR);
  dir = fs_req.ptr;
  ASSERT_NOT_NULL(dir);
  fs_clean(0);
  return dir;
}

TEST_FS(readdir_fills_the_array_again_and_again) {
  static char seen[many];
  uv_dirent_t entries[64];
  uv_dir_t* dir;
  int64_t n;
  int total = 0;
  int i;

  make_many(test_path("folder"));
  dir = open_dir(test_path("folder"));
  dir->dirents = entries;
  for (;;) {
    dir->nentries = total % 64 + 1;
    n = FS_KEEP(readdir, dir);
    ASSERT_PTR_EQ(fs_req.ptr, dir);
    ASSERT_GE(n, 0);
    if (n == 0) break;
    ASSERT_LE(n, dir->nentries);
    for (i = 0; i < n; i++) {
      int number = atoi(entries[i].name);
      check_type(entries[i].type, UV_DIRENT_FILE);
      ASSERT_EQ(strlen(entries[i].name), 4 + number % 250);
      ASSERT_EQ(seen[number]++, 0);
    }
    total += n;
    fs_clean(0);
  }
  ASSERT_EQ(total, many);
  fs_clean(0);
  ASSERT_EQ(FS(readdir, dir), 0);
  ASSERT_OK(FS_KEEP(closedir, dir));
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
}

TEST_FS(readdir_reports_types) {
  uv_dirent_t entries[10];
  uv_dir_t* dir;
  int i, k;

  make_all_kinds(test_path("folder"));
  dir = open_dir(test_path("folder"));
  dir->dirents = entries;
  dir->nentries = 10;
  ASSERT_EQ(FS_KEEP(readdir, dir), 6);
  for (i = 0; i < 6; i++) {
    for (k = 0; strcmp(entries[i].name, all_kinds[k].name) != 0; k++) ASSERT_LT(k, 5);
    check_type(entries[i].type, all_kinds[k].type);
  }
  fs_clean(0);
  ASSERT_OK(FS(closedir, dir));
}

TEST_FS(folders_need_not_be_read) {
  uv_dirent_t entry;
  uv_dir_t* dir = open_dir("/");
  int before = fd_count();

  dir->dirents = &entry;
  dir->nentries = 0;
  ASSERT_EQ(FS(readdir, dir), 0);
  ASSERT_OK(FS(closedir, dir));
  ASSERT_EQ(fd_count(), before - 1);
}

TEST_FS(opendir_fails_as_it_should) {
  const char* file = test_path("file");
  int before;

  fs_touch(file);
  fs_is_async ? (void) FS(access, file, F_OK) : (void) 0; /* The loop's own descriptors. */
  before = fd_count();
  ASSERT_EQ(FS_KEEP(opendir, file), UV_ENOTDIR);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
  ASSERT_EQ(FS_KEEP(opendir, test_path("missing")), UV_ENOENT);
  ASSERT_NULL(fs_req.ptr);
  fs_clean(0);
  ASSERT_EQ(FS(readdir, NULL), UV_EINVAL);
  ASSERT_EQ(FS(closedir, NULL), UV_EINVAL);
  ASSERT_EQ(fd_count(), before);
}
