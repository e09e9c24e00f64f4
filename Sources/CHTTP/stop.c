#include "handles.h"
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

chttp_stop chttp_stop_new(void) {
  stop_flag *flag = calloc(1, sizeof *flag);
  if (flag) flag->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return (chttp_stop){(uintptr_t)flag};
}

void chttp_stop_set(chttp_stop stop) {
  stop_flag *flag = stop_of(stop);
  if (!flag || atomic_exchange(&flag->is_set, true)) return;
  uint64_t one = 1;
  // Where it cannot be written, those who wait look at the flag twice a second.
  if (flag->event >= 0 && write(flag->event, &one, sizeof one) < 0) return;
}

bool chttp_stop_is_set(chttp_stop stop) {
  stop_flag *flag = stop_of(stop);
  return flag && atomic_load_explicit(&flag->is_set, memory_order_relaxed);
}

void chttp_stop_wait(chttp_stop stop, double seconds) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  double end = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds;
  stop_flag *flag = stop_of(stop);
  while (!chttp_stop_is_set(stop)) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    double left = end - ((double)now.tv_sec + (double)now.tv_nsec / 1e9);
    if (!(left > 0)) return;
    struct pollfd event = {flag ? flag->event : -1, POLLIN, 0};
    poll(&event, 1, chttp_milliseconds(left, 0.5));
  }
}

void chttp_stop_free(chttp_stop stop) {
  stop_flag *flag = stop_of(stop);
  if (!flag) return;
  if (flag->event >= 0) close(flag->event);
  free(flag);
}
