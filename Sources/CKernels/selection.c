#include "selection.h"

#include "loops.h"

#define LOOPS "selection_loops.h"
#include "each_number.h"

void add_index_scores(number_type type, const void *products, long product_row, const void *weights,
                      long weight_row, double factor, void *scores, long score_row, long rows,
                      long width) {
  DISPATCH(add_index_scores, type, products, product_row, weights, weight_row, factor, scores,
           score_row, rows, width);
}

void select_highest(number_type type, const void *scores, long score_row, void *scratch,
                    long scratch_row, long rows, long first, long kept, int32_t *bits, long words) {
  DISPATCH(select_highest, type, scores, score_row, scratch, scratch_row, rows, first, kept, bits,
           words);
}
