/* Every operation on files, with a callback. */
#include "files.h"

void program(void) {
  is_async = 1;
  next_steps();
}
