// Loops of gated_norm.c over T and A; see gated_norm.h.
//
// The kind is a constant in each instance of the inner functions.

INLINE void NAME(norm_stretch)(gated_norm_kind kind, const gated_norm *p, const T *x, const T *gate,
                               const A *w, T *y) {
  A r = 1, offset = (A)p->offset;
  if (kind != GATE_ALONE) {
    A squares = 0;
    for (long j = 0; j < p->width; j++) {
      A value = LOAD(x[j]), g = LOAD(gate[j]);
      if (kind == GATE_THEN_NORM) value *= g * MATH(sigmoid)(g);
      squares += value * value;
    }
    r = 1 / MATH(sqrt)(squares / (A)p->width + (A)p->eps);
  }
  for (long j = 0; j < p->width; j++) {
    A g = LOAD(gate[j]), value = LOAD(x[j]) * g * MATH(sigmoid)(g);
    if (kind != GATE_ALONE) value *= r * (offset + w[j]);
    y[j] = STORE(value);
  }
}

// With u what is normed, n = u · r and h = the gradient of n: du = r · (h - mean(h · n) · n).
INLINE void NAME(return_stretch)(gated_norm_kind kind, const gated_norm *p, const T *x, const T *gate,
                                 const A *w, const T *dy, T *dx, bool accumulates, T *dgate,
                                 A *weight) {
  bool gates_first = kind == GATE_THEN_NORM, norms = kind != GATE_ALONE;
  A r = 1, mean = 0, offset = (A)p->offset;
  if (norms) {
    A squares = 0, product = 0;
    for (long j = 0; j < p->width; j++) {
      A g = LOAD(gate[j]), value = LOAD(x[j]), gated = value * g * MATH(sigmoid)(g);
      if (gates_first) value = gated;
      squares += value * value;
      product += LOAD(dy[j]) * gated * (offset + w[j]);
    }
    r = 1 / MATH(sqrt)(squares / (A)p->width + (A)p->eps);
    mean = r * product / (A)p->width;
  }
  for (long j = 0; j < p->width; j++) {
    A g = LOAD(gate[j]), value = LOAD(x[j]), s = MATH(sigmoid)(g), silu = g * s;
    A slope = s * (1 + g * (1 - s)), above = LOAD(dy[j]);
    if (weight) weight[j] += above * value * r * silu;
    if (norms) above *= offset + w[j];
    A to_x, to_gate;
    if (gates_first) {
      A du = r * (above - mean * r * value * silu);
      to_x = du * silu;
      to_gate = du * value * slope;
    } else {
      to_x = norms ? r * (above * silu - mean * r * value) : above * silu;
      to_gate = above * value * r * slope;
    }
    dx[j] = STORE(accumulates ? LOAD(dx[j]) + to_x : to_x);
    dgate[j] = STORE(LOAD(dgate[j]) + to_gate);
  }
}

#define EACH_KIND(call)                                                                           \
  switch (p->kind) {                                                                              \
  case GATE_THEN_NORM: call(GATE_THEN_NORM); break;                                               \
  case NORM_THEN_GATE: call(NORM_THEN_GATE); break;                                               \
  case GATE_ALONE: call(GATE_ALONE); break;                                                       \
  }

KERNEL static void NAME(gated_norm_forward)(const gated_norm *p, long first, long rows, T *y,
                                            long y_row) {
  for (long i = first; i < first + rows; i++)
    for (long stretch = 0; stretch < p->stretches; stretch++) {
      long column = stretch * p->width;
      const T *x = (const T *)p->x + i * p->x_row + column;
      const T *gate = (const T *)p->gate + i * p->gate_row + column;
      const A *w = (const A *)p->weight + stretch * p->weight_step;
      T *to = y + i * y_row + column;
#define BODY(K) NAME(norm_stretch)(K, p, x, gate, w, to)
      EACH_KIND(BODY)
#undef BODY
    }
}

KERNEL static void NAME(gated_norm_backward)(const gated_norm *p, long first, long rows, const T *dy,
                                             long dy_row, T *dx, long dx_row, bool accumulates, T *dgate,
                                             long dgate_row, A *weight) {
  for (long i = first; i < first + rows; i++)
    for (long stretch = 0; stretch < p->stretches; stretch++) {
      long column = stretch * p->width;
      const T *x = (const T *)p->x + i * p->x_row + column;
      const T *gate = (const T *)p->gate + i * p->gate_row + column;
      const A *w = (const A *)p->weight + stretch * p->weight_step;
      const T *above = dy + i * dy_row + column;
      T *to = dx + i * dx_row + column, *to_gate = dgate + i * dgate_row + column;
      A *sum = weight ? weight + stretch * p->weight_step : 0;
#define BODY(K) NAME(return_stretch)(K, p, x, gate, w, above, to, accumulates, to_gate, sum)
      EACH_KIND(BODY)
#undef BODY
    }
}

#undef EACH_KIND
