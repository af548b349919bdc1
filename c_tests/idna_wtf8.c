/* Texts in other encodings: host names beyond ASCII in the form that name servers take, and UTF-16.
 * https://docs.libuv.org/en/v1.x/misc.html#c.uv_utf16_to_wtf8 */
#include "task.h"

#include <netdb.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- Host names ---------------------------------------------------------------------------- */

static char asked_for[512];
static int questions;

/* In place of the resolver's, to see what it is asked for. */
int getaddrinfo(const char* node, const char* service, const struct addrinfo* hints,
                struct addrinfo** result) {
  (void) service, (void) hints, (void) result;
  questions++;
  snprintf(asked_for, sizeof(asked_for), "%s", node);
  return EAI_NONAME;
}

static void expect_name(const char* name, const char* expected) {
  uv_getaddrinfo_t req;
  ASSERT_EQ(uv_getaddrinfo(uv_default_loop(), &req, NULL, name, NULL, NULL), UV_EAI_NONAME);
  ASSERT_STR_EQ(asked_for, expected);
}

static void expect_refused(const char* name) {
  uv_getaddrinfo_t req;
  const int before = questions;
  int result = uv_getaddrinfo(uv_default_loop(), &req, NULL, name, NULL, NULL);
  if (result != UV_EINVAL) FAIL("\"%s\" gave %d and was asked for as %s", name, result, asked_for);
  ASSERT_EQ(questions, before);
}

TEST_IMPL(host_names_in_ascii_stay_as_they_are) {
  static const char* const names[] = {"host",      "a.b.example.", ".",         "a..b",
                                      "UpperCase", "under_score",  "with blank", "xn--tda"};
  size_t i;
  for (i = 0; i < LENGTH(names); i++) expect_name(names[i], names[i]);
}

TEST_IMPL(host_names_beyond_ascii_are_encoded_by_label) {
  static const char* const names[][2] = {
      {"\u00fc", "xn--tda"},
      {"b\u00fccher.example", "xn--bcher-kva.example"},
      {"www.b\u00fccher.b\u00fccher", "www.xn--bcher-kva.xn--bcher-kva"},
      {"\u2603.net.", "xn--n3h.net."},
      {"\U0001f4a9.la", "xn--ls8h.la"},
      {"\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587", "xn--ihqwcrb4cv8a8dqg056pqjye"},
  };
  size_t i;
  for (i = 0; i < LENGTH(names); i++) {
    expect_name(names[i][0], names[i][1]);
    expect_name(names[i][1], names[i][1]);
  }
}

TEST_IMPL(other_full_stops_separate_labels_as_well) {
  expect_name("\u00fc\u3002a", "xn--tda.a");
  expect_name("\u00fc\uff0ea", "xn--tda.a");
  expect_name("\u00fc\uff61a", "xn--tda.a");
  expect_name("a\u3002b", "a.b");
}

TEST_IMPL(what_is_no_utf8_is_no_host_name) {
  static const char* const names[] = {
      "",                          /* nothing */
      "a\xff", "\x80", "\xc3",     /* parts of characters */
      "\xc0\x80", "\xe0\x80\x80",  /* longer than need be */
      "\xed\xa0\x80",              /* half of a pair */
      "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", /* beyond the last character */
      "good.example.\xf0\x9f\x92",
  };
  size_t i;
  for (i = 0; i < LENGTH(names); i++) expect_refused(names[i]);
}

