#include "library.h"
#include "chttp.h"
#include <dlfcn.h>
#include <pthread.h>

static curl_calls curl;
static crypto_calls crypto;
static bool has_curl, has_crypto;
static pthread_once_t curl_once = PTHREAD_ONCE_INIT, crypto_once = PTHREAD_ONCE_INIT;

#define FIND(name)                                                                                \
  *(void **)&calls->name = dlsym(library, #name);                                                 \
  if (!calls->name) return;

static void load_crypto(void) {
  void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  crypto_calls *calls = &crypto;
  CRYPTO_CALLS(FIND)
  // A program may end while its threads still hash or decrypt; nothing is to be taken away from them.
  has_crypto = crypto.OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) == 1;
}

const crypto_calls *chttp_crypto(void) {
  pthread_once(&crypto_once, load_crypto);
  return has_crypto ? &crypto : NULL;
}

static void load_curl(void) {
  // Its TLS is OpenSSL's, which is set up before it.
  (void)chttp_crypto();
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  curl_calls *calls = &curl;
  CURL_CALLS(FIND)
  has_curl = curl.curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const curl_calls *chttp_curl(void) {
  pthread_once(&curl_once, load_curl);
  return has_curl ? &curl : NULL;
}

bool chttp_has_library(void) { return chttp_curl() != NULL; }
