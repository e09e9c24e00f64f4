#pragma once

/// How many threads the team has: OMP_NUM_THREADS, or one for each core.
int team_size(void);

/// Sets the number of threads.
void team_resize(int threads);

/// Calls `body` once in each thread of the team and waits for all; within such a call it runs `body`
/// once, in the caller's thread.
///
/// The team is OpenMP's, through the entry point that compilers call, because oneDNN works with the
/// same one: two teams of threads would fight for the cores.
void team_run(void (*body)(void *context, int thread, int threads), void *context);
