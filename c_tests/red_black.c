/* <uv/tree.h>: red-black trees as macros, as tree(3) of the BSDs documents them. */
#include "task.h"

#include <uv/tree.h>

enum { ELEMENTS = 200 };

struct element {
  int key;
  RB_ENTRY(element) by_key;
  int rank;
  RB_ENTRY(element) by_rank;
  int below; /* Elements below it, itself included, as RB_AUGMENT counts them. */
};

static int compare_keys(struct element* a, struct element* b) {
  return (a->key > b->key) - (a->key < b->key);
}

/* Only the sign counts. */
static int compare_ranks(struct element* a, struct element* b) {
  return 1000 * (a->rank - b->rank);
}

RB_HEAD(keys, element);
RB_HEAD(ranks, element);
RB_HEAD(counted, element);
RB_HEAD(counted_here, element);

/* Not static: the functions can be defined in one file and used in others. */
RB_PROTOTYPE(keys, element, by_key, compare_keys)
RB_GENERATE(keys, element, by_key, compare_keys)

RB_PROTOTYPE_STATIC(ranks, element, by_rank, compare_ranks)
RB_GENERATE_STATIC(ranks, element, by_rank, compare_ranks)

static int count_of(struct element* element) {
  return element == NULL ? 0 : element->below;
}

static void count_here(struct element* element) {
  element->below =
      1 + count_of(RB_LEFT(element, by_key)) + count_of(RB_RIGHT(element, by_key));
}

/* Counts anew from here on up, so that it does not matter how far up it is called. */
static void count_upwards(struct element* element) {
  for (; element != NULL; element = RB_PARENT(element, by_key)) count_here(element);
}

#undef RB_AUGMENT
#define RB_AUGMENT(element) count_upwards(element)
RB_GENERATE_STATIC(counted, element, by_key, compare_keys)

#undef RB_AUGMENT
#define RB_AUGMENT(element) count_here(element)
RB_GENERATE_STATIC(counted_here, element, by_key, compare_keys)

/* The sequence of numbers never changes. */
static unsigned int next_number(unsigned int* state) {
  *state = *state * 1103515245u + 12345u;
  return *state >> 16 & 0x7fff;
}

/* How many black elements lie on every way down; what breaks a rule ends the test. */
static int check_below(struct element* element, struct element* parent, int* elements) {
  struct element* left;
  struct element* right;
  int black;

  if (element == NULL) return 0;
  left = RB_LEFT(element, by_key);
  right = RB_RIGHT(element, by_key);
  ++*elements;
  ASSERT_PTR_EQ(RB_PARENT(element, by_key), parent);
  if (RB_COLOR(element, by_key) == RB_RED) {
    ASSERT(parent != NULL);
    ASSERT_EQ(RB_COLOR(parent, by_key), RB_BLACK);
  } else {
    ASSERT_EQ(RB_COLOR(element, by_key), RB_BLACK);
  }
  if (left != NULL) ASSERT_LT(left->key, element->key);
  if (right != NULL) ASSERT_GT(right->key, element->key);
  black = check_below(left, element, elements);
  ASSERT_EQ(check_below(right, element, elements), black);
  return black + (RB_COLOR(element, by_key) == RB_BLACK);
}

/* The rules of a red-black tree, and the order that every way of walking shows. */
static void check_tree(struct keys* tree, const char* is_in, struct element* all, int size) {
  struct element* element;
  int seen = 0;
  int expected = 0;
  int at;

  check_below(RB_ROOT(tree), NULL, &seen);
  for (at = 0; at < size; at++) expected += is_in[at];
  ASSERT_EQ(seen, expected);
  ASSERT_EQ(RB_EMPTY(tree), expected == 0);

  at = -1;
  RB_FOREACH(element, keys, tree) {
    do at++;
    while (!is_in[at]);
    ASSERT_PTR_EQ(element, &all[at]);
  }
  while (++at < size) ASSERT_EQ(is_in[at], 0);
  RB_FOREACH_REVERSE(element, keys, tree) {
    do at--;
    while (!is_in[at]);
    ASSERT_PTR_EQ(element, &all[at]);
  }
  while (--at >= 0) ASSERT_EQ(is_in[at], 0);
}

