// The way back of state_space_loops.h, whose first lines have the formulas.

/// What comes back in a chunk, besides the chunk itself.
typedef struct {
  /// Gradients of B and C [chunk, state], and the states' part of them turned [state, chunk].
  A *b, *c, *b_turned, *c_turned, *c_values;
  /// Of G, summed over heads, and of M of one head [chunk, chunk].
  A *scores, *weights;
  /// Of one head: dy and dt · x turned [width, chunk]; dy, the gradient of dt · x, B · dS' [chunk, width].
  A *y_turned, *x_turned, *y, *x, *through;
  /// By row: of s.
  A *sums, *rows;
  /// Of the state behind the chunk: [heads, state, width].
  A *states;
} NAME(returns);

static NAME(returns) NAME(prepare_returns)(const NAME(scan) * s, A **room) {
  NAME(returns) r = {0};
  A **by_state[] = {&r.b, &r.c}, **turned[] = {&r.b_turned, &r.c_turned, &r.c_values};
  for (int i = 0; i < 2; i++) *by_state[i] = NAME(take)(room, s->chunk * s->state_pad);
  for (int i = 0; i < 3; i++) *turned[i] = NAME(take)(room, s->state * s->chunk_pad);
  A **square[] = {&r.scores, &r.weights}, **tall[] = {&r.y_turned, &r.x_turned};
  for (int i = 0; i < 2; i++) *square[i] = NAME(take)(room, s->chunk * s->chunk_pad);
  for (int i = 0; i < 2; i++) *tall[i] = NAME(take)(room, s->width * s->chunk_pad);
  A **wide[] = {&r.y, &r.x, &r.through}, **vectors[] = {&r.sums, &r.rows};
  for (int i = 0; i < 3; i++) *wide[i] = NAME(take)(room, s->chunk * s->width_pad);
  for (int i = 0; i < 2; i++) *vectors[i] = NAME(take)(room, s->chunk_pad);
  r.states = NAME(take)(room, s->unit->heads * s->state * s->width_pad);
  return r;
}

/// The gradients of M's parts: adds to that of G, begins that of s.
KERNEL static void NAME(return_weights)(const NAME(scan) * s, NAME(returns) * r, long rows) {
  NAME(product)(BLOCK_TARGET_LOWER, rows, s->width, rows, r->y, s->width_pad, 1, r->x_turned,
                s->chunk_pad, r->weights, s->chunk_pad, false);
  for (long i = 0; i < rows; i++) r->sums[i] = 0;
  for (long i = 0; i < rows; i++) {
    long first = i * s->chunk_pad;
    for (long j = 0; j <= i; j++)
      r->scores[first + j] += r->weights[first + j] * s->between[first + j];
    NAME(return_decays)(r->weights + first, s->weights + first, i, r->sums);
  }
}

/// The gradients that come through the state before the chunk: of C and of s.
KERNEL static void NAME(return_output)(const NAME(scan) * s, NAME(returns) * r, long rows, const A *state,
                                const A *c_turned) {
  NAME(product)(BLOCK_WHOLE, s->state, s->width, rows, state, s->width_pad, 1, r->y_turned, s->chunk_pad,
                r->c_values, s->chunk_pad, false);
  for (long i = 0; i < rows; i++) r->rows[i] = 0;
  for (long n = 0; n < s->state; n++) {
    const A *values = r->c_values + n * s->chunk_pad, *c = c_turned + n * s->chunk_pad;
    A *sum = r->c_turned + n * s->chunk_pad;
    for (long i = 0; i < rows; i++) {
      A value = values[i] * s->into[i];
      sum[i] += value;
      r->rows[i] += value * c[i];
    }
  }
  for (long i = 0; i < rows; i++) r->sums[i] += r->rows[i];
}

