#pragma once

#include "number.h"

/// The non-linearities of feed-forward layers.
typedef enum {
  ACTIVATION_IDENTITY,
  ACTIVATION_SILU,
  ACTIVATION_GELU,
  ACTIVATION_GELU_TANH,
  ACTIVATION_RELU,
  ACTIVATION_SQUARED_RELU,
  ACTIVATION_QUICK_GELU,
  ACTIVATION_SIGMOID
} activation_kind;

/// y = f(scale · min(g, limit)) · (clip(u, ±limit) + offset), over rows; limit is infinite for none.
void gated_forward(number_type type, activation_kind kind, const void *gate, long gate_row,
                   const void *up, long up_row, void *y, long y_row, long rows, long width,
                   double scale, double limit, double offset);

/// The gradients of gate and up, stored or added.
void gated_backward(number_type type, activation_kind kind, const void *gate, long gate_row,
                    const void *up, long up_row, const void *dy, long dy_row, void *dgate,
                    long dgate_row, void *dup, long dup_row, long rows, long width, double scale,
                    double limit, double offset, bool accumulates);

/// y = f(x).
void activation_forward(number_type type, activation_kind kind, const void *x, long x_row, void *y,
                        long y_row, long rows, long width);

/// dx = f'(x) · dy, stored or added.
void activation_backward(number_type type, activation_kind kind, const void *x, long x_row,
                         const void *dy, long dy_row, void *dx, long dx_row, long rows, long width,
                         bool accumulates);
