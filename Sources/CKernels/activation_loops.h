// Loops of activation.c over T and A; see activation.h.
//
// The kind is a constant in each instance of the inner functions, or they would not vectorise.

INLINE A NAME(activate)(activation_kind kind, A x) {
  switch (kind) {
  case ACTIVATION_IDENTITY: return x;
  case ACTIVATION_SILU: return x * MATH(sigmoid)(x);
  case ACTIVATION_GELU: return (A)0.5 * x * (1 + MATH(erf)(x * (A)0.70710678118654752));
  case ACTIVATION_GELU_TANH:
    return (A)0.5 * x * (1 + MATH(tanh)((A)0.79788456080286536 * (x + (A)0.044715 * x * x * x)));
  case ACTIVATION_RELU: return x > 0 ? x : 0;
  case ACTIVATION_SQUARED_RELU: return x > 0 ? x * x : 0;
  case ACTIVATION_QUICK_GELU: return x * MATH(sigmoid)((A)1.702 * x);
  case ACTIVATION_SIGMOID: return MATH(sigmoid)(x);
  }
  return x;
}

INLINE A NAME(slope)(activation_kind kind, A x) {
  switch (kind) {
  case ACTIVATION_IDENTITY: return 1;
  case ACTIVATION_SILU: {
    A s = MATH(sigmoid)(x);
    return s * (1 + x * (1 - s));
  }
  case ACTIVATION_GELU:
    return (A)0.5 * (1 + MATH(erf)(x * (A)0.70710678118654752)) +
           x * (A)0.39894228040143268 * MATH(exp)((A)-0.5 * x * x);
  case ACTIVATION_GELU_TANH: {
    A t = MATH(tanh)((A)0.79788456080286536 * (x + (A)0.044715 * x * x * x));
    return (A)0.5 * (1 + t) +
           (A)0.5 * x * (1 - t * t) * (A)0.79788456080286536 * (1 + (A)0.134145 * x * x);
  }
  case ACTIVATION_RELU: return x > 0 ? 1 : 0;
  case ACTIVATION_SQUARED_RELU: return x > 0 ? 2 * x : 0;
  case ACTIVATION_QUICK_GELU: {
    A s = MATH(sigmoid)((A)1.702 * x);
    return s * (1 + (A)1.702 * x * (1 - s));
  }
  case ACTIVATION_SIGMOID: {
    A s = MATH(sigmoid)(x);
    return s * (1 - s);
  }
  }
  return 1;
}

#define EACH_KIND(body)                                                                           \
  switch (kind) {                                                                                 \
  case ACTIVATION_IDENTITY: body(ACTIVATION_IDENTITY); break;                                     \
  case ACTIVATION_SILU: body(ACTIVATION_SILU); break;                                             \
  case ACTIVATION_GELU: body(ACTIVATION_GELU); break;                                             \
  case ACTIVATION_GELU_TANH: body(ACTIVATION_GELU_TANH); break;                                   \
  case ACTIVATION_RELU: body(ACTIVATION_RELU); break;                                             \
  case ACTIVATION_SQUARED_RELU: body(ACTIVATION_SQUARED_RELU); break;                             \
  case ACTIVATION_QUICK_GELU: body(ACTIVATION_QUICK_GELU); break;                                 \
  case ACTIVATION_SIGMOID: body(ACTIVATION_SIGMOID); break;                                       \
  }

/// As EACH_KIND, with a second constant: whether results are added. A condition inside a loop on whether to
/// read what is there keeps the loop from vectorising.
#define CASE_ADDING(body, kind)                                                                   \
  case kind:                                                                                      \
    if (accumulates) body(kind, true);                                                            \
    else body(kind, false);                                                                       \
    break;
#define EACH_KIND_ADDING(body)                                                                    \
  switch (kind) {                                                                                 \
    CASE_ADDING(body, ACTIVATION_IDENTITY)                                                        \
    CASE_ADDING(body, ACTIVATION_SILU)                                                            \
    CASE_ADDING(body, ACTIVATION_GELU)                                                            \
    CASE_ADDING(body, ACTIVATION_GELU_TANH)                                                       \
    CASE_ADDING(body, ACTIVATION_RELU)                                                            \
    CASE_ADDING(body, ACTIVATION_SQUARED_RELU)                                                    \
    CASE_ADDING(body, ACTIVATION_QUICK_GELU)                                                      \
    CASE_ADDING(body, ACTIVATION_SIGMOID)                                                         \
  }

KERNEL static void NAME(gated_forward)(activation_kind kind, const T *gate, long gate_row, const T *up,
                                       long up_row, T *y, long y_row, long rows, long width,
                                       double scale, double limit, double offset,
                                       const A *weights) {
  A factor = (A)scale, most = (A)limit, more = (A)offset;
  for (long i = 0; i < rows; i++) {
    const T *g = gate + i * gate_row, *u = up + i * up_row;
    T *to = y + i * y_row;
    A weight = weights ? weights[i] : 1;
#define BODY(K)                                                                                   \
  EACH(j, width) {                                                              \
    A left = LOAD(g[j]), right = LOAD(u[j]);                                                      \
    left = left > most ? most : left;                                                             \
    right = right > most ? most : right < -most ? -most : right;                                  \
    to[j] = STORE(weight * NAME(activate)(K, factor * left) * (right + more));                            \
  }
    EACH_KIND(BODY)
#undef BODY
  }
}

