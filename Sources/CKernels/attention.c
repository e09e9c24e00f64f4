#include "attention.h"

#include <stdlib.h>

#include "loops.h"
#include "team.h"

INLINE long head_column(const head_place *place, long head) {
  return place->first + head / place->per_group * place->group_step +
         head % place->per_group * place->head_step;
}

/// The first key that a query at an index among its sequence's keys sees, but for gaps.
INLINE long first_seen(const attention *job, const attention_span *span, long index) {
  long first = 0, position = span->origin + index;
  if (job->window && index - job->window + 1 > first) first = index - job->window + 1;
  if (job->chunk && index - position % job->chunk > first) first = index - position % job->chunk;
  return first;
}

/// Whether a query sees a key between the first it sees and its own.
INLINE bool sees(const attention *job, const attention_span *span, long head, long row, long index,
                 long key) {
  if (job->sparse_size) {
    long q = (span->origin + index) / job->sparse_size, k = (span->origin + key) / job->sparse_size;
    if (q - k >= job->sparse_local && (k + head * job->sparse_step + 1) % job->sparse_stride)
      return false;
  }
  if (!job->selection) return true;
  return (uint32_t)job->selection[row * job->selection_row + key / 32] >> (key % 32) & 1;
}

typedef struct {
  const attention *job;
  const head_place *output, *queries, *keys, *values;
  void *sinks;
  long next;
} attention_work;

#define LOOPS "attention_loops.h"
#include "each_number.h"

static void forward_part(void *context, int thread, int threads) {
  attention_work *work = context;
  DISPATCH(attention_forward, work->job->type, work);
}

void attention_forward(const attention *job) {
  attention_work work = {.job = job};
  team_run(forward_part, &work);
}

static void backward_part(void *context, int thread, int threads) {
  attention_work *work = context;
  DISPATCH(attention_backward, work->job->type, work);
}

void attention_backward(const attention *job, const head_place *output, const head_place *queries,
                        const head_place *keys, const head_place *values, void *sinks) {
  attention_work work = {job, output, queries, keys, values, sinks, 0};
  team_run(backward_part, &work);
}
