// A few rows times a large matrix that lies [columns, inner]: generating a token reads each weight once,
// so that memory sets the pace, which packing the matrix as for large products would halve.
#include <stdatomic.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "loops.h"
#include "product_ways.h"
#include "team.h"

/// More rows are oneDNN's.
enum { MOST_ROWS = 4 };

/// What a thread takes on at a time: so many lines of the matrix.
enum { SHARE = 32 };

/// Kernels step through lines so many numbers at a time; the rows are padded with zeros to that.
enum { STEP = 64 };

typedef struct {
  const product *p;
  /// The rows as the kernel wants them, `row` numbers apart.
  const void *rows;
  long row;
  /// Whether there are instructions for bfloat16.
  bool has_dots;
  /// The first line that nobody has taken.
  atomic_long next;
} few_rows_job;

// MARK: Kernels

// A kernel computes the sums of `rows` rows and `count` lines, both of them constants wherever it is
// inlined: sums[r · SHARE + i]. It is made of a STEP, which adds what `numbers` consecutive numbers of each
// give; the last ones of a line are padded with zeros, as the rows have been.
#define UNROLL _Pragma("clang loop unroll(full)")
#define KERNEL_OF(name, attributes, T, X, V, ZERO, ADD, TOTAL)                                    \
  attributes void name(const T *lines, long line, const X *x, long row, long inner, int rows,     \
                       int count, float *sums) {                                                  \
    V parts[8][2];                                                                                \
    T rest[4][STEP];                                                                              \
    UNROLL for (int i = 0; i < rows * count; i++) parts[i][0] = parts[i][1] = ZERO;               \
    long whole = inner / STEP * STEP;                                                             \
    for (long j = 0; j < whole; j += STEP) {                                                      \
      UNROLL for (int i = 0; i < count; i++) ADD(lines + i * line + j, x + j, i)                  \
    }                                                                                             \
    if (whole < inner) {                                                                          \
      memset(rest, 0, sizeof rest);                                                               \
      UNROLL for (int i = 0; i < count; i++) {                                                    \
        memcpy(rest[i], lines + i * line + whole, (size_t)(inner - whole) * sizeof(T));           \
        ADD(rest[i], x + whole, i)                                                                \
      }                                                                                           \
    }                                                                                             \
    UNROLL for (int r = 0; r < rows; r++) {                                                       \
      UNROLL for (int i = 0; i < count; i++)                                                      \
        sums[r * SHARE + i] = TOTAL(parts[r * count + i][0], parts[r * count + i][1]);            \
    }                                                                                             \
  }

typedef float floats __attribute__((vector_size(64), aligned(4)));
typedef uint32_t words __attribute__((vector_size(64), aligned(2)));

INLINE float total(floats first, floats second) {
  floats both = first + second;
  float sum = 0;
  for (int i = 0; i < 16; i++) sum += both[i];
  return sum;
}

#define ADD_FLOATS(from, to, i)                                                                   \
  UNROLL for (int k = 0; k < STEP / 16; k++) {                                                    \
    floats numbers = *(const floats *)((from) + 16 * k);                                          \
    UNROLL for (int r = 0; r < rows; r++)                                                         \
      parts[r * count + i][k & 1] += numbers * *(const floats *)((to) + r * row + 16 * k);        \
  }
KERNEL_OF(lines_f32, INLINE, float, float, floats, (floats){0}, ADD_FLOATS, total)

// Of each pair of bfloat16 numbers the first is the lower half of a word. The rows have been parted
// likewise: of each 32 numbers the sixteen at even places, then those at odd ones.
#define ADD_PARTED(from, to, i)                                                                   \
  UNROLL for (int k = 0; k < STEP; k += 32) {                                                     \
    words pairs = *(const words *)((from) + k);                                                   \
    floats even = (floats)(pairs << 16), odd = (floats)(pairs & 0xffff0000u);                     \
    UNROLL for (int r = 0; r < rows; r++) {                                                       \
      parts[r * count + i][0] += even * *(const floats *)((to) + r * row + k);                    \
      parts[r * count + i][1] += odd * *(const floats *)((to) + r * row + k + 16);                \
    }                                                                                             \
  }
KERNEL_OF(lines_parted, INLINE, uint16_t, float, floats, (floats){0}, ADD_PARTED, total)

#if defined(__x86_64__)
#define DOTS __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define PAIRS(from) ((__m512bh)_mm512_loadu_si512(from))

DOTS INLINE float dots_total(__m512 first, __m512 second) {
  return _mm512_reduce_add_ps(_mm512_add_ps(first, second));
}

#define ADD_DOTS(from, to, i)                                                                     \
  UNROLL for (int k = 0; k < 2; k++) {                                                            \
    __m512bh numbers = PAIRS((from) + 32 * k);                                                    \
    UNROLL for (int r = 0; r < rows; r++)                                                         \
      parts[r * count + i][k] =                                                                   \
          _mm512_dpbf16_ps(parts[r * count + i][k], numbers, PAIRS((to) + r * row + 32 * k));     \
  }
