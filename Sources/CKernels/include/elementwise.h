#pragma once

#include "number.h"

/// y = a · x + b · y, over rows; y is not read where b is 0.
void axpby(number_type type, double a, const void *x, long x_row, double b, void *y, long y_row,
           long rows, long width);

/// y = x + b · z, over rows.
void add_scaled(number_type type, const void *x, long x_row, double b, const void *z, long z_row,
                void *y, long y_row, long rows, long width);

/// y = x · z, added to y where `accumulates`.
void multiply(number_type type, const void *x, long x_row, const void *z, long z_row, void *y,
              long y_row, long rows, long width, bool accumulates);

/// Adds a row of sums' type to every row of y.
void add_row(number_type type, const void *bias, void *y, long y_row, long rows, long width);

/// Adds the sum of the rows of x to a row of sums' type.
void sum_rows(number_type type, const void *x, long x_row, long rows, long width, void *sum);

/// The sum of squares, in double.
double sum_squares(number_type type, const void *x, long count);

/// Whether all are finite.
bool all_finite(number_type type, const void *x, long x_row, long rows, long width);

/// Converts between types of numbers.
void convert_numbers(number_type from, const void *x, number_type to, void *y, long count);
