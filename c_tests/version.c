/* https://docs.libuv.org/en/v1.x/version.html */
#include "task.h"

TEST_IMPL(the_header_and_the_library_agree) {
  ASSERT_EQ(uv_version(), UV_VERSION_HEX);
  ASSERT_EQ(UV_VERSION_HEX, UV_VERSION_MAJOR << 16 | UV_VERSION_MINOR << 8 | UV_VERSION_PATCH);
  ASSERT_STR_EQ(uv_version_string(), "1.53.0");
  ASSERT_EQ(UV_VERSION_IS_RELEASE, 1);
}
