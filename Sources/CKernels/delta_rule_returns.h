// The way back of delta_rule_loops.h, whose first lines have the formulas.

/// What comes back in a chunk, besides the chunk itself.
typedef struct {
  /// Gradients of q and k [chunk, key], and the states' parts of them turned [key, chunk].
  A *q, *k, *q_turned, *k_turned, *q_values;
  /// dP ∘ L and H, summed over the value heads, and one head's dP or dW [chunk, chunk].
  A *read, *meet, *square;
  /// Of one head: dy, du, k·S, dz or another [chunk, value], and one of them turned [value, chunk].
  A *y, *u, *known, *scratch, *turned;
  /// By row: of s.
  A *sums, *rows;
  /// Of the state behind the chunk: [heads, key, value].
  A *states;
} NAME(returns);

static NAME(returns) NAME(prepare_returns)(const NAME(rule) * s, A **room) {
  NAME(returns) r = {0};
  A **keys[] = {&r.q, &r.k}, **turned[] = {&r.q_turned, &r.k_turned, &r.q_values};
  for (int i = 0; i < 2; i++) *keys[i] = NAME(take)(room, s->chunk * s->key_pad);
  for (int i = 0; i < 3; i++) *turned[i] = NAME(take)(room, s->key * s->chunk_pad);
  A **squares[] = {&r.read, &r.meet, &r.square}, **values[] = {&r.y, &r.u, &r.known, &r.scratch};
  for (int i = 0; i < 3; i++) *squares[i] = NAME(take)(room, s->chunk * s->chunk_pad);
  for (int i = 0; i < 4; i++) *values[i] = NAME(take)(room, s->chunk * s->value_pad);
  r.turned = NAME(take)(room, s->value * s->chunk_pad);
  r.sums = NAME(take)(room, s->chunk_pad);
  r.rows = NAME(take)(room, s->chunk_pad);
  r.states = NAME(take)(room, s->heads * s->key * s->value_pad);
  return r;
}

/// dP and dW: adds to what the heads share, and to ds.
KERNEL static void NAME(return_squares)(const NAME(rule) * s, NAME(returns) * r, long rows) {
  NAME(turn)(s->n, s->value_pad, rows, s->value, r->turned, s->chunk_pad);
  NAME(product)(BLOCK_TARGET_LOWER, rows, s->value, rows, r->y, s->value_pad, 1, r->turned, s->chunk_pad,
                r->square, s->chunk_pad, false);
  for (long i = 0; i < rows; i++) {
    long first = i * s->chunk_pad;
    for (long j = 0; j <= i; j++)
      r->read[first + j] += r->square[first + j] * s->between[first + j];
    NAME(return_decays)(r->square + first, s->reads + first, i, r->sums);
  }
  NAME(product)(BLOCK_TARGET_LOWER, rows, s->value, rows, r->u, s->value_pad, 1, r->turned, s->chunk_pad,
                r->square, s->chunk_pad, false);
  for (long i = 0; i < rows; i++) {
    long first = i * s->chunk_pad;
    A beta = -s->beta[i];
    for (long j = 0; j < i; j++)
      r->meet[first + j] += beta * r->square[first + j] * s->between[first + j];
    NAME(return_decays)(r->square + first, s->writes + first, i, r->sums);
  }
}

/// What comes back through the state before the chunk; changes dy and the state's gradient.
KERNEL static void NAME(return_before)(const NAME(rule) * s, NAME(returns) * r, long rows, const A *before,
                                A *state, bool is_last) {
  for (long i = 0; i < rows; i++) {
    NAME(scale)(r->y + i * s->value_pad, s->value, s->into[i]);
    A factor = -s->beta[i] * s->into[i];
    for (long j = 0; j < s->value; j++)
      r->scratch[i * s->value_pad + j] = factor * r->u[i * s->value_pad + j];
    // u = β · (v - e^s · (k · S)).
    r->rows[i] = NAME(dot)(r->scratch + i * s->value_pad, r->known + i * s->value_pad, s->value);
  }
  NAME(turn)(r->y, s->value_pad, rows, s->value, r->turned, s->chunk_pad);
  NAME(product)(BLOCK_WHOLE, s->key, s->value, rows, before, s->value_pad, 1, r->turned, s->chunk_pad,
                r->q_values, s->chunk_pad, false);
  // s->k_turned holds qᵀ by now.
  for (long n = 0; n < s->key; n++) {
    const A *values = r->q_values + n * s->chunk_pad, *q = s->k_turned + n * s->chunk_pad;
    A *sum = r->q_turned + n * s->chunk_pad;
    for (long i = 0; i < rows; i++) {
      sum[i] += values[i];
      r->rows[i] += values[i] * q[i];
    }
  }
  for (long i = 0; i < rows; i++) r->sums[i] += r->rows[i];
  NAME(turn)(r->scratch, s->value_pad, rows, s->value, r->turned, s->chunk_pad);
  NAME(product)(BLOCK_WHOLE, s->key, s->value, rows, before, s->value_pad, 1, r->turned, s->chunk_pad,
                r->k_turned, s->chunk_pad, true);
  if (!is_last)
    r->sums[rows - 1] +=
        NAME(decay_state)(before, state, s->value_pad, s->key, s->value, s->into[rows - 1]);
  NAME(product)(BLOCK_WHOLE, s->key, rows, s->value, s->k, 1, s->key_pad, r->scratch, s->value_pad,
                state, s->value_pad, !is_last);
  NAME(product)(BLOCK_WHOLE, s->key, rows, s->value, s->q, 1, s->key_pad, r->y, s->value_pad, state,
                s->value_pad, true);
}

