// Loops of delta_rule.c over T and A; see delta_rule.h.
//
// In a chunk s is the running sum of g through each row, L[t, j] = e^(s_t - s_j) for j <= t, and S the
// state before the chunk, S' that behind it. What the rows write, n, solves a triangular system:
//   n = u - (β · L ∘ k·kᵀ below the diagonal) · n,   u = β · (v - e^s · (k · S))
//   y = e^s · (q · S) + P · n,   P = L ∘ q·kᵀ        S' = e^(s_last) · S + kᵀ · (e^(s_last - s) · n)
// Gradients, of y and S' given, with W = -β · L ∘ k·kᵀ below the diagonal:
//   dn = Pᵀ · dy + e^(s_last - s) · (k · dS')        du = dn + Wᵀ · du
//   dP = dy · nᵀ     dW = du · nᵀ                    dv = β · du     dz = -β · e^s · du
//   dS = e^(s_last) · dS' + kᵀ · dz + qᵀ · (e^s · dy)
//   dq = (dP ∘ L) · k + e^s · (dy · Sᵀ)
//   dk = (dP ∘ L)ᵀ · q + (H + Hᵀ) · k + dz · Sᵀ + e^(s_last - s) · (n · dS'ᵀ),   H = -β · dW ∘ L
//   ds_t = Σ_j N[t, j] - Σ_j N[j, t] + e^(s_t) · q_t · S · dy_t + dz_t · (k · S)_t - w_t,
//          N = dP ∘ P + dW ∘ W off the diagonal, w_t = e^(s_last - s_t) · n_t · (k · dS')_t; of the last row
//          besides e^(s_last) · S · dS' + Σ w;  dg_t = Σ ds from t on
//   db_t = (1 - β_t) · n_t · du_t
#include "chunk_loops.h"

/// Sizes, and a chunk's rows in sums' type.
typedef struct {
  const delta_rule *layer;
  const delta_rule_unit *unit;
  /// The value heads of the unit, and the first of them.
  long heads, first_head;
  long key, key_pad, value, value_pad, chunk, chunk_pad;
  /// q and k, scaled [chunk, key], their factors by row, and kᵀ [key, chunk].
  A *q, *k, *q_factors, *k_factors, *k_turned;
  /// q·kᵀ and k·kᵀ, L, P and W [chunk, chunk].
  A *read, *meet, *between, *reads, *writes;
  /// Of one head: v, n [chunk, value].
  A *v, *n;
  A *beta, *logarithms, *sums, *into, *out;
} NAME(rule);

static NAME(rule) NAME(prepare)(const delta_rule *layer, const delta_rule_unit *unit, A **room) {
  NAME(rule) s = {.layer = layer, .unit = unit, .key = layer->key_size, .value = layer->value_size};
  s.heads = layer->value_heads / layer->key_heads;
  s.first_head = unit->key_head * s.heads;
  s.chunk = layer->chunk < unit->rows ? layer->chunk : unit->rows;
  s.key_pad = block_pad(s.key);
  s.value_pad = block_pad(s.value);
  s.chunk_pad = block_pad(s.chunk);
  A **keys[] = {&s.q, &s.k}, **values[] = {&s.v, &s.n};
  for (int i = 0; i < 2; i++) *keys[i] = NAME(take)(room, s.chunk * s.key_pad);
  for (int i = 0; i < 2; i++) *values[i] = NAME(take)(room, s.chunk * s.value_pad);
  s.k_turned = NAME(take)(room, s.key * s.chunk_pad);
  A **squares[] = {&s.read, &s.meet, &s.between, &s.reads, &s.writes};
  for (int i = 0; i < 5; i++) *squares[i] = NAME(take)(room, s.chunk * s.chunk_pad);
  A **vectors[] = {&s.q_factors, &s.k_factors, &s.beta, &s.logarithms, &s.sums, &s.into, &s.out};
  for (int i = 0; i < 7; i++) *vectors[i] = NAME(take)(room, s.chunk_pad);
  return s;
}

/// The first column of a key head's q (0) or k (1), or of a value head's v (2).
INLINE long NAME(column)(const delta_rule *p, int which, long head) {
  return which < 2 ? (which * p->key_heads + head) * p->key_size
                   : 2 * p->key_heads * p->key_size + head * p->value_size;
}

