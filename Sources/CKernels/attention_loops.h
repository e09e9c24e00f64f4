// Attention in blocks over T, A and U; see attention.h, and attention_tiles.h for the layouts.
//
// A block is QUERIES rows of one head by KEYS rows of its group. Scores exist for one block and thread at a
// time; a running maximum and sum make the softmax (arXiv 2205.14135), and the gradients compute them
// again. What a tile of rows cannot see is left out tile by tile.

#include "attention_tiles.h"

/// What one thread works in.
typedef struct {
  /// Of keys and values of one group, block by block: turned keys and values, paired keys or values.
  U *keys_turned, *values_turned, *paired;
  /// Queries of one block, or when gradients come back those of a head, and gradients of its output.
  U *queries, *above, *queries_paired, *above_paired;
  A *scores, *products, *slopes;
  U *weights, *changes, *change_rows;
  A *sums, *most, *total, *delta;
  A *of_queries, *of_keys, *of_values;
} NAME(room);

typedef struct {
  long key_units, value_units, key_width, value_width;
  NAME(room) room;
  size_t bytes;
} NAME(plan);

INLINE void *NAME(take)(char *base, size_t *used, size_t count, size_t size) {
  void *start = base + *used;
  // Not a multiple of a page, or rows of different parts would meet in the same sets of the cache.
  *used += PADDED(count * size, 64) + 192;
  return start;
}

static NAME(plan) NAME(make_plan)(const attention *job, char *base, bool is_backward) {
  const attention_span *spans = (const attention_span *)job->spans;
  long keys = KEYS, queries = QUERIES;
  for (long i = 0; i < job->span_count; i++) {
    queries = spans[i].queries > queries ? spans[i].queries : queries;
    if (!is_backward && is_short(job, &spans[i])) continue;
    keys = spans[i].keys > keys ? spans[i].keys : keys;
  }
  keys = PADDED(keys, KEYS);
  queries = PADDED(queries, QUERIES);
  NAME(plan) plan = {.key_units = UNITS(job->key_size), .value_units = UNITS(job->value_size),
                     .key_width = PADDED(job->key_size, LANES),
                     .value_width = PADDED(job->value_size, LANES)};
  NAME(room) *room = &plan.room;
#define TAKE(what, count, type) room->what = NAME(take)(base, &plan.bytes, count, sizeof(type))
  TAKE(keys_turned, keys * PADDED(plan.key_units, LANES), U);
  TAKE(weights, QUERIES * KEYS, U);
  if (is_backward) {
    TAKE(values_turned, keys * PADDED(plan.value_units, LANES), U);
    TAKE(paired, UNITS(keys) * plan.key_width, U);
    TAKE(queries, queries * plan.key_units, U);
    TAKE(above, queries * plan.value_units, U);
    TAKE(queries_paired, UNITS(queries) * plan.key_width, U);
    TAKE(above_paired, UNITS(queries) * plan.value_width, U);
    TAKE(scores, TILE * KEYS, A);
    TAKE(products, TILE * KEYS, A);
    TAKE(slopes, TILE * KEYS, A);
    TAKE(changes, QUERIES * KEYS, U);
    room->change_rows = room->changes;
    if (PER_UNIT > 1) TAKE(change_rows, QUERIES * KEYS, U);
    TAKE(delta, queries, A);
    TAKE(total, queries, A);
    TAKE(of_queries, queries * plan.key_width, A);
    TAKE(of_keys, keys * plan.key_width, A);
    TAKE(of_values, keys * plan.value_width, A);
  } else {
    TAKE(paired, UNITS(keys) * plan.value_width, U);
    TAKE(queries, (QUERIES + TILE) * plan.key_units, U);
    TAKE(scores, TILE * KEYS, A);
    TAKE(sums, QUERIES * plan.value_width, A);
    TAKE(most, QUERIES + TILE, A);
    TAKE(total, QUERIES + TILE, A);
  }
#undef TAKE
  return plan;
}

