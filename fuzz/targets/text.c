/* WTF-8 to UTF-16 and back: what libuv answers, and within the buffers. */
#include "fuzz.h"

/* Where libuv takes a text that this library refuses, a character is longer than it need be, or two
 * are halves of one: the way there and back gives another text. */
static void check_refused(const char* text, ssize_t units) {
  uint16_t* utf16 = malloc(units * sizeof *utf16);
  char* back = NULL;
  size_t length = 0;
  PROMISE(utf16 != NULL);
  LIBUV(uv_wtf8_to_utf16)(text, utf16, units);
  PROMISE(LIBUV(uv_utf16_to_wtf8)(utf16, units - 1, &back, &length) == 0);
  PROMISE(strcmp(text, back) != 0);
  free(back);
  free(utf16);
}

static void check_wtf8(const char* text) {
  ssize_t units = uv_wtf8_length_as_utf16(text);
  ssize_t their_units = LIBUV(uv_wtf8_length_as_utf16)(text);
  uint16_t* ours;
  uint16_t* theirs;
  size_t length = 0;
  char* back = NULL;
  PROMISE(units == their_units || units == UV_EINVAL);
  if (units < 0 && their_units >= 0) check_refused(text, their_units);
  if (units < 0) return;
  ours = malloc(units * sizeof *ours);
  theirs = malloc(units * sizeof *theirs);
  PROMISE(ours != NULL && theirs != NULL);
  uv_wtf8_to_utf16(text, ours, units);
  LIBUV(uv_wtf8_to_utf16)(text, theirs, units);
  PROMISE(memcmp(ours, theirs, units * sizeof *ours) == 0);
  /* The terminating zero is one of the units. */
  PROMISE(uv_utf16_to_wtf8(ours, units - 1, &back, &length) == 0);
  PROMISE(length == strlen(back));
  free(back);
  free(ours);
  free(theirs);
}

static void check_utf16(const uint8_t* data, size_t size) {
  size_t units = size / 2;
  uint16_t* text = malloc(size + 1);
  char* ours = NULL;
  char* theirs = NULL;
  size_t our_length = 0, their_length = 0;
  PROMISE(text != NULL);
  memcpy(text, data, units * 2);
  PROMISE(uv_utf16_length_as_wtf8(text, units) == LIBUV(uv_utf16_length_as_wtf8)(text, units));
  PROMISE(uv_utf16_to_wtf8(text, units, &ours, &our_length) == 0);
  PROMISE(LIBUV(uv_utf16_to_wtf8)(text, units, &theirs, &their_length) == 0);
  PROMISE(our_length == their_length && memcmp(ours, theirs, our_length + 1) == 0);
  free(ours);
  free(theirs);
  /* Into a buffer that may be too small. */
  if (size > 0) {
    size_t room = data[0];
    char* target = malloc(room + 1);
    char* pointer = target;
    size_t left = room;
    int error = uv_utf16_to_wtf8(text, units, &pointer, &left);
    PROMISE(error == 0 || error == UV_ENOBUFS);
    PROMISE(pointer == target);
    free(target);
  }
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  char* text = string_of(data, size);
  check_wtf8(text);
  check_utf16(data, size);
  if (is_mutated(data, size)) text[strlen(text) + 1] = 'x';
  free(text);
  return 0;
}
