// Loops of table.c over T and A; see table.h.

KERNEL static void NAME(gather_rows)(const T *table, long table_row, const int32_t *indices,
                                     double scale, T *y, long y_row, long rows, long width) {
  A factor = (A)scale;
  for (long i = 0; i < rows; i++) {
    const T *from = table + indices[i] * table_row;
    T *to = y + i * y_row;
    EACH(j, width) to[j] = STORE(factor * LOAD(from[j]));
  }
}

KERNEL static void NAME(scatter_add_rows)(const T *x, long x_row, const int32_t *indices, double scale,
                                          T *target, long target_row, long rows, long width) {
  A factor = (A)scale;
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    T *to = target + indices[i] * target_row;
    EACH(j, width) to[j] = STORE(LOAD(to[j]) + factor * LOAD(from[j]));
  }
}
