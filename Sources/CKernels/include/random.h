#pragma once

#include "number.h"

/// How random numbers are spread.
typedef enum {
  /// Evenly between `a` and `b`.
  RANDOM_UNIFORM = 0,
  /// Normally about `a` with the standard deviation `b`.
  RANDOM_NORMAL = 1
} random_spread;

/// Numbers first ..< first + count of the stream `stream` of the seed, whoever asks for them, and in
/// whatever parts: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)
/// of the counter (index / 4, stream) and the key `seed`. `first` is a multiple of 4.
void random_numbers(number_type type, random_spread spread, uint64_t seed, uint64_t stream,
                    uint64_t first, void *target, long count, double a, double b);

/// The four words of one counter, low word first; for tests.
void random_block(const uint32_t counter[4], const uint32_t key[2], uint32_t result[4]);
