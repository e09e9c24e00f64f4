// The ways to compute a product of matrices, for products.c. Each says whether it could.
#pragma once

#include "products.h"

/// target = left · right, or target += left · right, of so many rows, inner elements and columns.
typedef struct {
  operand left, right;
  void *target;
  long target_row;
  number_type target_type;
  long rows, inner, columns;
  bool accumulates;
} product;

/// oneDNN, spread over the team; float32 and bfloat16, what this processor has instructions for.
bool onednn_product(const product *p);

/// OpenBLAS, or plain loops where it is not installed, spread over the team; float32 and float64.
bool blas_product(const product *p);

/// A few rows times a large matrix that lies [columns, inner], at the speed of memory; float32 and
/// bfloat16.
bool few_rows_product(const product *p);

/// Whether products_pretend_old.
extern bool products_are_old;

/// Where an element of an operand lies.
static inline const void *operand_at(operand matrix, long row, long column) {
  long size = matrix.type == NUMBER_FLOAT64 ? 8 : matrix.type == NUMBER_FLOAT32 ? 4 : 2;
  return (const char *)matrix.start + (row * matrix.row + column * matrix.column) * size;
}

/// Where an element of the target lies.
static inline void *target_at(const product *p, long row, long column) {
  operand target = {p->target, p->target_row, 1, p->target_type};
  return (void *)operand_at(target, row, column);
}
