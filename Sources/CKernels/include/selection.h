#pragma once

#include "number.h"

/// scores += factor · weight · max(products, 0), row by row; products and scores are of sums' type,
/// a row's weight is weights[row · weight_row].
void add_index_scores(number_type type, const void *products, long product_row, const void *weights,
                      long weight_row, double factor, void *scores, long score_row, long rows,
                      long width);

/// Sets a bit for each of the `kept` highest scores of each row, of which row i has the first
/// `first + i`; of equal ones the earlier is taken. Scores are of sums' type; `scratch` is as large.
void select_highest(number_type type, const void *scores, long score_row, void *scratch,
                    long scratch_row, long rows, long first, long kept, int32_t *bits, long words);
