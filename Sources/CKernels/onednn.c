// Products by oneDNN: a primitive for each shape, kept for the next time.
#include <dnnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "product_ways.h"
#include "team.h"

/// What tells one product from another.
typedef struct {
  long rows, inner, columns;
  long left[2], right[2], target;
  int type, target_type, accumulates, threads;
} shape;

typedef struct {
  shape key;
  dnnl_primitive_t primitive;
  dnnl_memory_t left, right, target;
} prepared;

/// The products that a thread has met: a step repeats the same few. Making one takes 0.1 to 0.4 ms,
/// finding it again 1 µs. Older ones make room.
enum { PREPARED_COUNT = 512 };

static _Thread_local prepared *known;
static _Thread_local dnnl_stream_t stream;
static dnnl_engine_t engine;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;

static void start_engine(void) {
  if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

static bool describe(dnnl_memory_desc_t *description, long rows, long columns, long row, long column,
                     int type) {
  dnnl_dims_t sizes = {rows, columns}, strides = {row, column};
  dnnl_data_type_t numbers = type == NUMBER_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
  return dnnl_memory_desc_init_by_strides(description, 2, sizes, numbers, strides) == dnnl_success;
}

static void forget(prepared *slot) {
  if (slot->primitive) dnnl_primitive_destroy(slot->primitive);
  if (slot->left) dnnl_memory_destroy(slot->left);
  if (slot->right) dnnl_memory_destroy(slot->right);
  if (slot->target) dnnl_memory_destroy(slot->target);
  memset(slot, 0, sizeof *slot);
}

static dnnl_primitive_t make(const shape *key, const dnnl_memory_desc_t *left,
                             const dnnl_memory_desc_t *right, const dnnl_memory_desc_t *target) {
  dnnl_matmul_desc_t operation;
  if (dnnl_matmul_desc_init(&operation, left, right, NULL, target) != dnnl_success) return NULL;
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_post_ops_t after = NULL;
  dnnl_primitive_desc_t found = NULL;
  dnnl_primitive_t primitive = NULL;
  bool ready = dnnl_primitive_attr_create(&attributes) == dnnl_success &&
               dnnl_post_ops_create(&after) == dnnl_success;
  if (ready && key->accumulates)
    ready = dnnl_post_ops_append_sum(after, 1.0f) == dnnl_success &&
            dnnl_primitive_attr_set_post_ops(attributes, after) == dnnl_success;
  if (ready && dnnl_primitive_desc_create(&found, &operation, attributes, engine, NULL) == dnnl_success)
    if (dnnl_primitive_create(&primitive, found) != dnnl_success) primitive = NULL;
  if (found) dnnl_primitive_desc_destroy(found);
  if (after) dnnl_post_ops_destroy(after);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  return primitive;
}

static bool prepare(prepared *slot, const shape *key) {
  forget(slot);
  dnnl_memory_desc_t left, right, target;
  if (!describe(&left, key->rows, key->inner, key->left[0], key->left[1], key->type) ||
      !describe(&right, key->inner, key->columns, key->right[0], key->right[1], key->type) ||
      !describe(&target, key->rows, key->columns, key->target, 1, key->target_type))
    return false;
  slot->primitive = make(key, &left, &right, &target);
  if (slot->primitive &&
      dnnl_memory_create(&slot->left, &left, engine, DNNL_MEMORY_NONE) == dnnl_success &&
      dnnl_memory_create(&slot->right, &right, engine, DNNL_MEMORY_NONE) == dnnl_success &&
      dnnl_memory_create(&slot->target, &target, engine, DNNL_MEMORY_NONE) == dnnl_success) {
    slot->key = *key;
    return true;
  }
  forget(slot);
  return false;
}

static prepared *find(const shape *key) {
  if (!known) {
    pthread_once(&engine_once, start_engine);
    if (!engine) return NULL;
    if (!stream && dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success)
      return NULL;
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

bool onednn_product(const product *p) {
  if (products_are_old && p->left.type == NUMBER_BFLOAT16) return false;
  shape key;
  // Its bytes are compared, gaps included.
  memset(&key, 0, sizeof key);
  key.rows = p->rows;
  key.inner = p->inner;
  key.columns = p->columns;
  key.left[0] = p->left.row;
  key.left[1] = p->left.column;
  key.right[0] = p->right.row;
  key.right[1] = p->right.column;
  key.target = p->target_row;
  key.type = p->left.type;
  key.target_type = p->target_type;
  key.accumulates = p->accumulates;
  key.threads = team_size();
  prepared *found = find(&key);
  if (!found) return false;
  dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, found->left},
                                 {DNNL_ARG_WEIGHTS, found->right},
                                 {DNNL_ARG_DST, found->target}};
  return dnnl_memory_set_data_handle(found->left, (void *)p->left.start) == dnnl_success &&
         dnnl_memory_set_data_handle(found->right, (void *)p->right.start) == dnnl_success &&
         dnnl_memory_set_data_handle(found->target, p->target) == dnnl_success &&
         dnnl_primitive_execute(found->primitive, stream, 3, arguments) == dnnl_success &&
         dnnl_stream_wait(stream) == dnnl_success;
}
