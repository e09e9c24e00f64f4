// Products of small matrices of floats that are rounded to bfloat16 first and summed in float, two products
// an instruction: where the processor has that, at twice the pace of float.

#include "blocks.h"

#include "loops.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(                                                                     \
    __attribute__((target("arch=x86-64-v4,avx512bf16"), min_vector_width(512))), apply_to = function)

/// The most numbers of a factor; larger ones are left to others.
enum { ROOM = 1 << 15, TILE = 8 };

/// Two neighbours along the axis that is summed over.
typedef uint32_t pair;

/// pairs[k / 2][j] = (x[k][j], x[k + 1][j]) of rows k from `begin` on; an odd last row has a zero beside it.
INLINE void pack_rows(const float *x, long row, long begin, long end, long columns, pair *pairs) {
  // Converting two vectors puts one behind the other; pairs stand side by side.
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                         23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (long k = begin; k < end; k += 2) {
    for (long j = 0; j < columns; j += 16) {
      __m512 first = _mm512_loadu_ps(x + k * row + j);
      __m512 second = k + 1 < end ? _mm512_loadu_ps(x + (k + 1) * row + j) : _mm512_setzero_ps();
      __m512i both = (__m512i)_mm512_cvtne2ps_pbh(second, first);
      _mm512_storeu_si512(pairs + j, _mm512_permutexvar_epi16(order, both));
    }
    pairs += columns;
  }
}

/// pairs[i][k / 2] = (x[i][k], x[i][k + 1]); an odd last number has a zero beside it.
INLINE void pack_columns(const float *x, long row, long rows, long begin, long end, long step,
                         pair *pairs) {
  for (long i = 0; i < rows; i++)
    for (long k = begin; k < end; k += 32) {
      long left = end - k;
      __mmask16 low = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
      __mmask16 high = left >= 32 ? 0xffff : left <= 16 ? 0 : (__mmask16)((1u << (left - 16)) - 1);
      const float *from = x + i * row + k;
      __m512 first = _mm512_maskz_loadu_ps(low, from), second = _mm512_maskz_loadu_ps(high, from + 16);
      _mm512_storeu_si512(pairs + i * step + (k - begin) / 2,
                          (__m512i)_mm512_cvtne2ps_pbh(second, first));
    }
}

/// A tile of `rows` rows and `vectors` vectors; both are constants in each instance.
INLINE void tile(const int rows, const int vectors, const pair *left, long left_row, long left_column,
                 const pair *right, long right_row, long inner, float *target, long target_row,
                 bool accumulates) {
  __m512 sums[TILE][2];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) sums[i][v] = _mm512_setzero_ps();
  for (long k = 0; k < inner; k++) {
    __m512bh from[2];
    for (int v = 0; v < vectors; v++)
      from[v] = (__m512bh)_mm512_loadu_si512(right + k * right_row + 16 * v);
    for (int i = 0; i < rows; i++) {
      __m512bh factor = (__m512bh)_mm512_set1_epi32((int)left[i * left_row + k * left_column]);
      for (int v = 0; v < vectors; v++) sums[i][v] = _mm512_dpbf16_ps(sums[i][v], factor, from[v]);
    }
  }
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) {
      float *to = target + i * target_row + 16 * v;
      _mm512_storeu_ps(to, accumulates ? _mm512_add_ps(_mm512_loadu_ps(to), sums[i][v]) : sums[i][v]);
    }
}

typedef struct {
  const pair *left;
  long left_row, left_column;
  const pair *right;
  long right_row, pairs;
} packed;

INLINE void strip(const int rows, const block_product *p, const packed *f, long first) {
  long begin = 0, end = f->pairs, columns = p->columns;
  switch (p->shape) {
  case BLOCK_WHOLE: break;
  case BLOCK_LEFT_LOWER: end = (first + rows + 1) / 2 < end ? (first + rows + 1) / 2 : end; break;
  case BLOCK_LEFT_UPPER: begin = first / 2 < end ? first / 2 : end; break;
  case BLOCK_TARGET_LOWER: columns = first + rows < columns ? first + rows : columns; break;
  }
  const pair *left = f->left + first * f->left_row + begin * f->left_column;
  const pair *right = f->right + begin * f->right_row;
  float *target = (float *)p->target + first * p->target_row;
  long j = 0;
  for (; j + 16 < columns; j += 32)
    tile(rows, 2, left, f->left_row, f->left_column, right + j, f->right_row, end - begin, target + j,
         p->target_row, p->accumulates);
  if (j < columns)
    tile(rows, 1, left, f->left_row, f->left_column, right + j, f->right_row, end - begin, target + j,
         p->target_row, p->accumulates);
}

static bool product_bf16(const block_product *p) {
  long width = block_pad(p->columns), height = block_pad(p->rows), pairs = (p->inner + 1) / 2;
  long step = block_pad(pairs);
  bool turned = p->left_row == 1;
  if (width * pairs > ROOM / 2 || height * step > ROOM / 2 || (!turned && p->left_column != 1)) return false;
  pair left[ROOM / 2], right[ROOM / 2];
  pack_rows(p->right, p->right_row, 0, p->inner, width, right);
  packed factors = {left, step, 1, right, width, pairs};
  if (turned) {
    factors.left_row = 1;
    factors.left_column = height;
    pack_rows(p->left, p->left_column, 0, p->inner, height, left);
  } else {
    pack_columns(p->left, p->left_row, p->rows, 0, p->inner, step, left);
  }
  long i = 0;
  for (; i + TILE <= p->rows; i += TILE) strip(TILE, p, &factors, i);
  for (; i + 2 <= p->rows; i += 2) strip(2, p, &factors, i);
  for (; i < p->rows; i++) strip(1, p, &factors, i);
  return true;
}

#pragma clang attribute pop

/// Rounding costs as much as a product of few rows gains.
enum { FEWEST = 16 };

void block_product_bf16(const block_product *product) {
  if (product->rows >= FEWEST && __builtin_cpu_supports("avx512bf16") && product_bf16(product)) return;
  block_product_f32(product);
}
#else
void block_product_bf16(const block_product *product) { block_product_f32(product); }
#endif