static void number_elements(struct element* all, int size) {
  memset(all, 0xa5, size * sizeof(*all));
  for (int at = 0; at < size; at++) {
    all[at].key = 2 * at;
    all[at].rank = (at * 7919) % size;
  }
}

TEST_IMPL(random_elements_come_and_go) {
  static struct element all[ELEMENTS];
  unsigned int state = 1;

  for (int size = 1; size <= ELEMENTS; size += 1 + size / 3) {
    char is_in[ELEMENTS] = {0};
    struct keys tree = RB_INITIALIZER(&tree);

    number_elements(all, size);
    for (int step = 0; step < 6 * size; step++) {
      int at = next_number(&state) % size;
      /* At first more come than go, later it is the other way round. */
      int adds = next_number(&state) % 6 * size > (unsigned int) step;
      struct element same = {.key = all[at].key};

      ASSERT_PTR_EQ(RB_FIND(keys, &tree, &same), is_in[at] ? &all[at] : NULL);
      if (adds && is_in[at]) {
        ASSERT_PTR_EQ(RB_INSERT(keys, &tree, &same), &all[at]);
      } else if (adds) {
        ASSERT_PTR_EQ(RB_INSERT(keys, &tree, &all[at]), NULL);
        is_in[at] = 1;
      } else if (is_in[at]) {
        ASSERT_PTR_EQ(RB_REMOVE(keys, &tree, &all[at]), &all[at]);
        is_in[at] = 0;
      }
      check_tree(&tree, is_in, all, size);
    }
  }
}

/* The permutation of 0 to 5 with a number below 720. */
static void permute(int number, int order[6]) {
  for (int at = 0; at < 6; at++) order[at] = at;
  for (int left = 6; left > 1; left--) {
    int other = number % left;
    int value = order[other];
    number /= left;
    order[other] = order[left - 1];
    order[left - 1] = value;
  }
}

TEST_IMPL(every_order_of_six_works) {
  for (int inserting = 0; inserting < 720; inserting++) {
    /* Seven numbers further, so that all of them come up. */
    for (int removing = inserting % 7; removing < 720; removing += 7 * 6) {
      struct element all[6];
      char is_in[6] = {0};
      struct keys tree;
      int order[6];

      number_elements(all, 6);
      RB_INIT(&tree);
      permute(inserting, order);
      for (int at = 0; at < 6; at++) {
        ASSERT_PTR_EQ(RB_INSERT(keys, &tree, &all[order[at]]), NULL);
        is_in[order[at]] = 1;
      }
      check_tree(&tree, is_in, all, 6);
      permute(removing, order);
      for (int at = 0; at < 6; at++) {
        ASSERT_PTR_EQ(RB_REMOVE(keys, &tree, &all[order[at]]), &all[order[at]]);
        is_in[order[at]] = 0;
        check_tree(&tree, is_in, all, 6);
      }
    }
  }
}

static void fill(struct keys* tree, struct element* all, int size) {
  RB_INIT(tree);
  number_elements(all, size);
  for (int at = 0; at < size; at++) ASSERT_PTR_EQ(RB_INSERT(keys, tree, &all[at]), NULL);
}

TEST_IMPL(neighbours_are_found) {
  static struct element all[ELEMENTS];
  struct keys tree;
  struct element wanted = {.key = 0};

  RB_INIT(&tree);
  ASSERT_PTR_EQ(RB_MIN(keys, &tree), NULL);
  ASSERT_PTR_EQ(RB_MAX(keys, &tree), NULL);
  ASSERT_PTR_EQ(RB_FIND(keys, &tree, &wanted), NULL);
  ASSERT_PTR_EQ(RB_NFIND(keys, &tree, &wanted), NULL);

  fill(&tree, all, ELEMENTS);
  ASSERT_PTR_EQ(RB_MIN(keys, &tree), &all[0]);
  ASSERT_PTR_EQ(RB_MAX(keys, &tree), &all[ELEMENTS - 1]);
  for (int key = -1; key < 2 * ELEMENTS; key++) {
    int at = (key + 1) / 2;
    struct element* here = at < ELEMENTS ? &all[at] : NULL;
    wanted.key = key;
    ASSERT_PTR_EQ(RB_NFIND(keys, &tree, &wanted), here);
    ASSERT_PTR_EQ(RB_FIND(keys, &tree, &wanted), key == 2 * at ? here : NULL);
    if (here != NULL) {
      ASSERT_PTR_EQ(RB_NEXT(keys, here), at + 1 < ELEMENTS ? here + 1 : NULL);
      ASSERT_PTR_EQ(RB_PREV(keys, here), at > 0 ? here - 1 : NULL);
    }
  }
}

