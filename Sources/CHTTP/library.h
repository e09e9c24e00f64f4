// libcurl and OpenSSL's libcrypto, loaded when the first request or digest asks for them.
//
// Why libcurl: it is Debian's own library with Debian's security updates, it speaks TLS with the system's
// certificates and every kind of proxy, and its interface has been kept for decades.
//
// Loaded rather than linked, because it brings thirty libraries along (Kerberos, LDAP, SSH …): linked, they
// cost the start of a program 5 ms, for `--help` too, and libcrypto by itself costs 1 ms.
#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

// Older headers (Ubuntu 22.04 has 7.81) lack their names. A library that does not know the options says so
// and does without: addresses of other kinds never get here, and ends wait for the search of a host.
#if LIBCURL_VERSION_NUM < 0x075700
#define CURLOPT_QUICK_EXIT ((CURLoption)322)
#endif
#if LIBCURL_VERSION_NUM < 0x075500
#define CURLOPT_PROTOCOLS_STR ((CURLoption)10318)
#endif

// They only check the number of arguments, and would hide the members of these names.
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define CURL_CALLS(_)                                                                             \
  _(curl_global_init) _(curl_easy_init) _(curl_easy_cleanup) _(curl_easy_reset)                   \
  _(curl_easy_setopt) _(curl_easy_getinfo) _(curl_easy_strerror)                                  \
  _(curl_multi_init) _(curl_multi_cleanup) _(curl_multi_setopt) _(curl_multi_add_handle)          \
  _(curl_multi_remove_handle) _(curl_multi_perform) _(curl_multi_poll) _(curl_multi_info_read)    \
  _(curl_slist_append) _(curl_slist_free_all) _(curl_getdate) _(curl_free)                        \
  _(curl_url) _(curl_url_set) _(curl_url_get) _(curl_url_cleanup)

#define CRYPTO_CALLS(_)                                                                           \
  _(OPENSSL_init_crypto) _(EVP_MD_CTX_new) _(EVP_MD_CTX_free) _(EVP_DigestInit_ex) _(EVP_DigestUpdate)                   \
  _(EVP_DigestFinal_ex) _(EVP_sha256) _(EVP_sha1)

#define MEMBER(name) __typeof__(&name) name;
typedef struct { CURL_CALLS(MEMBER) } curl_calls;
typedef struct { CRYPTO_CALLS(MEMBER) } crypto_calls;

// NULL where the library is not installed.
const curl_calls *chttp_curl(void);
const crypto_calls *chttp_crypto(void);
