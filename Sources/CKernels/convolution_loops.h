// Loops of convolution.c over T and A; see convolution.h.

/// Row `row` of the unit's sequence, which begins at 0; null where it is zeros.
INLINE const T *NAME(input)(const convolution *p, const convolution_unit *u, long row) {
  if (row >= 0) return (const T *)p->x + (u->first_row + row) * p->x_row + u->first_channel;
  if (!u->before) return 0;
  return (const T *)u->before + (p->kernel - 1 + row) * u->before_row + u->first_channel;
}

// Kernels of up to CONVOLUTION_TAPS numbers are gone through at once, their length a constant in each
// instance; rows that are not there read as zeros.

/// The rows of x, from the first that a row's z depends on, and the weights.
typedef struct {
  const T *x[CONVOLUTION_TAPS];
  const A *weight[CONVOLUTION_TAPS];
  const A *bias;
} NAME(taps);

static const T NAME(zeros)[CONVOLUTION_CHANNELS];

// Each pass of a loop reads and writes its own column only: checks whether rows overlap would cost more
// than a row.
#define ALONE _Pragma("clang loop vectorize(assume_safety)")

/// The taps from `first` on, `count` of them, of a row.
INLINE void NAME(find)(const convolution *p, const convolution_unit *u, long row, long first, int count,
                       NAME(taps) * taps) {
  for (int k = 0; k < count; k++) {
    const T *x = NAME(input)(p, u, row - p->kernel + 1 + first + k);
    taps->x[k] = x ? x : NAME(zeros);
    taps->weight[k] = (const A *)p->weight + (first + k) * p->weight_row + u->first_channel;
  }
}

/// z = start + the taps, or added to it; `count` is a constant in each instance.
INLINE void NAME(tap)(const int count, const NAME(taps) * taps, const A *start, long width, A *z) {
  ALONE
  for (long j = 0; j < width; j++) {
    A sum = start ? start[j] : 0;
    for (int k = 0; k < count; k++) sum += taps->weight[k][j] * LOAD(taps->x[k][j]);
    z[j] = sum;
  }
}

#define EACH_COUNT(count, call)                                                                   \
  switch (count) {                                                                                \
  case 1: call(1); break;                                                                         \
  case 2: call(2); break;                                                                         \
  case 3: call(3); break;                                                                         \
  default: call(CONVOLUTION_TAPS); break;                                                         \
  }

/// z of a row.
INLINE void NAME(convolve)(const convolution *p, const convolution_unit *u, long row, A *z) {
  const A *start = p->bias ? (const A *)p->bias + u->first_channel : 0;
  NAME(taps) taps;
  for (long first = 0; first < p->kernel; first += CONVOLUTION_TAPS) {
    int count = p->kernel - first < CONVOLUTION_TAPS ? (int)(p->kernel - first) : CONVOLUTION_TAPS;
    NAME(find)(p, u, row, first, count, &taps);
#define BODY(K) NAME(tap)(K, &taps, start, u->channels, z)
    EACH_COUNT(count, BODY)
#undef BODY
    start = z;
  }
}

KERNEL static void NAME(convolution_forward)(const convolution *p, const convolution_unit *u,
                                             long skipped, T *y, long y_row) {
  A z[CONVOLUTION_CHANNELS];
  for (long first = 0; first < u->channels; first += CONVOLUTION_CHANNELS) {
    convolution_unit part = *u;
    part.first_channel += first;
    part.channels = u->channels - first < CONVOLUTION_CHANNELS ? u->channels - first : CONVOLUTION_CHANNELS;
    for (long row = skipped; row < u->rows; row++) {
      NAME(convolve)(p, &part, row, z);
      T *to = y + (u->first_row + row) * y_row + part.first_channel;
      if (p->activates) {
        for (long j = 0; j < part.channels; j++) to[j] = STORE(z[j] * MATH(sigmoid)(z[j]));
      } else {
        for (long j = 0; j < part.channels; j++) to[j] = STORE(z[j]);
      }
    }
  }
}

/// dz of a row from dy, z being given.
INLINE void NAME(slope_of)(bool activates, const T *dy, A *z, long count) {
  if (activates) {
    for (long j = 0; j < count; j++) {
      A s = MATH(sigmoid)(z[j]);
      z[j] = LOAD(dy[j]) * s * (1 + z[j] * (1 - s));
    }
  } else {
    for (long j = 0; j < count; j++) z[j] = LOAD(dy[j]);
  }
}

