#include "heads.h"

#include "loops.h"

INLINE long head_column(const head_place *heads, long head) {
  return heads->first + head / heads->per_group * heads->group_step +
         head % heads->per_group * heads->head_step;
}

#define LOOPS "heads_loops.h"
#include "each_number.h"

void turning_table(number_type type, const double *frequencies, long pairs, double magnitude,
                   void *table, long table_row, long first, long rows) {
  for (long i = first; i < first + rows; i++) {
    for (long j = 0; j < pairs; j++) {
      double angle = (double)i * frequencies[j];
      double cosine = magnitude * cos(angle), sine = magnitude * sin(angle);
      long place = i * table_row + j;
      if (type == NUMBER_FLOAT64) {
        ((double *)table)[place] = cosine;
        ((double *)table)[place + pairs] = sine;
      } else {
        ((float *)table)[place] = (float)cosine;
        ((float *)table)[place + pairs] = (float)sine;
      }
    }
  }
}

void turn_heads(number_type type, const head_place *heads, long count, const turning *turn,
                long first, long rows, bool backward) {
  DISPATCH(turn_heads, type, heads, count, turn, first, rows, backward);
}

void scale_heads(number_type type, const head_place *heads, long count, long size,
                 const void *factors, long factor_step, long first, long rows) {
  DISPATCH(scale_heads, type, heads, count, size, factors, factor_step, first, rows);
}

void head_norm_forward(number_type type, const head_norm *norm, const head_place *heads, void *y,
                       long y_row, long first, long rows, void *inverse, void *mean) {
  DISPATCH(head_norm_forward, type, norm, heads, y, y_row, first, rows, inverse, mean);
}

void head_norm_backward(number_type type, const head_norm *norm, const head_place *heads,
                        const void *dy, long dy_row, const head_place *gradient, long first,
                        long rows, const void *inverse, const void *mean, void *weight_gradient,
                        void *bias_gradient) {
  DISPATCH(head_norm_backward, type, norm, heads, dy, dy_row, gradient, first, rows, inverse, mean,
           weight_gradient, bias_gradient);
}

void clip_heads(number_type type, const head_place *heads, long count, long size, double limit,
                void *y, long y_row, long first, long rows) {
  DISPATCH(clip_heads, type, heads, count, size, limit, y, y_row, first, rows);
}

void clip_heads_backward(number_type type, const head_place *heads, long count, long size,
                         double limit, const void *dy, long dy_row, const head_place *gradient,
                         long first, long rows) {
  DISPATCH(clip_heads_backward, type, heads, count, size, limit, dy, dy_row, gradient, first, rows);
}

void join_keys(number_type type, const head_place *plain, long count, long plain_size,
               const head_place *shared, long shared_size, void *y, long y_row, long first,
               long rows) {
  DISPATCH(join_keys, type, plain, count, plain_size, shared, shared_size, y, y_row, first, rows);
}

void join_keys_backward(number_type type, const void *dy, long dy_row, const head_place *plain,
                        long count, long plain_size, const head_place *shared, long shared_size,
                        long first, long rows) {
  DISPATCH(join_keys_backward, type, dy, dy_row, plain, count, plain_size, shared, shared_size,
           first, rows);
}
