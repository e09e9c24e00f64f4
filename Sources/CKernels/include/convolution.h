#pragma once

#include "number.h"

/// A causal convolution of each channel by itself: with a kernel of K numbers,
/// z_t = bias + Σ_k weight[k] · x_{t - K + 1 + k}, y = SiLU(z) or z.
typedef struct {
  number_type type;
  long kernel;
  bool activates;
  /// [kernel, channels] and [channels] (null: none), of sums' type.
  const void *weight;
  long weight_row;
  const void *bias;
  /// [rows, channels].
  const void *x;
  long x_row;
} convolution;

/// The rows and channels of one call: rows of one sequence, channels from `first` on.
///
/// `before` holds the kernel - 1 rows before the sequence's first, null where those are zeros.
typedef struct {
  long first_row, rows, first_channel, channels;
  const void *before;
  long before_row;
} convolution_unit;

/// y of the unit's rows from `skipped` on.
void convolution_forward(const convolution *layer, const convolution_unit *unit, long skipped, void *y,
                         long y_row);

/// The numbers of sums' type that a backward call needs room for.
long convolution_room(const convolution *layer);

/// Adds the gradient of x to dx, those of weight and bias to sums of their shapes (null: not wanted).
void convolution_backward(const convolution *layer, const convolution_unit *unit, const void *dy,
                          long dy_row, void *dx, long dx_row, void *weight, long weight_row, void *bias,
                          void *room);

/// to[j, i] = from[i, j], or added to it; both of the layer's sums' type.
void convolution_turn(number_type type, const void *from, long rows, long columns, void *to,
                      bool accumulates);
