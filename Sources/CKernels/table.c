#include "table.h"

#include "loops.h"

#define LOOPS "table_loops.h"
#include "each_number.h"

void gather_rows(number_type type, const void *table, long table_row, const int32_t *indices,
                 double scale, void *y, long y_row, long rows, long width) {
  DISPATCH(gather_rows, type, table, table_row, indices, scale, y, y_row, rows, width);
}

void scatter_add_rows(number_type type, const void *x, long x_row, const int32_t *indices,
                      double scale, void *target, long target_row, long rows, long width) {
  DISPATCH(scatter_add_rows, type, x, x_row, indices, scale, target, target_row, rows, width);
}
