// Loops of elementwise.c over T and A; see elementwise.h.

KERNEL static void NAME(axpby)(double a, const T *x, long x_row, double b, T *y, long y_row, long rows,
                               long width) {
  A left = (A)a, right = (A)b;
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    T *to = y + i * y_row;
    if (right == 0) {
      EACH(j, width) to[j] = STORE(left * LOAD(from[j]));
    } else {
      EACH(j, width) to[j] = STORE(left * LOAD(from[j]) + right * LOAD(to[j]));
    }
  }
}

KERNEL static void NAME(add_scaled)(const T *x, long x_row, double b, const T *z, long z_row, T *y,
                                    long y_row, long rows, long width) {
  A factor = (A)b;
  for (long i = 0; i < rows; i++) {
    const T *left = x + i * x_row, *right = z + i * z_row;
    T *to = y + i * y_row;
    EACH(j, width) to[j] = STORE(LOAD(left[j]) + factor * LOAD(right[j]));
  }
}

KERNEL static void NAME(multiply)(const T *x, long x_row, const T *z, long z_row, T *y, long y_row,
                                  long rows, long width, bool accumulates) {
  for (long i = 0; i < rows; i++) {
    const T *left = x + i * x_row, *right = z + i * z_row;
    T *to = y + i * y_row;
    if (accumulates) {
      EACH(j, width) to[j] = STORE(LOAD(to[j]) + LOAD(left[j]) * LOAD(right[j]));
    } else {
      EACH(j, width) to[j] = STORE(LOAD(left[j]) * LOAD(right[j]));
    }
  }
}

KERNEL static void NAME(add_row)(const A *bias, T *y, long y_row, long rows, long width) {
  for (long i = 0; i < rows; i++) {
    T *to = y + i * y_row;
    EACH(j, width) to[j] = STORE(LOAD(to[j]) + bias[j]);
  }
}

KERNEL static void NAME(sum_rows)(const T *x, long x_row, long rows, long width, A *sum) {
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    EACH(j, width) sum[j] += LOAD(from[j]);
  }
}

// In stretches, so that float sums stay short.
KERNEL static void NAME(sum_squares)(const T *x, long count, double *sum) {
  for (long start = 0; start < count; start += 4096) {
    long end = start + 4096 < count ? start + 4096 : count;
    A part = 0;
    for (long i = start; i < end; i++) part += LOAD(x[i]) * LOAD(x[i]);
    *sum += (double)part;
  }
}

// x · 0 is 0 exactly where x is finite.
KERNEL static void NAME(all_finite)(const T *x, long x_row, long rows, long width, bool *result) {
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    A sum = 0;
    EACH(j, width) sum += LOAD(from[j]) * 0;
    if (!(sum == 0)) *result = false;
  }
}
