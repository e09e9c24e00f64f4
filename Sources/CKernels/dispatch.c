#include "dispatch.h"

#include "loops.h"

#define LOOPS "dispatch_loops.h"
#include "each_number.h"

void take_rows(number_type type, const void *x, long x_row, const int32_t *indices,
               const void *weights, void *y, long y_row, long rows, long width) {
  DISPATCH(take_rows, type, x, x_row, indices, weights, y, y_row, rows, width);
}

void combine_rows(number_type type, const void *x, long x_row, const int32_t *places, void *y,
                  long y_row, long rows, long per_row, long width, bool accumulates) {
  DISPATCH(combine_rows, type, x, x_row, places, y, y_row, rows, per_row, width, accumulates);
}

void multiply_rows(number_type type, const void *x, long x_row, const int32_t *indices,
                   const void *y, long y_row, void *products, long rows, long width) {
  DISPATCH(multiply_rows, type, x, x_row, indices, y, y_row, products, rows, width);
}

void add_weighted_row(number_type type, const void *bias, const void *weights, void *y, long y_row,
                      long rows, long width) {
  DISPATCH(add_weighted_row, type, bias, weights, y, y_row, rows, width);
}

void sum_weighted_rows(number_type type, const void *x, long x_row, const void *weights, long rows,
                       long width, void *sum) {
  DISPATCH(sum_weighted_rows, type, x, x_row, weights, rows, width, sum);
}

void multiply_by_row(number_type type, const void *x, long x_row, const void *row, void *products,
                     long rows, long width) {
  DISPATCH(multiply_by_row, type, x, x_row, row, products, rows, width);
}
