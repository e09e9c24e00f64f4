#pragma once

#include "number.h"

/// The cross entropy of rows of logits, which become its gradient.
///
/// With z = cap · tanh(scale · x / cap) (no cap where 0): the loss of row i is ln Σ e^z − z[label], added
/// to `losses[i]`; rows with a negative label have none and a gradient of zeros. x becomes
/// weight · d loss / dx where `weight` is not 0 and stays as it is otherwise. Logits named in `silenced`
/// are −∞.
void cross_entropy(number_type type, void *x, long x_row, const int32_t *labels, long rows, long width,
                   double scale, double cap, const int32_t *silenced, long silenced_count,
                   double weight, double *losses);

/// x = cap · tanh(scale · x / cap), −∞ where silenced: what the model says of each token.
void finish_logits(number_type type, void *x, long x_row, long rows, long width, double scale,
                   double cap, const int32_t *silenced, long silenced_count);
