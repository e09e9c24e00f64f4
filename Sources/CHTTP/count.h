// What a counter's handle stands for.
#pragma once
#include "chttp.h"
#include <stdatomic.h>

static inline atomic_long *count_of(chttp_count count) { return (atomic_long *)count.value; }

static inline void count_set(chttp_count count, long value) {
  atomic_long *place = count_of(count);
  if (place) atomic_store_explicit(place, value, memory_order_relaxed);
}
