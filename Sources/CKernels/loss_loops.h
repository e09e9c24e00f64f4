// Loops of loss.c over T and A; see loss.h.

/// cap · tanh(x / cap); what is silenced stays so.
INLINE A NAME(capped)(A x, A cap) {
  return x == -(A)INFINITY ? x : cap * MATH(tanh)(x / cap);
}

KERNEL static void NAME(finish_logits)(T *x, long x_row, long rows, long width, double scale, double cap,
                                       const int32_t *silenced, long silenced_count) {
  A factor = (A)scale, bound = (A)cap;
  for (long i = 0; i < rows; i++) {
    T *row = x + i * x_row;
    if (bound > 0) {
      EACH(j, width)
        row[j] = STORE(bound * MATH(tanh)(factor * LOAD(row[j]) / bound));
    } else if (factor != 1) {
      EACH(j, width) row[j] = STORE(factor * LOAD(row[j]));
    }
    for (long j = 0; j < silenced_count; j++) row[silenced[j]] = STORE(-INFINITY);
  }
}

KERNEL static void NAME(cross_entropy)(T *x, long x_row, const int32_t *labels, long rows, long width,
                                       double scale, double cap, const int32_t *silenced,
                                       long silenced_count, double weight, double *losses) {
  A factor = (A)scale, bound = (A)cap;
  for (long i = 0; i < rows; i++) {
    T *row = x + i * x_row;
    if (labels[i] < 0) {
      if (weight != 0) memset(row, 0, (size_t)width * sizeof(T));
      continue;
    }
    for (long j = 0; j < silenced_count; j++) row[silenced[j]] = STORE(-INFINITY);
    A most = -INFINITY, sum = 0;
    EACH(j, width) most = MATH(max)(most, LOAD(row[j]));
    // tanh rises, so the largest is the same one.
    most = bound > 0 ? NAME(capped)(factor * most, bound) : factor * most;
    if (bound > 0) {
      EACH(j, width)
        sum += MATH(exp)(NAME(capped)(factor * LOAD(row[j]), bound) - most);
    } else {
      EACH(j, width) sum += MATH(exp)(factor * LOAD(row[j]) - most);
    }
    A label = LOAD(row[labels[i]]);
    A chosen = bound > 0 ? NAME(capped)(factor * label, bound) : factor * label;
    losses[i] += (double)(most + MATH(log)(sum) - chosen);
    if (weight == 0) continue;
    A share = (A)weight / sum;
    if (bound > 0) {
      EACH(j, width) {
        A t = MATH(tanh)(factor * LOAD(row[j]) / bound);
        row[j] = STORE(factor * (1 - t * t) * share * MATH(exp)(bound * t - most));
      }
      A t = chosen / bound;
      row[labels[i]] = STORE(LOAD(row[labels[i]]) - factor * (1 - t * t) * (A)weight);
    } else {
      EACH(j, width)
        row[j] = STORE(factor * share * MATH(exp)(factor * LOAD(row[j]) - most));
      row[labels[i]] = STORE(LOAD(row[labels[i]]) - factor * (A)weight);
    }
  }
}
