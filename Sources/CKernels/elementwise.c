#include "elementwise.h"

#include "loops.h"

#define LOOPS "elementwise_loops.h"
#include "each_number.h"

void axpby(number_type type, double a, const void *x, long x_row, double b, void *y, long y_row,
           long rows, long width) {
  DISPATCH(axpby, type, a, x, x_row, b, y, y_row, rows, width);
}

void add_scaled(number_type type, const void *x, long x_row, double b, const void *z, long z_row,
                void *y, long y_row, long rows, long width) {
  DISPATCH(add_scaled, type, x, x_row, b, z, z_row, y, y_row, rows, width);
}

void multiply(number_type type, const void *x, long x_row, const void *z, long z_row, void *y,
              long y_row, long rows, long width, bool accumulates) {
  DISPATCH(multiply, type, x, x_row, z, z_row, y, y_row, rows, width, accumulates);
}

void add_row(number_type type, const void *bias, void *y, long y_row, long rows, long width) {
  DISPATCH(add_row, type, bias, y, y_row, rows, width);
}

void sum_rows(number_type type, const void *x, long x_row, long rows, long width, void *sum) {
  DISPATCH(sum_rows, type, x, x_row, rows, width, sum);
}

double sum_squares(number_type type, const void *x, long count) {
  double sum = 0;
  DISPATCH(sum_squares, type, x, count, &sum);
  return sum;
}

bool all_finite(number_type type, const void *x, long x_row, long rows, long width) {
  bool result = true;
  DISPATCH(all_finite, type, x, x_row, rows, width, &result);
  return result;
}

KERNEL static void widen_all(const uint16_t *x, float *y, long count) {
  for (long i = 0; i < count; i++) y[i] = widen_bf16(x[i]);
}

KERNEL static void narrow_all(const float *x, uint16_t *y, long count) {
  for (long i = 0; i < count; i++) y[i] = narrow_bf16(x[i]);
}

static double number_at(number_type type, const void *x, long i) {
  switch (type) {
  case NUMBER_FLOAT32: return ((const float *)x)[i];
  case NUMBER_BFLOAT16: return widen_bf16(((const uint16_t *)x)[i]);
  case NUMBER_FLOAT64: return ((const double *)x)[i];
  }
  return 0;
}

void convert_numbers(number_type from, const void *x, number_type to, void *y, long count) {
  if (from == NUMBER_BFLOAT16 && to == NUMBER_FLOAT32) return widen_all(x, y, count);
  if (from == NUMBER_FLOAT32 && to == NUMBER_BFLOAT16) return narrow_all(x, y, count);
  for (long i = 0; i < count; i++) {
    double value = number_at(from, x, i);
    switch (to) {
    case NUMBER_FLOAT32: ((float *)y)[i] = (float)value; break;
    case NUMBER_BFLOAT16: ((uint16_t *)y)[i] = narrow_bf16((float)value); break;
    case NUMBER_FLOAT64: ((double *)y)[i] = value; break;
    }
  }
}