/// The bytes that each thread works in, and those of sums that parts share.
static void NAME(measure)(const attention *job, bool is_backward, size_t *own, size_t *shared) {
  NAME(plan) plan = NAME(make_plan)(job, 0, is_backward);
  *own = PADDED(plan.bytes, 4096);
  *shared = job->groups * key_rows(job) * (plan.key_width + plan.value_width) * sizeof(A);
}

INLINE T *NAME(head_row)(const head_place *place, long row, long head) {
  return (T *)place->start + row * place->row + head_column(place, head);
}

// MARK: Scores

/// Scores that are more than scaled products: cap, bias, and -∞ where a query does not see a key between
/// its first and its own. `slope` receives the derivative by the scaled product (null where not wanted).
static void NAME(finish_scores)(const attention *job, const attention_span *span, long head, long row,
                                long index, long first_key, long from, long to, A *score, A *slope) {
  A scale = (A)job->scale, cap = (A)job->cap;
  if (cap) {
    for (long j = from; j < to; j++) {
      A t = MATH(tanh)(score[j] * scale / cap);
      score[j] = cap * t;
      if (slope) slope[j] = 1 - t * t;
    }
  } else {
    for (long j = from; j < to; j++) {
      score[j] *= scale;
      if (slope) slope[j] = 1;
    }
  }
  if (job->rounded_bias) {
    long first = span->origin + first_key;
    float fall = (float)((const double *)job->slopes)[head];
    float own = rounded_bias(fall, span->origin + index);
    for (long j = from; j < to; j++)
      score[j] += (A)job->rounded_bias * (A)(rounded_bias(fall, first + j) - own);
  } else if (job->slopes) {
    A fall = (A)((const double *)job->slopes)[head];
    for (long j = from; j < to; j++) score[j] -= fall * (A)(index - first_key - j);
  }
  if (job->sparse_size || job->selection)
    for (long j = from; j < to; j++)
      if (!sees(job, span, head, row, index, first_key + j)) score[j] = -INFINITY;
}

/// Sets the scores of columns first ..< last that are not in from ..< to to -∞.
INLINE void NAME(mask)(A *score, long first, long last, long from, long to) {
  for (long j = first; j < from && j < last; j++) score[j] = -INFINITY;
  for (long j = to > first ? to : first; j < last; j++) score[j] = -INFINITY;
}

// MARK: Forward

/// Takes a tile of scores, columns first ..< last, into the running maxima and sums from row `r` on; weights
/// relative to the maxima become a left side.
INLINE void NAME(soften)(const NAME(room) *room, long r, long first, long last, A scale, long width) {
  NAME(vector) highest = {}, most = {}, total = {}, sums[TILE];
  // Rows side by side, because a row's own maximum, factor and sum each wait for the one before.
#pragma unroll
  for (long i = 0; i < TILE; i++) {
    const A *score = room->scores + i * KEYS;
    NAME(vector) top = *(const NAME(vector) *)(score + first);
    for (long j = first + LANES; j < last; j += LANES)
      top = NAME(larger)(top, *(const NAME(vector) *)(score + j));
    highest[i] = NAME(most_of)(top);
    most[i] = room->most[r + i];
    total[i] = room->total[r + i];
  }
  highest = NAME(larger)(highest * scale, most);
  // A row that sees nothing yet has weights of zero.
  NAME(vector) shift = NAME(larger)(highest, (NAME(vector)){} + LEAST) * (A)LOG2_E;
  NAME(vector) factor = NAME(power)(most * (A)LOG2_E - shift);
  scale *= (A)LOG2_E;
#pragma unroll
  for (long i = 0; i < TILE; i++) {
    A *line = room->sums + (r + i) * width;
    if (factor[i] != 1)
      for (long c = 0; c < width; c += LANES) *(NAME(vector) *)(line + c) *= factor[i];
    const A *score = room->scores + i * KEYS;
    U *weights = room->weights + i * UNITS(KEYS);
    sums[i] = (NAME(vector)){};
    for (long j = first; j < last; j += 2 * LANES) {
      NAME(vector) low = NAME(power)(*(const NAME(vector) *)(score + j) * scale - shift[i]);
      NAME(vector) high = NAME(power)(*(const NAME(vector) *)(score + j + LANES) * scale - shift[i]);
      sums[i] += low + high;
#if PER_UNIT == 2
      _mm512_store_si512(weights + j / 2, ROUNDED(low, high));
#else
      *(NAME(vector) *)(weights + j) = low;
      *(NAME(vector) *)(weights + j + LANES) = high;
#endif
    }
  }
  total *= factor;
#pragma unroll
  for (long i = 0; i < TILE; i++) {
    room->most[r + i] = highest[i];
    room->total[r + i] = total[i] + NAME(sum_of)(sums[i]);
  }
}

