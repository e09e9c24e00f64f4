#pragma once

#include "number.h"

/// y[i] = weights[i] · x[indices[i]], zeros where the index is negative; null weights are ones.
void take_rows(number_type type, const void *x, long x_row, const int32_t *indices,
               const void *weights, void *y, long y_row, long rows, long width);

/// y[i] = the sum of x[places[i · per_row + s]] over s < per_row, stored or added.
void combine_rows(number_type type, const void *x, long x_row, const int32_t *places, void *y,
                  long y_row, long rows, long per_row, long width, bool accumulates);

/// products[i] += x[indices[i]] · y[i], a product of vectors; none where the index is negative.
void multiply_rows(number_type type, const void *x, long x_row, const int32_t *indices,
                   const void *y, long y_row, void *products, long rows, long width);

/// y[i] += weights[i] · bias.
void add_weighted_row(number_type type, const void *bias, const void *weights, void *y, long y_row,
                      long rows, long width);

/// sum += Σ weights[i] · x[i], a row of the type of sums.
void sum_weighted_rows(number_type type, const void *x, long x_row, const void *weights, long rows,
                       long width, void *sum);

/// products[i] += x[i] · row, a product of vectors with a row of the type of sums.
void multiply_by_row(number_type type, const void *x, long x_row, const void *row, void *products,
                     long rows, long width);
