#include "dropout.h"

#include "loops.h"
#include "philox.h"

#define LOOPS "dropout_loops.h"
#include "each_number.h"

void drop_elements(number_type type, uint64_t seed, uint64_t stream, long first, double share,
                   const void *x, long x_row, void *y, long y_row, long rows, long width, int adds) {
  DISPATCH(drop_elements, type, seed, stream, first, share, x, x_row, y, y_row, rows, width, adds);
}