/* Takes every third element out, and overwrites it. */
static void take_third(struct keys* tree, char* is_in, struct element* all, struct element* taken) {
  int at = (int) (taken - all);
  if (at % 3 != 0) return;
  ASSERT_PTR_EQ(RB_REMOVE(keys, tree, taken), taken);
  memset(taken, 0x5a, sizeof(*taken));
  is_in[at] = 0;
}

TEST_IMPL(elements_can_go_during_a_safe_walk) {
  static struct element all[ELEMENTS];
  char is_in[ELEMENTS];
  struct element* element;
  struct element* next;
  struct keys tree;
  int at;

  fill(&tree, all, ELEMENTS);
  memset(is_in, 1, sizeof(is_in));
  at = 0;
  RB_FOREACH_SAFE(element, keys, &tree, next) {
    ASSERT_PTR_EQ(element, &all[at++]);
    take_third(&tree, is_in, all, element);
  }
  ASSERT_EQ(at, ELEMENTS);
  check_tree(&tree, is_in, all, ELEMENTS);

  fill(&tree, all, ELEMENTS);
  memset(is_in, 1, sizeof(is_in));
  RB_FOREACH_REVERSE_SAFE(element, keys, &tree, next) {
    ASSERT_PTR_EQ(element, &all[--at]);
    take_third(&tree, is_in, all, element);
  }
  ASSERT_EQ(at, 0);
  check_tree(&tree, is_in, all, ELEMENTS);

  RB_FOREACH_SAFE(element, keys, &tree, next) RB_REMOVE(keys, &tree, element);
  ASSERT(RB_EMPTY(&tree));
  RB_FOREACH_SAFE(element, keys, &tree, next) FAIL("there is an element");
  RB_FOREACH_REVERSE_SAFE(element, keys, &tree, next) FAIL("there is an element");
}

TEST_IMPL(a_walk_goes_on_from_an_element) {
  static struct element all[ELEMENTS];
  char is_in[ELEMENTS];
  struct element* element = NULL;
  struct element* next;
  struct keys tree;
  int at = 50;

  fill(&tree, all, ELEMENTS);
  memset(is_in, 1, sizeof(is_in));
  next = &all[at];
  RB_FOREACH_FROM(element, keys, next) {
    ASSERT_PTR_EQ(element, &all[at++]);
    take_third(&tree, is_in, all, element);
  }
  ASSERT_EQ(at, ELEMENTS);
  ASSERT_PTR_EQ(element, NULL);
  check_tree(&tree, is_in, all, ELEMENTS);

  at = 100;
  next = &all[at];
  RB_FOREACH_REVERSE_FROM(element, keys, next) {
    while (!is_in[at]) at--;
    ASSERT_PTR_EQ(element, &all[at--]);
    take_third(&tree, is_in, all, element);
    if (at < 20) break;
  }
  ASSERT_PTR_EQ(next, &all[at]);
  check_tree(&tree, is_in, all, ELEMENTS);

  next = NULL;
  RB_FOREACH_FROM(element, keys, next) FAIL("there is an element");
  RB_FOREACH_REVERSE_FROM(element, keys, next) FAIL("there is an element");
}

