/* How many descriptors the process has open. The file that includes this has a PROMISE. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include <dirent.h>

static int count_descriptors(void) {
  DIR* folder = opendir("/proc/self/fd");
  int count = 0;
  PROMISE(folder != NULL);
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count;
}

#endif
