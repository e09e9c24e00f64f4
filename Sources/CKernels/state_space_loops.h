// Loops of state_space.c over T and A; see state_space.h.
//
// In a chunk s is the running sum of dt · A through each row, G = C · Bᵀ, L[t, j] = e^(s_t - s_j) for
// j <= t, and M = G ∘ L. With X the rows dt · x, S the state before the chunk, S' that behind it:
//   y  = M · X + e^s · (C · S)        S' = e^(s_last) · S + Bᵀ · (e^(s_last - s) · X)
// Gradients, of y and S' given:
//   dX = Mᵀ · dy + e^(s_last - s) · (B · dS')      dS = e^(s_last) · dS' + Cᵀ · (e^s · dy)
//   dG = (dy · Xᵀ) ∘ L, summed over the heads that share B and C
//   dC = dG · B + Σ e^s · (dy · Sᵀ)                dB = dGᵀ · C + Σ e^(s_last - s) · (X · dS'ᵀ)
//   ds_t = Σ_j N[t, j] - Σ_j N[j, t] + e^(s_t) · C_t · S · dy_t - w_t,   N = (dy · Xᵀ) ∘ M off the diagonal,
//          w_t = e^(s_last - s_t) · X_t · (B · dS')_t; of the last row besides e^(s_last) · S · dS' + Σ w
//   d(dt · A)_t = Σ ds from t on
#include "chunk_loops.h"

/// Sizes, and a chunk's rows in sums' type.
typedef struct {
  const state_space *layer;
  const state_space_unit *unit;
  long width, width_pad, state, state_pad, chunk, chunk_pad;
  /// [chunk, state], and Bᵀ [state, chunk].
  A *b, *c, *b_turned;
  /// G [chunk, chunk].
  A *scores;
  /// Of one head: dt · x [chunk, width], M and L [chunk, chunk], and by row.
  A *x, *weights, *between;
  A *steps, *logarithms, *sums, *into, *out;
} NAME(scan);

static NAME(scan) NAME(prepare)(const state_space *layer, const state_space_unit *unit, A **room) {
  NAME(scan) s = {.layer = layer, .unit = unit, .width = layer->head_size, .state = layer->state};
  s.chunk = layer->chunk < unit->rows ? layer->chunk : unit->rows;
  s.width_pad = block_pad(s.width);
  s.state_pad = block_pad(s.state);
  s.chunk_pad = block_pad(s.chunk);
  s.b = NAME(take)(room, s.chunk * s.state_pad);
  s.c = NAME(take)(room, s.chunk * s.state_pad);
  s.b_turned = NAME(take)(room, s.state * s.chunk_pad);
  s.scores = NAME(take)(room, s.chunk * s.chunk_pad);
  s.x = NAME(take)(room, s.chunk * s.width_pad);
  s.weights = NAME(take)(room, s.chunk * s.chunk_pad);
  s.between = NAME(take)(room, s.chunk * s.chunk_pad);
  A **vectors[] = {&s.steps, &s.logarithms, &s.sums, &s.into, &s.out};
  for (int i = 0; i < 5; i++) *vectors[i] = NAME(take)(room, s.chunk_pad);
  return s;
}

/// The first column of B (0) or C (1) of the unit's heads.
INLINE long NAME(shared_column)(const NAME(scan) * s, int which) {
  const state_space *p = s->layer;
  long group = s->unit->first_head / (p->heads / p->groups);
  return p->heads * p->head_size + (which * p->groups + group) * p->state;
}

INLINE const T *NAME(channel)(const NAME(scan) * s, long row, long column) {
  return (const T *)s->layer->channels + row * s->layer->channels_row + column;
}

static void NAME(load_shared)(NAME(scan) * s, long row, long rows) {
  long step = s->layer->channels_row;
  NAME(load)(NAME(channel)(s, row, NAME(shared_column)(s, 0)), step, rows, s->state, s->b, s->state_pad);
  NAME(load)(NAME(channel)(s, row, NAME(shared_column)(s, 1)), step, rows, s->state, s->c, s->state_pad);
}

static void NAME(score)(NAME(scan) * s, long rows) {
  NAME(turn)(s->b, s->state_pad, rows, s->state, s->b_turned, s->chunk_pad);
  NAME(product)(BLOCK_TARGET_LOWER, rows, s->state, rows, s->c, s->state_pad, 1, s->b_turned,
                s->chunk_pad, s->scores, s->chunk_pad, false);
}

