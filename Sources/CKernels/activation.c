#include "activation.h"

#include "loops.h"

#define LOOPS "activation_loops.h"
#include "each_number.h"

void gated_forward(number_type type, activation_kind kind, const void *gate, long gate_row,
                   const void *up, long up_row, void *y, long y_row, long rows, long width,
                   double scale, double limit, double offset) {
  DISPATCH(gated_forward, type, kind, gate, gate_row, up, up_row, y, y_row, rows, width, scale, limit,
           offset);
}

void gated_backward(number_type type, activation_kind kind, const void *gate, long gate_row,
                    const void *up, long up_row, const void *dy, long dy_row, void *dgate,
                    long dgate_row, void *dup, long dup_row, long rows, long width, double scale,
                    double limit, double offset, bool accumulates) {
  DISPATCH(gated_backward, type, kind, gate, gate_row, up, up_row, dy, dy_row, dgate, dgate_row, dup,
           dup_row, rows, width, scale, limit, offset, accumulates);
}

void activation_forward(number_type type, activation_kind kind, const void *x, long x_row, void *y,
                        long y_row, long rows, long width) {
  DISPATCH(activation_forward, type, kind, x, x_row, y, y_row, rows, width);
}

void activation_backward(number_type type, activation_kind kind, const void *x, long x_row,
                         const void *dy, long dy_row, void *dx, long dx_row, long rows, long width,
                         bool accumulates) {
  DISPATCH(activation_backward, type, kind, x, x_row, dy, dy_row, dx, dx_row, rows, width, accumulates);
}
