#include "attention.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "loops.h"
#include "team.h"

// The rows of a tile, of a block of queries and of a block of keys.
enum { TILE = 6, QUERIES = 96, KEYS = 192 };

// Vectors are arguments of inlined functions only, so that no convention for passing them matters.
#pragma clang diagnostic ignored "-Wpsabi"

#define PADDED(count, step) (((count) + (step) - 1) / (step) * (step))
#define SINGLE_f32 1
#define SINGLE_f64 0
/// Stands for -∞ where that would be subtracted from itself.
#define LEAST -1e30f
#define LOG2_E 1.4426950408889634

INLINE long head_column(const head_place *place, long head) {
  return place->first + head / place->per_group * place->group_step +
         head % place->per_group * place->head_step;
}

/// The first key that a query at an index among its sequence's keys sees, but for gaps.
INLINE long first_seen(const attention *job, const attention_span *span, long index) {
  long first = 0, position = span->origin + index;
  if (job->window && index - job->window + 1 > first) first = index - job->window + 1;
  if (job->chunk && index - position % job->chunk > first) first = index - position % job->chunk;
  return first;
}

/// Whether a query sees a key between the first it sees and its own.
INLINE bool sees(const attention *job, const attention_span *span, long head, long row, long index,
                 long key) {
  if (job->sparse_size) {
    long q = (span->origin + index) / job->sparse_size, k = (span->origin + key) / job->sparse_size;
    if (q - k >= job->sparse_local && (k + head * job->sparse_step + 1) % job->sparse_stride)
      return false;
  }
  if (!job->selection) return true;
  return (uint32_t)job->selection[row * job->selection_row + key / 32] >> (key % 32) & 1;
}

/// slope · position as bfloat16 knows it: both numbers are rounded, and their product again.
INLINE float rounded_bias(float slope, long position) {
  float factors = widen_bf16(narrow_bf16(slope)) * widen_bf16(narrow_bf16((float)position));
  return widen_bf16(narrow_bf16(factors));
}

/// Whether scores are nothing but products times a factor that keeps their order.
INLINE bool is_plain(const attention *job) {
  return job->scale > 0 && !job->cap && !job->slopes && !job->sparse_size && !job->selection;
}

/// Whether the queries of all heads of a group fit in one block.
INLINE bool is_short(const attention *job, const attention_span *span) {
  return span->queries * (job->heads / job->groups) <= QUERIES;
}

/// How many rows of keys there are in all.
INLINE long key_rows(const attention *job) {
  const attention_span *last = (const attention_span *)job->spans + job->span_count - 1;
  return last->key + last->keys;
}

typedef struct {
  const attention *job;
  const head_place *output, *queries, *keys, *values;
  void *sinks;
  /// Whether gradients are added to rather than stored.
  bool adds;
  /// Memory of each thread, and that of sums which parts share.
  char *room, *shared;
  size_t room_bytes;
  /// Into how many parts the work of a group is divided.
  long parts;
  /// The next unit of work that nobody has taken: which thread takes it changes no result.
  long next;
} attention_work;

typedef enum { FORWARD, BACKWARD, JOIN_PARTS } attention_step;

// How bfloat16 lie when those of two vectors are paired.
static const uint16_t pair_order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};

#define LOOPS "attention_loops.h"

// Tiles of 6 · 1 vectors fit the registers of most processors, of 6 · 4 those of AVX-512.
#define PER_UNIT 1
#define VARIANT any
#define MOST_VECTORS 1
#include "each_number.h"
#undef NAME
#undef VARIANT

#if defined(__x86_64__)
#define VARIANT v3
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#include "each_number.h"
#pragma clang attribute pop
#undef NAME
#undef VARIANT
#undef MOST_VECTORS

#define MOST_VECTORS 4
#define VARIANT v4
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"), min_vector_width(512))), \
                             apply_to = function)
#include "each_number.h"
#pragma clang attribute pop
#undef NAME
#undef VARIANT
#undef PER_UNIT

#define PER_UNIT 2
#define VARIANT dots
#pragma clang attribute push(                                                            \
    __attribute__((target("arch=x86-64-v4,avx512bf16"), min_vector_width(512))), \
    apply_to = function)
#define SUFFIX bf16
#define ACCUMULATED f32
#define T uint16_t
#define A float
#define LOAD(x) widen_bf16(x)
#define STORE(x) narrow_bf16(x)
#include LOOPS
#pragma clang attribute pop
#endif

// MARK: Choosing

typedef struct {
  void (*measure)(const attention *job, bool is_backward, size_t *own, size_t *shared);
  void (*run)(attention_work *work, int thread, attention_step step);
} variant;

#define ENTRIES(name) {measure_##name, run_units_##name}
#define VARIANTS(name) {ENTRIES(name##_f32), ENTRIES(name##_bf16), ENTRIES(name##_f64)}

static const variant *chosen(number_type type) {
  static const variant any[3] = VARIANTS(any);
#if defined(__x86_64__)
  static const variant v3[3] = VARIANTS(v3), v4[3] = VARIANTS(v4), dots = ENTRIES(dots_bf16);
  if (type == NUMBER_BFLOAT16 && __builtin_cpu_supports("avx512bf16")) return &dots;
  if (__builtin_cpu_supports("x86-64-v4")) return &v4[type];
  if (__builtin_cpu_supports("x86-64-v3")) return &v3[type];
#endif
  return &any[type];
}

/// Groups that do not come out even among the threads are divided.
static long part_count(const attention *job, bool is_backward) {
  long units = job->span_count * job->groups, threads = team_size();
  if (units % threads == 0 || units > 8 * threads) return 1;
  long per_group = job->heads / job->groups;
  return is_backward && per_group < threads ? per_group : threads;
}

size_t attention_room(const attention *job, bool is_backward) {
  size_t own, shared;
  chosen(job->type)->measure(job, is_backward, &own, &shared);
  long parts = part_count(job, is_backward);
  return own * team_size() + (is_backward && parts > 1 ? parts * shared : 0);
}

static void run_forward(void *work, int thread, int threads) {
  chosen(((attention_work *)work)->job->type)->run(work, thread, FORWARD);
}

static void run_backward(void *work, int thread, int threads) {
  chosen(((attention_work *)work)->job->type)->run(work, thread, BACKWARD);
}

static void run_join(void *work, int thread, int threads) {
  chosen(((attention_work *)work)->job->type)->run(work, thread, JOIN_PARTS);
}

void attention_forward(const attention *job, void *room) {
  attention_work work = {.job = job, .room = room, .parts = part_count(job, false)};
  size_t shared;
  chosen(job->type)->measure(job, false, &work.room_bytes, &shared);
  team_run(run_forward, &work);
}

void attention_backward(const attention *job, const head_place *output, const head_place *queries,
                        const head_place *keys, const head_place *values, bool adds, void *sinks,
                        void *room) {
  attention_work work = {job, output, queries, keys, values, sinks, adds, room};
  size_t shared;
  chosen(job->type)->measure(job, true, &work.room_bytes, &shared);
  work.parts = part_count(job, true);
  work.shared = work.room + work.room_bytes * team_size();
  team_run(run_backward, &work);
  if (work.parts == 1) return;
  work.next = 0;
  team_run(run_join, &work);
}
