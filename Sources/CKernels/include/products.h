#pragma once

#include "number.h"

/// A matrix by its strides, so that a transposed one is the same memory seen otherwise.
typedef struct {
  const void *start;
  /// The distance of rows and of columns, in elements; one of them is 1.
  long row, column;
  number_type type;
} operand;

/// Which library computes; products of a few rows are our own with either.
typedef enum {
  /// oneDNN; where it has no such product on this processor, it computes in float32, or OpenBLAS does.
  PRODUCT_ONEDNN = 0,
  /// OpenBLAS, in float32 or float64.
  PRODUCT_OPENBLAS = 1
} product_library;

/// target = left · right, or target += left · right; sums are float, or double for float64.
///
/// left is [rows, inner], right [inner, columns], both of one type; the target, row-major, may be float
/// where they are bfloat16. Returns whether it could be computed.
bool matrix_product(product_library library, operand left, operand right, void *target,
                    long target_row, number_type target_type, long rows, long inner, long columns,
                    bool accumulates);

/// sum += factor · left · right, row-major, by OpenBLAS in the caller's thread.
void single_product(float factor, const float *left, long left_row, const float *right, long right_row,
                    float *sum, long sum_row, long rows, long inner, long columns);

/// Computes from now on as on a processor without instructions for bfloat16, or no longer; for tests.
void products_pretend_old(bool is_old);
