#include "magnitude.h"

#include "loops.h"

#define LOOPS "magnitude_loops.h"
#include "each_number.h"

void scale_columns(number_type type, const void *x, long x_row, const void *c, void *y, long y_row,
                   long rows, long width) {
  DISPATCH(scale_columns, type, x, x_row, c, y, y_row, rows, width);
}

void dot_columns(number_type type, const void *x, long x_row, const void *y, long y_row, long rows,
                 long width, void *sums) {
  DISPATCH(dot_columns, type, x, x_row, y, y_row, rows, width, sums);
}

void row_squares(number_type type, const void *x, long x_row, long rows, long width, void *squares) {
  DISPATCH(row_squares, type, x, x_row, rows, width, squares);
}

void changed_row_norms(number_type type, const void *squares, const void *products, long product_row,
                       const void *b, long b_row, const void *gram, long rank, long rows,
                       void *norms) {
  DISPATCH(changed_row_norms, type, squares, products, product_row, b, b_row, gram, rank, rows, norms);
}