/// The gradients that come through the state behind the chunk: of dt · x, of B and of s.
KERNEL static void NAME(return_state)(const NAME(scan) * s, NAME(returns) * r, long rows, const A *above) {
  NAME(product)(BLOCK_WHOLE, rows, s->state, s->width, s->b, s->state_pad, 1, above, s->width_pad,
                r->through, s->width_pad, false);
  for (long i = 0; i < rows; i++) {
    A *to = r->x + i * s->width_pad;
    const A *through = r->through + i * s->width_pad, *x = s->x + i * s->width_pad;
    A sum = 0;
    for (long j = 0; j < s->width; j++) {
      A value = s->out[i] * through[j];
      to[j] += value;
      sum += value * x[j];
    }
    r->sums[i] -= sum;
    r->sums[rows - 1] += sum;
  }
  for (long j = 0; j < s->width; j++) {
    A *x = r->x_turned + j * s->chunk_pad;
    for (long i = 0; i < rows; i++) x[i] *= s->out[i];
  }
  NAME(product)(BLOCK_WHOLE, s->state, s->width, rows, above, s->width_pad, 1, r->x_turned, s->chunk_pad,
                r->b_turned, s->chunk_pad, true);
}

/// From the gradients of y and dt · x, those of x, dt, and the head's own numbers.
KERNEL static void NAME(return_head)(const NAME(scan) * s, NAME(returns) * r,
                              const state_space_gradients *g, long row, long rows, long head) {
  const state_space *p = s->layer;
  A rate = -MATH(exp)(((const A *)p->decay)[head]), skip = ((const A *)p->skip)[head];
  A bias = ((const A *)p->step_bias)[head];
  A decay_sum = 0, skip_sum = 0, bias_sum = 0, rest = 0;
  for (long i = rows - 1; i >= 0; i--) r->sums[i] = rest += r->sums[i];
  for (long i = 0; i < rows; i++) {
    const T *x = NAME(channel)(s, row + i, head * s->width);
    A *dx = r->x + i * s->width_pad;
    const A *dy = r->y + i * s->width_pad;
    A step_sum = 0;
    for (long j = 0; j < s->width; j++) {
      A value = LOAD(x[j]);
      step_sum += value * dx[j];
      skip_sum += value * dy[j];
      dx[j] = s->steps[i] * dx[j] + skip * dy[j];
    }
    NAME(put)((T *)g->channels + (row + i) * g->channels_row + head * s->width, dx, s->width,
              g->accumulates);
    decay_sum += s->steps[i] * r->sums[i];
    A input = LOAD(((const T *)p->steps)[(row + i) * p->steps_row + head]) + bias;
    A step = MATH(softplus)(input);
    bool passes = step >= (A)p->low && step <= (A)p->high;
    A gradient = passes ? (step_sum + rate * r->sums[i]) * MATH(sigmoid)(input) : 0;
    bias_sum += gradient;
    T *to = (T *)g->steps + (row + i) * g->steps_row + head;
    *to = STORE(LOAD(*to) + gradient);
  }
  ((A *)g->decay)[head] += decay_sum * rate;
  ((A *)g->skip)[head] += skip_sum;
  ((A *)g->step_bias)[head] += bias_sum;
}

/// The gradients of B and C, when all heads of the chunk have been there.
KERNEL static void NAME(return_shared)(const NAME(scan) * s, NAME(returns) * r,
                                const state_space_gradients *g, long row, long rows) {
  NAME(turn)(r->b_turned, s->chunk_pad, s->state, rows, r->b, s->state_pad);
  NAME(turn)(r->c_turned, s->chunk_pad, s->state, rows, r->c, s->state_pad);
  NAME(product)(BLOCK_LEFT_UPPER, rows, rows, s->state, r->scores, 1, s->chunk_pad, s->c, s->state_pad,
                r->b, s->state_pad, true);
  NAME(product)(BLOCK_LEFT_LOWER, rows, rows, s->state, r->scores, s->chunk_pad, 1, s->b, s->state_pad,
                r->c, s->state_pad, true);
  for (long i = 0; i < rows; i++) {
    const A *from[] = {r->b + i * s->state_pad, r->c + i * s->state_pad};
    for (int which = 0; which < 2; which++) {
      if (g->shared) {
        A *to = (A *)g->shared + (row + i - s->unit->first_row) * 2 * s->state + which * s->state;
        for (long n = 0; n < s->state; n++) to[n] = from[which][n];
      } else {
        T *to = (T *)g->channels + (row + i) * g->channels_row + NAME(shared_column)(s, which);
        NAME(put)(to, from[which], s->state, g->accumulates);
      }
    }
  }
}

