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

/// y = w · f(scale · min(g, limit)) · (clip(u, ±limit) + offset), over rows; limit is infinite for none.
///
/// `weights`, here and below, has a w for each row, of the type of sums; null weights are ones.
void gated_forward(number_type type, activation_kind kind, const void *gate, long gate_row,
                   const void *up, long up_row, void *y, long y_row, long rows, long width,
                   double scale, double limit, double offset, const void *weights);

/// The gradients of gate and up, stored or added, and those of the weights, added (null: not wanted).
void gated_backward(number_type type, activation_kind kind, const void *gate, long gate_row,
                    const void *up, long up_row, const void *dy, long dy_row, void *dgate,
                    long dgate_row, void *dup, long dup_row, long rows, long width, double scale,
                    double limit, double offset, const void *weights, void *weight_gradient,
                    bool accumulates);

/// y = w · f(x).
void activation_forward(number_type type, activation_kind kind, const void *x, long x_row, void *y,
                        long y_row, long rows, long width, const void *weights);

/// dx = w · f'(x) · dy, stored or added, and the gradients of the weights, added (null: not wanted).
void activation_backward(number_type type, activation_kind kind, const void *x, long x_row,
                         const void *dy, long dy_row, void *dx, long dx_row, long rows, long width,
                         const void *weights, void *weight_gradient, bool accumulates);

/// y = positive · x² + beta · x above 0, negative · (e^min(x, eps) - 1 - x) + beta · x elsewhere
/// (arXiv 2411.13010).
void xielu_forward(number_type type, const void *x, long x_row, void *y, long y_row, long rows,
                   long width, double positive, double negative, double beta, double eps);

/// The gradient of x, stored or added; those of `positive` and `negative` are added to two sums.
void xielu_backward(number_type type, const void *x, long x_row, const void *dy, long dy_row, void *dx,
                    long dx_row, long rows, long width, double positive, double negative, double beta,
                    double eps, void *sums, bool accumulates);
