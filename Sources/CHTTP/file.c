#define _GNU_SOURCE
#include "handles.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The disk is asked to write this often, so that the flush at the end is short. What arrives is hashed in
// pieces, a thread of its own following the writer while they are still in the processor's caches: 1 GB in
// 2.4 s where hashing between the receiving took 3.6 (loopback, two cores shared with server and others), for
// 0.1 s of reading back; with four files at once there is no difference.
enum { FLUSHED_AT_ONCE = 32 << 20, PIECE = 1 << 18 };

static bool begin_digest(arriving_file *file) {
  const crypto_calls *crypto = chttp_crypto();
  return crypto->EVP_DigestInit_ex(file->digest, file->algorithm, NULL) &&
         crypto->EVP_DigestUpdate(file->digest, file->prefix, (size_t)file->prefix_count);
}

// Hashes the next piece of what was written. Called with the lock held, which it gives back meanwhile.
static void hash_piece(arriving_file *file, void *piece) {
  long from = file->hashed, count = atomic_load(&file->position) - from;
  if (count > PIECE) count = PIECE;
  pthread_mutex_unlock(&file->lock);
  ssize_t got;
  do got = pread(file->descriptor, piece, (size_t)count, from);
  while (got < 0 && errno == EINTR);
  int failure = got < 0 ? errno : got == 0 ? EIO : 0;
  if (got > 0) chttp_crypto()->EVP_DigestUpdate(file->digest, piece, (size_t)got);
  pthread_mutex_lock(&file->lock);
  if (got > 0) file->hashed += got;
  if (failure) file->failure = failure;
}

static long behind(arriving_file *file) { return atomic_load(&file->position) - file->hashed; }

// Follows the writer a piece behind it, until there will be no more for now.
static void *follow(void *argument) {
  arriving_file *file = argument;
  void *piece = malloc(PIECE);
  pthread_mutex_lock(&file->lock);
  if (!piece) file->failure = ENOMEM;
  while (!file->failure && !file->cancelled && !(file->ends && behind(file) == 0)) {
    if (file->ends || behind(file) >= PIECE) hash_piece(file, piece);
    else pthread_cond_wait(&file->changed, &file->lock);
  }
  file->follows = false;
  pthread_cond_broadcast(&file->changed);
  pthread_mutex_unlock(&file->lock);
  free(piece);
  return NULL;
}

// Called with the lock held. Without a thread all is hashed in the end.
static void start_following(arriving_file *file) {
  // One that has ended.
  if (file->has_thread) pthread_join(file->follower, NULL);
  file->ends = false;
  file->follows = file->has_thread = pthread_create(&file->follower, NULL, follow, file) == 0;
}

static void end_following(arriving_file *file) {
  if (!file->has_thread) return;
  pthread_mutex_lock(&file->lock);
  file->cancelled = true;
  pthread_cond_broadcast(&file->changed);
  pthread_mutex_unlock(&file->lock);
  pthread_join(file->follower, NULL);
  file->has_thread = file->cancelled = false;
}

// Called with the lock held, after every change of the position.
static void wake_follower(arriving_file *file) {
  if (!file->digest || file->failure || behind(file) < PIECE) return;
  if (file->follows) pthread_cond_broadcast(&file->changed);
  else start_following(file);
}

static int prepare_digest(arriving_file *file, int kind, long blob) {
  const crypto_calls *crypto = chttp_crypto();
  if (!crypto) return -1;
  file->algorithm = kind == CHTTP_SHA1 ? crypto->EVP_sha1() : crypto->EVP_sha256();
  if (blob >= 0)
    file->prefix_count = snprintf(file->prefix, sizeof file->prefix, "blob %ld", blob) + 1;
  file->digest = crypto->EVP_MD_CTX_new();
  return file->digest && begin_digest(file) ? 0 : ENOMEM;
}

static int prepare(arriving_file *file, const char *path, bool keeping) {
  file->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
  if (file->descriptor < 0) return errno;
  struct stat status;
  if (fstat(file->descriptor, &status)) return errno;
  // The caller says what is wrong.
  if (!S_ISREG(status.st_mode)) return -2;
  // What is longer than the file may be is not its beginning.
  bool is_kept = keeping && (file->size < 0 || status.st_size <= file->size);
  if (!is_kept) return ftruncate(file->descriptor, 0) ? errno : 0;
  atomic_store(&file->position, status.st_size);
  file->flushed = status.st_size;
  pthread_mutex_lock(&file->lock);
  wake_follower(file);
  pthread_mutex_unlock(&file->lock);
  return 0;
}

