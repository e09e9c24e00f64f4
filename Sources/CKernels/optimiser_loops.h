// The loop of optimiser.c over W (a stored weight), G (a gradient), M (a stored mean), A (the type of
// sums), SUFFIX, SQRT, WIDEN of a gradient and MEAN of a mean, and LOAD and STORE of weight i, FIRST and
// SECOND of a mean that is stored; all may use i and `random`. See optimiser.h.

KERNEL static void NAME(adamw)(W *restrict weight, int16_t *restrict remainder,
                               const G *restrict gradient, M *restrict first, M *restrict second,
                               long count, adamw_rule rule, uint32_t seed) {
  const A factor = (A)rule.gradient_factor, keep = (A)(1 - rule.beta1), beta2 = (A)rule.beta2;
  const A fresh = (A)(1 - rule.beta2), correction = (A)(1 / rule.correction);
  const A eps = (A)rule.eps, decay = (A)rule.decay, step = (A)rule.step;
  for (long i = 0; i < count; i++) {
    const uint32_t random = scramble(seed + (uint32_t)i);
    A g = factor * WIDEN(gradient[i]);
    A m = MEAN(first[i]), v = MEAN(second[i]);
    m = m + keep * (g - m);
    v = beta2 * v + fresh * g * g;
    A value = decay * LOAD(i) - step * m / (SQRT(v) * correction + eps);
    first[i] = FIRST(m);
    second[i] = SECOND(v);
    STORE(i, value);
  }
}

#undef SUFFIX
#undef G
#undef WIDEN
