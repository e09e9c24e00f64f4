#include "blocks.h"

#include "loops.h"

#pragma clang fp reassociate(on) contract(fast)

// Tiles are as large as each kind of processor has registers for, which `target_clones` cannot say:
// so the loops are compiled for each by name, and chosen when first used.
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

#if defined(__x86_64__)
// Without the width the compiler would cut vectors of 512 bits in two, as suits older processors.
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"), min_vector_width(512))), apply_to = function)
#define BYTES 64
#define TILE 8
#define A float
#define TARGET(name) JOIN(name, v4_f32)
#include "block_loops.h"
#undef A
#undef TARGET
#define A double
#define TARGET(name) JOIN(name, v4_f64)
#include "block_loops.h"
#undef A
#undef TARGET
#undef BYTES
#undef TILE
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define BYTES 32
#define TILE 6
#define A float
#define TARGET(name) JOIN(name, v3_f32)
#include "block_loops.h"
#undef A
#undef TARGET
#define A double
#define TARGET(name) JOIN(name, v3_f64)
#include "block_loops.h"
#undef A
#undef TARGET
#undef BYTES
#undef TILE
#pragma clang attribute pop
#endif

#define BYTES 16
#define TILE 4
#define A float
#define TARGET(name) JOIN(name, any_f32)
#include "block_loops.h"
#undef A
#undef TARGET
#define A double
#define TARGET(name) JOIN(name, any_f64)
#include "block_loops.h"
#undef A
#undef TARGET

#if defined(__x86_64__)
#define CHOOSE(suffix)                                                                            \
  if (__builtin_cpu_supports("x86-64-v4")) return product_v4_##suffix(product);                   \
  if (__builtin_cpu_supports("x86-64-v3")) return product_v3_##suffix(product);
#else
#define CHOOSE(suffix)
#endif

void block_product_f32(const block_product *product) {
  CHOOSE(f32)
  product_any_f32(product);
}

void block_product_f64(const block_product *product) {
  CHOOSE(f64)
  product_any_f64(product);
}
