// Which states of a sequence are kept when its chunks are gone through backwards.
#pragma once

/// The chunks of a stretch: states are kept at the beginning of each stretch, and within the one at
/// work before each chunk, so that their number grows with the root of the length only.
static inline long chunk_stretch(long chunks) {
  if (chunks <= 32) return chunks;
  long stretch = 32;
  while (stretch * stretch < chunks) stretch++;
  return stretch;
}

/// The states that going backwards keeps of a sequence.
static inline long chunk_states(long chunks) {
  long stretch = chunk_stretch(chunks);
  return stretch + chunks / stretch + 1;
}
