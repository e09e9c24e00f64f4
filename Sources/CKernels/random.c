#include "random.h"

#include "loops.h"
#include "philox.h"

KERNEL static void philox(philox_block *state, uint32_t key0, uint32_t key1) {
  philox_rounds(state, key0, key1);
}

void random_block(const uint32_t counter[4], const uint32_t key[2], uint32_t result[4]) {
  philox_block state = {0};
  for (int word = 0; word < 4; word++) state.words[word][0] = counter[word];
  philox(&state, key[0], key[1]);
  for (int word = 0; word < 4; word++) result[word] = state.words[word][0];
}

/// In [0, 1).
INLINE float unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

// ln x for x in (0, 1]: x = 2^e · m with m in [1/√2, √2), and the series of the area tangent of
// (m - 1) / (m + 1), right to 1e-7.
INLINE float log_unit(float x) {
  uint32_t bits = float_to_bits(x);
  int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
  float m = bits_to_float(bits - ((uint32_t)e << 23));
  float t = (m - 1.0f) / (m + 1.0f), s = t * t;
  float p = 0.22222222f * s + 0.28571429f;
  p = p * s + 0.4f;
  p = p * s + 0.66666667f;
  p = p * s + 2.0f;
  return (float)e * 0.69314718f + t * p;
}

// sin 2πx for x in [-1/4, 1/4], right to 1e-7.
INLINE float sine_quarter(float x) {
  float y = x * 6.2831853f, s = y * y;
  float p = 2.7557319e-6f - 2.5052108e-8f * s;
  p = p * s - 1.9841270e-4f;
  p = p * s + 8.3333333e-3f;
  p = p * s - 1.6666667e-1f;
  return y + y * s * p;
}

// sin 2πx for x in [-1/2, 1/2).
INLINE float sine_turn(float x) {
  float folded = x > 0.25f ? 0.5f - x : x;
  folded = x < -0.25f ? -0.5f - x : folded;
  return sine_quarter(folded);
}

/// Box and Muller's two normal numbers for each pair of words, in place of them.
KERNEL static void normals(const uint32_t *first, const uint32_t *second, float *x, float *y) {
  for (int i = 0; i < LANES; i++) {
    // In (0, 1]: the logarithm of 0 is none.
    float radius = __builtin_sqrtf(-2.0f * log_unit(unit(first[i]) + 0x1p-24f));
    float turn = unit(second[i]) - 0.5f;
    float quarter = turn + 0.25f;
    x[i] = radius * sine_turn(quarter >= 0.5f ? quarter - 1.0f : quarter);
    y[i] = radius * sine_turn(turn);
  }
}

KERNEL static void units(const uint32_t *words, float *x) {
  for (int i = 0; i < LANES; i++) x[i] = unit(words[i]);
}

static void store(number_type type, void *target, long i, double value) {
  switch (type) {
  case NUMBER_FLOAT32: ((float *)target)[i] = (float)value; break;
  case NUMBER_BFLOAT16: ((uint16_t *)target)[i] = narrow_bf16((float)value); break;
  case NUMBER_FLOAT64: ((double *)target)[i] = value; break;
  }
}

void random_numbers(number_type type, random_spread spread, uint64_t seed, uint64_t stream,
                    uint64_t first, void *target, long count, double a, double b) {
  for (long start = 0; start < count; start += 4 * LANES) {
    philox_block state;
    float values[4][LANES];
    set_counters(&state, (first + (uint64_t)start) / 4, stream);
    philox(&state, (uint32_t)seed, (uint32_t)(seed >> 32));
    for (int word = 0; word < 4; word += 2) {
      if (spread == RANDOM_NORMAL) {
        normals(state.words[word], state.words[word + 1], values[word], values[word + 1]);
      } else {
        units(state.words[word], values[word]);
        units(state.words[word + 1], values[word + 1]);
      }
    }
    double scale = spread == RANDOM_NORMAL ? b : b - a;
    for (long i = 0; i < 4 * LANES && start + i < count; i++)
      store(type, target, start + i, a + scale * (double)values[i % 4][i / 4]);
  }
}
