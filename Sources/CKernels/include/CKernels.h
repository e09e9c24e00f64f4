// The loops of the engine, as C functions over rows of numbers.
//
// Every function works on the range of rows it is given, in the caller's thread; those of team.h,
// products.h and attention.h spread work over threads. Shapes: rows are tokens, row-major, strides in elements.
#pragma once

#include "activation.h"
#include "attention.h"
#include "convolution.h"
#include "delta_rule.h"
#include "dispatch.h"
#include "dropout.h"
#include "elementwise.h"
#include "gated_norm.h"
#include "heads.h"
#include "loss.h"
#include "magnitude.h"
#include "norm.h"
#include "number.h"
#include "optimiser.h"
#include "products.h"
#include "random.h"
#include "router.h"
#include "selection.h"
#include "state_space.h"
#include "table.h"
#include "team.h"
