// Loops of dropout.c over T and A; see dropout.h.

/// As many elements as there are lanes, of one word each.
INLINE void NAME(drop_some)(const uint32_t *words, uint32_t least, A factor, const T *x, T *y,
                            long count, int adds) {
  if (adds) {
    EACH(i, count) y[i] = STORE(LOAD(y[i]) + (words[i] >= least ? LOAD(x[i]) * factor : (A)0));
  } else {
    EACH(i, count) y[i] = STORE(words[i] >= least ? LOAD(x[i]) * factor : (A)0);
  }
}

KERNEL static void NAME(drop_elements)(uint64_t seed, uint64_t stream, long first, double share,
                                       const T *x, long x_row, T *y, long y_row, long rows,
                                       long width, int adds) {
  const uint32_t least = (uint32_t)(share * 4294967296.0);
  const A factor = (A)(1.0 / (1.0 - share));
  const uint64_t blocks = (uint64_t)(width + 4 * LANES - 1) / (4 * LANES);
  for (long i = 0; i < rows; i++) {
    const T *from = x + i * x_row;
    T *to = y + i * y_row;
    for (uint64_t block = 0; block < blocks; block++) {
      philox_block state;
      set_counters(&state, ((uint64_t)(first + i) * blocks + block) * LANES, stream);
      philox_rounds(&state, (uint32_t)seed, (uint32_t)(seed >> 32));
      for (int word = 0; word < 4; word++) {
        long start = (long)block * 4 * LANES + word * LANES;
        long left = width - start;
        if (left <= 0) break;
        NAME(drop_some)(state.words[word], least, factor, from + start, to + start,
                        left < LANES ? left : LANES, adds);
      }
    }
  }
}
