#pragma once

#include <stddef.h>

#include "number.h"

/// Heads in the rows of a matrix: head h begins at column
/// first + (h / per_group) · group_step + (h % per_group) · head_step.
typedef struct {
  void *start;
  long row, first, per_group, group_step, head_step;
} head_place;

/// One sequence: rows of queries, and rows of keys of which the queries' own are the last.
typedef struct {
  int32_t query, queries;
  int32_t key, keys;
  /// The position of the first key.
  int32_t origin;
} attention_span;

/// softmax(scores) · values, where a query sees keys up to its own only.
///
/// Scores are cap · tanh(scale · q·k / cap) - slope · distance.
typedef struct {
  number_type type;
  /// Head h reads the keys and values of group h / (heads / groups).
  long heads, groups, key_size, value_size;
  head_place queries, keys, values, output;
  double scale;
  /// 0: none.
  double cap;
  /// How many positions back a token sees, itself included, and the positions of a chunk; 0: all.
  long window, chunk;
  /// Block q of head h sees block k where q - k < local or (k + h · step + 1) % stride = 0; size 0: all.
  long sparse_size, sparse_local, sparse_stride, sparse_step;
  /// By head, doubles; null: none.
  const void *slopes;
  /// Not 0: scores get rounded_bias · (b(key) - b(query)) instead, b being the product of slope and
  /// position in bfloat16.
  double rounded_bias;
  /// A score of each head that no value belongs to, of sums' type; null: none.
  const void *sinks;
  /// For each row of queries a bit for each key of its sequence that it sees; null: all.
  const int32_t *selection;
  long selection_row;
  /// `attention_span`s.
  const int32_t *spans;
  long span_count;
  /// ln Σ e^score of each head and row of queries, [heads, rows], of sums' type.
  void *statistics;
  long statistics_row;
} attention;

/// The bytes of memory that the team needs, at a multiple of 64.
size_t attention_room(const attention *job, bool is_backward);

/// Computes output and statistics, spread over the team.
void attention_forward(const attention *job, void *room);

/// Stores what comes back from `output` in the gradients of queries, keys and values (without a start
/// where not wanted), or adds it, and stores that of sinks, [spans, heads] (null where not wanted).
void attention_backward(const attention *job, const head_place *output, const head_place *queries,
                        const head_place *keys, const head_place *values, bool adds, void *sinks,
                        void *room);
