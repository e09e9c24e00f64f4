#pragma once

#include "number.h"

/// y = x / (1 - share) where an element is kept, else 0; with `adds` that is added to y.
///
/// Which elements are kept depends on the seed, the stream, the row and the column alone: an element is dropped where
/// its word of Philox is below share · 2^32. `first` is the number of the first row; x and y may be the same memory.
void drop_elements(number_type type, uint64_t seed, uint64_t stream, long first, double share,
                   const void *x, long x_row, void *y, long y_row, long rows, long width, int adds);
