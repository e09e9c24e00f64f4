#include "team.h"

// The public interface of the GNU OpenMP library (libgomp.so.1).
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);
extern int omp_in_parallel(void);

int team_size(void) { return omp_get_max_threads(); }

void team_resize(int threads) { omp_set_num_threads(threads); }

typedef struct {
  void (*body)(void *, int, int);
  void *context;
} job;

static void run(void *data) {
  const job *work = data;
  work->body(work->context, omp_get_thread_num(), omp_get_num_threads());
}

void team_run(void (*body)(void *context, int thread, int threads), void *context) {
  if (omp_in_parallel()) {
    body(context, 0, 1);
    return;
  }
  job work = {body, context};
  GOMP_parallel(run, &work, 0, 0);
}
