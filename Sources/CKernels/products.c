#include "products.h"

#include <cblas.h>
#include <dnnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "elementwise.h"
#include "team.h"

// MARK: oneDNN

/// What tells one product from another.
typedef struct {
  long rows, inner, columns;
  long left[2], right[2], target;
  int type, target_type, accumulates, threads;
} shape;

typedef struct {
  shape key;
  dnnl_memory_desc_t left, right, target;
  dnnl_primitive_t primitive;
} prepared;

/// The products that a thread has met: a step repeats the same few. Older ones make room.
enum { PREPARED_COUNT = 512 };

static _Thread_local prepared *known;
static _Thread_local dnnl_stream_t stream;
static dnnl_engine_t engine;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;

static void start_engine(void) { dnnl_engine_create(&engine, dnnl_cpu, 0); }

static dnnl_data_type_t onednn_type(number_type type) {
  return type == NUMBER_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
}

static bool describe(dnnl_memory_desc_t *description, long rows, long columns, long row, long column,
                     number_type type) {
  dnnl_dims_t sizes = {rows, columns}, strides = {row, column};
  return dnnl_memory_desc_init_by_strides(description, 2, sizes, onednn_type(type), strides) ==
         dnnl_success;
}

static bool prepare(prepared *slot, const shape *key) {
  if (slot->primitive) dnnl_primitive_destroy(slot->primitive);
  memset(slot, 0, sizeof *slot);
  if (!describe(&slot->left, key->rows, key->inner, key->left[0], key->left[1], key->type) ||
      !describe(&slot->right, key->inner, key->columns, key->right[0], key->right[1], key->type) ||
      !describe(&slot->target, key->rows, key->columns, key->target, 1, key->target_type))
    return false;
  dnnl_matmul_desc_t operation;
  if (dnnl_matmul_desc_init(&operation, &slot->left, &slot->right, NULL, &slot->target) != dnnl_success)
    return false;
  dnnl_primitive_attr_t attributes;
  if (dnnl_primitive_attr_create(&attributes) != dnnl_success) return false;
  dnnl_post_ops_t after;
  dnnl_post_ops_create(&after);
  if (key->accumulates) {
    dnnl_post_ops_append_sum(after, 1.0f);
    dnnl_primitive_attr_set_post_ops(attributes, after);
  }
  dnnl_primitive_desc_t found = NULL;
  dnnl_status_t status =
      dnnl_primitive_desc_create(&found, &operation, attributes, engine, NULL);
  if (status == dnnl_success) {
    status = dnnl_primitive_create(&slot->primitive, found);
    dnnl_primitive_desc_destroy(found);
  }
  dnnl_post_ops_destroy(after);
  dnnl_primitive_attr_destroy(attributes);
  if (status != dnnl_success) {
    slot->primitive = NULL;
    return false;
  }
  slot->key = *key;
  return true;
}

static prepared *find(const shape *key) {
  if (!known) {
    pthread_once(&engine_once, start_engine);
    if (!engine) return NULL;
    if (dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success) return NULL;
    known = calloc(PREPARED_COUNT, sizeof *known);
    if (!known) return NULL;
  }
  uint64_t hash = 1469598103934665603u;
  const unsigned char *bytes = (const unsigned char *)key;
  for (size_t i = 0; i < sizeof *key; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
  prepared *slot = &known[hash % PREPARED_COUNT];
  if (slot->primitive && memcmp(&slot->key, key, sizeof *key) == 0) return slot;
  return prepare(slot, key) ? slot : NULL;
}

static bool onednn_product(operand left, operand right, void *target, long target_row,
                           number_type target_type, long rows, long inner, long columns,
                           bool accumulates) {
  shape key;
  memset(&key, 0, sizeof key);
  key.rows = rows;
  key.inner = inner;
  key.columns = columns;
  // A stride along an axis of length one may be anything; oneDNN wants them in order.
  key.left[0] = left.row;
  key.left[1] = left.column;
  key.right[0] = right.row;
  key.right[1] = right.column;
  key.target = target_row;
  key.type = left.type;
  key.target_type = target_type;
  key.accumulates = accumulates;
  key.threads = team_size();
  prepared *found = find(&key);
  if (!found) return false;
  dnnl_memory_t a = NULL, b = NULL, c = NULL;
  bool done = dnnl_memory_create(&a, &found->left, engine, (void *)left.start) == dnnl_success &&
              dnnl_memory_create(&b, &found->right, engine, (void *)right.start) == dnnl_success &&
              dnnl_memory_create(&c, &found->target, engine, target) == dnnl_success;
  if (done) {
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
    done = dnnl_primitive_execute(found->primitive, stream, 3, arguments) == dnnl_success &&
           dnnl_stream_wait(stream) == dnnl_success;
  }
  if (a) dnnl_memory_destroy(a);
  if (b) dnnl_memory_destroy(b);
  if (c) dnnl_memory_destroy(c);
  return done;
}

// MARK: OpenBLAS

static pthread_once_t single_once = PTHREAD_ONCE_INIT;

// Its own team would fight with ours for the cores.
static void make_single(void) { openblas_set_num_threads(1); }

typedef struct {
  operand left, right;
  void *target;
  long target_row;
  number_type target_type;
  long rows, inner, columns;
  bool accumulates, done;
} blas_job;

static const void *at(const void *start, number_type type, long index) {
  long size = type == NUMBER_FLOAT64 ? 8 : type == NUMBER_FLOAT32 ? 4 : 2;
  return (const char *)start + index * size;
}

/// A float copy of a bfloat16 matrix, row-major.
static float *widened(operand matrix, long rows, long columns) {
  float *copy = malloc((size_t)(rows * columns) * sizeof(float));
  if (!copy) return NULL;
  const uint16_t *from = matrix.start;
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++) {
      uint32_t bits = (uint32_t)from[i * matrix.row + j * matrix.column] << 16;
      memcpy(&copy[i * columns + j], &bits, sizeof bits);
    }
  return copy;
}

