#include "optimiser.h"

#include "loops.h"

#pragma clang fp contract(fast)

INLINE float join_bits(uint16_t weight, int16_t remainder) {
  return bits_to_float(((uint32_t)weight << 16) + (uint32_t)(int32_t)remainder);
}

INLINE void split_bits(float value, uint16_t *weight, int16_t *remainder) {
  // To the nearest, ties away from zero, so that what is left fits 16 bits.
  uint32_t bits = float_to_bits(value), upper = (bits + 0x8000u) >> 16;
  *weight = (uint16_t)upper;
  *remainder = (int16_t)(bits - (upper << 16));
}

/// Bits that look random, out of a number (the finaliser of MurmurHash3).
INLINE uint32_t scramble(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

/// Up or down at random, the nearer the likelier, by 16 random bits.
INLINE uint16_t narrow_at_random(float value, uint32_t random) {
  return (uint16_t)((float_to_bits(value) + (random & 0xffffu)) >> 16);
}

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, SUFFIX)
#define AS_IT_IS(x) (x)

// Numbers of the type of sums, all of them.
#define LOAD(i) weight[i]
#define STORE(i, value) weight[i] = (value)
#define MEAN AS_IT_IS
#define FIRST AS_IT_IS
#define SECOND AS_IT_IS

#define SUFFIX f64
#define W double
#define G double
#define M double
#define A double
#define SQRT sqrt_f64
#define WIDEN AS_IT_IS
#include "optimiser_loops.h"
#undef W
#undef M
#undef A
#undef SQRT

#define A float
#define SQRT sqrt_f32

#define SUFFIX f32
#define W float
#define G float
#define M float
#define WIDEN AS_IT_IS
#include "optimiser_loops.h"
#undef W
#undef LOAD
#undef STORE

// bfloat16 weights with their remainders.
#define W uint16_t
#define LOAD(i) join_bits(weight[i], remainder[i])
#define STORE(i, value) split_bits(value, &weight[i], &remainder[i])

#define SUFFIX bf16
#define G uint16_t
#define WIDEN widen_bf16
#include "optimiser_loops.h"

#define SUFFIX bf16_wide
#define G float
#define WIDEN AS_IT_IS
#include "optimiser_loops.h"
#undef M
#undef LOAD
#undef STORE
#undef MEAN
#undef FIRST
#undef SECOND

// bfloat16 alone. A mean of gradients changes by a tenth each time and may be rounded; what changes by
// less than it can hold would not move if it were.
#define M uint16_t
#define MEAN widen_bf16
#define FIRST narrow_bf16
#define SECOND(v) narrow_at_random(v, random)
#define LOAD(i) widen_bf16(weight[i])
#define STORE(i, value) weight[i] = narrow_at_random(value, random >> 16)

#define SUFFIX half
#define G uint16_t
#define WIDEN widen_bf16
#include "optimiser_loops.h"

#define SUFFIX half_wide
#define G float
#define WIDEN AS_IT_IS
#include "optimiser_loops.h"

void adamw(number_type type, void *weight, int16_t *remainder, const void *gradient, bool wide,
           void *first, void *second, long count, adamw_rule rule, uint32_t seed) {
  if (type != NUMBER_BFLOAT16 || (remainder && !wide)) {
    DISPATCH(adamw, type, weight, remainder, gradient, first, second, count, rule, seed);
  } else if (remainder) {
    adamw_bf16_wide(weight, remainder, gradient, first, second, count, rule, seed);
  } else if (wide) {
    adamw_half_wide(weight, remainder, gradient, first, second, count, rule, seed);
  } else {
    adamw_half(weight, remainder, gradient, first, second, count, rule, seed);
  }
}

KERNEL static void join_all(const uint16_t *weight, const int16_t *remainder, float *value, long count) {
  for (long i = 0; i < count; i++) value[i] = join_bits(weight[i], remainder[i]);
}

KERNEL static void split_all(const float *value, uint16_t *weight, int16_t *remainder, long count) {
  for (long i = 0; i < count; i++) split_bits(value[i], &weight[i], &remainder[i]);
}

void join_remainders(const uint16_t *weight, const int16_t *remainder, float *value, long count) {
  join_all(weight, remainder, value, count);
}

void split_remainders(const float *value, uint16_t *weight, int16_t *remainder, long count) {
  split_all(value, weight, remainder, count);
}
