/* Every operation on files, without a callback. */
#include "files.h"

void program(void) {
  is_async = 0;
  next_steps();
}
