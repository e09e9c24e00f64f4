#pragma once

#include "attention.h"
#include "number.h"

/// How pairs of a head turn: pair j are the numbers j · step and j · step + distance.
///
/// Row r of the table, of sums' type, holds the cosines of all pairs and then their sines.
typedef struct {
  const void *table;
  long table_row;
  /// The table's row for each row of heads.
  const int32_t *rows;
  long pairs, step, distance;
} turning;

/// Fills rows of a table of turns, of sums' type: row r holds magnitude · cos(r · f) and then
/// magnitude · sin(r · f) of all frequencies f.
void turning_table(number_type type, const double *frequencies, long pairs, double magnitude,
                   void *table, long table_row, long first, long rows);

/// Turns the leading pairs of heads where they lie, (a, b) ↦ (a · cos - b · sin, b · cos + a · sin), or
/// the other way round, which is its gradient.
void turn_heads(number_type type, const head_place *heads, long count, const turning *turn,
                long first, long rows, bool backward);

/// Multiplies heads where they lie by a factor, of sums' type: factors[row · factor_step].
void scale_heads(number_type type, const head_place *heads, long count, long size,
                 const void *factors, long factor_step, long first, long rows);

/// How heads are normalised: y = (x - mean) · r · (offset + weight) + bias, as of norm.h, each head by
/// itself or all of a row `together`. Weights of the next head begin `weight_step` further.
typedef struct {
  long count, size;
  bool together, centres;
  double eps, offset;
  const void *weight, *bias;
  long weight_step;
} head_norm;

/// Normalises heads into rows where they stand side by side; `inverse` and `mean` receive r and the mean
/// of each head, or of each row.
void head_norm_forward(number_type type, const head_norm *norm, const head_place *heads, void *y,
                       long y_row, long first, long rows, void *inverse, void *mean);

/// Adds to the gradient of the heads, and to those of weights and bias (null where not wanted).
void head_norm_backward(number_type type, const head_norm *norm, const head_place *heads,
                        const void *dy, long dy_row, const head_place *gradient, long first,
                        long rows, const void *inverse, const void *mean, void *weight_gradient,
                        void *bias_gradient);

/// Cuts heads to ±limit, into rows where they stand side by side.
void clip_heads(number_type type, const head_place *heads, long count, long size, double limit,
                void *y, long y_row, long first, long rows);

/// Adds the gradient of what was not cut.
void clip_heads_backward(number_type type, const head_place *heads, long count, long size,
                         double limit, const void *dy, long dy_row, const head_place *gradient,
                         long first, long rows);

/// Writes each of `count` plain heads with the shared one behind it, side by side.
void join_keys(number_type type, const head_place *plain, long count, long plain_size,
               const head_place *shared, long shared_size, void *y, long y_row, long first,
               long rows);

/// Adds to the gradients of the plain heads, and the sum over them to that of the shared one.
void join_keys_backward(number_type type, const void *dy, long dy_row, const head_place *plain,
                        long count, long plain_size, const head_place *shared, long shared_size,
                        long first, long rows);
