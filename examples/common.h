/* Common parts of the examples: ending with a message, and buffers for reading. */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Ends the program when a call failed. */
static inline void check(int result, const char* what) {
  if (result < 0) {
    fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
    exit(1);
  }
}

static inline void allocate(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  (void) handle;
  buf->base = malloc(suggested);
  buf->len = buf->base == NULL ? 0 : suggested;
}

static inline void free_handle(uv_handle_t* handle) {
  free(handle);
}

/* Says to the parent, through the standard output, that the server is ready, and where. */
static inline void announce(const char* where) {
  printf("listening on %s\n", where);
  fflush(stdout);
}

#endif
