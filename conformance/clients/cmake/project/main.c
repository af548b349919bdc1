#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define DECLARE(n) int part_##n(int);
#define SUM(n) + part_##n(number)
PARTS(DECLARE)

int main(int argc, char** argv) {
  int number = argc > 1 ? atoi(argv[1]) : 0;
  const char* what = argc > 2 ? argv[2] : "";

  if (strcmp(what, "output") == 0)
    for (int i = 1; i <= 20000; i++)
      printf("line %d\n", i);
  if (strcmp(what, "fail") == 0)
    return 3;
  if (strcmp(what, "die") == 0)
    raise(SIGKILL);
  if (strcmp(what, "complain") == 0)
    fprintf(stderr, "complaint\n");
  if (strcmp(what, "hang") == 0)
    for (;;)
      pause();
  return (0 PARTS(SUM)) != 78 * number;
}
