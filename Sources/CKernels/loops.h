// What a file of loops needs: how numbers are loaded and stored, and functions that vectorise.
//
// A file `name_loops.h` is written once over T (a stored number), A (the type of sums and of small
// vectors), LOAD, STORE, NAME and the functions below; `each_number.h` compiles it for each type.
// KERNEL compiles a function for each kind of processor and picks one when the program starts.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "number.h"

#if defined(__x86_64__)
#define KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KERNEL __attribute__((noinline))
#endif
#define INLINE static inline __attribute__((always_inline))

/// Calls the variant of a kernel for the given type of numbers.
#define DISPATCH(kernel, type, ...)                                                               \
  do {                                                                                            \
    switch (type) {                                                                               \
    case NUMBER_FLOAT32: kernel##_f32(__VA_ARGS__); break;                                        \
    case NUMBER_BFLOAT16: kernel##_bf16(__VA_ARGS__); break;                                      \
    case NUMBER_FLOAT64: kernel##_f64(__VA_ARGS__); break;                                        \
    }                                                                                             \
  } while (0)

INLINE float bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

INLINE uint32_t float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

INLINE float widen_bf16(uint16_t value) { return bits_to_float((uint32_t)value << 16); }

/// To the nearest, ties to even; what is no number stays none.
INLINE uint16_t narrow_bf16(float value) {
  uint32_t bits = float_to_bits(value);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

// e^x = 2^n · e^r with |r| <= ln 2 / 2: a polynomial of degree 6 is right to 1.2e-7 of the value.
INLINE float exp_f32(float x) {
  float bounded = x > 88.72f ? 88.72f : x;
  bounded = bounded < -87.33f ? -87.33f : bounded;
  // Adding 1.5 · 2^23 rounds to a whole number, which stands in the low bits then.
  float shifted = bounded * 1.44269504f + 12582912.0f;
  float n = shifted - 12582912.0f;
  float r = bounded - n * 0.693145752f;
  r = r - n * 1.42860677e-6f;
  float p = 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  float power = bits_to_float((float_to_bits(shifted) << 23) + 0x3f800000u);
  float value = p * power;
  value = x > 88.72f ? INFINITY : value;
  value = x < -87.33f ? 0.0f : value;
  return x != x ? x : value;
}

INLINE double exp_f64(double x) { return exp(x); }

// Near 0 the series, whose ninth term is below the rounding; e^x - 1 would lose its digits there.
INLINE float expm1_f32(float x) {
  float p = 2.48015873e-5f;
  p = p * x + 1.98412698e-4f;
  p = p * x + 1.38888889e-3f;
  p = p * x + 8.33333333e-3f;
  p = p * x + 4.16666667e-2f;
  p = p * x + 1.66666667e-1f;
  p = p * x + 0.5f;
  p = p * x + 1.0f;
  return x > -0.5f && x < 0.5f ? p * x : exp_f32(x) - 1.0f;
}

INLINE double expm1_f64(double x) { return expm1(x); }

INLINE float tanh_f32(float x) {
  float doubled = exp_f32(2.0f * (x > 15.0f ? 15.0f : x));
  return 1.0f - 2.0f / (doubled + 1.0f);
}

INLINE double tanh_f64(double x) { return tanh(x); }

// Abramowitz and Stegun 7.1.26: right to 1.5e-7.
INLINE float erf_f32(float x) {
  float positive = x < 0 ? -x : x;
  float t = 1.0f / (1.0f + 0.3275911f * positive);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  float value = 1.0f - p * t * exp_f32(-positive * positive);
  return x < 0 ? -value : value;
}

INLINE double erf_f64(double x) { return erf(x); }

INLINE float sigmoid_f32(float x) { return 1.0f / (1.0f + exp_f32(-x)); }
INLINE double sigmoid_f64(double x) { return 1.0 / (1.0 + exp(-x)); }

INLINE float sqrt_f32(float x) { return __builtin_sqrtf(x); }
INLINE double sqrt_f64(double x) { return __builtin_sqrt(x); }

INLINE float log_f32(float x) { return logf(x); }
INLINE double log_f64(double x) { return log(x); }
INLINE float log1p_f32(float x) { return log1pf(x); }
INLINE double log1p_f64(double x) { return log1p(x); }

// ln(1 + e^x) = max(x, 0) + ln(1 + u) with u = e^-|x|, and ln(1 + u) = 2 · artanh(u / (2 + u)): a series
// in at most 1/9, without a branch so that loops of it vectorise.
INLINE float softplus_f32(float x) {
  float u = exp_f32(x < 0 ? x : -x);
  float z = u / (2.0f + u), square = z * z;
  float p = 1.0f / 15.0f;
  p = p * square + 1.0f / 13.0f;
  p = p * square + 1.0f / 11.0f;
  p = p * square + 1.0f / 9.0f;
  p = p * square + 1.0f / 7.0f;
  p = p * square + 1.0f / 5.0f;
  p = p * square + 1.0f / 3.0f;
  p = p * square + 1.0f;
  return (x > 0 ? x : 0.0f) + 2.0f * z * p;
}
INLINE double softplus_f64(double x) { return x > 40.0 ? x : log1p(exp(x)); }