INLINE const T *NAME(channel)(const delta_rule *p, long row, long column) {
  return (const T *)p->channels + row * p->channels_row + column;
}

KERNEL static void NAME(load_unit)(const NAME(rule) * s, const T *x, long rows, A factor, A *to,
                            A *factors) {
  NAME(load)(x, s->layer->channels_row, rows, s->key, to, s->key_pad);
  for (long i = 0; i < rows; i++) {
    A *values = to + i * s->key_pad;
    A squares = NAME(dot)(values, values, s->key);
    factors[i] = factor / MATH(sqrt)(squares + (A)s->layer->eps);
    NAME(scale)(values, s->key, factors[i]);
  }
}

/// q, k, and the products of rows that all value heads of the unit share.
static void NAME(load_keys)(NAME(rule) * s, long row, long rows) {
  const delta_rule *p = s->layer;
  long head = s->unit->key_head;
  A root = 1 / MATH(sqrt)((A)s->key);
  NAME(load_unit)(s, NAME(channel)(p, row, NAME(column)(p, 0, head)), rows, root, s->q, s->q_factors);
  NAME(load_unit)(s, NAME(channel)(p, row, NAME(column)(p, 1, head)), rows, 1, s->k, s->k_factors);
  NAME(turn)(s->k, s->key_pad, rows, s->key, s->k_turned, s->chunk_pad);
  NAME(product)(BLOCK_TARGET_LOWER, rows, s->key, rows, s->q, s->key_pad, 1, s->k_turned, s->chunk_pad,
                s->read, s->chunk_pad, false);
  NAME(product)(BLOCK_TARGET_LOWER, rows, s->key, rows, s->k, s->key_pad, 1, s->k_turned, s->chunk_pad,
                s->meet, s->chunk_pad, false);
}

/// A value head's numbers by row, L, P, W and v.
KERNEL static void NAME(load_head)(NAME(rule) * s, long row, long rows, long head) {
  const delta_rule *p = s->layer;
  const T *gates = (const T *)p->gates + row * p->gates_row + head;
  A bias = ((const A *)p->step_bias)[head], rate = -MATH(exp)(((const A *)p->decay)[head]);
  for (long i = 0; i < rows; i++) {
    s->beta[i] = LOAD(gates[i * p->gates_row]);
    s->logarithms[i] = LOAD(gates[i * p->gates_row + p->value_heads]) + bias;
  }
  for (long i = 0; i < rows; i++) {
    s->beta[i] = MATH(sigmoid)(s->beta[i]);
    s->logarithms[i] = rate * MATH(softplus)(s->logarithms[i]);
  }
  NAME(decays)(s->logarithms, rows, s->sums, s->into, s->out);
  NAME(decay_between)(s->sums, rows, s->between, s->chunk_pad);
  for (long i = 0; i < rows; i++) {
    long first = i * s->chunk_pad;
    A beta = -s->beta[i];
    for (long j = 0; j < rows; j++) s->reads[first + j] = 0;
    for (long j = 0; j < rows; j++) s->writes[first + j] = 0;
    for (long j = 0; j <= i; j++) s->reads[first + j] = s->between[first + j] * s->read[first + j];
    for (long j = 0; j < i; j++)
      s->writes[first + j] = beta * s->between[first + j] * s->meet[first + j];
  }
  NAME(load)(NAME(channel)(p, row, NAME(column)(p, 2, head)), p->channels_row, rows, s->value, s->v,
             s->value_pad);
}

/// The rows that are solved for one after the other.
enum { NAME(solved) = 8 };

/// x = x + W · x, from the first row on.
KERNEL static void NAME(solve)(const NAME(rule) * s, A *x, long rows) {
  for (long first = 0; first < rows; first += NAME(solved)) {
    long end = first + NAME(solved) < rows ? first + NAME(solved) : rows;
    if (first > 0)
      NAME(product)(BLOCK_WHOLE, end - first, first, s->value, s->writes + first * s->chunk_pad,
                    s->chunk_pad, 1, x, s->value_pad, x + first * s->value_pad, s->value_pad, true);
    for (long i = first + 1; i < end; i++)
      for (long k = first; k < i; k++) {
        A factor = s->writes[i * s->chunk_pad + k];
        for (long j = 0; j < s->value; j++) x[i * s->value_pad + j] += factor * x[k * s->value_pad + j];
      }
  }
}