KERNEL_OF(lines_dots, DOTS INLINE, uint16_t, uint16_t, __m512, _mm512_setzero_ps(), ADD_DOTS,
          dots_total)
#endif

// MARK: A share of the lines

#define LINES(kernel, T, X, R, C)                                                                 \
  for (; line + C <= last; line += C, sums += C)                                                  \
    kernel((const T *)p->right.start + line * p->right.column, p->right.column, (const X *)job->rows, \
           job->row, p->inner, R, C, sums);

// Several lines at once share the loads of the rows: four, where so many sums have registers. One row of
// up to 4096 numbers stays in the first cache, and a single stream of memory is read faster.
#define EACH_COUNT(kernel, T, X)                                                                  \
  {                                                                                               \
    const product *p = job->p;                                                                    \
    switch (p->rows) {                                                                            \
    case 1:                                                                                       \
      if (p->inner > 4096) LINES(kernel, T, X, 1, 4)                                              \
      LINES(kernel, T, X, 1, 1)                                                                   \
      break;                                                                                      \
    case 2: LINES(kernel, T, X, 2, 4) LINES(kernel, T, X, 2, 1) break;                            \
    case 3: LINES(kernel, T, X, 3, 2) LINES(kernel, T, X, 3, 1) break;                            \
    case 4: LINES(kernel, T, X, 4, 2) LINES(kernel, T, X, 4, 1) break;                            \
    }                                                                                             \
  }

KERNEL static void share_f32(const few_rows_job *job, long line, long last, float *sums)
    EACH_COUNT(lines_f32, float, float)
KERNEL static void share_parted(const few_rows_job *job, long line, long last, float *sums)
    EACH_COUNT(lines_parted, uint16_t, float)
#if defined(__x86_64__)
DOTS static void share_dots(const few_rows_job *job, long line, long last, float *sums)
    EACH_COUNT(lines_dots, uint16_t, uint16_t)
#endif

static void store(const product *p, long row, long column, float sum) {
  if (p->target_type == NUMBER_FLOAT32) {
    float *to = target_at(p, row, column);
    *to = p->accumulates ? *to + sum : sum;
  } else {
    uint16_t *to = target_at(p, row, column);
    *to = narrow_bf16(p->accumulates ? widen_bf16(*to) + sum : sum);
  }
}

// Which thread takes which lines does not change the sums.
static void take_shares(void *context, int thread, int threads) {
  few_rows_job *job = context;
  const product *p = job->p;
  float sums[MOST_ROWS * SHARE];
  for (;;) {
    long first = atomic_fetch_add(&job->next, SHARE);
    if (first >= p->columns) return;
    long last = first + SHARE < p->columns ? first + SHARE : p->columns;
#if defined(__x86_64__)
    if (job->has_dots) share_dots(job, first, last, sums);
    else
#endif
    if (p->left.type == NUMBER_FLOAT32) share_f32(job, first, last, sums);
    else share_parted(job, first, last, sums);
    for (long r = 0; r < p->rows; r++)
      for (long i = first; i < last; i++) store(p, r, i, sums[r * SHARE + i - first]);
  }
}

// MARK: The rows

static bool has_dots(number_type type) {
#if defined(__x86_64__)
  return type == NUMBER_BFLOAT16 && !products_are_old && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

static void copy_row(const few_rows_job *job, const void *from, void *to) {
  long inner = job->p->inner;
  if (job->p->left.type == NUMBER_FLOAT32 || job->has_dots) {
    size_t size = job->has_dots ? sizeof(uint16_t) : sizeof(float);
    memcpy(to, from, (size_t)inner * size);
    return;
  }
  const uint16_t *numbers = from;
  float *parted = to;
  for (long j = 0; j < inner; j++)
    parted[j / 32 * 32 + j % 2 * 16 + j % 32 / 2] = widen_bf16(numbers[j]);
}

bool few_rows_product(const product *p) {
  if (p->rows > MOST_ROWS || p->left.column != 1 || p->right.row != 1) return false;
  few_rows_job job = {.p = p, .has_dots = has_dots(p->left.type)};
  job.row = (p->inner + STEP - 1) / STEP * STEP;
  size_t size = job.has_dots ? sizeof(uint16_t) : sizeof(float);
  char *rows = calloc((size_t)(p->rows * job.row), size);
  if (!rows) return false;
  for (long i = 0; i < p->rows; i++)
    copy_row(&job, operand_at(p->left, i, 0), rows + (size_t)(i * job.row) * size);
  job.rows = rows;
  if (p->columns <= SHARE) take_shares(&job, 0, 1);
  else team_run(take_shares, &job);
  free(rows);
  return true;
}
