/* https://docs.libuv.org/en/v1.x/version.html */
#define UV_EXTERN extern
#include "task.h"

TEST_IMPL(the_header_and_the_library_agree) {
  ASSERT_EQ(uv_version(), UV_VERSION_HEX);
  ASSERT_EQ(UV_VERSION_HEX, UV_VERSION_MAJOR << 16 | UV_VERSION_MINOR << 8 | UV_VERSION_PATCH);
  ASSERT_STR_EQ(uv_version_string(), "1.53.0");
  ASSERT_EQ(UV_VERSION_IS_RELEASE, 1);
}

TEST_IMPL(the_string_is_made_of_the_parts) {
  char expected[64];
  snprintf(expected, sizeof(expected), "%d.%d.%d%s", UV_VERSION_MAJOR, UV_VERSION_MINOR,
           UV_VERSION_PATCH, UV_VERSION_SUFFIX);
  ASSERT_STR_EQ(uv_version_string(), expected);
  ASSERT_PTR_EQ(uv_version_string(), uv_version_string());
}

TEST_IMPL(a_release_has_no_suffix) {
  ASSERT_STR_EQ(UV_VERSION_SUFFIX, "");
}

TEST_IMPL(the_header_leaves_a_declaration_of_the_programs_alone) {
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
  ASSERT_STR_EQ(TEXT(UV_EXTERN), "extern");
}
