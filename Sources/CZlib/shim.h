#ifndef ISTHMUS_CZLIB_H
#define ISTHMUS_CZLIB_H

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

/// The state of reading one gzip member after the other. zlib keeps pointers into it, so it must not move.
typedef struct gunzip {
  z_stream stream;
} *gunzip_state;

static inline gunzip_state gunzip_new(void) {
  gunzip_state state = (gunzip_state)calloc(1, sizeof(struct gunzip));
  if (state && inflateInit2(&state->stream, 15 + 16) != Z_OK) {
    free(state);
    return NULL;
  }
  return state;
}

static inline void gunzip_free(gunzip_state state) {
  inflateEnd(&state->stream);
  free(state);
}

/// Prepares for the next member.
static inline int gunzip_again(gunzip_state state) { return inflateReset(&state->stream); }

/// Decompresses from `input[from..<count]` into `output`; says how much was taken and made.
static inline int gunzip_step(
    gunzip_state state, const uint8_t *input, uint32_t from, uint32_t count, uint8_t *output,
    uint32_t capacity, uint32_t *taken, uint32_t *made) {
  state->stream.next_in = (Bytef *)input + from;
  state->stream.avail_in = count - from;
  state->stream.next_out = output;
  state->stream.avail_out = capacity;
  int code = inflate(&state->stream, Z_NO_FLUSH);
  *taken = count - from - state->stream.avail_in;
  *made = capacity - state->stream.avail_out;
  return code;
}

#endif