/// A head's dt, and dt · x.
KERNEL static void NAME(load_head)(NAME(scan) * s, long row, long rows, long head) {
  const state_space *p = s->layer;
  const T *raw = (const T *)p->steps + row * p->steps_row + head;
  A bias = ((const A *)p->step_bias)[head], rate = -MATH(exp)(((const A *)p->decay)[head]);
  A low = (A)p->low, high = (A)p->high;
  for (long i = 0; i < rows; i++) s->steps[i] = LOAD(raw[i * p->steps_row]) + bias;
  for (long i = 0; i < rows; i++) {
    A step = MATH(softplus)(s->steps[i]);
    step = step < low ? low : step > high ? high : step;
    s->steps[i] = step;
    s->logarithms[i] = step * rate;
  }
  NAME(decays)(s->logarithms, rows, s->sums, s->into, s->out);
  const T *x = NAME(channel)(s, row, head * s->width);
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < s->width; j++)
      s->x[i * s->width_pad + j] = s->steps[i] * LOAD(x[i * p->channels_row + j]);
}

KERNEL static void NAME(weigh)(NAME(scan) * s, long rows) {
  NAME(decay_between)(s->sums, rows, s->between, s->chunk_pad);
  for (long i = 0; i < rows; i++) {
    long row = i * s->chunk_pad;
    for (long j = 0; j <= i; j++) s->weights[row + j] = s->scores[row + j] * s->between[row + j];
    for (long j = i + 1; j < rows; j++) s->weights[row + j] = 0;
  }
}

/// The state behind a chunk from that before it (null: nothing); changes x.
KERNEL static void NAME(advance)(NAME(scan) * s, long rows, const A *from, A *to) {
  long size = s->state * s->width_pad;
  NAME(scale_rows)(s->x, s->width_pad, rows, s->width, s->out);
  if (from)
    for (long i = 0; i < size; i++) to[i] = s->into[rows - 1] * from[i];
  NAME(product)(BLOCK_WHOLE, s->state, rows, s->width, s->b, 1, s->state_pad, s->x, s->width_pad, to,
                s->width_pad, from != 0);
}

/// y = output + skip · x.
KERNEL static void NAME(add_skip)(const NAME(scan) * s, const T *x, long rows, A skip, const A *output,
                                  T *y, long y_row) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < s->width; j++)
      y[i * y_row + j] =
          STORE(output[i * s->width_pad + j] + skip * LOAD(x[i * s->layer->channels_row + j]));
}

static void NAME(state_space_forward)(const state_space *p, const state_space_unit *u, T *y,
                                             long y_row, A *states, A *room) {
  NAME(scan) s = NAME(prepare)(p, u, &room);
  A *output = NAME(take)(&room, s.chunk * s.width_pad);
  long size = s.state * s.width_pad;
  A *own = states ? states + u->first_head * size : NAME(take)(&room, u->heads * size);
  for (long first = 0; first < u->rows; first += s.chunk) {
    long rows = u->rows - first < s.chunk ? u->rows - first : s.chunk, row = u->first_row + first;
    bool continues = first > 0 || states;
    NAME(load_shared)(&s, row, rows);
    NAME(score)(&s, rows);
    for (long h = 0; h < u->heads; h++) {
      long head = u->first_head + h;
      A *state = own + h * size, skip = ((const A *)p->skip)[head];
      NAME(load_head)(&s, row, rows, head);
      NAME(weigh)(&s, rows);
      if (continues) {
        NAME(product)(BLOCK_WHOLE, rows, s.state, s.width, s.c, s.state_pad, 1, state, s.width_pad,
                      output, s.width_pad, false);
        NAME(scale_rows)(output, s.width_pad, rows, s.width, s.into);
      }
      NAME(product)(BLOCK_LEFT_LOWER, rows, rows, s.width, s.weights, s.chunk_pad, 1, s.x, s.width_pad,
                    output, s.width_pad, continues);
      NAME(add_skip)(&s, NAME(channel)(&s, row, head * s.width), rows, skip, output,
                     y + row * y_row + head * s.width, y_row);
      if (states || first + rows < u->rows) NAME(advance)(&s, rows, continues ? state : 0, state);
    }
  }
}

#include "state_space_returns.h"
