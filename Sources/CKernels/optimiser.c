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

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, SUFFIX)

#define SUFFIX f64
#define W double
#define G double
#define A double
#define SQRT sqrt_f64
#define WIDEN(g) (g)
#define LOAD(i) weight[i]
#define STORE(i, value) weight[i] = (value)
#include "optimiser_loops.h"
#undef A
#undef SQRT

#define A float
#define SQRT sqrt_f32

#define SUFFIX f32
#define W float
#define G float
#define WIDEN(g) (g)
#define LOAD(i) weight[i]
#define STORE(i, value) weight[i] = (value)
#include "optimiser_loops.h"

#define SUFFIX bf16
#define W uint16_t
#define G uint16_t
#define WIDEN(g) widen_bf16(g)
#define LOAD(i) join_bits(weight[i], remainder[i])
#define STORE(i, value) split_bits(value, &weight[i], &remainder[i])
#include "optimiser_loops.h"

// Gradients that many steps added up to.
#define SUFFIX bf16_wide
#define W uint16_t
#define G float
#define WIDEN(g) (g)
#define LOAD(i) join_bits(weight[i], remainder[i])
#define STORE(i, value) split_bits(value, &weight[i], &remainder[i])
#include "optimiser_loops.h"

void adamw(number_type type, void *weight, int16_t *remainder, const void *gradient, bool wide,
           void *first, void *second, long count, adamw_rule rule) {
  if (type == NUMBER_BFLOAT16 && wide) {
    adamw_bf16_wide(weight, remainder, gradient, first, second, count, rule);
  } else {
    DISPATCH(adamw, type, weight, remainder, gradient, first, second, count, rule);
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
