// Products by OpenBLAS, loaded when the first one is asked for.
//
// Loaded rather than linked, because it reads which kernels to take when it is loaded: version 0.3.21
// does not know newer AMD processors and takes its AVX2 kernels (220–240 GFLOP/s in float32 on two Zen 5
// cores, 330–390 with its AVX-512 ones).
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "loops.h"
#include "product_ways.h"
#include "team.h"

enum { ROW_MAJOR = 101, AS_IT_IS = 111, TURNED = 112 };

typedef void (*sgemm)(int order, int left_turn, int right_turn, int rows, int columns, int inner,
                      float factor, const float *left, int left_row, const float *right, int right_row,
                      float share, float *target, int target_row);
typedef void (*dgemm)(int order, int left_turn, int right_turn, int rows, int columns, int inner,
                      double factor, const double *left, int left_row, const double *right,
                      int right_row, double share, double *target, int target_row);

static sgemm single;
static dgemm precise;
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void load(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_is("amd") && __builtin_cpu_supports("avx512dq"))
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
#endif
  // Our team calls it from each of its threads; a team of its own would fight with ours for the cores.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libopenblas.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  void (*set_threads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  if (set_threads) set_threads(1);
  single = (sgemm)dlsym(library, "cblas_sgemm");
  precise = (dgemm)dlsym(library, "cblas_dgemm");
}

#define PLAIN(name, T)                                                                            \
  KERNEL static void name(const product *p) {                                                     \
    const T *left = p->left.start, *right = p->right.start;                                       \
    for (long i = 0; i < p->rows; i++) {                                                          \
      T *to = (T *)p->target + i * p->target_row;                                                 \
      if (!p->accumulates) memset(to, 0, (size_t)p->columns * sizeof(T));                         \
      for (long k = 0; k < p->inner; k++) {                                                       \
        T factor = left[i * p->left.row + k * p->left.column];                                    \
        const T *from = right + k * p->right.row;                                                 \
        for (long j = 0; j < p->columns; j++) to[j] += factor * from[j * p->right.column];        \
      }                                                                                           \
    }                                                                                             \
  }
PLAIN(plain_single, float)
PLAIN(plain_double, double)

/// A part of the product, in the caller's thread.
static void compute(const product *p) {
  bool is_double = p->left.type == NUMBER_FLOAT64;
  if (is_double ? !precise : !single) {
    if (is_double) plain_double(p);
    else plain_single(p);
    return;
  }
  int left_turn = p->left.column == 1 ? AS_IT_IS : TURNED;
  int right_turn = p->right.column == 1 ? AS_IT_IS : TURNED;
  int left_row = (int)(left_turn == AS_IT_IS ? p->left.row : p->left.column);
  int right_row = (int)(right_turn == AS_IT_IS ? p->right.row : p->right.column);
  int rows = (int)p->rows, columns = (int)p->columns, inner = (int)p->inner;
  if (is_double)
    precise(ROW_MAJOR, left_turn, right_turn, rows, columns, inner, 1, p->left.start, left_row,
            p->right.start, right_row, p->accumulates ? 1 : 0, p->target, (int)p->target_row);
  else
    single(ROW_MAJOR, left_turn, right_turn, rows, columns, inner, 1, p->left.start, left_row,
           p->right.start, right_row, p->accumulates ? 1 : 0, p->target, (int)p->target_row);
}

/// A thread's share: of the rows or the columns, of which there are more.
static void compute_share(void *context, int thread, int threads) {
  const product *whole = context;
  product part = *whole;
  bool by_rows = whole->rows >= whole->columns;
  long count = by_rows ? whole->rows : whole->columns;
  long first = count * thread / threads, last = count * (thread + 1) / threads;
  if (first == last) return;
  if (by_rows) {
    part.rows = last - first;
    part.left.start = operand_at(whole->left, first, 0);
    part.target = target_at(whole, first, 0);
  } else {
    part.columns = last - first;
    part.right.start = operand_at(whole->right, 0, first);
    part.target = target_at(whole, 0, first);
  }
  compute(&part);
}

bool blas_product(const product *p) {
  pthread_once(&loaded, load);
  team_run(compute_share, (void *)p);
  return true;
}

void single_product(float factor, const float *left, long left_row, const float *right, long right_row,
                    float *sum, long sum_row, long rows, long inner, long columns) {
  pthread_once(&loaded, load);
  if (single) {
    single(ROW_MAJOR, AS_IT_IS, AS_IT_IS, (int)rows, (int)columns, (int)inner, factor, left,
           (int)left_row, right, (int)right_row, 1, sum, (int)sum_row);
    return;
  }
  for (long i = 0; i < rows; i++)
    for (long k = 0; k < inner; k++) {
      float scaled = factor * left[i * left_row + k];
      for (long j = 0; j < columns; j++) sum[i * sum_row + j] += scaled * right[k * right_row + j];
    }
}
