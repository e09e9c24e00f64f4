#pragma once

#include "number.h"

/// The gated delta rule (arXiv 2412.06464): with β = sigmoid(b), g = -e^decay · softplus(a + step bias),
/// and q and k divided by √(their squares' sum + eps), q by √key_size besides, a value head's state
/// [key_size, value_size] is S = e^g · S, then S = S + k ⊗ β · (v - Sᵀ · k); its output is Sᵀ · q.
///
/// It is computed in chunks, within one by products of matrices and a triangular system.
typedef struct {
  number_type type;
  /// Key head i serves the value heads from i · value_heads / key_heads on.
  long key_heads, value_heads, key_size, value_size;
  /// The rows of a chunk; no change of the result but for rounding.
  long chunk;
  double eps;
  /// [rows, q of all key heads; k of all key heads; v of all value heads].
  const void *channels;
  long channels_row;
  /// [rows, b of all value heads; a of all value heads].
  const void *gates;
  long gates_row;
  /// By value head, of sums' type.
  const void *decay, *step_bias;
} delta_rule;

/// What one call works on: a sequence's rows, and a key head with the value heads it serves.
typedef struct {
  long first_row, rows, key_head;
} delta_rule_unit;

/// The numbers of one value head's state in memory.
long delta_rule_state_size(long key_size, long value_size);

/// The numbers of sums' type that a call needs room for.
long delta_rule_forward_room(const delta_rule *layer, const delta_rule_unit *unit);
long delta_rule_backward_room(const delta_rule *layer, const delta_rule_unit *unit);

/// y [rows, value_heads · value_size].
///
/// `states` holds the state of each value head before the first row and then that behind the last one;
/// null where a sequence begins with nothing and ends for good.
void delta_rule_forward(const delta_rule *layer, const delta_rule_unit *unit, void *y, long y_row,
                        void *states, void *room);

/// Where the gradients of one unit go.
typedef struct {
  const void *y;
  long y_row;
  /// Like the layer's channels; stored, or added to where `accumulates`.
  void *channels;
  long channels_row;
  bool accumulates;
  /// Like the layer's gates; added to.
  void *gates;
  long gates_row;
  /// By value head, of sums' type, added to.
  void *decay, *step_bias;
} delta_rule_gradients;

/// The gradients of a sequence that began with nothing.
void delta_rule_backward(const delta_rule *layer, const delta_rule_unit *unit,
                         const delta_rule_gradients *gradients, void *room);
