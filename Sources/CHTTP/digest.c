#include "handles.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static EVP_MD_CTX *context_of(chttp_digest digest) { return (EVP_MD_CTX *)digest.value; }

chttp_digest chttp_digest_new(int kind) {
  const crypto_calls *crypto = chttp_crypto();
  EVP_MD_CTX *context = crypto ? crypto->EVP_MD_CTX_new() : NULL;
  if (!context) return (chttp_digest){0};
  const EVP_MD *algorithm = kind == CHTTP_SHA1 ? crypto->EVP_sha1() : crypto->EVP_sha256();
  if (!crypto->EVP_DigestInit_ex(context, algorithm, NULL)) {
    crypto->EVP_MD_CTX_free(context);
    return (chttp_digest){0};
  }
  return (chttp_digest){(uintptr_t)context};
}

void chttp_digest_add(chttp_digest digest, const void *bytes, long count) {
  if (digest.value && count > 0)
    chttp_crypto()->EVP_DigestUpdate(context_of(digest), bytes, (size_t)count);
}

int chttp_digest_end(chttp_digest digest, uint8_t *result) {
  unsigned count = 0;
  if (digest.value) chttp_crypto()->EVP_DigestFinal_ex(context_of(digest), result, &count);
  return (int)count;
}

void chttp_digest_free(chttp_digest digest) {
  if (digest.value) chttp_crypto()->EVP_MD_CTX_free(context_of(digest));
}

int chttp_digest_file(chttp_digest digest, const char *path, chttp_stop stop) {
  enum { PIECE = 1 << 18 };
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  void *piece = malloc(PIECE);
  int failure = piece ? 0 : ENOMEM;
  while (!failure && !chttp_stop_is_set(stop)) {
    ssize_t count = read(descriptor, piece, PIECE);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failure = errno;
    if (count <= 0) break;
    chttp_digest_add(digest, piece, count);
  }
  free(piece);
  close(descriptor);
  return failure;
}