/// A block of rows: `count` queries of a span from `start` on, of one head after the other.
typedef struct {
  const attention *job;
  const attention_span *span;
  long head, heads, start, count;
  /// The key of the first query.
  long index;
} NAME(block);

static void NAME(begin_block)(const NAME(block) *block, const NAME(plan) *plan) {
  const attention *job = block->job;
  const NAME(room) *room = &plan->room;
  const A *sinks = job->sinks;
  long rows = PADDED(block->heads * block->count, TILE);
  memset(room->sums, 0, rows * plan->value_width * sizeof(A));
  for (long h = 0; h < block->heads; h++) {
    long head = block->head + h, first = h * block->count;
    NAME(lay_rows)(NAME(head_row)(&job->queries, block->span->query + block->start, head),
                   job->queries.row, block->count, job->key_size,
                   room->queries + first * plan->key_units);
    for (long i = first; i < first + block->count; i++) {
      room->most[i] = sinks ? sinks[head] : -INFINITY;
      room->total[i] = sinks ? 1 : 0;
    }
  }
}

/// Takes a block of keys in, which `turned` and `paired` hold with its values.
static void NAME(attend)(const NAME(block) *block, long key, const U *turned, const U *paired,
                         const NAME(plan) *plan) {
  const attention *job = block->job;
  const attention_span *span = block->span;
  const NAME(room) *room = &plan->room;
  long rows = block->heads * block->count, index = block->index, last = index + block->count - 1;
  long width = plan->value_width, row_units = UNITS(KEYS);
  bool plain = is_plain(job);
  A scale = plain ? (A)job->scale : 1;
  long columns = last + 1 - key < KEYS ? last + 1 - key : KEYS;
  for (long r = 0; r < rows; r += TILE) {
    // The columns that some row of the tile sees.
    bool single = block->heads == 1;
    long low = first_seen(job, span, single ? index + r : index) - key;
    long high = single && index + r + TILE - key < columns ? index + r + TILE - key : columns;
    low = low < 0 ? 0 : low / (2 * LANES) * (2 * LANES);
    if (low >= high) continue;
    long vectors = PADDED(high - low, LANES) / LANES, steps = UNITS(high - low);
    high = PADDED(high, 2 * LANES);
    for (long n = low / LANES, wide; n < low / LANES + vectors; n += wide) {
      wide = NAME(strip)(vectors, n - low / LANES);
      NAME(tiles)(wide, plan->key_units, room->queries + r * plan->key_units, plan->key_units, 1,
                  turned + n * LANES, KEYS, room->scores + n * LANES, KEYS, false);
    }
    for (long i = r; i < r + TILE; i++) {
      A *score = room->scores + (i - r) * KEYS;
      long query = i % block->count, head = block->head + i / block->count;
      long from = first_seen(job, span, index + query) - key, to = index + query + 1 - key;
      if (i >= rows) to = from = 0;
      from = from < low ? low : from;
      to = to > high ? high : to;
      if (!plain)
        NAME(finish_scores)(job, span, head, span->query + block->start + query, index + query, key,
                            from, to, score, 0);
      NAME(mask)(score, low, high, from, to);
    }
    NAME(soften)(room, r, low, high, scale, width);
    for (long n = 0, wide; n < width / LANES; n += wide) {
      wide = NAME(strip)(width / LANES, n);
      NAME(tiles)(wide, steps, room->weights + low / PER_UNIT, row_units, 1,
                  paired + low / PER_UNIT * width + n * LANES, width,
                  room->sums + r * width + n * LANES, width, true);
    }
  }
}