/// One row of gated_backward; returns the gradient of its weight.
INLINE A NAME(gated_backward_row)(const activation_kind kind, const bool accumulates, const T *g,
                                  const T *u, const T *above, T *restrict to_gate, T *restrict to_up,
                                  long width, A weight, A factor, A most, A more) {
  A sum = 0;
  EACH(j, width) {
    A left = LOAD(g[j]), right = LOAD(u[j]), d = LOAD(above[j]);
    A cut = left > most ? most : left;
    A bounded = right > most ? most : right < -most ? -most : right;
    A through = left > most ? 0 : factor;
    A open = right > most || right < -most ? 0 : (A)1;
    A active = d * NAME(activate)(kind, factor * cut);
    A first = weight * d * (bounded + more) * NAME(slope)(kind, factor * cut) * through;
    A second = weight * active * open;
    sum += active * (bounded + more);
    to_gate[j] = STORE(accumulates ? first + LOAD(to_gate[j]) : first);
    to_up[j] = STORE(accumulates ? second + LOAD(to_up[j]) : second);
  }
  return sum;
}

KERNEL static void NAME(gated_backward)(activation_kind kind, const T *gate, long gate_row, const T *up,
                                        long up_row, const T *dy, long dy_row, T *dgate,
                                        long dgate_row, T *dup, long dup_row, long rows, long width,
                                        double scale, double limit, double offset,
                                        const A *weights, A *weight_gradient, bool accumulates) {
  for (long i = 0; i < rows; i++) {
    A sum = 0;
#define BODY(K, ADDS)                                                                             \
  sum = NAME(gated_backward_row)(K, ADDS, gate + i * gate_row, up + i * up_row, dy + i * dy_row,   \
                                 dgate + i * dgate_row, dup + i * dup_row, width,                 \
                                 weights ? weights[i] : 1, (A)scale, (A)limit, (A)offset)
    EACH_KIND_ADDING(BODY)
#undef BODY
    if (weight_gradient) weight_gradient[i] += sum;
  }
}

KERNEL static void NAME(activation_forward)(activation_kind kind, const T *x, long x_row, T *y,
                                            long y_row, long rows, long width, const A *weights) {
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    T *to = y + i * y_row;
    A weight = weights ? weights[i] : 1;
#define BODY(K)                                                                                   \
  EACH(j, width) to[j] = STORE(weight * NAME(activate)(K, LOAD(from[j])));
    EACH_KIND(BODY)
#undef BODY
  }
}

/// One row of activation_backward; returns the gradient of its weight.
INLINE A NAME(activation_backward_row)(const activation_kind kind, const bool accumulates,
                                       const T *from, const T *above, T *restrict to, long width,
                                       A weight) {
  A sum = 0;
  EACH(j, width) {
    A input = LOAD(from[j]), d = LOAD(above[j]);
    A value = weight * NAME(slope)(kind, input) * d;
    sum += d * NAME(activate)(kind, input);
    to[j] = STORE(accumulates ? value + LOAD(to[j]) : value);
  }
  return sum;
}

KERNEL static void NAME(activation_backward)(activation_kind kind, const T *x, long x_row, const T *dy,
                                             long dy_row, T *dx, long dx_row, long rows, long width,
                                             const A *weights, A *weight_gradient,
                                             bool accumulates) {
  for (long i = 0; i < rows; i++) {
    A sum = 0;
#define BODY(K, ADDS)                                                                             \
  sum = NAME(activation_backward_row)(K, ADDS, x + i * x_row, dy + i * dy_row, dx + i * dx_row,    \
                                      width, weights ? weights[i] : 1)
    EACH_KIND_ADDING(BODY)
#undef BODY
    if (weight_gradient) weight_gradient[i] += sum;
  }
}

#undef EACH_KIND
#undef EACH_KIND_ADDING
#undef CASE_ADDING

KERNEL static void NAME(xielu_forward)(const T *x, long x_row, T *y, long y_row, long rows, long width,
                                       double positive, double negative, double beta, double eps) {
  A p = (A)positive, n = (A)negative, b = (A)beta, bound = (A)eps;
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    T *to = y + i * y_row;
    EACH(j, width) {
      A v = LOAD(from[j]);
      A cut = v < bound ? v : bound;
      A below = n * (MATH(exp_rest)(cut) + (cut - v));
      to[j] = STORE((v > 0 ? p * v * v : below) + b * v);
    }
  }
}

INLINE void NAME(xielu_backward_row)(const bool accumulates, const T *from, const T *above,
                                     T *restrict to, long width, A p, A n, A b, A bound, A *sums) {
  A first = 0, second = 0;
  EACH(j, width) {
    A v = LOAD(from[j]), d = LOAD(above[j]);
    A cut = v < bound ? v : bound, rest = MATH(exp_rest)(cut);
    A value = d * (b + (v > 0 ? 2 * p * v : n * (v < bound ? rest + v : -1)));
    first += v > 0 ? d * v * v : 0;
    second += v > 0 ? 0 : d * (rest + (cut - v));
    to[j] = STORE(accumulates ? value + LOAD(to[j]) : value);
  }
  sums[0] += first;
  sums[1] += second;
}

KERNEL static void NAME(xielu_backward)(const T *x, long x_row, const T *dy, long dy_row, T *dx,
                                        long dx_row, long rows, long width, double positive,
                                        double negative, double beta, double eps, A *sums,
                                        bool accumulates) {
  A p = (A)positive, n = (A)negative, b = (A)beta, bound = (A)eps;
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row, *above = dy + i * dy_row;
    T *to = dx + i * dx_row;
    if (accumulates) NAME(xielu_backward_row)(true, from, above, to, width, p, n, b, bound, sums);
    else NAME(xielu_backward_row)(false, from, above, to, width, p, n, b, bound, sums);
  }
}
