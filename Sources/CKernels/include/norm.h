#pragma once

#include "number.h"

/// Normalises `count` stretches of `width` numbers: y = (x - mean) · r · (offset + weight) + bias, with
/// r = 1 / √(mean((x - mean)²) + eps), and mean 0 unless `centres`.
///
/// Stretch i is at row i / per_row, `step` numbers apart within a row. `weight` and `bias` may be null;
/// each stretch of a row has its own, `weight_step` numbers apart (0: all the same). x and y may be the
/// same memory. `inverse` receives r, `mean` the means (may be null unless `centres`).
void norm_forward(number_type type, const void *x, long x_row, void *y, long y_row, long first,
                  long count, long per_row, long step, long width, const void *weight,
                  const void *bias, long weight_step, double offset, double eps, bool centres,
                  void *inverse, void *mean);

/// The gradient of x, added to `dx` or stored in it, and sums of the gradients of weight and bias
/// (null where not wanted), which are added to.
///
/// `x` is what was normalised. `dy` and `dx` may be the same memory.
void norm_backward(number_type type, const void *x, long x_row, const void *dy, long dy_row, void *dx,
                   long dx_row, long first, long count, long per_row, long step, long width,
                   const void *weight, long weight_step, double offset, bool centres,
                   const void *inverse, const void *mean, bool accumulates, void *weight_gradient,
                   void *bias_gradient);
