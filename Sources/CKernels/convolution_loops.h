// Loops of convolution.c over T and A; see convolution.h.

/// Row `row` of the unit's sequence, which begins at 0; null where it is zeros.
INLINE const T *NAME(input)(const convolution *p, const convolution_unit *u, long row) {
  if (row >= 0) return (const T *)p->x + (u->first_row + row) * p->x_row + u->first_channel;
  if (!u->before) return 0;
  return (const T *)u->before + (p->kernel - 1 + row) * u->before_row + u->first_channel;
}

/// z of a row.
INLINE void NAME(convolve)(const convolution *p, const convolution_unit *u, long row, A *z) {
  const A *bias = p->bias;
  long count = u->channels;
  for (long j = 0; j < count; j++) z[j] = bias ? bias[u->first_channel + j] : 0;
  for (long k = 0; k < p->kernel; k++) {
    const T *x = NAME(input)(p, u, row - p->kernel + 1 + k);
    if (!x) continue;
    const A *w = (const A *)p->weight + k * p->weight_row + u->first_channel;
    for (long j = 0; j < count; j++) z[j] += w[j] * LOAD(x[j]);
  }
}

/// The channels that are worked on together, so that sums stay near.
enum { NAME(stretch) = 256 };

KERNEL static void NAME(convolution_forward)(const convolution *p, const convolution_unit *u,
                                             long skipped, T *y, long y_row) {
  A z[NAME(stretch)];
  for (long first = 0; first < u->channels; first += NAME(stretch)) {
    convolution_unit part = *u;
    part.first_channel += first;
    if (u->channels - first < NAME(stretch)) part.channels = u->channels - first;
    else part.channels = NAME(stretch);
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

// dx_t = Σ_k weight[k] · dz_{t + K - 1 - k}: complete when K rows of dz are there, which stand in a ring.
KERNEL static void NAME(convolution_backward)(const convolution *p, const convolution_unit *u,
                                              const T *dy, long dy_row, T *dx, long dx_row, A *weight,
                                              long weight_row, A *bias, A *ring) {
  long kernel = p->kernel, count = u->channels;
  A *sum = ring + kernel * count;
  for (long row = 0; row < u->rows + kernel - 1; row++) {
    A *z = ring + row % kernel * count;
    if (row < u->rows) {
      if (p->activates) NAME(convolve)(p, u, row, z);
      NAME(slope_of)(p->activates, dy + (u->first_row + row) * dy_row + u->first_channel, z, count);
      for (long k = 0; k < kernel && weight; k++) {
        const T *x = NAME(input)(p, u, row - kernel + 1 + k);
        if (!x) continue;
        A *to = weight + k * weight_row + u->first_channel;
        for (long j = 0; j < count; j++) to[j] += z[j] * LOAD(x[j]);
      }
      if (bias)
        for (long j = 0; j < count; j++) bias[u->first_channel + j] += z[j];
    } else {
      memset(z, 0, (size_t)count * sizeof(A));
    }
    long done = row - kernel + 1;
    if (!dx || done < 0 || done >= u->rows) continue;
    T *to = dx + (u->first_row + done) * dx_row + u->first_channel;
    memset(sum, 0, (size_t)count * sizeof(A));
    for (long k = 0; k < kernel; k++) {
      const A *from = ring + (row - k) % kernel * count;
      const A *w = (const A *)p->weight + k * p->weight_row + u->first_channel;
      for (long j = 0; j < count; j++) sum[j] += w[j] * from[j];
    }
    for (long j = 0; j < count; j++) to[j] = STORE(LOAD(to[j]) + sum[j]);
  }
}

KERNEL static void NAME(convolution_turn)(const A *from, long rows, long columns, A *to,
                                          bool accumulates) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++)
      to[j * rows + i] = from[i * columns + j] + (accumulates ? to[j * rows + i] : 0);
}
