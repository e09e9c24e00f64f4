// The gradients of attention in blocks; see attention_loops.h.

/// Weights p = e^(score - statistic) of two neighbouring rows of queries, and changes p · (product - delta)
/// · slope, which times `scale` are the gradients of scores; columns first ..< last.
INLINE void NAME(change)(const A *score, const A *product, const A *slope, long first, long last, A scale,
                         const A *statistic, const A *delta, U *weights, U *changes, U *change_rows) {
  A shift[2] = {statistic[0] * (A)LOG2_E, statistic[1] * (A)LOG2_E};
  scale *= (A)LOG2_E;
  for (long j = first; j < last; j += 2 * LANES) {
    NAME(vector) p[2][2], d[2][2];
#pragma unroll
    for (long i = 0; i < 2; i++)
#pragma unroll
      for (long n = 0; n < 2; n++) {
        long at = i * KEYS + j + n * LANES;
        p[i][n] = NAME(power)(*(const NAME(vector) *)(score + at) * scale - shift[i]);
        d[i][n] = p[i][n] * (*(const NAME(vector) *)(product + at) - delta[i]);
        if (slope) d[i][n] *= *(const NAME(vector) *)(slope + at);
      }
#pragma unroll
    for (long n = 0; n < 2; n++) {
#if PER_UNIT == 2
      _mm512_store_si512(weights + j + n * LANES, PAIRED(p[0][n], p[1][n]));
      _mm512_store_si512(changes + j + n * LANES, PAIRED(d[0][n], d[1][n]));
      _mm512_store_si512(change_rows + (n * KEYS + j) / 2, ROUNDED(d[n][0], d[n][1]));
#else
      for (long i = 0; i < 2; i++) {
        *(NAME(vector) *)(weights + i * KEYS + j + n * LANES) = p[i][n];
        *(NAME(vector) *)(changes + i * KEYS + j + n * LANES) = d[i][n];
      }
#endif
    }
  }
}

/// Sets a row of a block but for units first ..< last to zero.
INLINE void NAME(blank)(U *row, long first, long last, long count) {
  memset(row, 0, first * sizeof(U));
  memset(row + last, 0, (count - last) * sizeof(U));
}

/// Scores, weights and changes of a tile of rows of a block of queries, row `r` of it on, with a block of
/// keys; zeros where nothing is seen.
static void NAME(backward_rows)(const attention *job, const attention_span *span, long head, long start,
                                long count, long key, long r, const NAME(plan) *plan) {
  const NAME(room) *room = &plan->room;
  long index = span->keys - span->queries + start;
  long low = first_seen(job, span, index + r) - key, high = index + r + TILE - key;
  low = low < 0 ? 0 : low / (2 * LANES) * (2 * LANES);
  high = high < 0 ? 0 : high < KEYS ? high : KEYS;
  long vectors = low < high ? PADDED(high - low, LANES) / LANES : 0;
  high = PADDED(high, 2 * LANES);
  if (low > high) low = high;
  for (long n = low / LANES, wide; n < low / LANES + vectors; n += wide) {
    wide = NAME(strip)(vectors, n - low / LANES);
    NAME(tiles)(wide, plan->key_units, room->queries + (start + r) * plan->key_units, plan->key_units, 1,
                room->keys_turned + key * plan->key_units + n * LANES, KEYS, room->scores + n * LANES,
                KEYS, false);
    NAME(tiles)(wide, plan->value_units, room->above + (start + r) * plan->value_units,
                plan->value_units, 1, room->values_turned + key * plan->value_units + n * LANES, KEYS,
                room->products + n * LANES, KEYS, false);
  }
  bool plain = is_plain(job);
  A *slopes = job->cap ? room->slopes : 0;
  for (long i = 0; i < TILE; i++) {
    long query = r + i;
    A *score = room->scores + i * KEYS, *slope = slopes ? slopes + i * KEYS : 0;
    long from = first_seen(job, span, index + query) - key, to = index + query + 1 - key;
    if (query >= count) to = from = 0;
    from = from < low ? low : from;
    to = to > high ? high : to;
    if (slope) memset(slope, 0, KEYS * sizeof(A));
    if (!plain)
      NAME(finish_scores)(job, span, head, span->query + start + query, index + query, key, from, to,
                          score, slope);
    NAME(mask)(score, low, high, from, to);
    // What has no weight must be a number all the same.
    if (low + vectors * LANES < high)
      *(NAME(vector) *)(room->products + i * KEYS + high - LANES) = (NAME(vector)){};
  }
  for (long i = 0; i < TILE; i += 2) {
    long query = r + i;
    U *weights = room->weights + query / PER_UNIT * KEYS, *changes = room->changes + query / PER_UNIT * KEYS;
    U *change_rows = room->change_rows + query * UNITS(KEYS);
    NAME(change)(room->scores + i * KEYS, room->products + i * KEYS, slopes ? slopes + i * KEYS : 0, low,
                 high, plain ? (A)job->scale : 1, room->total + start + query, room->delta + start + query,
                 weights, changes, change_rows);
    for (long line = 0; line < 2 / PER_UNIT; line++) {
      NAME(blank)(weights + line * KEYS, low, high, KEYS);
      NAME(blank)(changes + line * KEYS, low, high, KEYS);
    }
#if PER_UNIT == 2
    for (long line = 0; line < 2; line++)
      NAME(blank)(change_rows + line * UNITS(KEYS), UNITS(low), UNITS(high), UNITS(KEYS));
#endif
  }
}

