// Loops of magnitude.c over T and A; see magnitude.h.

KERNEL static void NAME(scale_columns)(const T *x, long x_row, const A *c, T *y, long y_row, long rows,
                                       long width) {
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    T *to = y + i * y_row;
    for (long j = 0; j < width; j++) to[j] = STORE(LOAD(from[j]) * c[j]);
  }
}

KERNEL static void NAME(dot_columns)(const T *x, long x_row, const T *y, long y_row, long rows,
                                     long width, A *sums) {
  for (long i = 0; i < rows; i++) {
    const T *left = x + i * x_row, *right = y + i * y_row;
    for (long j = 0; j < width; j++) sums[j] += LOAD(left[j]) * LOAD(right[j]);
  }
}

KERNEL static void NAME(row_squares)(const T *x, long x_row, long rows, long width, A *squares) {
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    A sum = 0;
    for (long j = 0; j < width; j++) sum += LOAD(from[j]) * LOAD(from[j]);
    squares[i] = sum;
  }
}

// ‖w + Σ_k b_k a_k‖² = ‖w‖² + Σ_k b_k (2 w·a_k + Σ_l b_l a_l·a_k)
KERNEL static void NAME(changed_row_norms)(const A *squares, const A *products, long product_row,
                                           const T *b, long b_row, const A *gram, long rank, long rows,
                                           A *norms) {
  for (long i = 0; i < rows; i++) {
    const T *factors = b + i * b_row;
    const A *product = products + i * product_row;
    A sum = squares[i];
    for (long k = 0; k < rank; k++) {
      const A *row = gram + k * rank;
      A inner = 2 * product[k];
      for (long l = 0; l < rank; l++) inner += LOAD(factors[l]) * row[l];
      sum += LOAD(factors[k]) * inner;
    }
    norms[i] = MATH(sqrt)(sum > 0 ? sum : 0);
  }
}
