// Loops of heads.c over T and A; see heads.h.

// The two orders apart, so that each is plain to the vectoriser.
INLINE void NAME(turn_halves)(T *restrict left, T *restrict right, const A *restrict cosines,
                              const A *restrict sines, A sign, long pairs) {
  for (long j = 0; j < pairs; j++) {
    A a = LOAD(left[j]), b = LOAD(right[j]), c = cosines[j], s = sign * sines[j];
    left[j] = STORE(a * c - b * s);
    right[j] = STORE(b * c + a * s);
  }
}

INLINE void NAME(turn_neighbours)(T *restrict x, const A *restrict cosines, const A *restrict sines,
                                  A sign, long pairs) {
  for (long j = 0; j < pairs; j++) {
    A a = LOAD(x[2 * j]), b = LOAD(x[2 * j + 1]), c = cosines[j], s = sign * sines[j];
    x[2 * j] = STORE(a * c - b * s);
    x[2 * j + 1] = STORE(b * c + a * s);
  }
}

KERNEL static void NAME(turn_heads)(const head_place *heads, long count, const turning *turn,
                                    long first, long rows, bool backward) {
  A sign = backward ? -1 : 1;
  for (long i = first; i < first + rows; i++) {
    const A *cosines = (const A *)turn->table + turn->rows[i] * turn->table_row;
    const A *sines = cosines + turn->pairs;
    T *row = (T *)heads->start + i * heads->row;
    for (long h = 0; h < count; h++) {
      T *head = row + head_column(heads, h);
      if (turn->step == 1) {
        NAME(turn_halves)(head, head + turn->distance, cosines, sines, sign, turn->pairs);
      } else {
        NAME(turn_neighbours)(head, cosines, sines, sign, turn->pairs);
      }
    }
  }
}

KERNEL static void NAME(scale_heads)(const head_place *heads, long count, long size,
                                     const A *factors, long factor_step, long first, long rows) {
  for (long i = first; i < first + rows; i++) {
    T *row = (T *)heads->start + i * heads->row;
    A factor = factors[i * factor_step];
    for (long h = 0; h < count; h++) {
      T *head = row + head_column(heads, h);
      for (long j = 0; j < size; j++) head[j] = STORE(factor * LOAD(head[j]));
    }
  }
}

KERNEL static void NAME(head_norm_forward)(const head_norm *norm, const head_place *heads, T *y,
                                           long y_row, long first, long rows, A *inverse, A *mean) {
  long count = norm->count, size = norm->size, step = norm->weight_step;
  long units = norm->together ? 1 : count, within = norm->together ? count : 1;
  const A *weight = norm->weight, *bias = norm->bias;
  A offset = (A)norm->offset, total = (A)(within * size);
  for (long i = first; i < first + rows; i++) {
    const T *row = (const T *)heads->start + i * heads->row;
    for (long u = 0; u < units; u++) {
      A centre = 0, squares = 0;
      if (norm->centres) {
        for (long h = u * within; h < (u + 1) * within; h++) {
          const T *from = row + head_column(heads, h);
          for (long j = 0; j < size; j++) centre += LOAD(from[j]);
        }
        centre /= total;
        mean[i * units + u] = centre;
      }
      for (long h = u * within; h < (u + 1) * within; h++) {
        const T *from = row + head_column(heads, h);
        for (long j = 0; j < size; j++) {
          A value = LOAD(from[j]) - centre;
          squares += value * value;
        }
      }
      A r = 1 / MATH(sqrt)(squares / total + (A)norm->eps);
      inverse[i * units + u] = r;
      for (long h = u * within; h < (u + 1) * within; h++) {
        const T *from = row + head_column(heads, h);
        T *to = y + i * y_row + h * size;
        const A *w = weight ? weight + h * step : 0, *b = bias ? bias + h * step : 0;
        if (w && b) {
          for (long j = 0; j < size; j++)
            to[j] = STORE((LOAD(from[j]) - centre) * r * (offset + w[j]) + b[j]);
        } else if (w) {
          for (long j = 0; j < size; j++)
            to[j] = STORE((LOAD(from[j]) - centre) * r * (offset + w[j]));
        } else {
          for (long j = 0; j < size; j++) to[j] = STORE((LOAD(from[j]) - centre) * r);
        }
      }
    }
  }
}

