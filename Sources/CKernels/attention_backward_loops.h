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

/// Scores, weights and changes of STRIP rows of a block of queries, row `r` of it on, with a block of keys.
///
/// - index: of the block's first query among the keys.
static void NAME(backward_rows)(const attention *job, const attention_span *span, long head, long start,
                                long count, long key, long r, const NAME(plan) *plan) {
  const NAME(room) *room = &plan->room;
  long index = span->keys - span->queries + start;
  long rows = PADDED(count, TILE) - r < STRIP ? PADDED(count, TILE) - r : STRIP;
  const U *queries = room->queries + (start + r) * plan->key_units;
  const U *above = room->above + (start + r) * plan->value_units;
  long low = first_seen(job, span, index + r) - key, high = index + r + rows - key;
  low = low < 0 ? 0 : low / (2 * LANES) * (2 * LANES);
  high = high < 0 ? 0 : high < KEYS ? PADDED(high, 2 * LANES) : KEYS;
  if (low > high) low = high;
  for (long n = low / LANES, wide; n < high / LANES; n += wide) {
    wide = NAME(strip)((high - low) / LANES, n - low / LANES);
    for (long i = 0; i < rows; i += TILE) {
      if (key + n * LANES >= index + r + i + TILE) continue;
      NAME(tiles)(wide, plan->key_units, queries + i * plan->key_units, plan->key_units, 1,
                  room->keys_turned + key * plan->key_units + n * LANES, KEYS,
                  room->scores + i * KEYS + n * LANES, KEYS, false);
      NAME(tiles)(wide, plan->value_units, above + i * plan->value_units, plan->value_units, 1,
                  room->values_turned + key * plan->value_units + n * LANES, KEYS,
                  room->products + i * KEYS + n * LANES, KEYS, false);
    }
  }
  bool plain = is_plain(job);
  A *slopes = job->cap ? room->slopes : 0;
  for (long i = 0; i < rows; i += 2) {
    long row = r + i, end = index + row + 2 - key;
    end = end < 0 ? 0 : end > high ? high : PADDED(end, 2 * LANES);
    end = end < low ? low : end;
    for (long two = 0; two < 2; two++) {
      A *score = room->scores + (i + two) * KEYS;
      long from = first_seen(job, span, index + row + two) - key, to = index + row + two + 1 - key;
      from = from < low ? low : from;
      to = to > end ? end : to;
      if (row + two >= count) to = from = 0;
      if (!plain)
        NAME(finish_scores)(job, span, head, span->query + start + row + two, index + row + two, key,
                            from, to, score, slopes ? slopes + (i + two) * KEYS : 0);
      NAME(mask)(score, low, end, from, to);
      // What is masked has no weight, whatever stands there.
      if (slopes) NAME(blank)(slopes + (i + two) * KEYS, low, end, from, to);
      NAME(blank)(room->products + (i + two) * KEYS, low, end, from, to);
    }
    U *weights = room->weights + row / PER_UNIT * KEYS, *changes = room->changes + row / PER_UNIT * KEYS;
    U *change_rows = room->change_rows + row * UNITS(KEYS);
    NAME(change)(room->scores + i * KEYS, room->products + i * KEYS, slopes ? slopes + i * KEYS : 0, low,
                 end, plain ? (A)job->scale : 1, room->total + start + row, room->delta + start + row,
                 weights, changes, change_rows);
    for (long line = 0; line < 2 / PER_UNIT; line++) {
      memset(weights + line * KEYS, 0, low * sizeof(U));
      memset(changes + line * KEYS, 0, low * sizeof(U));
      memset(weights + line * KEYS + end, 0, (KEYS - end) * sizeof(U));
      memset(changes + line * KEYS + end, 0, (KEYS - end) * sizeof(U));
    }
#if PER_UNIT == 2
    for (long line = 0; line < 2; line++) {
      memset(change_rows + line * UNITS(KEYS), 0, UNITS(low) * sizeof(U));
      memset(change_rows + line * UNITS(KEYS) + UNITS(end), 0, UNITS(KEYS - end) * sizeof(U));
    }
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
  for (long r = 0; r < tiles; r += STRIP)
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

/// Adds sums [rows, size] to a gradient's rows.
static void NAME(add_rows)(const A *sums, long width, A scale, T *to, long to_row, long rows, long size) {
  for (long i = 0; i < rows; i++, sums += width, to += to_row)
    for (long c = 0; c < size; c++) to[c] = STORE(LOAD(to[c]) + scale * sums[c]);
}

/// The heads of one group of one sequence.
static void NAME(backward_unit)(attention_work *work, const attention_span *span, long unit, long group,
                                const NAME(plan) *plan) {
  const attention *job = work->job;
  const NAME(room) *room = &plan->room;
  long per_group = job->heads / job->groups, before = span->keys - span->queries;
  long key_width = plan->key_width, value_width = plan->value_width;
  const T *keys = NAME(head_row)(&job->keys, span->key, group);
  const T *values = NAME(head_row)(&job->values, span->key, group);
  long padded = PADDED(span->keys, KEYS);
  memset(room->of_keys, 0, padded * key_width * sizeof(A));
  memset(room->of_values, 0, padded * value_width * sizeof(A));
  NAME(lay_paired)(keys, job->keys.row, span->keys, job->key_size, room->paired, key_width);
  for (long key = 0; key < span->keys; key += KEYS) {
    long count = span->keys - key < KEYS ? span->keys - key : KEYS;
    NAME(lay_turned)(keys + key * job->keys.row, job->keys.row, count, job->key_size,
                     room->keys_turned + key * plan->key_units, KEYS);
    NAME(lay_turned)(values + key * job->values.row, job->values.row, count, job->value_size,
                     room->values_turned + key * plan->value_units, KEYS);
  }
  for (long head = group * per_group; head < (group + 1) * per_group; head++) {
    A of_sink = NAME(backward_head)(work, span, head, plan);
    if (work->sinks) ((A *)work->sinks)[unit / job->groups * job->heads + head] = of_sink;
    for (long key = 0; key < span->keys; key += KEYS)
      for (long start = 0; start < span->queries; start += QUERIES) {
        long count = span->queries - start < QUERIES ? span->queries - start : QUERIES;
        if (key >= before + start + count) continue;
        if (key + KEYS <= first_seen(job, span, before + start)) break;
        NAME(backward_block)(job, span, head, start, count, key, plan);
      }
    if (work->queries->start)
      NAME(add_rows)(room->of_queries, key_width, (A)job->scale,
                     NAME(head_row)(work->queries, span->query, head), work->queries->row,
                     span->queries, job->key_size);
  }
  if (work->keys->start)
    NAME(add_rows)(room->of_keys, key_width, (A)job->scale,
                   NAME(head_row)(work->keys, span->key, group), work->keys->row, span->keys,
                   job->key_size);
  if (work->values->start)
    NAME(add_rows)(room->of_values, value_width, 1, NAME(head_row)(work->values, span->key, group),
                   work->values->row, span->keys, job->value_size);
}

// MARK: Parts of the team

static void NAME(backward_part)(attention_work *work, int thread) {
  NAME(plan) plan = NAME(make_plan)(work->job, work->room + thread * work->room_bytes, true);
  const attention_span *spans = (const attention_span *)work->job->spans;
  for (;;) {
    long unit = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
    if (unit >= work->job->span_count * work->job->groups) return;
    NAME(backward_unit)(work, &spans[unit / work->job->groups], unit, unit % work->job->groups, &plan);
  }
}

static void NAME(forward_part)(attention_work *work, int thread) {
  const attention *job = work->job;
  NAME(plan) plan = NAME(make_plan)(job, work->room + thread * work->room_bytes, false);
  const attention_span *spans = (const attention_span *)job->spans;
  for (;;) {
    long unit = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
    long which = unit / work->parts;
    if (which >= job->span_count * job->groups) return;
    NAME(forward_unit)(job, &spans[which / job->groups], which % job->groups, unit % work->parts,
                       work->parts, &plan);
  }
}
