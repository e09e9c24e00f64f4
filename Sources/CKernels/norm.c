#include "norm.h"

#include "loops.h"

#define LOOPS "norm_loops.h"
#include "each_number.h"

void norm_forward(number_type type, const void *x, long x_row, void *y, long y_row, long first,
                  long count, long per_row, long step, long width, const void *weight,
                  const void *bias, long weight_step, double offset, double eps, bool centres,
                  void *inverse, void *mean) {
  DISPATCH(norm_forward, type, x, x_row, y, y_row, first, count, per_row, step, width, weight, bias,
           weight_step, offset, eps, centres, inverse, mean);
}

void norm_backward(number_type type, const void *x, long x_row, const void *dy, long dy_row, void *dx,
                   long dx_row, long first, long count, long per_row, long step, long width,
                   const void *weight, long weight_step, double offset, bool centres,
                   const void *inverse, const void *mean, bool accumulates, void *weight_gradient,
                   void *bias_gradient) {
  DISPATCH(norm_backward, type, x, x_row, dy, dy_row, dx, dx_row, first, count, per_row, step, width,
           weight, weight_step, offset, centres, inverse, mean, accumulates, weight_gradient,
           bias_gradient);
}
