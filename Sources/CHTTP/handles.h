// What the handles stand for.
#pragma once
#include "chttp.h"
#include "library.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

typedef struct {
  atomic_bool is_set;
  // Readable once it is set, so that whoever polls wakes; -1 where the system gave none.
  int event;
} stop_flag;

static inline stop_flag *stop_of(chttp_stop stop) { return (stop_flag *)stop.value; }

// Whole milliseconds, at least one and at most those of `most` seconds.
static inline int chttp_milliseconds(double seconds, double most) {
  return (int)((seconds < most ? seconds : most) * 1000) + 1;
}

// A file that bytes arrive in. One request writes at a time; any thread may look how far it is.
typedef struct {
  int descriptor;
  long size;
  // What git's digest begins with: "blob 12\0".
  char prefix[32];
  int prefix_count;
  const EVP_MD *algorithm;
  // NULL where no digest is asked for.
  EVP_MD_CTX *digest;

  atomic_long position;
  // How often bytes that were there have been thrown away.
  atomic_long restarts;
  // How far the disk was asked to write.
  long flushed;

  // Guards what follows, and tells of its changes. The digest is the follower's while that runs.
  pthread_mutex_t lock;
  pthread_cond_t changed;
  long hashed;
  // Whether the follower runs; whether it is to be joined; what it is told.
  bool follows, has_thread, ends, cancelled;
  int failure;
  pthread_t follower;
} arriving_file;

static inline arriving_file *file_of(chttp_file file) { return (arriving_file *)file.value; }

// Behind what is there. Returns an errno.
int chttp_file_write(arriving_file *file, const void *bytes, size_t count);
