#pragma once

#include "number.h"

/// How a gate g and an RMS norm follow each other: with s = SiLU(g) and r = 1 / rms,
typedef enum {
  /// r(x · s) · x · s · w
  GATE_THEN_NORM,
  /// r(x) · x · w · s
  NORM_THEN_GATE,
  /// x · s
  GATE_ALONE
} gated_norm_kind;

/// Rows of `stretches` stretches of `width` numbers, each normed by itself.
typedef struct {
  number_type type;
  gated_norm_kind kind;
  long stretches, width;
  double eps;
  /// Added to the weights.
  double offset;
  /// Of sums' type; stretch i of a row has those from i · weight_step on.
  const void *weight;
  long weight_step;
  const void *x;
  long x_row;
  const void *gate;
  long gate_row;
} gated_norm;

/// y of `rows` rows from `first` on.
void gated_norm_forward(const gated_norm *layer, long first, long rows, void *y, long y_row);

/// Stores the gradient of x (or adds it), adds those of the gate and, where not null, of the weight.
void gated_norm_backward(const gated_norm *layer, long first, long rows, const void *dy, long dy_row,
                         void *dx, long dx_row, bool accumulates, void *dgate, long dgate_row,
                         void *weight);