static void NAME(finish_block)(const NAME(block) *block, const NAME(plan) *plan) {
  const attention *job = block->job;
  const NAME(room) *room = &plan->room;
  for (long i = 0; i < block->heads * block->count; i++) {
    long head = block->head + i / block->count;
    long row = block->span->query + block->start + i % block->count;
    T *to = NAME(head_row)(&job->output, row, head);
    A total = room->total[i], factor = total > 0 ? 1 / total : 0;
    NAME(give_line)(room->sums + i * plan->value_width, factor, to, job->value_size, false);
    ((A *)job->statistics)[head * job->statistics_row + row] =
        total > 0 ? room->most[i] + MATH(log)(total) : INFINITY;
  }
}

/// Lays out a block of a group's keys and values.
static void NAME(lay_block)(const attention *job, const attention_span *span, long group, long key,
                            U *turned, U *paired, const NAME(plan) *plan) {
  long count = span->keys - key < KEYS ? span->keys - key : KEYS;
  NAME(lay_turned)(NAME(head_row)(&job->keys, span->key + key, group), job->keys.row, count,
                   job->key_size, turned, KEYS);
  NAME(lay_paired)(NAME(head_row)(&job->values, span->key + key, group), job->values.row, count,
                   job->value_size, paired, plan->value_width);
}

/// One of `parts` parts of what a group of a sequence has to do.
static void NAME(forward_unit)(const attention *job, const attention_span *span, long group, long part,
                               long parts, const NAME(plan) *plan) {
  const NAME(room) *room = &plan->room;
  long per_group = job->heads / job->groups, before = span->keys - span->queries;
  long first = first_seen(job, span, before) / KEYS * KEYS;
  if (is_short(job, span)) {
    // Few queries: some of the heads side by side, and keys and values go by once.
    long head = per_group * part / parts, end = per_group * (part + 1) / parts;
    if (head == end) return;
    NAME(block) block = {job, span, group * per_group + head, end - head, 0, span->queries, before};
    NAME(begin_block)(&block, plan);
    for (long key = first; key < span->keys; key += KEYS) {
      NAME(lay_block)(job, span, group, key, room->keys_turned, room->paired, plan);
      NAME(attend)(&block, key, room->keys_turned, room->paired, plan);
    }
    NAME(finish_block)(&block, plan);
    return;
  }
  for (long key = first; key < span->keys; key += KEYS)
    NAME(lay_block)(job, span, group, key, room->keys_turned + key * plan->key_units,
                    room->paired + UNITS(key) * plan->value_width, plan);
  for (long head = group * per_group; head < (group + 1) * per_group; head++)
    for (long start = part * QUERIES; start < span->queries; start += parts * QUERIES) {
      long count = span->queries - start < QUERIES ? span->queries - start : QUERIES;
      NAME(block) block = {job, span, head, 1, start, count, before + start};
      NAME(begin_block)(&block, plan);
      for (long key = first_seen(job, span, block.index) / KEYS * KEYS; key < block.index + count;
           key += KEYS)
        NAME(attend)(&block, key, room->keys_turned + key * plan->key_units,
                     room->paired + UNITS(key) * plan->value_width, plan);
      NAME(finish_block)(&block, plan);
    }
}

#include "attention_backward_loops.h"
