/* What the machine, the process and its user are asked. */
#include "program.h"

static void ask_machine(void) {
  uv_cpu_info_t* cpus;
  uv_interface_address_t* interfaces;
  uv_utsname_t names;
  double uptime;
  double load[3];
  int count;
  if (!notes(uv_cpu_info(&cpus, &count), "uv_cpu_info")) uv_free_cpu_info(cpus, count);
  if (!notes(uv_interface_addresses(&interfaces, &count), "uv_interface_addresses"))
    uv_free_interface_addresses(interfaces, count);
  notes(uv_uptime(&uptime), "uv_uptime");
  notes(uv_os_uname(&names), "uv_os_uname");
  uv_loadavg(load);
  uv_get_total_memory();
  uv_get_free_memory();
  uv_get_constrained_memory();
  uv_get_available_memory();
  EXPECT(uv_available_parallelism() >= 1, "no processor is there");
}

static void ask_process(void) {
  char text[4096];
  size_t size = sizeof(text);
  uv_rusage_t usage;
  int priority;
  notes(uv_resident_set_memory(&size), "uv_resident_set_memory");
  notes(uv_getrusage(&usage), "uv_getrusage");
  size = sizeof(text);
  if (!notes(uv_exepath(text, &size), "uv_exepath"))
    EXPECT(strstr(text, "system") != NULL, "an executable of %s", text);
  size = sizeof(text);
  if (!notes(uv_cwd(text, &size), "uv_cwd")) EXPECT(text[0] == '/', "a folder of %s", text);
  notes(uv_os_getpriority(0, &priority), "uv_os_getpriority");
  size = sizeof(text);
  notes(uv_os_gethostname(text, &size), "uv_os_gethostname");
}

static void ask_user(void) {
  char text[4096];
  size_t size = sizeof(text);
  uv_passwd_t user;
  uv_group_t group;
  uv_env_item_t* variables;
  int count;
  notes(uv_os_homedir(text, &size), "uv_os_homedir");
  size = sizeof(text);
  notes(uv_os_tmpdir(text, &size), "uv_os_tmpdir");
  if (!notes(uv_os_get_passwd(&user), "uv_os_get_passwd")) uv_os_free_passwd(&user);
  if (!notes(uv_os_get_passwd2(&user, 0), "uv_os_get_passwd2")) uv_os_free_passwd(&user);
  if (!notes(uv_os_get_group(&group, 0), "uv_os_get_group")) uv_os_free_group(&group);
  if (!notes(uv_os_environ(&variables, &count), "uv_os_environ"))
    uv_os_free_environ(variables, count);
}

static void use_descriptors(void) {
  uv_file ends[2];
  uv_os_sock_t sockets[2];
  uv_lib_t library;
  if (!notes(uv_pipe(ends, 0, 0), "uv_pipe")) {
    own_close(ends[0]);
    own_close(ends[1]);
  }
  if (!notes(uv_socketpair(SOCK_DGRAM, 0, sockets, 0, 0), "uv_socketpair")) {
    own_close(sockets[0]);
    own_close(sockets[1]);
  }
  uv_guess_handle(0);
  if (uv_dlopen("libm.so.6", &library) != 0) notes(UV_EIO, "uv_dlopen");
  uv_dlclose(&library);
}

void program(void) {
  ask_machine();
  ask_process();
  ask_user();
  use_descriptors();
  finish();
}