/// Adds what a block of queries and a block of keys of a head give to the sums of all three gradients.
static void NAME(backward_block)(const attention *job, const attention_span *span, long head, long start,
                                 long count, long key, const NAME(plan) *plan) {
  const NAME(room) *room = &plan->room;
  long index = span->keys - span->queries + start, row_units = UNITS(KEYS);
  long key_width = plan->key_width, value_width = plan->value_width;
  long tiles = PADDED(count, TILE);
  long columns = span->keys - key < KEYS ? span->keys - key : KEYS;
  if (columns > index + count - key) columns = index + count - key;
  for (long r = 0; r < tiles; r += TILE)
    NAME(backward_rows)(job, span, head, start, count, key, r, plan);
  // By keys: a key is seen by its own query first.
  for (long n = 0, wide; n < value_width / LANES; n += wide) {
    wide = NAME(strip)(value_width / LANES, n);
    for (long j = 0; j < columns; j += TILE) {
      long from = key + j - index;
      from = from < 0 ? 0 : from / PER_UNIT;
      NAME(tiles)(wide, UNITS(tiles) - from, room->weights + from * KEYS + j, 1, KEYS,
                  room->above_paired + (UNITS(start) + from) * value_width + n * LANES, value_width,
                  room->of_values + (key + j) * value_width + n * LANES, value_width, true);
    }
  }
  for (long n = 0, wide; n < key_width / LANES; n += wide) {
    wide = NAME(strip)(key_width / LANES, n);
    for (long j = 0; j < columns; j += TILE) {
      long from = key + j - index;
      from = from < 0 ? 0 : from / PER_UNIT;
      NAME(tiles)(wide, UNITS(tiles) - from, room->changes + from * KEYS + j, 1, KEYS,
                  room->queries_paired + (UNITS(start) + from) * key_width + n * LANES, key_width,
                  room->of_keys + (key + j) * key_width + n * LANES, key_width, true);
    }
    for (long r = 0; r < tiles; r += TILE) {
      long low = first_seen(job, span, index + r) - key, high = index + r + TILE - key;
      low = low < 0 ? 0 : low / PER_UNIT;
      high = UNITS(high < columns ? high : columns);
      if (low >= high) continue;
      NAME(tiles)(wide, high - low, room->change_rows + r * row_units + low, row_units, 1,
                  room->paired + (UNITS(key) + low) * key_width + n * LANES, key_width,
                  room->of_queries + (start + r) * key_width + n * LANES, key_width, true);
    }
  }
}

/// Lays out a head's queries and the gradients above, and computes their products with the output.
///
/// - Returns: the gradient of the head's sink.
static A NAME(backward_head)(attention_work *work, const attention_span *span, long head,
                             const NAME(plan) *plan) {
  const attention *job = work->job;
  const NAME(room) *room = &plan->room;
  const A *statistics = (A *)job->statistics + head * job->statistics_row + span->query;
  const T *queries = NAME(head_row)(&job->queries, span->query, head);
  const T *above = NAME(head_row)(work->output, span->query, head);
  long count = span->queries, all = PADDED(count, QUERIES);
  NAME(lay_rows)(queries, job->queries.row, count, job->key_size, room->queries);
  NAME(lay_rows)(above, work->output->row, count, job->value_size, room->above);
  NAME(lay_paired)(queries, job->queries.row, count, job->key_size, room->queries_paired,
                   plan->key_width);
  NAME(lay_paired)(above, work->output->row, count, job->value_size, room->above_paired,
                   plan->value_width);
  memset(room->of_queries, 0, all * plan->key_width * sizeof(A));
  A of_sink = 0;
  for (long i = 0; i < count; i++) {
    const T *output = NAME(head_row)(&job->output, span->query + i, head);
    const T *gradient = above + i * work->output->row;
    A sum = 0;
    for (long c = 0; c < job->value_size; c++) sum += LOAD(output[c]) * LOAD(gradient[c]);
    room->delta[i] = sum;
    room->total[i] = statistics[i];
    if (job->sinks) of_sink -= MATH(exp)(((const A *)job->sinks)[head] - statistics[i]) * sum;
  }
  for (long i = count; i < all; i++) {
    room->delta[i] = 0;
    room->total[i] = INFINITY;
  }
  return of_sink;
}

/// Stores sums [rows, size] in a gradient's rows, or adds them.
static void NAME(give_rows)(const A *sums, long width, A scale, T *to, long to_row, long rows, long size,
                            bool adds) {
  for (long i = 0; i < rows; i++) NAME(give_line)(sums + i * width, scale, to + i * to_row, size, adds);
}

