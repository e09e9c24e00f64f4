// Loops of selection.c over T and A; see selection.h.

KERNEL static void NAME(add_index_scores)(const A *products, long product_row, const T *weights,
                                          long weight_row, double factor, A *scores, long score_row,
                                          long rows, long width) {
  for (long i = 0; i < rows; i++) {
    const A *from = products + i * product_row;
    A *to = scores + i * score_row;
    A weight = (A)factor * LOAD(weights[i * weight_row]);
    for (long j = 0; j < width; j++) to[j] += weight * (from[j] > 0 ? from[j] : 0);
  }
}

/// The score that `kept` - 1 others are not below, by Hoare's selection; changes the order.
static A NAME(nth_highest)(A *values, long count, long kept) {
  long low = 0, high = count - 1, target = kept - 1;
  while (low < high) {
    A pivot = values[low + (high - low) / 2];
    long left = low, right = high;
    while (left <= right) {
      while (values[left] > pivot) left++;
      while (values[right] < pivot) right--;
      if (left <= right) {
        A value = values[left];
        values[left++] = values[right];
        values[right--] = value;
      }
    }
    if (target <= right) {
      high = right;
    } else if (target >= left) {
      low = left;
    } else {
      break;
    }
  }
  return values[target];
}

static void NAME(select_highest)(const A *scores, long score_row, A *scratch, long scratch_row,
                                 long rows, long first, long kept, int32_t *bits, long words) {
  for (long i = 0; i < rows; i++) {
    const A *row = scores + i * score_row;
    A *copy = scratch + i * scratch_row;
    uint32_t *seen = (uint32_t *)bits + i * words;
    long count = first + i, equals = count;
    A border = -INFINITY;
    if (count > kept) {
      memcpy(copy, row, (size_t)count * sizeof(A));
      border = NAME(nth_highest)(copy, count, kept);
      equals = kept;
      for (long j = 0; j < count; j++) equals -= row[j] > border;
    }
    for (long j = 0; j < count; j++) {
      bool taken = row[j] > border || (row[j] == border && equals-- > 0);
      if (taken) seen[j / 32] |= (uint32_t)1 << (j % 32);
    }
  }
}
