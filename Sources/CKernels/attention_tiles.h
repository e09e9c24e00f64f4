// Blocks of attention.c: products of tiles that stay in registers, and how numbers are laid out for them.
//
// U is a unit of what is multiplied: PER_UNIT neighbours along the axis that is summed over, two bfloat16
// where the processor multiplies pairs, else one number of A. Layouts, in units:
//   rows    [rows, size]       a left side: units along a row
//   turned  [size, rows]       a right side for products of rows with rows: units along a row
//   paired  [rows, size]       a right side for weighted sums of rows: units of PER_UNIT rows
// Blocks are padded with zeros: sizes to whole vectors, rows to whole tiles.

#undef NAME
#define NAME(name) JOIN(name, JOIN(VARIANT, SUFFIX))

#undef U
#undef MULTIPLY_ADD
#if PER_UNIT == 2
#define U uint32_t
#else
#define U A
#endif

typedef A NAME(vector) __attribute__((vector_size(64)));
typedef U NAME(units) __attribute__((vector_size(64)));
#if JOIN(SINGLE, ACCUMULATED)
typedef int32_t NAME(lanes) __attribute__((vector_size(64)));
#else
typedef int64_t NAME(lanes) __attribute__((vector_size(64)));
#endif

/// A list of lanes by a rule.
#undef EACH
#if JOIN(SINGLE, ACCUMULATED)
#define EACH(pick, s)                                                                             \
  pick(0, s), pick(1, s), pick(2, s), pick(3, s), pick(4, s), pick(5, s), pick(6, s), pick(7, s), \
      pick(8, s), pick(9, s), pick(10, s), pick(11, s), pick(12, s), pick(13, s), pick(14, s),    \
      pick(15, s)
#else
#define EACH(pick, s) \
  pick(0, s), pick(1, s), pick(2, s), pick(3, s), pick(4, s), pick(5, s), pick(6, s), pick(7, s)
#endif

#define LANES (64 / (long)sizeof(A))
#define UNITS(count) (((count) + PER_UNIT - 1) / PER_UNIT)

#if PER_UNIT == 2
#define MULTIPLY_ADD(sum, left, right) \
  (NAME(vector))_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(left), (__m512bh)(right))
#else
#define MULTIPLY_ADD(sum, left, right) ((sum) + (left) * (right))
#endif

// Measured on Zen 5 with pairs of bfloat16, one thread, peak 545 GFLOP/s: blocks of 96 by 192 with 64 or 128 in
// between take 510 to 540 this way, and 460 to 490 in oneDNN, which knows nothing of what is not seen. Attention
// of 512 tokens, heads of 64: 340 forward, 385 back; of 1024, heads of 128: 410 and 430. Blocks of 96 to 384
// keys and 96 or 192 queries differ by 3 %.

/// Adds the products of TILE rows of a left side and `vectors` vectors of a right side, summed over `steps`
/// units, to c, or stores them.
INLINE void NAME(tile)(const long vectors, long steps, const U *left, long left_row, long left_step,
                       const U *right, long right_row, A *c, long c_row, bool adds) {
  NAME(vector) sum[TILE][MOST_VECTORS];
#pragma unroll
  for (long r = 0; r < TILE; r++)
#pragma unroll
    for (long n = 0; n < vectors; n++)
      sum[r][n] = adds ? *(NAME(vector) *)(c + r * c_row + n * LANES) : (NAME(vector)){};
  for (long k = 0; k < steps; k++) {
#pragma unroll
    for (long r = 0; r < TILE; r++) {
      NAME(units) all = (NAME(units)){} + left[r * left_row];
#pragma unroll
      for (long n = 0; n < vectors; n++)
        sum[r][n] = MULTIPLY_ADD(sum[r][n], all, *(const NAME(units) *)(right + n * LANES));
    }
    left += left_step;
    right += right_row;
  }
#pragma unroll
  for (long r = 0; r < TILE; r++)
#pragma unroll
    for (long n = 0; n < vectors; n++) *(NAME(vector) *)(c + r * c_row + n * LANES) = sum[r][n];
}

