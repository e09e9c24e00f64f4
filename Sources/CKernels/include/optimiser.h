#pragma once

#include "number.h"

/// One update of AdamW (Loshchilov and Hutter, arXiv 1711.05101), as torch.optim.AdamW computes it.
typedef struct {
  /// The learning rate divided by 1 − beta1^t.
  double step;
  double beta1, beta2;
  /// √(1 − beta2^t).
  double correction;
  double eps;
  /// 1 − learning rate · weight decay.
  double decay;
  /// The factor on the gradient: clipping.
  double gradient_factor;
} adamw_rule;

/// With g = gradient_factor · gradient: first += (1 − beta1)(g − first), second = beta2 · second +
/// (1 − beta2) g², weight = decay · weight − step · first / (√second / correction + eps).
///
/// The gradient is of the weights' type or of sums' (`wide`). Everything is of one type, but for bfloat16
/// weights, which are either the upper halves of floats, rounded, with `remainder` what they lack
/// (float bits = (weight << 16) + remainder, exactly), and `first` and `second` floats; or, where
/// `remainder` is null, bfloat16 alone as `first` and `second` are: then the weight and `second` are
/// rounded up or down at random, so that on average nothing is lost.
///
/// `seed` differs from update to update, and goes on with the elements where an array is worked on in
/// parts.
void adamw(number_type type, void *weight, int16_t *remainder, const void *gradient, bool wide,
           void *first, void *second, long count, adamw_rule rule, uint32_t seed);

/// The floats that bfloat16 weights and their remainders are.
void join_remainders(const uint16_t *weight, const int16_t *remainder, float *value, long count);

/// The other way.
void split_remainders(const float *value, uint16_t *weight, int16_t *remainder, long count);
