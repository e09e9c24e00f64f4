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
  NAME(block_product)(&product);
}

KERNEL static void NAME(load)(const T *from, long from_row, long rows, long width, A *to, long to_row) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < width; j++) to[i * to_row + j] = LOAD(from[i * from_row + j]);
}

/// to = fromᵀ, the columns of `to` past `rows` undefined.
KERNEL static void NAME(turn)(const A *from, long from_row, long rows, long columns, A *to, long to_row) {
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

/// Multiplies each row by its factor.
KERNEL static void NAME(scale_rows)(A *x, long row, long rows, long width, const A *factors) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < width; j++) x[i * row + j] *= factors[i];
}

/// Multiplies a state's gradient by a decay; gives its product with the state it decayed from.
KERNEL static A NAME(decay_state)(const A *state, A *gradient, long row, long rows, long width,
                                  A factor) {
  A sum = 0;
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < width; j++) {
      gradient[i * row + j] *= factor;
      sum += gradient[i * row + j] * state[i * row + j];
    }
  return sum;
}

/// Adds to the gradients of a chunk's sums of logarithms what row `i` of a product brings, which decays as
/// e^(sums[i] - sums[j]): nothing decays from a row to itself.
INLINE void NAME(return_decays)(const A *above, const A *weights, long i, A *sums) {
  A sum = 0;
  for (long j = 0; j < i; j++) {
    A value = above[j] * weights[j];
    sum += value;
    sums[j] -= value;
  }
  sums[i] += sum;
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
KERNEL static void NAME(decays)(const A *logarithms, long rows, A *sums, A *into, A *out) {
  A sum = 0;
  for (long i = 0; i < rows; i++) sums[i] = sum += logarithms[i];
  for (long i = 0; i < rows; i++) into[i] = MATH(exp)(sums[i]);
  for (long i = 0; i < rows; i++) out[i] = MATH(exp)(sum - sums[i]);
}

/// lower[i, j] = e^(sums[i] - sums[j]) for j <= i, else 0.
KERNEL static void NAME(decay_between)(const A *sums, long rows, A *lower, long row) {
  for (long i = 0; i < rows; i++) {
    A *to = lower + i * row;
    for (long j = 0; j <= i; j++) to[j] = MATH(exp)(sums[i] - sums[j]);
    for (long j = i + 1; j < rows; j++) to[j] = 0;
  }
}

#ifndef WALK_BACK
/// Goes through the chunks of a sequence from the last to the first.
///
/// Uses two functions of the file of loops:
/// - `advance_all(way, row, rows, from, to)` computes the states behind a chunk from those before it (null:
///   nothing), which may be in the same place;
/// - `return_chunk(way, row, rows, before, is_last)` computes a chunk's gradients: `before` holds the states
///   before it, null where there are none; where `is_last`, nothing comes back to those behind it.
///
/// States of `size` numbers are computed again rather than kept: `room` holds those before the first chunk
/// of each stretch, and before each chunk of the stretch at work.
#define WALK_BACK(way, first_row, total, chunk, size, room)                                       \
  do {                                                                                            \
    long chunks = (total + chunk - 1) / chunk, stretch = chunk_stretch(chunks);                   \
    A *kept = NAME(take)(&room, stretch * (size));                                                \
    A *starts = NAME(take)(&room, (chunks / stretch + 1) * (size));                               \
    for (long c = 0; c + 1 < chunks && chunks > stretch; c++) {                                   \
      const A *from = c == 0 ? 0 : c % stretch == 0 ? starts + c / stretch * (size) : kept;       \
      A *to = (c + 1) % stretch == 0 ? starts + (c + 1) / stretch * (size) : kept;                \
      NAME(advance_all)(way, first_row + c * chunk, chunk, from, to);                             \
    }                                                                                             \
    for (long start = (chunks - 1) / stretch * stretch; start >= 0; start -= stretch) {           \
      long end = start + stretch < chunks ? start + stretch : chunks;                             \
      if (start > 0) memcpy(kept, starts + start / stretch * (size), sizeof(A) * (size_t)(size)); \
      for (long c = start; c + 1 < end; c++)                                                      \
        NAME(advance_all)(way, first_row + c * chunk, chunk, c ? kept + (c - start) * (size) : 0, \
                          kept + (c - start + 1) * (size));                                       \
      for (long c = end - 1; c >= start; c--) {                                                   \
        long left = total - c * chunk, rows = left < chunk ? left : chunk;                        \
        NAME(return_chunk)(way, first_row + c * chunk, rows, c ? kept + (c - start) * (size) : 0, \
                           c + 1 == chunks);                                                      \
      }                                                                                           \
    }                                                                                             \
  } while (0)
#endif
