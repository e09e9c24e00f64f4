#include "state_space.h"

#include "blocks.h"
#include "chunks.h"
#include "loops.h"

#define LOOPS "state_space_loops.h"
#include "each_number.h"

long state_space_state_size(long state, long head_size) { return state * block_pad(head_size); }

static long states_of(const state_space *layer, const state_space_unit *unit) {
  return unit->heads * state_space_state_size(layer->state, layer->head_size);
}

/// What both directions need: B, C, Bᵀ, G, M, L, x, and numbers by row.
static long chunk_room(const state_space *layer, long chunk) {
  long width = block_pad(layer->head_size), state = block_pad(layer->state), pad = block_pad(chunk);
  return 2 * chunk * state + layer->state * pad + 3 * chunk * pad + chunk * width + 5 * pad;
}

static long chunk_length(const state_space *layer, const state_space_unit *unit) {
  return layer->chunk < unit->rows ? layer->chunk : unit->rows;
}

/// Each part of the room is rounded up by itself.
enum { ROUNDING = 64 * BLOCK_LANES };

long state_space_forward_room(const state_space *layer, const state_space_unit *unit) {
  long chunk = chunk_length(layer, unit), width = block_pad(layer->head_size);
  return chunk_room(layer, chunk) + chunk * width + states_of(layer, unit) +
         ROUNDING;
}

long state_space_backward_room(const state_space *layer, const state_space_unit *unit) {
  long chunk = chunk_length(layer, unit), pad = block_pad(chunk);
  long width = block_pad(layer->head_size), state = block_pad(layer->state);
  // One more that comes back.
  long states = chunk_states((unit->rows + chunk - 1) / chunk) + 1;
  return chunk_room(layer, chunk) + 2 * chunk * state + 3 * layer->state * pad + 2 * chunk * pad +
         2 * layer->head_size * pad + 3 * chunk * width + 2 * pad +
         states * states_of(layer, unit) + ROUNDING;
}

void state_space_forward(const state_space *layer, const state_space_unit *unit, void *y, long y_row,
                         void *states, void *room) {
  DISPATCH(state_space_forward, layer->type, layer, unit, y, y_row, states, room);
}

void state_space_backward(const state_space *layer, const state_space_unit *unit,
                          const state_space_gradients *gradients, void *room) {
  DISPATCH(state_space_backward, layer->type, layer, unit, gradients, room);
}