/// The same for a number of vectors that is known only now.
static __attribute__((noinline)) void NAME(tiles)(long vectors, long steps, const U *left, long left_row, long left_step,
                        const U *right, long right_row, A *c, long c_row, bool adds) {
#define TILES(count) NAME(tile)(count, steps, left, left_row, left_step, right, right_row, c, c_row, adds)
  switch (vectors) {
  case 1: TILES(1); break;
#if MOST_VECTORS == 4
  case 2: TILES(2); break;
  case 3: TILES(3); break;
  case 4: TILES(4); break;
#endif
  }
#undef TILES
}

/// How many vectors the strip that begins at one of `all` vectors has: as even as may be.
INLINE long NAME(strip)(long all, long first) {
  long strips = (all + MOST_VECTORS - 1) / MOST_VECTORS, rest = all % strips;
  return all / strips + (first < rest * (all / strips + 1));
}

// MARK: Laying out

/// Neighbours of a row as units.
INLINE void NAME(lay_line)(void *to, const T *x, long count) {
#if PER_UNIT == 2
  long j = 0;
  for (; j + 32 <= count; j += 32) _mm512_storeu_si512((T *)to + j, _mm512_loadu_si512(x + j));
  if (j < count) memcpy((T *)to + j, x + j, (count - j) * sizeof(T));
#else
  for (long j = 0; j < count; j++) ((U *)to)[j] = LOAD(x[j]);
#endif
}

/// x [rows, size] as a left side; rows up to whole tiles become zeros.
static void NAME(lay_rows)(const T *x, long x_row, long rows, long size, U *to) {
  long width = UNITS(size);
  memset(to + rows * width, 0, (PADDED(rows, TILE) - rows) * width * sizeof(U));
  for (long i = 0; i < rows; i++, x += x_row, to += width) {
    to[width - 1] = 0;
    NAME(lay_line)(to, x, size);
  }
}

/// Exchanges rows and columns of as many vectors as each has lanes: step by step those of blocks of 1, 2,
/// 4 … of them.
INLINE void NAME(turn)(NAME(units) x[LANES]) {
#define UPPER(l, s) ((l) & (s) ? LANES + (l) - (s) : (l))
#define LOWER(l, s) ((l) & (s) ? LANES + (l) : (l) + (s))
#define TURN(s)                                                               \
  _Pragma("unroll") for (long i = 0; i < LANES; i++) if (!(i & (s))) {        \
    NAME(units) a = x[i], b = x[i + (s)];                                     \
    x[i] = __builtin_shufflevector(a, b, EACH(UPPER, s));                     \
    x[i + (s)] = __builtin_shufflevector(a, b, EACH(LOWER, s));               \
  }
  TURN(1)
  TURN(2)
  TURN(4)
#if JOIN(SINGLE, ACCUMULATED)
  TURN(8)
#endif
#undef TURN
}

/// x [rows, size] with rows and columns exchanged, the new rows `to_row` units apart; rows up to two whole
/// vectors become zeros.
static void NAME(lay_turned)(const T *x, long x_row, long rows, long size, U *to, long to_row) {
  for (long first = 0; first < PADDED(rows, 2 * LANES); first += LANES)
    for (long j = 0; j < size; j += LANES * PER_UNIT) {
      NAME(units) square[LANES] = {};
      const T *from = x + first * x_row + j;
      long count = rows - first < LANES ? rows - first : LANES;
      long wide = size - j < LANES * PER_UNIT ? size - j : LANES * PER_UNIT;
      if (count == LANES && wide == LANES * PER_UNIT) {
#pragma unroll
        for (long i = 0; i < LANES; i++) NAME(lay_line)(&square[i], from + i * x_row, LANES * PER_UNIT);
      } else {
        for (long i = 0; i < count; i++) NAME(lay_line)(&square[i], from + i * x_row, wide);
      }
      NAME(turn)(square);
      U *corner = to + j / PER_UNIT * to_row + first;
      for (long i = 0; i < UNITS(wide); i++) *(NAME(units) *)(corner + i * to_row) = square[i];
    }
}

/// x [rows, size] as a right side whose units go across rows, `to_row` units apart; columns up to whole
/// vectors become zeros, and rows up to whole tiles and two vectors' lanes.
static void NAME(lay_paired)(const T *x, long x_row, long rows, long size, U *to, long to_row) {
  for (long i = 0; i < rows; i += PER_UNIT, to += to_row) {
    const T *from = x + i * x_row;
#if PER_UNIT == 2
    const T *next = from + x_row;
    if (i + 1 < rows)
      for (long j = 0; j < size; j++) to[j] = from[j] | (U)next[j] << 16;
    else
      for (long j = 0; j < size; j++) to[j] = from[j];
#else
    for (long j = 0; j < size; j++) to[j] = LOAD(from[j]);
#endif
    for (long j = size; j < to_row; j++) to[j] = 0;
  }
  long padded = PADDED(PADDED(rows, TILE), 2 * LANES);
  memset(to, 0, (UNITS(padded) - UNITS(rows)) * to_row * sizeof(U));
}