/// Adds a row's part to the gradients of weight and bias, from dz.
INLINE void NAME(return_taps)(const int count, const NAME(taps) * taps, const A *dz, long width,
                              A *const *weight) {
  ALONE
  for (long j = 0; j < width; j++) {
    A above = dz[j];
    for (int k = 0; k < count; k++) weight[k][j] += above * LOAD(taps->x[k][j]);
  }
}

INLINE void NAME(return_weights)(const convolution *p, const convolution_unit *u, long row, const A *dz,
                                 A *weight, long weight_row) {
  NAME(taps) taps;
  for (long first = 0; first < p->kernel; first += CONVOLUTION_TAPS) {
    int count = p->kernel - first < CONVOLUTION_TAPS ? (int)(p->kernel - first) : CONVOLUTION_TAPS;
    A *sums[CONVOLUTION_TAPS];
    NAME(find)(p, u, row, first, count, &taps);
    for (int k = 0; k < count; k++) sums[k] = weight + (first + k) * weight_row + u->first_channel;
#define BODY(K) NAME(return_taps)(K, &taps, dz, u->channels, sums)
    EACH_COUNT(count, BODY)
#undef BODY
  }
}

/// Adds Σ_k weight[k] · dz[k] to dx.
INLINE void NAME(return_input)(const int count, const A *const *weight, const A *const *dz, long width,
                               T *dx) {
  ALONE
  for (long j = 0; j < width; j++) {
    A sum = LOAD(dx[j]);
    for (int k = 0; k < count; k++) sum += weight[k][j] * dz[k][j];
    dx[j] = STORE(sum);
  }
}

/// Adds one unit's gradients; its channels are CONVOLUTION_CHANNELS at most.
INLINE void NAME(return_stretch)(const convolution *p, const convolution_unit *u, const T *dy,
                                 long dy_row, T *dx, long dx_row, A *weight, long weight_row, A *bias,
                                 A *ring) {
  // dx_t = Σ_k weight[k] · dz_{t + K - 1 - k}: complete when K rows of dz are there, which stand in a ring.
  long kernel = p->kernel, count = u->channels;
  for (long row = 0; row < u->rows + kernel - 1; row++) {
    A *z = ring + row % kernel * CONVOLUTION_CHANNELS;
    if (row < u->rows) {
      if (p->activates) NAME(convolve)(p, u, row, z);
      NAME(slope_of)(p->activates, dy + (u->first_row + row) * dy_row + u->first_channel, z, count);
      if (weight) NAME(return_weights)(p, u, row, z, weight, weight_row);
      if (bias)
        for (long j = 0; j < count; j++) bias[u->first_channel + j] += z[j];
    } else {
      memset(z, 0, (size_t)count * sizeof(A));
    }
    long done = row - kernel + 1;
    if (!dx || done < 0 || done >= u->rows) continue;
    T *to = dx + (u->first_row + done) * dx_row + u->first_channel;
    for (long first = 0; first < kernel; first += CONVOLUTION_TAPS) {
      int taps = kernel - first < CONVOLUTION_TAPS ? (int)(kernel - first) : CONVOLUTION_TAPS;
      const A *w[CONVOLUTION_TAPS], *from[CONVOLUTION_TAPS];
      for (int k = 0; k < taps; k++) {
        w[k] = (const A *)p->weight + (first + k) * p->weight_row + u->first_channel;
        from[k] = ring + (row - first - k) % kernel * CONVOLUTION_CHANNELS;
      }
#define BODY(K) NAME(return_input)(K, w, from, count, to)
      EACH_COUNT(taps, BODY)
#undef BODY
    }
  }
}

KERNEL static void NAME(convolution_backward)(const convolution *p, const convolution_unit *u,
                                              const T *dy, long dy_row, T *dx, long dx_row, A *weight,
                                              long weight_row, A *bias, A *ring) {
  for (long first = 0; first < u->channels; first += CONVOLUTION_CHANNELS) {
    convolution_unit part = *u;
    part.first_channel += first;
    part.channels = u->channels - first < CONVOLUTION_CHANNELS ? u->channels - first : CONVOLUTION_CHANNELS;
    NAME(return_stretch)(p, &part, dy, dy_row, dx, dx_row, weight, weight_row, bias, ring);
  }
}

#undef EACH_COUNT
#undef ALONE

KERNEL static void NAME(convolution_turn)(const A *from, long rows, long columns, A *to,
                                          bool accumulates) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++)
      to[j * rows + i] = from[i * columns + j] + (accumulates ? to[j * rows + i] : 0);
}
