// Random words by number: Philox 4×32-10 of many counters at once; see random.h.
#pragma once

#include "loops.h"

/// How many counters are worked on at once.
enum { LANES = 64 };

typedef struct {
  uint32_t words[4][LANES];
} philox_block;

/// Sets LANES counters in a row, of a stream.
INLINE void set_counters(philox_block *state, uint64_t first, uint64_t stream) {
  for (int i = 0; i < LANES; i++) {
    uint64_t counter = first + (uint64_t)i;
    state->words[0][i] = (uint32_t)counter;
    state->words[1][i] = (uint32_t)(counter >> 32);
    state->words[2][i] = (uint32_t)stream;
    state->words[3][i] = (uint32_t)(stream >> 32);
  }
}

INLINE void philox_rounds(philox_block *state, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < LANES; i++) {
      uint64_t left = (uint64_t)0xD2511F53u * state->words[0][i];
      uint64_t right = (uint64_t)0xCD9E8D57u * state->words[2][i];
      uint32_t second = state->words[1][i], fourth = state->words[3][i];
      state->words[0][i] = (uint32_t)(right >> 32) ^ second ^ key0;
      state->words[1][i] = (uint32_t)right;
      state->words[2][i] = (uint32_t)(left >> 32) ^ fourth ^ key1;
      state->words[3][i] = (uint32_t)left;
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}
