/* Random numbers, and data that are made from a seed. */
#include "soak.h"

/* SplitMix64: good enough for tests, and every number is a valid state. */
static uint64_t mix(uint64_t number) {
  number += 0x9e3779b97f4a7c15u;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
  return number ^ (number >> 31);
}

uint64_t draw(uint64_t* state) {
  *state += 0x9e3779b97f4a7c15u;
  return mix(*state);
}

unsigned draw_below(uint64_t* state, unsigned limit) {
  return (unsigned) (draw(state) % limit);
}

/* Eight bytes share one number, which depends on their place. */
static uint64_t word(uint64_t seed, uint64_t at) {
  return mix(seed ^ (at / 8) * 0xff51afd7ed558ccdu);
}

void fill(char* data, uint64_t seed, uint64_t at, size_t size) {
  size_t i;
  uint64_t bytes = word(seed, at);
  for (i = 0; i < size; i++, at++) {
    if (at % 8 == 0) bytes = word(seed, at);
    data[i] = (char) (bytes >> (at % 8 * 8));
  }
}

void check(const char* data, uint64_t seed, uint64_t at, size_t size, const char* where) {
  size_t i;
  uint64_t bytes = word(seed, at);
  totals.bytes += size;
  for (i = 0; i < size; i++, at++) {
    if (at % 8 == 0) bytes = word(seed, at);
    EXPECT(data[i] == (char) (bytes >> (at % 8 * 8)), "wrong: byte %llu of %s, seed %llu",
           (unsigned long long) at, where, (unsigned long long) seed);
  }
}
