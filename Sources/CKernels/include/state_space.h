#pragma once

#include "number.h"

/// Mamba-2's recurrence (arXiv 2405.21060): with dt = clip(softplus(step + step bias)) and
/// A = -e^decay, a head's state [state, head_size] is S = e^(dt·A) · S + B ⊗ dt·x, its output
/// C · S + skip · x.
///
/// It is computed in chunks: within one by products of matrices, as attention with decaying weights,
/// from one to the next through the state.
typedef struct {
  number_type type;
  long heads, head_size, groups, state;
  /// The rows of a chunk; no change of the result but for rounding.
  long chunk;
  /// The bounds of dt.
  double low, high;
  /// [rows, x of all heads; B of all groups; C of all groups].
  const void *channels;
  long channels_row;
  /// [rows, heads].
  const void *steps;
  long steps_row;
  /// By head, of sums' type.
  const void *decay, *skip, *step_bias;
} state_space;

/// What one call works on: a sequence's rows, and heads that share B and C.
typedef struct {
  long first_row, rows, first_head, heads;
} state_space_unit;

/// The numbers of one head's state in memory.
long state_space_state_size(long state, long head_size);

/// The numbers of sums' type that a call needs room for.
long state_space_forward_room(const state_space *layer, const state_space_unit *unit);
long state_space_backward_room(const state_space *layer, const state_space_unit *unit);

/// y [rows, heads · head_size].
///
/// `states` holds the state of each head before the first row and then that behind the last one; null
/// where a sequence begins with nothing and ends for good.
void state_space_forward(const state_space *layer, const state_space_unit *unit, void *y, long y_row,
                         void *states, void *room);

/// Where the gradients of one unit go.
typedef struct {
  const void *y;
  long y_row;
  /// Like the layer's channels; stored, or added to where `accumulates`. Of B and C only where
  /// `shared` is null.
  void *channels;
  long channels_row;
  bool accumulates;
  /// Where other units have heads of the same group: this one's part of the gradients of B and C,
  /// [the unit's rows, B; C] of sums' type.
  void *shared;
  /// Added to.
  void *steps;
  long steps_row;
  /// By head, of sums' type, added to.
  void *decay, *skip, *step_bias;
} state_space_gradients;

/// The gradients of a sequence that began with nothing.
void state_space_backward(const state_space *layer, const state_space_unit *unit,
                          const state_space_gradients *gradients, void *room);