/// A row of sums times a factor, stored or added.
INLINE void NAME(give_line)(const A *sums, A scale, T *to, long count, bool adds) {
  long c = 0;
#if PER_UNIT == 2
  for (; c + LANES <= count; c += LANES) {
    __m512 sum = _mm512_mul_ps(_mm512_loadu_ps(sums + c), _mm512_set1_ps(scale));
    if (adds) {
      __m512i before = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(to + c)));
      sum = _mm512_add_ps(sum, _mm512_castsi512_ps(_mm512_slli_epi32(before, 16)));
    }
    _mm256_storeu_si256((__m256i *)(to + c), (__m256i)_mm512_cvtneps_pbh(sum));
  }
#endif
  if (adds)
    for (; c < count; c++) to[c] = STORE(LOAD(to[c]) + scale * sums[c]);
  else
    for (; c < count; c++) to[c] = STORE(scale * sums[c]);
}

// MARK: Vectors of scores

INLINE NAME(vector) NAME(larger)(NAME(vector) x, NAME(vector) y) {
  // As the processor's own maximum, which gives y where one of them is no number.
  NAME(lanes) chosen = x > y;
  return (NAME(vector))(((NAME(lanes))x & chosen) | ((NAME(lanes))y & ~chosen));
}

/// 2^x for x up to 0 and a little above; 0 below -126.
INLINE NAME(vector) NAME(power)(NAME(vector) x) {
#pragma clang fp reassociate(off)
#if JOIN(SINGLE, ACCUMULATED)
  x = NAME(larger)((NAME(vector)){} - 127.0f, x);
  // Adding 1.5 · 2^23 rounds to a whole number, which stands in the low bits then.
  NAME(vector) shifted = x + 12582912.0f;
  NAME(vector) r = x - (shifted - 12582912.0f);
#if PER_UNIT == 2
  // Right to 3e-6 of the value, which will be rounded to 4e-3.
  NAME(vector) p = r * 9.5828532e-3f + 5.59064252e-2f;
  p = p * r + 0.240240986f;
  p = p * r + 0.693124193f;
#else
  NAME(vector) p = r * 1.5353362e-4f + 1.33988745e-3f;
  p = p * r + 9.61843736e-3f;
  p = p * r + 5.55033247e-2f;
  p = p * r + 0.240226479f;
  p = p * r + 0.693147203f;
#endif
  p = p * r + 1.0f;
  NAME(lanes) power = ((NAME(lanes))shifted << 23) + 0x3f800000;
  return p * (NAME(vector))power;
#else
  NAME(vector) y;
  for (long i = 0; i < LANES; i++) y[i] = exp2(x[i]);
  return y;
#endif
}

#define ACROSS(l, s) ((l) ^ (s))

INLINE A NAME(most_of)(NAME(vector) x) {
#define FOLD(s) x = NAME(larger)(__builtin_shufflevector(x, x, EACH(ACROSS, s)), x);
  FOLD(1) FOLD(2) FOLD(4)
#if JOIN(SINGLE, ACCUMULATED)
  FOLD(8)
#endif
#undef FOLD
  return x[0];
}

INLINE A NAME(sum_of)(NAME(vector) x) {
#define FOLD(s) x += __builtin_shufflevector(x, x, EACH(ACROSS, s));
  FOLD(1) FOLD(2) FOLD(4)
#if JOIN(SINGLE, ACCUMULATED)
  FOLD(8)
#endif
#undef FOLD
  return x[0];
}

#if PER_UNIT == 2
/// Two vectors as bfloat16, one behind the other.
#define ROUNDED(low, high) ((__m512i)_mm512_cvtne2ps_pbh((__m512)(high), (__m512)(low)))
/// Two vectors as pairs of bfloat16.
#define PAIRED(first, second) \
  _mm512_permutexvar_epi16(_mm512_loadu_si512(pair_order), ROUNDED(first, second))
#endif
