// Loops of router.c over A; see router.h. There are few experts, so nothing here is in a hurry.

/// The best of those not taken, the first of equals.
INLINE long NAME(best)(const A *scores, const unsigned char *taken, long count) {
  long found = -1;
  for (long j = 0; j < count; j++)
    if (!taken[j] && (found < 0 || scores[j] > scores[found])) found = j;
  return found;
}

/// Takes the experts of all groups but the best ones out.
INLINE void NAME(keep_groups)(const router_rule *rule, const A *scores, unsigned char *taken) {
  long size = rule->experts / rule->groups;
  long ranked = rule->ranked < size ? rule->ranked : size;
  A sums[rule->groups];
  unsigned char kept[rule->groups];
  for (long g = 0; g < rule->groups; g++) {
    sums[g] = 0;
    kept[g] = 0;
    for (long i = 0; i < ranked; i++) {
      long j = g * size + NAME(best)(scores + g * size, taken + g * size, size);
      sums[g] += scores[j];
      taken[j] = 1;
    }
  }
  for (long i = 0; i < rule->kept; i++) kept[NAME(best)(sums, kept, rule->groups)] = 1;
  for (long j = 0; j < rule->experts; j++) taken[j] = !kept[j / size];
}

/// exp(x - the largest), divided by its sum; returns ln Σ e^x.
INLINE A NAME(probabilities)(const A *x, A *p, long count) {
  A most = x[0], sum = 0;
  for (long j = 1; j < count; j++) most = x[j] > most ? x[j] : most;
  for (long j = 0; j < count; j++) {
    p[j] = MATH(exp)(x[j] - most);
    sum += p[j];
  }
  for (long j = 0; j < count; j++) p[j] /= sum;
  return most + MATH(log)(sum);
}

/// The sparse mixer's softmax around `at`, the best of those not taken; others have none of it.
INLINE void NAME(near)(const A *x, const unsigned char *taken, long at, A width, A *p, long count) {
  A most = x[at], sum = 0;
  for (long j = 0; j < count; j++) {
    A size = x[j] < 0 ? -x[j] : x[j];
    A distance = (most - x[j]) / (size > most ? size : most);
    p[j] = taken[j] || distance > width ? 0 : MATH(exp)(x[j] - most);
    sum += p[j];
  }
  for (long j = 0; j < count; j++) p[j] /= sum;
}

KERNEL static void NAME(router_forward)(const router_rule *rule, const A *logits, long logits_row,
                                        const A *correction, const A *expert_scale, int32_t *choice,
                                        A *weights, long rows) {
  long count = rule->experts, k = rule->per_token;
  A scores[count], ranks[count];
  unsigned char taken[count];
  for (long i = 0; i < rows; i++) {
    const A *x = logits + i * logits_row;
    int32_t *chosen = choice + i * k;
    A *w = weights + i * k, sum = 0;
    memset(taken, 0, sizeof taken);
    if (rule->score == ROUTER_SOFTMAX) NAME(probabilities)(x, scores, count);
    for (long j = 0; j < count; j++) {
      if (rule->score == ROUTER_SIGMOID) scores[j] = MATH(sigmoid)(x[j]);
      ranks[j] = rule->score == ROUTER_SPARSE_MIXER ? x[j] : scores[j];
      if (correction) ranks[j] += correction[j];
    }
    if (rule->groups > 1) NAME(keep_groups)(rule, ranks, taken);
    for (long c = 0; c < k; c++) {
      long j = NAME(best)(ranks, taken, count);
      if (rule->score == ROUTER_SPARSE_MIXER)
        NAME(near)(x, taken, j, (A)(2 * rule->jitter), scores, count);
      chosen[c] = (int32_t)j;
      w[c] = scores[j];
      sum += scores[j];
      taken[j] = 1;
    }
    A least = (A)rule->minimum;
    A factor = (A)rule->scale / (!rule->normalises ? 1 : sum > least ? sum : least);
    for (long c = 0; c < k; c++) w[c] *= factor * (expert_scale ? expert_scale[chosen[c]] : 1);
  }
}

