#include "convolution.h"

#include "loops.h"

#define LOOPS "convolution_loops.h"
#include "each_number.h"

void convolution_forward(const convolution *layer, const convolution_unit *unit, long skipped, void *y,
                         long y_row) {
  DISPATCH(convolution_forward, layer->type, layer, unit, skipped, y, y_row);
}

long convolution_room(const convolution *layer, const convolution_unit *unit) {
  return (layer->kernel + 1) * unit->channels;
}

void convolution_backward(const convolution *layer, const convolution_unit *unit, const void *dy,
                          long dy_row, void *dx, long dx_row, void *weight, long weight_row, void *bias,
                          void *room) {
  DISPATCH(convolution_backward, layer->type, layer, unit, dy, dy_row, dx, dx_row, weight, weight_row,
           bias, room);
}

void convolution_turn(number_type type, const void *from, long rows, long columns, void *to,
                      bool accumulates) {
  DISPATCH(convolution_turn, type, from, rows, columns, to, accumulates);
}
