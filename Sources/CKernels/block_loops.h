// Loops of blocks.c over A, for vectors of BYTES bytes in tiles of TILE rows; see blocks.h.

#define V TARGET(vector)
typedef A V __attribute__((vector_size(BYTES), aligned(sizeof(A))));

enum { TARGET(lanes) = BYTES / (int)sizeof(A) };

/// A tile of `rows` rows and `vectors` vectors; both are constants in each instance.
INLINE void TARGET(tile)(const int rows, const int vectors, const A *left, long left_row,
                         long left_column, const A *right, long right_row, long inner, A *target,
                         long target_row, bool accumulates) {
  V sums[8][4];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) sums[i][v] = (V){0};
  for (long k = 0; k < inner; k++) {
    V from[4];
    for (int v = 0; v < vectors; v++) from[v] = *(const V *)(right + k * right_row + v * TARGET(lanes));
    for (int i = 0; i < rows; i++) {
      A factor = left[i * left_row + k * left_column];
      for (int v = 0; v < vectors; v++) sums[i][v] += factor * from[v];
    }
  }
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) {
      V *to = (V *)(target + i * target_row + v * TARGET(lanes));
      *to = accumulates ? *to + sums[i][v] : sums[i][v];
    }
}

INLINE void TARGET(strip)(const int rows, const block_product *p, long first) {
  long begin = 0, end = p->inner, columns = p->columns;
  switch (p->shape) {
  case BLOCK_WHOLE: break;
  case BLOCK_LEFT_LOWER: end = first + rows < end ? first + rows : end; break;
  case BLOCK_LEFT_UPPER: begin = first < end ? first : end; break;
  case BLOCK_TARGET_LOWER: columns = first + rows < columns ? first + rows : columns; break;
  }
  const A *left = (const A *)p->left + first * p->left_row + begin * p->left_column;
  const A *right = (const A *)p->right + begin * p->right_row;
  A *target = (A *)p->target + first * p->target_row;
  long step = TARGET(lanes), j = 0;
  const int wide = rows == 1 ? 4 : 2;
  for (; j + (wide - 1) * step < columns; j += wide * step)
    TARGET(tile)(rows, wide, left, p->left_row, p->left_column, right + j, p->right_row, end - begin,
                 target + j, p->target_row, p->accumulates);
  for (; j < columns; j += step)
    TARGET(tile)(rows, 1, left, p->left_row, p->left_column, right + j, p->right_row, end - begin,
                 target + j, p->target_row, p->accumulates);
}

static void TARGET(product)(const block_product *p) {
  long i = 0;
  for (; i + TILE <= p->rows; i += TILE) TARGET(strip)(TILE, p, i);
  for (; i + 2 <= p->rows; i += 2) TARGET(strip)(2, p, i);
  for (; i < p->rows; i++) TARGET(strip)(1, p, i);
}

#undef V
