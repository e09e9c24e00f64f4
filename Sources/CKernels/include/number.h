#pragma once

#include <stdbool.h>
#include <stdint.h>

/// What numbers are: those of matrices and activations. Small vectors (norm weights, biases) and sums
/// are float where these are float32 or bfloat16, and double where they are float64.
typedef enum { NUMBER_FLOAT32 = 0, NUMBER_BFLOAT16 = 1, NUMBER_FLOAT64 = 2 } number_type;
