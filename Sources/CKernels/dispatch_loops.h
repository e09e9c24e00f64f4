// Loops of dispatch.c over T and A; see dispatch.h.

KERNEL static void NAME(take_rows)(const T *x, long x_row, const int32_t *indices, const A *weights,
                                   T *y, long y_row, long rows, long width) {
  for (long i = 0; i < rows; i++) {
    T *to = y + i * y_row;
    if (indices[i] < 0) {
      memset(to, 0, (size_t)width * sizeof(T));
      continue;
    }
    const T *from = x + indices[i] * x_row;
    if (!weights) {
      memcpy(to, from, (size_t)width * sizeof(T));
      continue;
    }
    A weight = weights[i];
    for (long j = 0; j < width; j++) to[j] = STORE(weight * LOAD(from[j]));
  }
}

/// Columns whose sums stay in registers or next to them.
enum { NAME(stretch) = 256 };

KERNEL static void NAME(combine_rows)(const T *x, long x_row, const int32_t *places, T *y, long y_row,
                                      long rows, long per_row, long width, bool accumulates) {
  A sums[NAME(stretch)];
  for (long i = 0; i < rows; i++) {
    const int32_t *from = places + i * per_row;
    for (long first = 0; first < width; first += NAME(stretch)) {
      long count = width - first < NAME(stretch) ? width - first : NAME(stretch);
      T *to = y + i * y_row + first;
      if (accumulates) {
        for (long j = 0; j < count; j++) sums[j] = LOAD(to[j]);
      } else {
        for (long j = 0; j < count; j++) sums[j] = 0;
      }
      for (long s = 0; s < per_row; s++) {
        const T *part = x + from[s] * x_row + first;
        for (long j = 0; j < count; j++) sums[j] += LOAD(part[j]);
      }
      for (long j = 0; j < count; j++) to[j] = STORE(sums[j]);
    }
  }
}

KERNEL static void NAME(multiply_rows)(const T *x, long x_row, const int32_t *indices, const T *y,
                                       long y_row, A *products, long rows, long width) {
  for (long i = 0; i < rows; i++) {
    if (indices[i] < 0) continue;
    const T *left = x + indices[i] * x_row, *right = y + i * y_row;
    A sum = 0;
    for (long j = 0; j < width; j++) sum += LOAD(left[j]) * LOAD(right[j]);
    products[i] += sum;
  }
}

KERNEL static void NAME(add_weighted_row)(const A *bias, const A *weights, T *y, long y_row, long rows,
                                          long width) {
  for (long i = 0; i < rows; i++) {
    T *to = y + i * y_row;
    A weight = weights[i];
    for (long j = 0; j < width; j++) to[j] = STORE(LOAD(to[j]) + weight * bias[j]);
  }
}

KERNEL static void NAME(sum_weighted_rows)(const T *x, long x_row, const A *weights, long rows,
                                           long width, A *sum) {
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    A weight = weights[i];
    for (long j = 0; j < width; j++) sum[j] += weight * LOAD(from[j]);
  }
}

KERNEL static void NAME(multiply_by_row)(const T *x, long x_row, const A *row, A *products, long rows,
                                         long width) {
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    A sum = 0;
    for (long j = 0; j < width; j++) sum += LOAD(from[j]) * row[j];
    products[i] += sum;
  }
}