/// x = x + Wᵀ · x, from the last row on.
KERNEL static void NAME(solve_back)(const NAME(rule) * s, A *x, long rows) {
  for (long first = (rows - 1) / NAME(solved) * NAME(solved); first >= 0; first -= NAME(solved)) {
    long end = first + NAME(solved) < rows ? first + NAME(solved) : rows;
    if (end < rows)
      NAME(product)(BLOCK_WHOLE, end - first, rows - end, s->value, s->writes + end * s->chunk_pad + first,
                    1, s->chunk_pad, x + end * s->value_pad, s->value_pad, x + first * s->value_pad,
                    s->value_pad, true);
    for (long i = end - 2; i >= first; i--)
      for (long k = i + 1; k < end; k++) {
        A factor = s->writes[k * s->chunk_pad + i];
        for (long j = 0; j < s->value; j++) x[i * s->value_pad + j] += factor * x[k * s->value_pad + j];
      }
  }
}

/// n from the state before the chunk (null: nothing); `scratch` [chunk, value].
KERNEL static void NAME(write)(const NAME(rule) * s, long rows, const A *state, A *scratch) {
  if (state)
    NAME(product)(BLOCK_WHOLE, rows, s->key, s->value, s->k, s->key_pad, 1, state, s->value_pad, scratch,
                  s->value_pad, false);
  for (long i = 0; i < rows; i++) {
    A beta = s->beta[i], factor = s->into[i];
    const A *v = s->v + i * s->value_pad, *known = scratch + i * s->value_pad;
    A *n = s->n + i * s->value_pad;
    for (long j = 0; j < s->value; j++) n[j] = beta * (state ? v[j] - factor * known[j] : v[j]);
  }
  NAME(solve)(s, s->n, rows);
}

/// The state behind a chunk from that before it (null: nothing); `scratch` [chunk, value].
KERNEL static void NAME(advance)(const NAME(rule) * s, long rows, const A *from, A *to, A *scratch) {
  long size = s->key * s->value_pad;
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < s->value; j++)
      scratch[i * s->value_pad + j] = s->out[i] * s->n[i * s->value_pad + j];
  if (from)
    for (long i = 0; i < size; i++) to[i] = s->into[rows - 1] * from[i];
  NAME(product)(BLOCK_WHOLE, s->key, rows, s->value, s->k, 1, s->key_pad, scratch, s->value_pad, to,
                s->value_pad, from != 0);
}

KERNEL static void NAME(store)(const A *from, long from_row, long rows, long width, T *to, long to_row) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < width; j++) to[i * to_row + j] = STORE(from[i * from_row + j]);
}

static void NAME(delta_rule_forward)(const delta_rule *p, const delta_rule_unit *u, T *y,
                                            long y_row, A *states, A *room) {
  NAME(rule) s = NAME(prepare)(p, u, &room);
  long size = s.key * s.value_pad;
  A *scratch = NAME(take)(&room, s.chunk * s.value_pad);
  A *own = states ? states + s.first_head * size : NAME(take)(&room, s.heads * size);
  for (long first = 0; first < u->rows; first += s.chunk) {
    long rows = u->rows - first < s.chunk ? u->rows - first : s.chunk, row = u->first_row + first;
    bool continues = first > 0 || states;
    NAME(load_keys)(&s, row, rows);
    for (long h = 0; h < s.heads; h++) {
      long head = s.first_head + h;
      A *state = continues ? own + h * size : 0;
      NAME(load_head)(&s, row, rows, head);
      NAME(write)(&s, rows, state, scratch);
      if (state) {
        NAME(product)(BLOCK_WHOLE, rows, s.key, s.value, s.q, s.key_pad, 1, state, s.value_pad, scratch,
                      s.value_pad, false);
        NAME(scale_rows)(scratch, s.value_pad, rows, s.value, s.into);
      }
      NAME(product)(BLOCK_LEFT_LOWER, rows, rows, s.value, s.reads, s.chunk_pad, 1, s.n, s.value_pad,
                    scratch, s.value_pad, continues);
      NAME(store)(scratch, s.value_pad, rows, s.value, y + row * y_row + head * s.value, y_row);
      if (states || first + rows < u->rows)
        NAME(advance)(&s, rows, state, own + h * size, scratch);
    }
  }
}

#include "delta_rule_returns.h"