KERNEL static void NAME(router_backward)(const router_rule *rule, const A *logits, long logits_row,
                                         const A *expert_scale, const int32_t *choice,
                                         const A *weight_gradient, A *gradient, long gradient_row,
                                         A *scale_gradient, long rows, bool accumulates) {
  long count = rule->experts, k = rule->per_token;
  A p[count], slopes[k], shares[k];
  unsigned char taken[count];
  for (long i = 0; i < rows; i++) {
    const A *x = logits + i * logits_row, *dw = weight_gradient + i * k;
    const int32_t *chosen = choice + i * k;
    A *dx = gradient + i * gradient_row, sum = 0, inner = 0, least = (A)rule->minimum;
    if (!accumulates) memset(dx, 0, (size_t)count * sizeof(A));
    memset(taken, 0, sizeof taken);
    if (rule->score == ROUTER_SOFTMAX) NAME(probabilities)(x, p, count);
    if (rule->score == ROUTER_SIGMOID)
      for (long c = 0; c < k; c++) p[chosen[c]] = MATH(sigmoid)(x[chosen[c]]);
    // The sparse mixer's two softmaxes give each its part at once; it does not normalise.
    for (long c = 0; c < k; c++) {
      long j = chosen[c];
      A through = dw[c] * (A)rule->scale;
      slopes[c] = through * (expert_scale ? expert_scale[j] : 1);
      if (rule->score == ROUTER_SPARSE_MIXER) {
        NAME(near)(x, taken, j, (A)(2 * rule->jitter), p, count);
        A part = slopes[c] * p[j];
        for (long l = 0; l < count; l++) dx[l] -= part * p[l];
        dx[j] += part;
        taken[j] = 1;
      }
      shares[c] = p[j];
      sum += shares[c];
      inner += slopes[c] * shares[c];
    }
    A divisor = !rule->normalises ? 1 : sum > least ? sum : least;
    if (scale_gradient)
      for (long c = 0; c < k; c++)
        scale_gradient[chosen[c]] += dw[c] * (A)rule->scale * shares[c] / divisor;
    if (rule->score == ROUTER_SPARSE_MIXER) continue;
    bool divides = rule->normalises && sum > least;
    for (long c = 0; c < k; c++) slopes[c] = (slopes[c] - (divides ? inner / sum : 0)) / divisor;
    if (rule->score == ROUTER_SIGMOID) {
      for (long c = 0; c < k; c++) dx[chosen[c]] += slopes[c] * shares[c] * (1 - shares[c]);
      continue;
    }
    for (long c = 0; c < k; c++) dx[chosen[c]] += slopes[c] * shares[c];
    // Behind a division by their sum the chosen alone matter.
    if (divides) continue;
    for (long j = 0; j < count; j++) dx[j] -= inner / divisor * p[j];
  }
}

KERNEL static void NAME(router_usage)(const router_rule *rule, const A *logits, long logits_row,
                                      long rows, A *sums) {
  long count = rule->experts;
  A p[count];
  unsigned char taken[count];
  for (long i = 0; i < rows; i++) {
    const A *x = logits + i * logits_row;
    memset(taken, 0, sizeof taken);
    A level = NAME(probabilities)(x, p, count), total = 1;
    if (rule->score == ROUTER_SIGMOID) {
      total = 0;
      for (long j = 0; j < count; j++) total += p[j] = MATH(sigmoid)(x[j]);
    }
    for (long j = 0; j < count; j++) sums[j] += p[j] / total;
    for (long c = 0; c < rule->per_token; c++) {
      long j = NAME(best)(p, taken, count);
      taken[j] = 1;
      sums[count + j] += 1;
    }
    sums[2 * count] += level * level;
  }
}

KERNEL static void NAME(router_usage_backward)(const router_rule *rule, const A *logits,
                                               long logits_row, const A *slopes, double factor,
                                               A *gradient, long gradient_row, long rows) {
  long count = rule->experts;
  A p[count], s[count];
  for (long i = 0; i < rows; i++) {
    const A *x = logits + i * logits_row;
    A *dx = gradient + i * gradient_row, inner = 0, total = 0;
    A pull = 2 * (A)factor * NAME(probabilities)(x, p, count);
    if (rule->score == ROUTER_SIGMOID) {
      for (long j = 0; j < count; j++) total += s[j] = MATH(sigmoid)(x[j]);
      for (long j = 0; j < count; j++) inner += slopes[j] * s[j];
      for (long j = 0; j < count; j++)
        dx[j] += (slopes[j] - inner / total) / total * s[j] * (1 - s[j]) + pull * p[j];
    } else {
      for (long j = 0; j < count; j++) inner += slopes[j] * p[j];
      for (long j = 0; j < count; j++) dx[j] += (slopes[j] - inner + pull) * p[j];
    }
  }
}
