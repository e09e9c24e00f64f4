// Loops of norm.c over T and A; see norm.h.

KERNEL static void NAME(norm_forward)(const T *x, long x_row, T *y, long y_row, long first, long count,
                                      long per_row, long step, long width, const A *weight,
                                      const A *bias, long weight_step, double offset, double eps,
                                      bool centres, A *inverse, A *mean) {
  for (long i = first; i < first + count; i++) {
    long row = i / per_row, stretch = i % per_row;
    const T *from = x + row * x_row + stretch * step;
    T *to = y + row * y_row + stretch * step;
    const A *w = weight ? weight + stretch * weight_step : 0;
    const A *b = bias ? bias + stretch * weight_step : 0;
    A centre = 0;
    if (centres) {
      A sum = 0;
      EACH(j, width) sum += LOAD(from[j]);
      centre = sum / (A)width;
      mean[i] = centre;
    }
    A squares = 0;
    EACH(j, width) {
      A value = LOAD(from[j]) - centre;
      squares += value * value;
    }
    A r = 1 / MATH(sqrt)(squares / (A)width + (A)eps);
    inverse[i] = r;
    if (w && b) {
      EACH(j, width)
        to[j] = STORE((LOAD(from[j]) - centre) * r * ((A)offset + w[j]) + b[j]);
    } else if (w) {
      EACH(j, width)
        to[j] = STORE((LOAD(from[j]) - centre) * r * ((A)offset + w[j]));
    } else {
      EACH(j, width) to[j] = STORE((LOAD(from[j]) - centre) * r);
    }
  }
}

// With n = (x - mean) · r and g = dy · (offset + w): dx = r · (g - mean(g · n) · n - mean(g)), the last
// term where the norm centres.
KERNEL static void NAME(norm_backward)(const T *x, long x_row, const T *dy, long dy_row, T *dx,
                                       long dx_row, long first, long count, long per_row, long step,
                                       long width, const A *weight, long weight_step, double offset,
                                       bool centres, const A *inverse, const A *mean, bool accumulates,
                                       A *weight_gradient, A *bias_gradient) {
  for (long i = first; i < first + count; i++) {
    long row = i / per_row, stretch = i % per_row;
    const T *from = x + row * x_row + stretch * step;
    const T *above = dy + row * dy_row + stretch * step;
    T *to = dx + row * dx_row + stretch * step;
    const A *w = weight ? weight + stretch * weight_step : 0;
    A r = inverse[i], centre = centres ? mean[i] : 0;
    if (weight_gradient) {
      A *sum = weight_gradient + stretch * weight_step;
      EACH(j, width) sum[j] += LOAD(above[j]) * (LOAD(from[j]) - centre) * r;
    }
    if (bias_gradient) {
      A *sum = bias_gradient + stretch * weight_step;
      EACH(j, width) sum[j] += LOAD(above[j]);
    }
    A product = 0, total = 0;
    if (w) {
      EACH(j, width) {
        A g = LOAD(above[j]) * ((A)offset + w[j]);
        product += g * (LOAD(from[j]) - centre);
        total += g;
      }
    } else {
      EACH(j, width) {
        A g = LOAD(above[j]);
        product += g * (LOAD(from[j]) - centre);
        total += g;
      }
    }
    product *= r * r / (A)width;
    total = centres ? total / (A)width : 0;
    EACH(j, width) {
      A g = LOAD(above[j]) * (w ? (A)offset + w[j] : 1);
      A value = r * (g - product * (LOAD(from[j]) - centre) - total);
      if (accumulates) value += LOAD(to[j]);
      to[j] = STORE(value);
    }
  }
}