/* A name that was cut would be another host's. */
TEST_IMPL(long_host_names_are_refused_and_never_cut) {
  static char name[100000];
  size_t length;

  memset(name, 'a', 255);
  expect_name(name, name);
  name[255] = 'a';
  expect_refused(name);
  memset(name, 'a', sizeof(name) - 1);
  expect_refused(name);

  /* Around the limit of what the name becomes. */
  for (length = 235; length < 256; length++) {
    uv_getaddrinfo_t req;
    int result;
    memset(name, 'a', length);
    strcpy(name + length, "\u00fc");
    result = uv_getaddrinfo(uv_default_loop(), &req, NULL, name, NULL, NULL);
    if (result == UV_EINVAL) continue;
    ASSERT_EQ(result, UV_EAI_NONAME);
    ASSERT_OK(strncmp(asked_for, "xn--aaaa", 8));
    ASSERT_GT(strlen(asked_for), length + 5);
    ASSERT_LE(strlen(asked_for), 255);
  }
  for (length = 0; length + 3 < sizeof(name); length += 2) strcpy(name + length, "\u00fc");
  expect_refused(name);
}

static void count_result(uv_getaddrinfo_t* req, int status, struct addrinfo* result) {
  (void) req;
  ASSERT_EQ(status, UV_EAI_NONAME);
  ASSERT_NULL(result);
  note("done");
}

