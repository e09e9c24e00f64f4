// What layers that work in chunks share, over T and A: blocks of rows in sums' type.
//
// A block's rows lie a multiple of BLOCK_LANES numbers apart; see blocks.h.

/// The next stretch of a call's room.
INLINE A *NAME(take)(A **room, long count) {
  A *start = *room;
  *room += block_pad(count);
  return start;
}

INLINE void NAME(product)(block_shape shape, long rows, long inner, long columns, const A *left,
                          long left_row, long left_column, const A *right, long right_row, A *target,
                          long target_row, bool accumulates) {
  block_product product = {shape, accumulates, rows,      inner,  columns,   left, left_row,
                           left_column, right, right_row, target, target_row};
  MATH(block_product)(&product);
}

INLINE void NAME(load)(const T *from, long from_row, long rows, long width, A *to, long to_row) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < width; j++) to[i * to_row + j] = LOAD(from[i * from_row + j]);
}

/// to = fromᵀ, the columns of `to` past `rows` undefined.
INLINE void NAME(turn)(const A *from, long from_row, long rows, long columns, A *to, long to_row) {
  // In tiles, so that reads and writes stay in the nearest cache.
  for (long i = 0; i < rows; i += 16)
    for (long j = 0; j < columns; j++) {
      long end = rows - i < 16 ? rows - i : 16;
      for (long k = 0; k < end; k++) to[j * to_row + i + k] = from[(i + k) * from_row + j];
    }
}

INLINE void NAME(scale)(A *x, long count, A factor) {
  for (long i = 0; i < count; i++) x[i] *= factor;
}

INLINE A NAME(dot)(const A *x, const A *y, long count) {
  A sum = 0;
  for (long i = 0; i < count; i++) sum += x[i] * y[i];
  return sum;
}

/// Adds to, or stores.
INLINE void NAME(put)(T *to, const A *from, long count, bool accumulates) {
  if (accumulates) {
    for (long i = 0; i < count; i++) to[i] = STORE(LOAD(to[i]) + from[i]);
  } else {
    for (long i = 0; i < count; i++) to[i] = STORE(from[i]);
  }
}

/// From the logarithms of a chunk's decays, their running sums, and what decays from the chunk's
/// beginning through each row (`into`) and from behind each row to the chunk's end (`out`).
INLINE void NAME(decays)(const A *logarithms, long rows, A *sums, A *into, A *out) {
  A sum = 0;
  for (long i = 0; i < rows; i++) sums[i] = sum += logarithms[i];
  for (long i = 0; i < rows; i++) into[i] = MATH(exp)(sums[i]);
  for (long i = 0; i < rows; i++) out[i] = MATH(exp)(sum - sums[i]);
}

/// lower[i, j] = e^(sums[i] - sums[j]) for j <= i, else 0.
INLINE void NAME(decay_between)(const A *sums, long rows, A *lower, long row) {
  for (long i = 0; i < rows; i++) {
    A *to = lower + i * row;
    for (long j = 0; j <= i; j++) to[j] = MATH(exp)(sums[i] - sums[j]);
    for (long j = i + 1; j < rows; j++) to[j] = 0;
  }
}
