// Compiles the file LOOPS for each type of numbers.

// Sums may be taken in any fixed order, or they would not vectorise.
#pragma clang fp reassociate(on) contract(fast)

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, SUFFIX)
/// The variant of a function of loops.h for the type of sums.
#define MATH(name) JOIN(name, ACCUMULATED)

#define SUFFIX f32
#define ACCUMULATED f32
#define T float
#define A float
#define LOAD(x) (x)
#define STORE(x) (x)
#include LOOPS
#undef SUFFIX
#undef T
#undef LOAD
#undef STORE

#define SUFFIX bf16
#define T uint16_t
#define LOAD(x) widen_bf16(x)
#define STORE(x) narrow_bf16(x)
#include LOOPS
#undef SUFFIX
#undef ACCUMULATED
#undef T
#undef A
#undef LOAD
#undef STORE

#define SUFFIX f64
#define ACCUMULATED f64
#define T double
#define A double
#define LOAD(x) (x)
#define STORE(x) (x)
#include LOOPS
#undef SUFFIX
#undef ACCUMULATED
#undef T
#undef A
#undef LOAD
#undef STORE