/// What comes back through the state behind the chunk: adds to dn, dk and ds.
KERNEL static void NAME(return_behind)(const NAME(rule) * s, NAME(returns) * r, long rows, const A *state) {
  NAME(product)(BLOCK_WHOLE, rows, s->key, s->value, s->k, s->key_pad, 1, state, s->value_pad,
                r->scratch, s->value_pad, false);
  for (long i = 0; i < rows; i++) {
    A *u = r->u + i * s->value_pad, *through = r->scratch + i * s->value_pad, sum = 0;
    const A *n = s->n + i * s->value_pad;
    for (long j = 0; j < s->value; j++) {
      A value = s->out[i] * through[j];
      u[j] += value;
      sum += value * n[j];
      through[j] = s->out[i] * n[j];
    }
    r->sums[i] -= sum;
    r->sums[rows - 1] += sum;
  }
  NAME(turn)(r->scratch, s->value_pad, rows, s->value, r->turned, s->chunk_pad);
  NAME(product)(BLOCK_WHOLE, s->key, s->value, rows, state, s->value_pad, 1, r->turned, s->chunk_pad,
                r->k_turned, s->chunk_pad, true);
}

/// The gradients of v, the gates and the head's own numbers.
KERNEL static void NAME(return_head)(const NAME(rule) * s, NAME(returns) * r, const delta_rule_gradients *g,
                              long row, long rows, long head) {
  const delta_rule *p = s->layer;
  A bias = ((const A *)p->step_bias)[head], rate = -MATH(exp)(((const A *)p->decay)[head]);
  A decay_sum = 0, bias_sum = 0, rest = 0;
  for (long i = rows - 1; i >= 0; i--) {
    A *u = r->u + i * s->value_pad;
    A beta_sum = (1 - s->beta[i]) * NAME(dot)(s->n + i * s->value_pad, u, s->value);
    NAME(scale)(u, s->value, s->beta[i]);
    rest += r->sums[i];
    NAME(put)((T *)g->channels + (row + i) * g->channels_row + NAME(column)(p, 2, head), u, s->value,
              g->accumulates);
    A input = LOAD(((const T *)p->gates)[(row + i) * p->gates_row + p->value_heads + head]) + bias;
    A gradient = rest * rate * MATH(sigmoid)(input);
    decay_sum += rest * s->logarithms[i];
    bias_sum += gradient;
    T *to = (T *)g->gates + (row + i) * g->gates_row + head;
    to[0] = STORE(LOAD(to[0]) + beta_sum);
    to[p->value_heads] = STORE(LOAD(to[p->value_heads]) + gradient);
  }
  ((A *)g->decay)[head] += decay_sum;
  ((A *)g->step_bias)[head] += bias_sum;
}

/// Stores the gradient of q (0) or k (1) from that of its scaled rows x: with x = f · input and c the
/// square of what f scales the norm to, f · (dx - x · (x · dx) / c).
KERNEL static void NAME(return_unit)(const NAME(rule) * s, const delta_rule_gradients *g, int which, long row,
                              long rows, const A *x, const A *factors, A square, A *dx) {
  const delta_rule *p = s->layer;
  for (long i = 0; i < rows; i++) {
    const A *from = x + i * s->key_pad;
    A *to = dx + i * s->key_pad, mean = NAME(dot)(from, to, s->key) / square;
    for (long j = 0; j < s->key; j++) to[j] = factors[i] * (to[j] - mean * from[j]);
    NAME(put)((T *)g->channels + (row + i) * g->channels_row + NAME(column)(p, which, s->unit->key_head),
              to, s->key, g->accumulates);
  }
}