/// The sums of a group's keys and values become gradients.
static void NAME(give_keys)(const attention_work *work, const attention_span *span, long group,
                            const A *of_keys, const A *of_values, const NAME(plan) *plan) {
  const attention *job = work->job;
  if (work->keys->start)
    NAME(give_rows)(of_keys, plan->key_width, (A)job->scale,
                    NAME(head_row)(work->keys, span->key, group), work->keys->row, span->keys,
                    job->key_size, work->adds);
  if (work->values->start)
    NAME(give_rows)(of_values, plan->value_width, 1, NAME(head_row)(work->values, span->key, group),
                    work->values->row, span->keys, job->value_size, work->adds);
}

/// Where the sums of one part of a group's heads gather for `finish`: those of keys, then those of values.
INLINE A *NAME(shared_sums)(const attention_work *work, const attention_span *span, long group, long part,
                            const NAME(plan) *plan) {
  long width = plan->key_width + plan->value_width, groups = work->job->groups;
  return (A *)work->shared +
         ((part * groups + group) * key_rows(work->job) + span->key) * width;
}

/// One of `parts` parts of the heads of one group of one sequence.
static void NAME(backward_unit)(attention_work *work, long which, long group, long part,
                                const NAME(plan) *plan) {
  const attention *job = work->job;
  const attention_span *span = (const attention_span *)job->spans + which;
  NAME(room) room = plan->room;
  long per_group = job->heads / job->groups, before = span->keys - span->queries;
  long key_width = plan->key_width, value_width = plan->value_width;
  long padded = PADDED(span->keys, KEYS);
  memset(room.of_keys, 0, padded * key_width * sizeof(A));
  memset(room.of_values, 0, padded * value_width * sizeof(A));
  const T *keys = NAME(head_row)(&job->keys, span->key, group);
  const T *values = NAME(head_row)(&job->values, span->key, group);
  NAME(lay_paired)(keys, job->keys.row, span->keys, job->key_size, room.paired, key_width);
  for (long key = 0; key < span->keys; key += KEYS) {
    long count = span->keys - key < KEYS ? span->keys - key : KEYS;
    NAME(lay_turned)(keys + key * job->keys.row, job->keys.row, count, job->key_size,
                     room.keys_turned + key * plan->key_units, KEYS);
    NAME(lay_turned)(values + key * job->values.row, job->values.row, count, job->value_size,
                     room.values_turned + key * plan->value_units, KEYS);
  }
  long last = group * per_group + per_group * (part + 1) / work->parts;
  for (long head = group * per_group + per_group * part / work->parts; head < last; head++) {
    A of_sink = NAME(backward_head)(work, span, head, plan);
    if (work->sinks) ((A *)work->sinks)[which * job->heads + head] = of_sink;
    for (long key = 0; key < span->keys; key += KEYS)
      for (long start = 0; start < span->queries; start += QUERIES) {
        long count = span->queries - start < QUERIES ? span->queries - start : QUERIES;
        if (key >= before + start + count) continue;
        if (key + KEYS <= first_seen(job, span, before + start)) break;
        NAME(backward_block)(job, span, head, start, count, key, plan);
      }
    if (work->queries->start)
      NAME(give_rows)(room.of_queries, key_width, (A)job->scale,
                      NAME(head_row)(work->queries, span->query, head), work->queries->row,
                      span->queries, job->key_size, work->adds);
  }
  if (work->parts == 1) {
    NAME(give_keys)(work, span, group, room.of_keys, room.of_values, plan);
    return;
  }
  A *sums = NAME(shared_sums)(work, span, group, part, plan);
  memcpy(sums, room.of_keys, span->keys * key_width * sizeof(A));
  memcpy(sums + span->keys * key_width, room.of_values, span->keys * value_width * sizeof(A));
}

/// Adds up the parts of one group of one sequence, one after the other.
static void NAME(join_unit)(attention_work *work, long which, long group, const NAME(plan) *plan) {
  const attention_span *span = (const attention_span *)work->job->spans + which;
  A *sums = NAME(shared_sums)(work, span, group, 0, plan);
  long count = span->keys * (plan->key_width + plan->value_width);
  for (long part = 1; part < work->parts; part++) {
    const A *others = NAME(shared_sums)(work, span, group, part, plan);
    for (long i = 0; i < count; i++) sums[i] += others[i];
  }
  NAME(give_keys)(work, span, group, sums, sums + span->keys * plan->key_width, plan);
}

// MARK: Parts of the team

static void NAME(run_units)(attention_work *work, int thread, attention_step step) {
  const attention *job = work->job;
  NAME(plan) plan = NAME(make_plan)(job, work->room + thread * work->room_bytes, step != FORWARD);
  const attention_span *spans = (const attention_span *)job->spans;
  long parts = step == JOIN_PARTS ? 1 : work->parts;
  for (;;) {
    long unit = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
    long which = unit / parts / job->groups, group = unit / parts % job->groups, part = unit % parts;
    if (which >= job->span_count) return;
    switch (step) {
    case FORWARD: NAME(forward_unit)(job, &spans[which], group, part, parts, &plan); break;
    case BACKWARD: NAME(backward_unit)(work, which, group, part, &plan); break;
    case JOIN_PARTS: NAME(join_unit)(work, which, group, &plan); break;
    }
  }
}
