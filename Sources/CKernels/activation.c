#include "activation.h"

#include "loops.h"

#define LOOPS "activation_loops.h"
#include "each_number.h"

void gated_forward(number_type type, activation_kind kind, const void *gate, long gate_row,
                   const void *up, long up_row, void *y, long y_row, long rows, long width,
                   double scale, double limit, double offset, const void *weights) {
  DISPATCH(gated_forward, type, kind, gate, gate_row, up, up_row, y, y_row, rows, width, scale, limit,
           offset, weights);
}

void gated_backward(number_type type, activation_kind kind, const void *gate, long gate_row,
                    const void *up, long up_row, const void *dy, long dy_row, void *dgate,
                    long dgate_row, void *dup, long dup_row, long rows, long width, double scale,
                    double limit, double offset, const void *weights, void *weight_gradient,
                    bool accumulates) {
  DISPATCH(gated_backward, type, kind, gate, gate_row, up, up_row, dy, dy_row, dgate, dgate_row, dup,
           dup_row, rows, width, scale, limit, offset, weights, weight_gradient, accumulates);
}

void activation_forward(number_type type, activation_kind kind, const void *x, long x_row, void *y,
                        long y_row, long rows, long width, const void *weights) {
  DISPATCH(activation_forward, type, kind, x, x_row, y, y_row, rows, width, weights);
}

void activation_backward(number_type type, activation_kind kind, const void *x, long x_row,
                         const void *dy, long dy_row, void *dx, long dx_row, long rows, long width,
                         const void *weights, void *weight_gradient, bool accumulates) {
  DISPATCH(activation_backward, type, kind, x, x_row, dy, dy_row, dx, dx_row, rows, width, weights,
           weight_gradient, accumulates);
}

void xielu_forward(number_type type, const void *x, long x_row, void *y, long y_row, long rows,
                   long width, double positive, double negative, double beta, double eps) {
  DISPATCH(xielu_forward, type, x, x_row, y, y_row, rows, width, positive, negative, beta, eps);
}

void xielu_backward(number_type type, const void *x, long x_row, const void *dy, long dy_row, void *dx,
                    long dx_row, long rows, long width, double positive, double negative, double beta,
                    double eps, void *sums, bool accumulates) {
  DISPATCH(xielu_backward, type, x, x_row, dy, dy_row, dx, dx_row, rows, width, positive, negative, beta,
           eps, sums, accumulates);
}