TEST_IMPL(an_element_is_in_two_trees) {
  static struct element all[ELEMENTS];
  struct keys tree;
  struct ranks other = RB_INITIALIZER(&other);
  struct element* element;
  int seen = 0;

  fill(&tree, all, ELEMENTS - 1);
  for (int at = 0; at < ELEMENTS - 1; at++)
    ASSERT_PTR_EQ(RB_INSERT(ranks, &other, &all[at]), NULL);
  RB_FOREACH(element, ranks, &other) ASSERT_EQ(element->rank, seen++);
  ASSERT_EQ(seen, ELEMENTS - 1);
  for (int at = 0; at < ELEMENTS - 1; at += 2) RB_REMOVE(keys, &tree, &all[at]);
  seen = 0;
  RB_FOREACH(element, ranks, &other) ASSERT_EQ(element->rank, seen++);
  ASSERT_EQ(seen, ELEMENTS - 1);
}

static void check_counts(struct element* element) {
  if (element == NULL) return;
  check_counts(RB_LEFT(element, by_key));
  check_counts(RB_RIGHT(element, by_key));
  ASSERT_EQ(element->below,
            1 + count_of(RB_LEFT(element, by_key)) + count_of(RB_RIGHT(element, by_key)));
}

/* Elements come and go; afterwards each count must be right. */
#define CHANGE_AND_COUNT(name)                                                                     \
  do {                                                                                             \
    static struct element all[ELEMENTS];                                                           \
    struct name tree = RB_INITIALIZER(&tree);                                                      \
    unsigned int state = 7;                                                                        \
    number_elements(all, ELEMENTS);                                                                \
    for (int at = 0; at < ELEMENTS; at++) all[at].below = 0;                                       \
    for (int step = 0; step < 10 * ELEMENTS; step++) {                                             \
      struct element* element = &all[next_number(&state) % ELEMENTS];                              \
      if (element->below == 0) {                                                                   \
        element->below = 1;                                                                        \
        ASSERT_PTR_EQ(RB_INSERT(name, &tree, element), NULL);                                      \
      } else {                                                                                     \
        ASSERT_PTR_EQ(RB_REMOVE(name, &tree, element), element);                                   \
        element->below = 0;                                                                        \
      }                                                                                            \
      check_counts(RB_ROOT(&tree));                                                                \
    }                                                                                              \
  } while (0)

/* A change is reported to what is directly above it. */
TEST_IMPL(changes_are_reported) {
  CHANGE_AND_COUNT(counted);
}

/* So is everything further up, children before their parents; libuv's header does not promise
 * it. */
TEST_IMPL(changes_are_reported_up_the_tree) {
  OXUV_ONLY();
  CHANGE_AND_COUNT(counted_here);
}

/* The rotations that the macros offer keep the order and the links. */
TEST_IMPL(elements_can_be_turned) {
  struct element all[6];
  struct keys tree;
  struct element* root;
  struct element* up;
  int at;

  fill(&tree, all, 6);
  root = RB_ROOT(&tree);
  RB_ROTATE_LEFT(&tree, root, up, by_key);
  ASSERT_PTR_EQ(RB_ROOT(&tree), up);
  ASSERT_PTR_EQ(RB_LEFT(up, by_key), root);
  ASSERT_PTR_EQ(RB_PARENT(root, by_key), up);
  ASSERT_PTR_EQ(RB_PARENT(up, by_key), NULL);
  at = 0;
  RB_FOREACH(root, keys, &tree) ASSERT_PTR_EQ(root, &all[at++]);
  ASSERT_EQ(at, 6);

  root = RB_ROOT(&tree);
  RB_ROTATE_RIGHT(&tree, root, up, by_key);
  ASSERT_PTR_EQ(RB_ROOT(&tree), up);
  ASSERT_PTR_EQ(RB_RIGHT(up, by_key), root);
  RB_FOREACH_REVERSE(root, keys, &tree) ASSERT_PTR_EQ(root, &all[--at]);
  ASSERT_EQ(at, 0);

  RB_SET(up, root, by_key);
  ASSERT_PTR_EQ(RB_LEFT(up, by_key), NULL);
  ASSERT_PTR_EQ(RB_RIGHT(up, by_key), NULL);
  ASSERT_EQ(RB_COLOR(up, by_key), RB_RED);
  RB_SET_BLACKRED(up, &all[0], by_key);
  ASSERT_EQ(RB_COLOR(up, by_key), RB_BLACK);
  ASSERT_EQ(RB_COLOR(&all[0], by_key), RB_RED);
}
