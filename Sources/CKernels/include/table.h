#pragma once

#include "number.h"

/// y[i] = scale · table[indices[i]].
void gather_rows(number_type type, const void *table, long table_row, const int32_t *indices,
                 double scale, void *y, long y_row, long rows, long width);

/// target[indices[i]] += scale · x[i], one row after the other.
void scatter_add_rows(number_type type, const void *x, long x_row, const int32_t *indices,
                      double scale, void *target, long target_row, long rows, long width);
