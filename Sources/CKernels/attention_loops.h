// Loops of attention.c over T and A; see attention.h.

INLINE T *NAME(head_row)(const head_place *place, long row, long head) {
  return (T *)place->start + row * place->row + head_column(place, head);
}

INLINE A NAME(dot)(const T *x, const T *y, long count) {
  A sum = 0;
  for (long i = 0; i < count; i++) sum += LOAD(x[i]) * LOAD(y[i]);
  return sum;
}

/// The scores of a row of queries, and for each the derivative by scale · q·k.
INLINE void NAME(scores)(const attention *job, const attention_span *span, long head, long i, A *score,
                         A *slope) {
  long index = span->keys - span->queries + i, first = first_seen(job, span, index);
  const T *q = NAME(head_row)(&job->queries, span->query + i, head);
  const double *slopes = job->slopes;
  long group = head / (job->heads / job->groups);
  for (long j = first; j <= index; j++) {
    slope[j] = 1;
    score[j] = -INFINITY;
    if (!sees(job, span, head, span->query + i, index, j)) continue;
    A s = (A)job->scale *
          NAME(dot)(q, NAME(head_row)(&job->keys, span->key + j, group), job->key_size);
    if (job->cap) {
      A t = MATH(tanh)(s / (A)job->cap);
      s = (A)job->cap * t;
      slope[j] = 1 - t * t;
    }
    score[j] = s - (slopes ? (A)slopes[head] * (A)(index - j) : 0);
  }
}

static void NAME(attention_forward)(attention_work *work) {
  const attention *job = work->job;
  const attention_span *spans = (const attention_span *)job->spans;
  const A *sinks = job->sinks;
  for (;;) {
    long unit = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
    if (unit >= job->span_count * job->heads) return;
    const attention_span *span = &spans[unit / job->heads];
    long head = unit % job->heads, group = head / (job->heads / job->groups);
    A *score = malloc((2 * (size_t)span->keys + job->value_size) * sizeof(A));
    A *slope = score + span->keys, *sum = slope + span->keys;
    for (long i = 0; i < span->queries; i++) {
      long index = span->keys - span->queries + i, first = first_seen(job, span, index);
      NAME(scores)(job, span, head, i, score, slope);
      A most = sinks ? sinks[head] : -INFINITY;
      for (long j = first; j <= index; j++) most = score[j] > most ? score[j] : most;
      A total = sinks ? MATH(exp)(sinks[head] - most) : 0;
      for (long c = 0; c < job->value_size; c++) sum[c] = 0;
      for (long j = first; j <= index; j++) {
        A p = score[j] == -INFINITY ? 0 : MATH(exp)(score[j] - most);
        total += p;
        const T *v = NAME(head_row)(&job->values, span->key + j, group);
        for (long c = 0; c < job->value_size; c++) sum[c] += p * LOAD(v[c]);
      }
      T *o = NAME(head_row)(&job->output, span->query + i, head);
      for (long c = 0; c < job->value_size; c++) o[c] = STORE(total > 0 ? sum[c] / total : 0);
      ((A *)job->statistics)[head * job->statistics_row + span->query + i] =
          total > 0 ? most + MATH(log)(total) : INFINITY;
    }
    free(score);
  }
}

static void NAME(attention_backward)(attention_work *work) {
  const attention *job = work->job;
  const attention_span *spans = (const attention_span *)job->spans;
  const A *sinks = job->sinks;
  long per_group = job->heads / job->groups;
  for (;;) {
    long unit = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
    if (unit >= job->span_count * job->groups) return;
    const attention_span *span = &spans[unit / job->groups];
    long group = unit % job->groups, keys = span->keys;
    A *score = malloc((2 + job->key_size + job->value_size) * (keys + 1) * sizeof(A));
    A *slope = score + keys, *dk = slope + keys, *dv = dk + keys * job->key_size;
    A *dq = dv + keys * job->value_size;
    memset(dk, 0, keys * (job->key_size + job->value_size) * sizeof(A));
    for (long head = group * per_group; head < (group + 1) * per_group; head++) {
      A of_sink = 0;
      for (long i = 0; i < span->queries; i++) {
        long row = span->query + i;
        long index = keys - span->queries + i, first = first_seen(job, span, index);
        NAME(scores)(job, span, head, i, score, slope);
        const T *q = NAME(head_row)(&job->queries, row, head);
        const T *above = NAME(head_row)(work->output, row, head);
        A all = ((A *)job->statistics)[head * job->statistics_row + row];
        A delta = NAME(dot)(NAME(head_row)(&job->output, row, head), above, job->value_size);
        if (sinks) of_sink -= MATH(exp)(sinks[head] - all) * delta;
        for (long c = 0; c < job->key_size; c++) dq[c] = 0;
        for (long j = first; j <= index; j++) {
          if (score[j] == -INFINITY) continue;
          A p = MATH(exp)(score[j] - all);
          const T *k = NAME(head_row)(&job->keys, span->key + j, group);
          const T *v = NAME(head_row)(&job->values, span->key + j, group);
          A ds = p * (NAME(dot)(above, v, job->value_size) - delta) * slope[j] * (A)job->scale;
          for (long c = 0; c < job->key_size; c++) {
            dq[c] += ds * LOAD(k[c]);
            dk[j * job->key_size + c] += ds * LOAD(q[c]);
          }
          for (long c = 0; c < job->value_size; c++)
            dv[j * job->value_size + c] += p * LOAD(above[c]);
        }
        if (!work->queries->start) continue;
        T *to = NAME(head_row)(work->queries, row, head);
        for (long c = 0; c < job->key_size; c++) to[c] = STORE(LOAD(to[c]) + dq[c]);
      }
      if (work->sinks) ((A *)work->sinks)[unit / job->groups * job->heads + head] = of_sink;
    }
    for (long j = 0; j < keys; j++) {
      if (work->keys->start) {
        T *to = NAME(head_row)(work->keys, span->key + j, group);
        for (long c = 0; c < job->key_size; c++)
          to[c] = STORE(LOAD(to[c]) + dk[j * job->key_size + c]);
      }
      if (work->values->start) {
        T *to = NAME(head_row)(work->values, span->key + j, group);
        for (long c = 0; c < job->value_size; c++)
          to[c] = STORE(LOAD(to[c]) + dv[j * job->value_size + c]);
      }
    }
    free(score);
  }
}