TEST_IMPL(host_names_are_encoded_for_callbacks_too) {
  uv_getaddrinfo_t req;
  ASSERT_OK(uv_getaddrinfo(uv_default_loop(), &req, count_result, "\u00fc.de", NULL, NULL));
  ASSERT_OK(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
  ASSERT_NOTES("done");
  ASSERT_STR_EQ(asked_for, "xn--tda.de");
  ASSERT_EQ(uv_getaddrinfo(uv_default_loop(), &req, count_result, "\xff", NULL, NULL), UV_EINVAL);
  MAKE_SURE_NOTHING_LEAKED();
}

/* --- UTF-16 -------------------------------------------------------------------------------- */

static const struct {
  const char* wtf8;
  size_t length;
  uint16_t utf16[8];
} texts[] = {
    {"", 0, {0}},
    {"abc", 3, {'a', 'b', 'c'}},
    {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 5, {0x7f, 0x80, 0x7ff, 0x800, 0xffff}},
    {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 4, {0xd800, 0xdc00, 0xdbff, 0xdfff}},
    /* Halves of pairs on their own. */
    {"\xed\xa0\x80", 1, {0xd800}},
    {"a\xed\xb0\x80z", 3, {'a', 0xdc00, 'z'}},
    {"\xed\xb0\x80\xed\xa0\x80", 2, {0xdc00, 0xd800}},
};

TEST_IMPL(texts_go_both_ways) {
  uint16_t utf16[16];
  char wtf8[32];
  char* target;
  size_t length;
  size_t i;

  for (i = 0; i < LENGTH(texts); i++) {
    ASSERT_EQ(uv_wtf8_length_as_utf16(texts[i].wtf8), texts[i].length + 1);
    memset(utf16, 0xaa, sizeof(utf16));
    uv_wtf8_to_utf16(texts[i].wtf8, utf16, texts[i].length + 1);
    ASSERT_MEM_EQ(utf16, texts[i].utf16, 2 * (texts[i].length + 1));
    ASSERT_EQ(utf16[texts[i].length + 1], 0xaaaa);

    ASSERT_EQ(uv_utf16_length_as_wtf8(utf16, -1), strlen(texts[i].wtf8));
    ASSERT_EQ(uv_utf16_length_as_wtf8(utf16, texts[i].length), strlen(texts[i].wtf8));
    memset(wtf8, '#', sizeof(wtf8));
    target = wtf8;
    length = strlen(texts[i].wtf8);
    ASSERT_OK(uv_utf16_to_wtf8(utf16, -1, &target, &length));
    ASSERT_STR_EQ(wtf8, texts[i].wtf8);
    ASSERT_EQ(length, strlen(texts[i].wtf8));
    ASSERT_EQ(wtf8[length + 1], '#');
  }
}

TEST_IMPL(memory_is_taken_for_the_result) {
  const uint16_t utf16[] = {'x', 0x20ac, 0};
  char* target = NULL;
  size_t length = 0;

  ASSERT_OK(uv_utf16_to_wtf8(utf16, -1, &target, &length));
  ASSERT_STR_EQ(target, "x\xe2\x82\xac");
  ASSERT_EQ(length, 4);
  free(target);
  target = NULL;
  ASSERT_OK(uv_utf16_to_wtf8(utf16, 1, &target, NULL));
  ASSERT_STR_EQ(target, "x");
  free(target);
  target = NULL;
  ASSERT_OK(uv_utf16_to_wtf8(utf16, 0, &target, &length));
  ASSERT_STR_EQ(target, "");
  ASSERT_EQ(length, 0);
  free(target);
}

TEST_IMPL(the_length_alone_can_be_had) {
  const uint16_t utf16[] = {'x', 0x20ac, 0};
  size_t length = 0;
  ASSERT_OK(uv_utf16_to_wtf8(utf16, -1, NULL, &length));
  ASSERT_EQ(length, 4);
  ASSERT_OK(uv_utf16_to_wtf8(utf16, 1, NULL, &length));
  ASSERT_EQ(length, 1);
}

/* With a length, a zero is a character like others. */
TEST_IMPL(texts_with_a_length_may_hold_zeros) {
  const uint16_t utf16[] = {'a', 0, 'b'};
  char wtf8[8];
  char* target = wtf8;
  size_t length = 3;
  ASSERT_EQ(uv_utf16_length_as_wtf8(utf16, 3), 3);
  ASSERT_OK(uv_utf16_to_wtf8(utf16, 3, &target, &length));
  ASSERT_EQ(length, 3);
  ASSERT_MEM_EQ(wtf8, "a\0b", 4);
}

/* The room is without that of the terminator. */
TEST_IMPL(a_result_without_room_is_cut) {
  const uint16_t utf16[] = {'a', 'b', 0x20ac, 0};
  char wtf8[16];
  char* target;
  size_t length;
  size_t room;

  for (room = 0; room < 5; room++) {
    memset(wtf8, '#', sizeof(wtf8));
    target = wtf8;
    length = room;
    ASSERT_EQ(uv_utf16_to_wtf8(utf16, -1, &target, &length), UV_ENOBUFS);
    ASSERT_EQ(length, 5);
    ASSERT_LE(strlen(wtf8), room);
    ASSERT_OK(strncmp(wtf8, "ab\xe2\x82\xac", strlen(wtf8)));
    ASSERT_EQ(wtf8[room + 1], '#');
  }
}

TEST_IMPL(a_result_is_cut_between_characters) {
  const uint16_t utf16[] = {'a', 0x20ac, 0};
  char wtf8[16];
  char* target = wtf8;
  size_t length = 3;
  OXUV_ONLY();
  ASSERT_EQ(uv_utf16_to_wtf8(utf16, -1, &target, &length), UV_ENOBUFS);
  ASSERT_STR_EQ(wtf8, "a");
}

TEST_IMPL(what_is_no_wtf8_has_no_length) {
  static const char* const bad[] = {"\xff",     "\x80",         "\xc0\x80",         "\xc1\xbf",
                                    "\xc3",     "a\xc3z",       "\xe2\x82",         "\xf0\x9f\x92",
                                    "\xf5\x80\x80\x80", "\xf4\x90\x80\x80"};
  size_t i;
  for (i = 0; i < LENGTH(bad); i++) ASSERT_EQ(uv_wtf8_length_as_utf16(bad[i]), UV_EINVAL);
}

TEST_IMPL(characters_are_not_longer_than_need_be) {
  OXUV_ONLY();
  ASSERT_EQ(uv_wtf8_length_as_utf16("\xe0\x80\x80"), UV_EINVAL);
  ASSERT_EQ(uv_wtf8_length_as_utf16("\xe0\x9f\xbf"), UV_EINVAL);
  ASSERT_EQ(uv_wtf8_length_as_utf16("\xf0\x80\x80\x80"), UV_EINVAL);
}
