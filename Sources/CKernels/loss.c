#include "loss.h"

#include "loops.h"

#define LOOPS "loss_loops.h"
#include "each_number.h"

void cross_entropy(number_type type, void *x, long x_row, const int32_t *labels, long rows, long width,
                   double scale, double cap, const int32_t *silenced, long silenced_count,
                   double weight, double *losses) {
  DISPATCH(cross_entropy, type, x, x_row, labels, rows, width, scale, cap, silenced, silenced_count,
           weight, losses);
}

void finish_logits(number_type type, void *x, long x_row, long rows, long width, double scale,
                   double cap, const int32_t *silenced, long silenced_count) {
  DISPATCH(finish_logits, type, x, x_row, rows, width, scale, cap, silenced, silenced_count);
}
