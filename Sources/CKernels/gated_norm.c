#include "gated_norm.h"

#include "loops.h"

#define LOOPS "gated_norm_loops.h"
#include "each_number.h"

void gated_norm_forward(const gated_norm *layer, long first, long rows, void *y, long y_row) {
  DISPATCH(gated_norm_forward, layer->type, layer, first, rows, y, y_row);
}

void gated_norm_backward(const gated_norm *layer, long first, long rows, const void *dy, long dy_row,
                         void *dx, long dx_row, bool accumulates, void *dgate, long dgate_row,
                         void *weight) {
  DISPATCH(gated_norm_backward, layer->type, layer, first, rows, dy, dy_row, dx, dx_row, accumulates,
           dgate, dgate_row, weight);
}