// As in norm_loops.h: with n = (x - mean) · r and g = dy · (offset + w),
// dx = r · (g - mean(g · n) · n - mean(g)), the last term where the norm centres.
KERNEL static void NAME(head_norm_backward)(const head_norm *norm, const head_place *heads,
                                            const T *dy, long dy_row, const head_place *gradient,
                                            long first, long rows, const A *inverse, const A *mean,
                                            A *weight_gradient, A *bias_gradient) {
  long count = norm->count, size = norm->size, step = norm->weight_step;
  long units = norm->together ? 1 : count, within = norm->together ? count : 1;
  const A *weight = norm->weight;
  A offset = (A)norm->offset, share = 1 / (A)(within * size);
  for (long i = first; i < first + rows; i++) {
    const T *row = (const T *)heads->start + i * heads->row;
    T *target = (T *)gradient->start + i * gradient->row;
    for (long u = 0; u < units; u++) {
      A r = inverse[i * units + u], centre = norm->centres ? mean[i * units + u] : 0;
      A product = 0, total = 0;
      for (long h = u * within; h < (u + 1) * within; h++) {
        const T *from = row + head_column(heads, h), *above = dy + i * dy_row + h * size;
        const A *w = weight ? weight + h * step : 0;
        if (weight_gradient) {
          A *sum = weight_gradient + h * step;
          for (long j = 0; j < size; j++) sum[j] += LOAD(above[j]) * (LOAD(from[j]) - centre) * r;
        }
        if (bias_gradient) {
          A *sum = bias_gradient + h * step;
          for (long j = 0; j < size; j++) sum[j] += LOAD(above[j]);
        }
        for (long j = 0; j < size; j++) {
          A g = LOAD(above[j]) * (w ? offset + w[j] : 1);
          product += g * (LOAD(from[j]) - centre);
          total += g;
        }
      }
      product *= r * r * share;
      total = norm->centres ? total * share : 0;
      for (long h = u * within; h < (u + 1) * within; h++) {
        const T *from = row + head_column(heads, h), *above = dy + i * dy_row + h * size;
        T *to = target + head_column(gradient, h);
        const A *w = weight ? weight + h * step : 0;
        for (long j = 0; j < size; j++) {
          A g = LOAD(above[j]) * (w ? offset + w[j] : 1);
          to[j] = STORE(LOAD(to[j]) + r * (g - product * (LOAD(from[j]) - centre) - total));
        }
      }
    }
  }
}

KERNEL static void NAME(clip_heads)(const head_place *heads, long count, long size, double limit,
                                    T *y, long y_row, long first, long rows) {
  A bound = (A)limit;
  for (long i = first; i < first + rows; i++) {
    const T *row = (const T *)heads->start + i * heads->row;
    for (long h = 0; h < count; h++) {
      const T *from = row + head_column(heads, h);
      T *to = y + i * y_row + h * size;
      for (long j = 0; j < size; j++) {
        A value = LOAD(from[j]);
        value = value > bound ? bound : value;
        to[j] = STORE(value < -bound ? -bound : value);
      }
    }
  }
}

KERNEL static void NAME(clip_heads_backward)(const head_place *heads, long count, long size,
                                             double limit, const T *dy, long dy_row,
                                             const head_place *gradient, long first, long rows) {
  A bound = (A)limit;
  for (long i = first; i < first + rows; i++) {
    const T *row = (const T *)heads->start + i * heads->row;
    T *target = (T *)gradient->start + i * gradient->row;
    for (long h = 0; h < count; h++) {
      const T *from = row + head_column(heads, h), *above = dy + i * dy_row + h * size;
      T *to = target + head_column(gradient, h);
      for (long j = 0; j < size; j++) {
        A value = LOAD(from[j]);
        A passed = value >= -bound && value <= bound ? LOAD(above[j]) : 0;
        to[j] = STORE(LOAD(to[j]) + passed);
      }
    }
  }
}

KERNEL static void NAME(join_keys)(const head_place *plain, long count, long plain_size,
                                   const head_place *shared, long shared_size, T *y, long y_row,
                                   long first, long rows) {
  for (long i = first; i < first + rows; i++) {
    const T *row = (const T *)plain->start + i * plain->row;
    const T *same = (const T *)shared->start + i * shared->row + shared->first;
    T *to = y + i * y_row;
    for (long h = 0; h < count; h++) {
      memcpy(to, row + head_column(plain, h), plain_size * sizeof(T));
      memcpy(to + plain_size, same, shared_size * sizeof(T));
      to += plain_size + shared_size;
    }
  }
}

KERNEL static void NAME(join_keys_backward)(const T *dy, long dy_row, const head_place *plain,
                                            long count, long plain_size, const head_place *shared,
                                            long shared_size, long first, long rows) {
  for (long i = first; i < first + rows; i++) {
    const T *from = dy + i * dy_row;
    long size = plain_size + shared_size;
    T *row = (T *)plain->start + i * plain->row;
    for (long h = 0; h < count; h++) {
      T *to = row + head_column(plain, h);
      for (long j = 0; j < plain_size; j++)
        to[j] = STORE(LOAD(to[j]) + LOAD(from[h * size + j]));
    }
    T *same = (T *)shared->start + i * shared->row + shared->first;
    for (long j = 0; j < shared_size; j++) {
      A sum = LOAD(same[j]);
      for (long h = 0; h < count; h++) sum += LOAD(from[h * size + plain_size + j]);
      same[j] = STORE(sum);
    }
  }
}