chttp_file chttp_file_open(const char *path, long size, int kind, long blob, bool keeping,
                           int *failure) {
  arriving_file *file = calloc(1, sizeof *file);
  *failure = ENOMEM;
  if (!file) return (chttp_file){0};
  file->descriptor = -1;
  file->size = size;
  pthread_mutex_init(&file->lock, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&file->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  *failure = kind == CHTTP_NO_DIGEST ? 0 : prepare_digest(file, kind, blob);
  if (!*failure) *failure = prepare(file, path, keeping);
  if (!*failure) return (chttp_file){(uintptr_t)file};
  chttp_file_free((chttp_file){(uintptr_t)file});
  return (chttp_file){0};
}

long chttp_file_restarts(chttp_file file) { return atomic_load(&file_of(file)->restarts); }

long chttp_file_received(chttp_file file) { return atomic_load(&file_of(file)->position); }

int chttp_file_write(arriving_file *file, const void *bytes, size_t count) {
  long position = atomic_load(&file->position);
  for (size_t done = 0; done < count;) {
    ssize_t written = pwrite(file->descriptor, (const char *)bytes + done, count - done,
                             position + (long)done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    done += (size_t)written;
  }
  position += (long)count;
  pthread_mutex_lock(&file->lock);
  atomic_store(&file->position, position);
  wake_follower(file);
  pthread_mutex_unlock(&file->lock);
  if (position - file->flushed >= FLUSHED_AT_ONCE) {
    // An error here only means that the flush at the end has more to do.
    (void)sync_file_range(file->descriptor, file->flushed, position - file->flushed,
                          SYNC_FILE_RANGE_WRITE);
    file->flushed = position;
  }
  return 0;
}

int chttp_file_start_over(chttp_file handle) {
  arriving_file *file = file_of(handle);
  end_following(file);
  if (ftruncate(file->descriptor, 0)) return errno;
  atomic_store(&file->position, 0);
  atomic_fetch_add(&file->restarts, 1);
  file->flushed = file->hashed = 0;
  file->failure = 0;
  return file->digest && !begin_digest(file) ? ENOMEM : 0;
}

int chttp_file_catch_up(chttp_file handle, chttp_stop stop) {
  arriving_file *file = file_of(handle);
  pthread_mutex_lock(&file->lock);
  file->ends = true;
  pthread_cond_broadcast(&file->changed);
  while (file->follows && !chttp_stop_is_set(stop)) {
    struct timespec soon;
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_nsec += 50000000;
    if (soon.tv_nsec >= 1000000000) {
      soon.tv_nsec -= 1000000000;
      soon.tv_sec++;
    }
    pthread_cond_timedwait(&file->changed, &file->lock, &soon);
  }
  // What was too little for a thread.
  if (file->digest && !file->follows && !file->failure && behind(file) > 0) {
    void *piece = malloc(PIECE);
    if (!piece) file->failure = ENOMEM;
    while (!file->failure && behind(file) > 0 && !chttp_stop_is_set(stop)) hash_piece(file, piece);
    free(piece);
  }
  int failure = file->failure;
  pthread_mutex_unlock(&file->lock);
  return failure;
}

int chttp_file_flush(chttp_file handle) {
  return fsync(file_of(handle)->descriptor) && errno != EINVAL ? errno : 0;
}

int chttp_file_digest(chttp_file handle, uint8_t *result) {
  return chttp_digest_end((chttp_digest){(uintptr_t)file_of(handle)->digest}, result);
}

void chttp_file_free(chttp_file handle) {
  arriving_file *file = file_of(handle);
  if (!file) return;
  end_following(file);
  chttp_digest_free((chttp_digest){(uintptr_t)file->digest});
  if (file->descriptor >= 0) close(file->descriptor);
  pthread_cond_destroy(&file->changed);
  pthread_mutex_destroy(&file->lock);
  free(file);
}
