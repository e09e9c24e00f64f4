#include "count.h"
#include <stdlib.h>

chttp_count chttp_count_new(void) {
  return (chttp_count){(uintptr_t)calloc(1, sizeof(atomic_long))};
}

long chttp_count_value(chttp_count count) {
  atomic_long *value = count_of(count);
  return value ? atomic_load_explicit(value, memory_order_relaxed) : 0;
}

void chttp_count_free(chttp_count count) { free(count_of(count)); }
