#pragma once

#include "number.h"

/// What a router makes of its logits, all of it numbers of the type of sums.
typedef enum {
  ROUTER_SOFTMAX,
  ROUTER_SIGMOID,
  /// Two experts, one after the other, each by a softmax over those near the best of the rest:
  /// (best - s) / max(|s|, best) <= 2 · jitter.
  ROUTER_SPARSE_MIXER
} router_score;

/// How tokens choose experts.
typedef struct {
  router_score score;
  long experts, per_token;
  /// Whether the chosen scores are divided by their sum, and the least that they are divided by.
  bool normalises;
  double minimum;
  /// The factor on the weights.
  double scale;
  /// Of `groups` equal groups, `kept` may be chosen from: those whose `ranked` best add up to the most.
  long groups, kept, ranked;
  double jitter;
} router_rule;

/// Of each row of logits [rows, experts] the chosen experts, best first, and their weights, both
/// [rows, per_token]. Of equal scores the first expert's counts as more.
///
/// `correction` (may be null) is added to the scores when choosing; `expert_scale` (may be null)
/// multiplies each expert's weight. Numbers that are none choose experts all the same.
void router_forward(number_type type, const router_rule *rule, const void *logits, long logits_row,
                    const void *correction, const void *expert_scale, int32_t *choice, void *weights,
                    long rows);

/// The gradient of the logits, stored or added, and of the experts' scales, added (null: not wanted).
void router_backward(number_type type, const router_rule *rule, const void *logits, long logits_row,
                     const void *expert_scale, const int32_t *choice, const void *weight_gradient,
                     void *gradient, long gradient_row, void *scale_gradient, long rows,
                     bool accumulates);

/// How evenly rows use the experts, added to a row of sums [2 · experts + 1]: each expert's
/// probabilities, how often it is among the best (without correction and groups), and the squares of
/// ln Σ e^logit.
///
/// Probabilities are a softmax of the logits, or sigmoids divided by their sum.
void router_usage(number_type type, const router_rule *rule, const void *logits, long logits_row,
                  long rows, void *sums);

/// Adds to the gradient of the logits what comes of d loss / d probability = slopes[expert] and of
/// factor · (ln Σ e^logit)².
void router_usage_backward(number_type type, const router_rule *rule, const void *logits,
                           long logits_row, const void *slopes, double factor, void *gradient,
                           long gradient_row, long rows);
