#include "router.h"

#include "loops.h"

#define LOOPS "router_loops.h"
#include "each_number.h"

void router_forward(number_type type, const router_rule *rule, const void *logits, long logits_row,
                    const void *correction, const void *expert_scale, int32_t *choice, void *weights,
                    long rows) {
  DISPATCH(router_forward, type, rule, logits, logits_row, correction, expert_scale, choice, weights,
           rows);
}

void router_backward(number_type type, const router_rule *rule, const void *logits, long logits_row,
                     const void *expert_scale, const int32_t *choice, const void *weight_gradient,
                     void *gradient, long gradient_row, void *scale_gradient, long rows,
                     bool accumulates) {
  DISPATCH(router_backward, type, rule, logits, logits_row, expert_scale, choice, weight_gradient,
           gradient, gradient_row, scale_gradient, rows, accumulates);
}

void router_usage(number_type type, const router_rule *rule, const void *logits, long logits_row,
                  long rows, void *sums) {
  DISPATCH(router_usage, type, rule, logits, logits_row, rows, sums);
}

void router_usage_backward(number_type type, const router_rule *rule, const void *logits,
                           long logits_row, const void *slopes, double factor, void *gradient,
                           long gradient_row, long rows) {
  DISPATCH(router_usage_backward, type, rule, logits, logits_row, slopes, factor, gradient,
           gradient_row, rows);
}