static int leading(long stride, long width) { return (int)(stride > width ? stride : width); }

static void blas_rows(void *context, int thread, int threads) {
  blas_job *job = context;
  long first = job->rows * thread / threads, last = job->rows * (thread + 1) / threads;
  long count = last - first;
  if (count == 0) return;
  operand left = job->left;
  left.start = at(left.start, left.type, first * left.row);
  void *target = (void *)at(job->target, job->target_type, first * job->target_row);
  CBLAS_TRANSPOSE turn_left = left.column == 1 ? CblasNoTrans : CblasTrans;
  CBLAS_TRANSPOSE turn_right = job->right.column == 1 ? CblasNoTrans : CblasTrans;
  // A matrix of one row or column may have any stride along it; the library wants a fitting one.
  int left_step = turn_left == CblasNoTrans ? leading(left.row, job->inner) : leading(left.column, count);
  int right_step = turn_right == CblasNoTrans ? leading(job->right.row, job->columns)
                                              : leading(job->right.column, job->inner);
  if (left.type == NUMBER_FLOAT64) {
    cblas_dgemm(CblasRowMajor, turn_left, turn_right, (int)count, (int)job->columns, (int)job->inner,
                1, left.start, left_step, job->right.start, right_step, job->accumulates ? 1 : 0,
                target, (int)job->target_row);
    return;
  }
  if (left.type == NUMBER_FLOAT32) {
    cblas_sgemm(CblasRowMajor, turn_left, turn_right, (int)count, (int)job->columns, (int)job->inner,
                1, left.start, left_step, job->right.start, right_step, job->accumulates ? 1 : 0,
                target, (int)job->target_row);
    return;
  }
  float *a = widened(left, count, job->inner), *b = widened(job->right, job->inner, job->columns);
  float *c = malloc((size_t)(count * job->columns) * sizeof(float));
  if (!a || !b || !c) {
    job->done = false;
  } else {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, (int)job->columns,
                (int)job->inner, 1, a, (int)job->inner, b, (int)job->columns, 0, c,
                (int)job->columns);
    for (long i = 0; i < count; i++) {
      const float *sums = c + i * job->columns;
      if (job->target_type == NUMBER_FLOAT32) {
        axpby(NUMBER_FLOAT32, 1, sums, 0, job->accumulates ? 1 : 0,
              (float *)target + i * job->target_row, 0, 1, job->columns);
        continue;
      }
      uint16_t *to = (uint16_t *)target + i * job->target_row;
      if (job->accumulates) {
        for (long j = 0; j < job->columns; j++) {
          float before;
          convert_numbers(NUMBER_BFLOAT16, to + j, NUMBER_FLOAT32, &before, 1);
          before += sums[j];
          convert_numbers(NUMBER_FLOAT32, &before, NUMBER_BFLOAT16, to + j, 1);
        }
      } else {
        convert_numbers(NUMBER_FLOAT32, sums, NUMBER_BFLOAT16, to, job->columns);
      }
    }
  }
  free(a);
  free(b);
  free(c);
}

bool matrix_product(product_library library, operand left, operand right, void *target,
                    long target_row, number_type target_type, long rows, long inner, long columns,
                    bool accumulates) {
  if (rows == 0 || columns == 0) return true;
  if (inner > 0 && library == PRODUCT_ONEDNN && left.type != NUMBER_FLOAT64 &&
      onednn_product(left, right, target, target_row, target_type, rows, inner, columns, accumulates))
    return true;
  pthread_once(&single_once, make_single);
  blas_job job = {left, right, target, target_row, target_type, rows, inner, columns, accumulates, true};
  team_run(blas_rows, &job);
  return job.done;
}
