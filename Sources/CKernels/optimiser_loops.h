// The loop of optimiser.c over W (a stored weight), G (a gradient), A (the type of sums), SUFFIX, SQRT,
// WIDEN of a gradient, and LOAD and STORE of weight i; see optimiser.h.

KERNEL static void NAME(adamw)(W *restrict weight, int16_t *restrict remainder,
                               const G *restrict gradient, A *restrict first, A *restrict second,
                               long count, adamw_rule rule) {
  const A factor = (A)rule.gradient_factor, keep = (A)(1 - rule.beta1), beta2 = (A)rule.beta2;
  const A fresh = (A)(1 - rule.beta2), correction = (A)(1 / rule.correction);
  const A eps = (A)rule.eps, decay = (A)rule.decay, step = (A)rule.step;
  for (long i = 0; i < count; i++) {
    A g = factor * WIDEN(gradient[i]);
    A m = first[i] + keep * (g - first[i]);
    A v = beta2 * second[i] + fresh * g * g;
    A value = decay * LOAD(i) - step * m / (SQRT(v) * correction + eps);
    first[i] = m;
    second[i] = v;
    STORE(i, value);
  }
}

#undef SUFFIX
#undef W
#undef G
#undef WIDEN
#undef LOAD
#undef STORE
