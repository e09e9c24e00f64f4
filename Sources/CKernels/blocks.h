// Products of small matrices in the caller's thread, for layers that work in blocks.
//
// Numbers are of sums' type. Rows in memory have room for a multiple of BLOCK_LANES numbers: the loops
// read and write whole vectors, so what lies between a target's `columns` and the next multiple of
// BLOCK_LANES is overwritten.
#pragma once

#include <stdbool.h>

/// The numbers in the widest vector.
enum { BLOCK_LANES = 16 };

/// Up to the next multiple of BLOCK_LANES.
static inline long block_pad(long count) { return (count + BLOCK_LANES - 1) & -BLOCK_LANES; }

/// Where a product's matrices have zeros that need not be multiplied, or results nobody asks for.
typedef enum {
  BLOCK_WHOLE,
  /// left[i, k] is 0 for k > i.
  BLOCK_LEFT_LOWER,
  /// left[i, k] is 0 for k < i.
  BLOCK_LEFT_UPPER,
  /// Of target[i, j] those with j <= i are wanted, others may be whatever.
  BLOCK_TARGET_LOWER
} block_shape;

/// target = left · right, added to it where `accumulates`.
///
/// left [rows, inner] has element (i, k) at i · left_row + k · left_column, one of which is 1; right is
/// [inner, columns].
typedef struct {
  block_shape shape;
  bool accumulates;
  long rows, inner, columns;
  const void *left;
  long left_row, left_column;
  const void *right;
  long right_row;
  void *target;
  long target_row;
} block_product;

void block_product_f32(const block_product *product);
/// Of floats, of which factors may be rounded to bfloat16 first.
void block_product_bf16(const block_product *product);
void block_product_f64(const block_product *product);
