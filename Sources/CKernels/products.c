// Which way a product is computed.
#include "products.h"

#include <stdlib.h>
#include <string.h>

#include "elementwise.h"
#include "loops.h"
#include "product_ways.h"
#include "team.h"

bool products_are_old;

void products_pretend_old(bool is_old) { products_are_old = is_old; }

/// Where there is one row or column, its stride may be anything: as the libraries want it.
static operand ordered(operand matrix, long rows, long columns) {
  if (matrix.column == 1 && matrix.row < columns) matrix.row = columns;
  else if (matrix.row == 1 && matrix.column < rows) matrix.column = rows;
  return matrix;
}

// MARK: Sums in float

/// Rows at once where sums are kept in float beside the target: what that memory is bounded by.
enum { STRIP = 1024 };

/// Memory of the thread's own that products keep from one to the next; `which` tells apart what one
/// product needs side by side.
static float *scratch(int which, long count) {
  static _Thread_local struct {
    float *start;
    long count;
  } kept[3];
  if (kept[which].count < count) {
    free(kept[which].start);
    kept[which].start = aligned_alloc(64, ((size_t)count * sizeof(float) + 63) / 64 * 64);
    kept[which].count = kept[which].start ? count : 0;
  }
  return kept[which].start;
}

typedef struct {
  const product *p;
  const float *sums;
} sums_job;

KERNEL static void finish_row(const float *sums, uint16_t *to, long count, bool accumulates) {
  if (accumulates) {
    for (long j = 0; j < count; j++) to[j] = narrow_bf16(widen_bf16(to[j]) + sums[j]);
  } else {
    for (long j = 0; j < count; j++) to[j] = narrow_bf16(sums[j]);
  }
}

static void finish_share(void *context, int thread, int threads) {
  const sums_job *job = context;
  const product *p = job->p;
  for (long i = p->rows * thread / threads; i < p->rows * (thread + 1) / threads; i++)
    finish_row(job->sums + i * p->columns, target_at(p, i, 0), p->columns, p->accumulates);
}

/// Runs `add` with a float target for each strip of rows; what it adds up becomes the target.
static bool with_float_sums(const product *p, bool (*add)(const product *part)) {
  if (p->target_type == NUMBER_FLOAT32) return add(p);
  for (long first = 0; first < p->rows; first += STRIP) {
    product strip = *p;
    strip.rows = p->rows - first < STRIP ? p->rows - first : STRIP;
    strip.left.start = operand_at(p->left, first, 0);
    strip.target = target_at(p, first, 0);
    float *sums = scratch(0, strip.rows * p->columns);
    if (!sums) return false;
    product part = strip;
    part.target = sums;
    part.target_row = p->columns;
    part.target_type = NUMBER_FLOAT32;
    part.accumulates = false;
    if (!add(&part)) return false;
    sums_job job = {&strip, sums};
    team_run(finish_share, &job);
  }
  return true;
}

// MARK: Long sums

// With the right matrix as it lies and long sums, oneDNN's products run at 345–435 GFLOP/s in one thread,
// in pieces of 1024 to 2048 of the sum, gathered in float, at 450–480: as fast as with the matrix reordered
// once (455–485), which is therefore not done. (512 × 8192 × 2048: 386 → 452; 1024 × 32000 × 768: 382 →
// 480; 512 × 3072 × 2048: 420 → 455; with the right matrix transposed 468 → 440; float32 216 → 237.)
enum { PIECE = 2048, LONG_SUM = 3072 };

static bool add_pieces(const product *p) {
  long count = (p->inner + PIECE - 1) / PIECE;
  // Multiples of 64, which is what kernels are made for.
  long size = ((p->inner + count - 1) / count + 63) / 64 * 64;
  for (long first = 0; first < p->inner; first += size) {
    product piece = *p;
    piece.inner = p->inner - first < size ? p->inner - first : size;
    piece.left.start = operand_at(p->left, 0, first);
    piece.right.start = operand_at(p->right, first, 0);
    piece.accumulates = p->accumulates || first > 0;
    if (!onednn_product(&piece)) return false;
  }
  return true;
}

