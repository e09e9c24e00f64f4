#include "handles.h"
#include <stdlib.h>
#include <string.h>

long chttp_address(const char *base, const char *relative, enum chttp_part part, char *to, long room) {
  const curl_calls *curl = chttp_curl();
  CURLU *address = curl ? curl->curl_url() : NULL;
  if (!address) return -1;
  char *text = NULL;
  long length = -1;
  CURLUPart wanted = part == CHTTP_SCHEME ? CURLUPART_SCHEME
                     : part == CHTTP_HOST ? CURLUPART_HOST
                     : part == CHTTP_PORT ? CURLUPART_PORT
                                          : CURLUPART_URL;
  if (curl->curl_url_set(address, CURLUPART_URL, base, 0) == CURLUE_OK &&
      (!*relative ||
       curl->curl_url_set(address, CURLUPART_URL, relative, CURLU_URLENCODE) == CURLUE_OK) &&
      curl->curl_url_get(address, wanted, &text, part == CHTTP_PORT ? CURLU_DEFAULT_PORT : 0) ==
          CURLUE_OK &&
      (long)strlen(text) < room) {
    length = (long)strlen(text);
    memcpy(to, text, (size_t)length + 1);
  }
  curl->curl_free(text);
  curl->curl_url_cleanup(address);
  return length;
}

long chttp_date(const char *text) {
  const curl_calls *curl = chttp_curl();
  return curl ? (long)curl->curl_getdate(text, NULL) : -1;
}
