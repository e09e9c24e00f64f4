#ifndef ISTHMUS_CZSTD_H
#define ISTHMUS_CZSTD_H

#include <stdint.h>
#include <zstd.h>

typedef ZSTD_DCtx *unzstd_state;

/// A decompressor that takes every window the format allows on 64 bits, up to 2^31 bytes.
static inline unzstd_state unzstd_new(void) {
  unzstd_state state = ZSTD_createDCtx();
  if (state) ZSTD_DCtx_setParameter(state, ZSTD_d_windowLogMax, 31);
  return state;
}

static inline void unzstd_free(unzstd_state state) { ZSTD_freeDCtx(state); }

/// Decompresses from `input[from..<count]` into `output`; says how much was taken and made.
/// Returns 0 at the end of a frame, something positive within one, and an error that `ZSTD_isError` knows.
static inline size_t unzstd_step(
    unzstd_state state, const uint8_t *input, size_t from, size_t count, uint8_t *output,
    size_t capacity, size_t *taken, size_t *made) {
  ZSTD_inBuffer in = {input + from, count - from, 0};
  ZSTD_outBuffer out = {output, capacity, 0};
  size_t code = ZSTD_decompressStream(state, &out, &in);
  *taken = in.pos;
  *made = out.pos;
  return code;
}

#endif
