#include "delta_rule.h"

#include "blocks.h"
#include "chunks.h"
#include "loops.h"

#define LOOPS "delta_rule_loops.h"
#include "each_number.h"

long delta_rule_state_size(long key_size, long value_size) { return key_size * block_pad(value_size); }

static long states_of(const delta_rule *layer) {
  return layer->value_heads / layer->key_heads *
         delta_rule_state_size(layer->key_size, layer->value_size);
}

static long chunk_length(const delta_rule *layer, const delta_rule_unit *unit) {
  return layer->chunk < unit->rows ? layer->chunk : unit->rows;
}

/// Each part of the room is rounded up by itself.
enum { ROUNDING = 64 * BLOCK_LANES };

/// What both directions need.
static long chunk_room(const delta_rule *layer, long chunk) {
  long key = block_pad(layer->key_size), value = block_pad(layer->value_size), pad = block_pad(chunk);
  return 2 * chunk * key + 2 * chunk * value + layer->key_size * pad + 5 * chunk * pad + 7 * pad +
         ROUNDING;
}

long delta_rule_forward_room(const delta_rule *layer, const delta_rule_unit *unit) {
  long chunk = chunk_length(layer, unit);
  return chunk_room(layer, chunk) + chunk * block_pad(layer->value_size) + states_of(layer);
}

long delta_rule_backward_room(const delta_rule *layer, const delta_rule_unit *unit) {
  long chunk = chunk_length(layer, unit), pad = block_pad(chunk);
  long key = block_pad(layer->key_size), value = block_pad(layer->value_size);
  // One more that comes back.
  long states = chunk_states((unit->rows + chunk - 1) / chunk) + 1;
  return chunk_room(layer, chunk) + 2 * chunk * key + 3 * layer->key_size * pad + 3 * chunk * pad +
         4 * chunk * value + layer->value_size * pad + 2 * pad + states * states_of(layer);
}

void delta_rule_forward(const delta_rule *layer, const delta_rule_unit *unit, void *y, long y_row,
                        void *states, void *room) {
  DISPATCH(delta_rule_forward, layer->type, layer, unit, y, y_row, states, room);
}

void delta_rule_backward(const delta_rule *layer, const delta_rule_unit *unit,
                         const delta_rule_gradients *gradients, void *room) {
  DISPATCH(delta_rule_backward, layer->type, layer, unit, gradients, room);
}