/// The gradients of q and k, when all value heads of the chunk have been there.
static void NAME(return_keys)(const NAME(rule) * s, NAME(returns) * r, const delta_rule_gradients *g,
                              long row, long rows) {
  NAME(turn)(r->q_turned, s->chunk_pad, s->key, rows, r->q, s->key_pad);
  NAME(turn)(r->k_turned, s->chunk_pad, s->key, rows, r->k, s->key_pad);
  NAME(product)(BLOCK_LEFT_LOWER, rows, rows, s->key, r->read, s->chunk_pad, 1, s->k, s->key_pad, r->q,
                s->key_pad, true);
  NAME(product)(BLOCK_LEFT_UPPER, rows, rows, s->key, r->read, 1, s->chunk_pad, s->q, s->key_pad, r->k,
                s->key_pad, true);
  NAME(product)(BLOCK_LEFT_LOWER, rows, rows, s->key, r->meet, s->chunk_pad, 1, s->k, s->key_pad, r->k,
                s->key_pad, true);
  NAME(product)(BLOCK_LEFT_UPPER, rows, rows, s->key, r->meet, 1, s->chunk_pad, s->k, s->key_pad, r->k,
                s->key_pad, true);
  NAME(return_unit)(s, g, 0, row, rows, s->q, s->q_factors, 1 / (A)s->key, r->q);
  NAME(return_unit)(s, g, 1, row, rows, s->k, s->k_factors, 1, r->k);
}

/// A call that goes backwards.
typedef struct {
  NAME(rule) rule;
  NAME(returns) returns;
  const delta_rule_gradients *gradients;
} NAME(way_back);

/// One chunk's gradients; see `walk_back`.
static void NAME(return_chunk)(NAME(way_back) * way, long row, long rows, const A *before, bool is_last) {
  NAME(rule) *s = &way->rule;
  NAME(returns) *r = &way->returns;
  const delta_rule_gradients *g = way->gradients;
  long size = s->key * s->value_pad;
  NAME(load_keys)(s, row, rows);
  NAME(turn)(s->q, s->key_pad, rows, s->key, s->k_turned, s->chunk_pad);
  memset(r->read, 0, (size_t)(s->chunk * s->chunk_pad) * sizeof(A));
  memset(r->meet, 0, (size_t)(s->chunk * s->chunk_pad) * sizeof(A));
  memset(r->q_turned, 0, (size_t)(s->key * s->chunk_pad) * sizeof(A));
  memset(r->k_turned, 0, (size_t)(s->key * s->chunk_pad) * sizeof(A));
  for (long h = 0; h < s->heads; h++) {
    long head = s->first_head + h;
    const A *from = before ? before + h * size : 0;
    A *state = r->states + h * size;
    NAME(load_head)(s, row, rows, head);
    NAME(write)(s, rows, from, r->known);
    memset(r->sums, 0, (size_t)rows * sizeof(A));
    NAME(load)((const T *)g->y + row * g->y_row + head * s->value, g->y_row, rows, s->value, r->y,
               s->value_pad);
    NAME(product)(BLOCK_LEFT_UPPER, rows, rows, s->value, s->reads, 1, s->chunk_pad, r->y, s->value_pad,
                  r->u, s->value_pad, false);
    if (!is_last) NAME(return_behind)(s, r, rows, state);
    NAME(solve_back)(s, r->u, rows);
    NAME(return_squares)(s, r, rows);
    if (from) NAME(return_before)(s, r, rows, from, state, is_last);
    NAME(return_head)(s, r, g, row, rows, head);
  }
  NAME(return_keys)(s, r, g, row, rows);
}

/// Sets the states of all value heads behind a chunk from those before it; see `walk_back`.
static void NAME(advance_all)(NAME(way_back) * way, long row, long rows, const A *from, A *to) {
  NAME(rule) *s = &way->rule;
  long size = s->key * s->value_pad;
  NAME(load_keys)(s, row, rows);
  for (long h = 0; h < s->heads; h++) {
    const A *state = from ? from + h * size : 0;
    NAME(load_head)(s, row, rows, s->first_head + h);
    NAME(write)(s, rows, state, way->returns.scratch);
    NAME(advance)(s, rows, state, to + h * size, way->returns.scratch);
  }
}

static void NAME(delta_rule_backward)(const delta_rule *p, const delta_rule_unit *u,
                                             const delta_rule_gradients *g, A *room) {
  NAME(way_back) way = {.rule = NAME(prepare)(p, u, &room), .gradients = g};
  way.returns = NAME(prepare_returns)(&way.rule, &room);
  const NAME(rule) *s = &way.rule;
  WALK_BACK(&way, u->first_row, u->rows, s->chunk, s->heads * s->key * s->value_pad, room);
}
