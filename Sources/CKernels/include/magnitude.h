#pragma once

#include "number.h"

/// y = x · c, each column by its factor; x and y may be the same memory. c is of sums' type.
void scale_columns(number_type type, const void *x, long x_row, const void *c, void *y, long y_row,
                   long rows, long width);

/// sums[j] += Σ_i x[i][j] · y[i][j]; sums are of sums' type.
void dot_columns(number_type type, const void *x, long x_row, const void *y, long y_row, long rows,
                 long width, void *sums);

/// squares[i] = Σ_j x[i][j]², of sums' type.
void row_squares(number_type type, const void *x, long x_row, long rows, long width, void *squares);

/// norms[i] = ‖w_i + b_i · A‖, from squares[i] = ‖w_i‖²,
/// products[i] = A · w_i and gram = A · Aᵀ, both [.., rank]. All but b are of sums' type.
void changed_row_norms(number_type type, const void *squares, const void *products, long product_row,
                       const void *b, long b_row, const void *gram, long rank, long rows,
                       void *norms);