/// A call that goes backwards.
typedef struct {
  NAME(scan) scan;
  NAME(returns) returns;
  const state_space_gradients *gradients;
} NAME(way_back);

/// One chunk's gradients; see `walk_back`.
static void NAME(return_chunk)(NAME(way_back) * way, long row, long rows, const A *before, bool is_last) {
  NAME(scan) *s = &way->scan;
  NAME(returns) *r = &way->returns;
  const state_space_gradients *g = way->gradients;
  long size = s->state * s->width_pad;
  NAME(load_shared)(s, row, rows);
  NAME(score)(s, rows);
  // Bᵀ has served; Cᵀ takes its place.
  A *c_turned = s->b_turned;
  NAME(turn)(s->c, s->state_pad, rows, s->state, c_turned, s->chunk_pad);
  memset(r->scores, 0, (size_t)(s->chunk * s->chunk_pad) * sizeof(A));
  memset(r->b_turned, 0, (size_t)(s->state * s->chunk_pad) * sizeof(A));
  memset(r->c_turned, 0, (size_t)(s->state * s->chunk_pad) * sizeof(A));
  for (long h = 0; h < s->unit->heads; h++) {
    long head = s->unit->first_head + h;
    A *state = r->states + h * size;
    NAME(load_head)(s, row, rows, head);
    NAME(weigh)(s, rows);
    NAME(load)((const T *)g->y + row * g->y_row + head * s->width, g->y_row, rows, s->width, r->y,
               s->width_pad);
    NAME(turn)(r->y, s->width_pad, rows, s->width, r->y_turned, s->chunk_pad);
    NAME(turn)(s->x, s->width_pad, rows, s->width, r->x_turned, s->chunk_pad);
    NAME(return_weights)(s, r, rows);
    NAME(product)(BLOCK_LEFT_UPPER, rows, rows, s->width, s->weights, 1, s->chunk_pad, r->y,
                  s->width_pad, r->x, s->width_pad, false);
    if (!is_last) NAME(return_state)(s, r, rows, state);
    if (before) {
      const A *from = before + h * size;
      NAME(return_output)(s, r, rows, from, c_turned);
      if (!is_last) r->sums[rows - 1] += NAME(decay_state)(from, state, s->width_pad, s->state,
                                                              s->width, s->into[rows - 1]);
    }
    NAME(return_head)(s, r, g, row, rows, head);
    if (before) {
      NAME(scale_rows)(r->y, s->width_pad, rows, s->width, s->into);
      NAME(product)(BLOCK_WHOLE, s->state, rows, s->width, s->c, 1, s->state_pad, r->y, s->width_pad,
                    state, s->width_pad, !is_last);
    }
  }
  NAME(return_shared)(s, r, g, row, rows);
}

/// Sets the states of all heads behind a chunk from those before it; see `walk_back`.
static void NAME(advance_all)(NAME(way_back) * way, long row, long rows, const A *from, A *to) {
  NAME(scan) *s = &way->scan;
  long size = s->state * s->width_pad;
  NAME(load)(NAME(channel)(s, row, NAME(shared_column)(s, 0)), s->layer->channels_row, rows, s->state,
             s->b, s->state_pad);
  for (long h = 0; h < s->unit->heads; h++) {
    NAME(load_head)(s, row, rows, s->unit->first_head + h);
    NAME(advance)(s, rows, from ? from + h * size : 0, to + h * size);
  }
}

static void NAME(state_space_backward)(const state_space *p, const state_space_unit *u,
                                              const state_space_gradients *g, A *room) {
  NAME(way_back) way = {.scan = NAME(prepare)(p, u, &room), .gradients = g};
  way.returns = NAME(prepare_returns)(&way.scan, &room);
  const NAME(scan) *s = &way.scan;
  WALK_BACK(&way, u->first_row, u->rows, s->chunk, u->heads * s->state * s->width_pad, room);
}
