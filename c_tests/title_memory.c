/* The memory that the process title is written to.
 * https://docs.libuv.org/en/v1.x/misc.html#c.uv_setup_args */
#include "task.h"

static const char LONG_TITLE[] = "a title that is longer than all of the arguments together";

/* Arguments like those of main: one behind the other. */
TEST_IMPL(the_title_has_the_room_of_all_arguments) {
  char memory[] = "one\0two\0three\0beyond";
  char* argv[] = {memory, memory + 4, memory + 8, NULL};
  char** copy = uv_setup_args(3, argv);
  char title[100];

  ASSERT(copy != argv);
  ASSERT_STR_EQ(copy[0], "one");
  ASSERT_STR_EQ(copy[1], "two");
  ASSERT_STR_EQ(copy[2], "three");
  ASSERT_NULL(copy[3]);
  ASSERT_OK(uv_get_process_title(title, sizeof(title)));
  ASSERT_STR_EQ(title, "one");
  ASSERT_OK(uv_set_process_title(LONG_TITLE));
  ASSERT_OK(uv_get_process_title(title, sizeof(title)));
  ASSERT_STR_EQ(title, "a title that ");
  ASSERT_STR_EQ(memory, title);
  ASSERT_STR_EQ(memory + 14, "beyond");
  /* A shorter one leaves nothing of the longer behind. */
  ASSERT_OK(uv_set_process_title("b"));
  ASSERT_MEM_EQ(memory, "b\0\0\0\0\0\0\0\0\0\0\0\0\0beyond", sizeof(memory));
  ASSERT_STR_EQ(copy[2], "three");
}

TEST_IMPL(the_title_leaves_alone_what_is_between_the_arguments) {
  char memory[] = "one\0two\0ours\0three";
  char* argv[] = {memory, memory + 4, memory + 13, NULL};
  char title[100];

  OXUV_ONLY();
  uv_setup_args(3, argv);
  ASSERT_OK(uv_set_process_title(LONG_TITLE));
  ASSERT_OK(uv_get_process_title(title, sizeof(title)));
  ASSERT_STR_EQ(title, "a title");
  ASSERT_STR_EQ(memory + 8, "ours");
  ASSERT_STR_EQ(memory + 13, "three");
}

TEST_IMPL(no_title_is_an_error) {
  OXUV_ONLY();
  ASSERT_EQ(uv_set_process_title(NULL), UV_EINVAL);
}
