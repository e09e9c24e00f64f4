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

/// A loop over elements of which none touches what another one does, although arrays may be the same or lie
/// between each other's rows: the compiler need not find out.
#define EACH(j, width) _Pragma("clang loop vectorize(assume_safety)") for (long j = 0; j < (width); j++)

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
  uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return (uint16_t)((value != value ? bits | 0x400000 : rounded) >> 16);
}

// The largest errors named below were found by sweeping every 37th float; polynomials were fitted for
// the smallest largest error.

// e^x = 2^n · e^r with |r| <= ln 2 / 2. Right to 1.0e-7 of the value between -87.33 and 88.37, 0 below -87.7
// and infinite above: 2^n is made of n's bits, so that n = -127 gives 0 and n = 128 infinity.
INLINE float exp_f32(float x) {
  float bounded = x > 88.5f ? 88.5f : x;
  bounded = bounded < -88.0f ? -88.0f : bounded;
  // Adding 1.5 · 2^23 rounds to a whole number, which stands in the low bits then.
  float shifted = bounded * 1.44269504f + 12582912.0f;
  float n = shifted - 12582912.0f;
  float r = bounded - n * 0.693145752f;
  r = r - n * 1.42860677e-6f;
  float p = 1.3814579e-3f;
  p = p * r + 8.3687259e-3f;
  p = p * r + 4.1668389e-2f;
  p = p * r + 0.16666521f;
  p = p * r + 0.49999994f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * bits_to_float((float_to_bits(shifted) << 23) + 0x3f800000u);
}

INLINE double exp_f64(double x) { return exp(x); }

// e^x - 1 - x: the series near 0, where the difference would lose its digits.
INLINE float exp_rest_f32(float x) {
  float p = 2.0876757e-09f;
  p = p * x + 2.50521084e-08f;
  p = p * x + 2.75573192e-07f;
  p = p * x + 2.75573192e-06f;
  p = p * x + 2.48015873e-05f;
  p = p * x + 0.000198412698f;
  p = p * x + 0.00138888889f;
  p = p * x + 0.00833333333f;
  p = p * x + 0.0416666667f;
  p = p * x + 0.166666667f;
  p = p * x + 0.5f;
  return x > -1.0f && x < 1.0f ? p * x * x : exp_f32(x) - 1.0f - x;
}

INLINE double exp_rest_f64(double x) { return expm1(x) - x; }

// A polynomial near 0, where the quotient would lose digits.
INLINE float tanh_f32(float x) {
  float squared = x * x;
  float p = -5.6669805e-3f;
  p = p * squared + 2.0606181e-2f;
  p = p * squared - 5.3730007e-2f;
  p = p * squared + 0.13331331f;
  p = p * squared - 0.33333278f;
  float far = 1.0f - 2.0f / (exp_f32(2.0f * x) + 1.0f);
  return squared < 0.39f ? p * squared * x + x : far;
}

INLINE double tanh_f64(double x) { return tanh(x); }

// A polynomial near 0; further out 1 - e^q with a polynomial for the logarithm of 1 - erf.
INLINE float erf_f32(float x) {
  float squared = x * x, positive = x < 0 ? -x : x;
  float near = -6.0904823e-4f;
  near = near * squared + 5.0119902e-3f;
  near = near * squared - 2.6778931e-2f;
  near = near * squared + 0.11282142f;
  near = near * squared - 0.37612525f;
  near = near * squared + 1.1283791f;
  float bounded = positive > 4.0f ? 4.0f : positive;
  float q = 2.1415476e-4f;
  q = q * bounded - 3.2164585e-3f;
  q = q * bounded + 2.2895146e-2f;
  q = q * bounded - 0.10527053f;
  q = q * bounded - 0.63571125f;
  q = q * bounded - 1.1285166f;
  float far = 1.0f - exp_f32(q * bounded);
  far = x < 0 ? -far : far;
  return positive < 0.9f ? near * x : far;
}

INLINE double erf_f64(double x) { return erf(x); }

INLINE float sigmoid_f32(float x) { return 1.0f / (1.0f + exp_f32(-x)); }
INLINE double sigmoid_f64(double x) { return 1.0 / (1.0 + exp(-x)); }

INLINE float sqrt_f32(float x) { return __builtin_sqrtf(x); }
INLINE double sqrt_f64(double x) { return __builtin_sqrt(x); }

// What is no number is passed over; with a comparison instead, loops would not vectorise.
INLINE float max_f32(float x, float y) { return __builtin_fmaxf(x, y); }
INLINE double max_f64(double x, double y) { return __builtin_fmax(x, y); }

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