static bool sums_are_long(const product *p) {
  return p->inner >= LONG_SUM && p->left.column == 1 && p->right.column == 1 && p->rows >= 64;
}

// MARK: Processors without instructions for bfloat16

/// The product of float32, by the library that was asked for.
static bool float_product(const product *p, product_library library) {
  return (library == PRODUCT_ONEDNN && onednn_product(p)) || blas_product(p);
}

typedef struct {
  operand from;
  long lines, width;
  float *to;
} widening;

static void widen_share(void *context, int thread, int threads) {
  const widening *job = context;
  operand from = job->from;
  for (long i = job->lines * thread / threads; i < job->lines * (thread + 1) / threads; i++) {
    const void *line = from.column == 1 ? operand_at(from, i, 0) : operand_at(from, 0, i);
    convert_numbers(NUMBER_BFLOAT16, line, NUMBER_FLOAT32, job->to + i * job->width, job->width);
  }
}

/// A float copy of a block, as it lies: row by row or column by column.
static operand widened(operand block, long rows, long columns, float *to) {
  bool by_rows = block.column == 1;
  widening job = {block, by_rows ? rows : columns, by_rows ? columns : rows, to};
  team_run(widen_share, &job);
  operand copy = {to, by_rows ? columns : 1, by_rows ? 1 : rows, NUMBER_FLOAT32};
  return ordered(copy, rows, columns);
}

/// Adds up products of blocks of STRIP × STRIP, each widened to float.
static bool add_widened(const product *p, product_library library) {
  float *left = scratch(1, STRIP * STRIP), *right = scratch(2, STRIP * STRIP);
  if (!left || !right) return false;
  for (long row = 0; row < p->rows; row += STRIP)
    for (long inner = 0; inner < p->inner; inner += STRIP) {
      product part = *p;
      part.rows = p->rows - row < STRIP ? p->rows - row : STRIP;
      part.inner = p->inner - inner < STRIP ? p->inner - inner : STRIP;
      operand block = p->left;
      block.start = operand_at(p->left, row, inner);
      part.left = widened(block, part.rows, part.inner, left);
      part.accumulates = p->accumulates || inner > 0;
      for (long column = 0; column < p->columns; column += STRIP) {
        part.columns = p->columns - column < STRIP ? p->columns - column : STRIP;
        block = p->right;
        block.start = operand_at(p->right, inner, column);
        part.right = widened(block, part.inner, part.columns, right);
        part.target = target_at(p, row, column);
        if (!float_product(&part, library)) return false;
      }
    }
  return true;
}

static bool add_widened_onednn(const product *p) { return add_widened(p, PRODUCT_ONEDNN); }
static bool add_widened_blas(const product *p) { return add_widened(p, PRODUCT_OPENBLAS); }

// MARK: The choice

/// A sum of nothing.
static void clear(const product *p) {
  if (p->accumulates) return;
  size_t size = p->target_type == NUMBER_FLOAT64 ? 8 : p->target_type == NUMBER_FLOAT32 ? 4 : 2;
  for (long i = 0; i < p->rows; i++) memset(target_at(p, i, 0), 0, (size_t)p->columns * size);
}

bool matrix_product(product_library library, operand left, operand right, void *target,
                    long target_row, number_type target_type, long rows, long inner, long columns,
                    bool accumulates) {
  product p = {ordered(left, rows, inner), ordered(right, inner, columns), target, target_row,
               target_type, rows, inner, columns, accumulates};
  if (rows == 0 || columns == 0) return true;
  if (inner == 0) {
    clear(&p);
    return true;
  }
  if (left.type == NUMBER_FLOAT64) return blas_product(&p);
  if (few_rows_product(&p)) return true;
  if (library == PRODUCT_ONEDNN) {
    if (sums_are_long(&p) && with_float_sums(&p, add_pieces)) return true;
    if (onednn_product(&p)) return true;
  }
  if (left.type == NUMBER_FLOAT32) return blas_product(&p);
  return with_float_sums(&p, library == PRODUCT_ONEDNN ? add_widened_onednn : add_widened_blas);
}
