// A request from its beginning to its end.
#include "line.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static request_line *line_of(chttp_line line) { return (request_line *)line.value; }

#define SET(option, value) (void)curl->curl_easy_setopt(line->easy, option, value)

chttp_line chttp_line_new(void) {
  const curl_calls *curl = chttp_curl();
  request_line *line = curl ? calloc(1, sizeof *line) : NULL;
  if (!line) return (chttp_line){0};
  line->source = -1;
  line->easy = curl->curl_easy_init();
  line->multi = curl->curl_multi_init();
  if (line->easy && line->multi) {
    // To the hub, to its storage, and one more.
    (void)curl->curl_multi_setopt(line->multi, CURLMOPT_MAXCONNECTS, 3L);
    return (chttp_line){(uintptr_t)line};
  }
  chttp_line_free((chttp_line){(uintptr_t)line});
  return (chttp_line){0};
}

static void forget(request_line *line) {
  const curl_calls *curl = chttp_curl();
  curl->curl_slist_free_all(line->fields);
  line->fields = NULL;
  if (line->source >= 0) close(line->source);
  line->source = -1;
  line->source_start = line->source_count = line->source_done = 0;
  line->sends = false;
  line->counted = (chttp_count){0};
  // Answers are small, but for some that are not.
  growing *texts[] = {&line->sent, &line->head, &line->body};
  for (int i = 0; i < 3; i++) {
    if (texts[i]->room > 1 << 16) {
      free(texts[i]->bytes);
      *texts[i] = (growing){0};
    }
    texts[i]->count = 0;
  }
  line->reason[0] = 0;
}

void chttp_line_free(chttp_line handle) {
  request_line *line = line_of(handle);
  if (!line) return;
  const curl_calls *curl = chttp_curl();
  forget(line);
  free(line->sent.bytes);
  free(line->head.bytes);
  free(line->body.bytes);
  if (line->easy) curl->curl_easy_cleanup(line->easy);
  if (line->multi) (void)curl->curl_multi_cleanup(line->multi);
  free(line);
}

void chttp_line_begin(chttp_line handle, const char *method, const char *url) {
  request_line *line = line_of(handle);
  const curl_calls *curl = chttp_curl();
  forget(line);
  curl->curl_easy_reset(line->easy);
  SET(CURLOPT_URL, url);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_CUSTOMREQUEST, method);
  if (!strcmp(method, "HEAD")) SET(CURLOPT_NOBODY, 1L);
  // One file on each connection, as the hub's own client does; several streams on one share its speed.
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_NOSIGNAL, 1L);
  // An address that is being looked up does not hold up who stops.
  SET(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  // Ten times as much is allowed and no faster; each file on its way has one.
  SET(CURLOPT_BUFFERSIZE, 1L << 20);
  SET(CURLOPT_UPLOAD_BUFFERSIZE, 1L << 18);
  SET(CURLOPT_ERRORBUFFER, line->reason);
  // The environment is read on the other side; libcurl shall not read it a second time, its own way.
  SET(CURLOPT_PROXY, "");
  SET(CURLOPT_NOPROXY, "");
  // A proxy that only passes on what is encrypted learns nothing of it.
  SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_HEADERFUNCTION, chttp_take_head);
  SET(CURLOPT_HEADERDATA, line);
  SET(CURLOPT_WRITEFUNCTION, chttp_take_body);
  SET(CURLOPT_WRITEDATA, line);
}

void chttp_line_header(chttp_line handle, const char *field) {
  request_line *line = line_of(handle);
  struct curl_slist *grown = chttp_curl()->curl_slist_append(line->fields, field);
  if (grown) line->fields = grown;
}

void chttp_line_proxy(chttp_line handle, const char *proxy) {
  request_line *line = line_of(handle);
  const curl_calls *curl = chttp_curl();
  SET(CURLOPT_PROXY, proxy);
}

void chttp_line_authorities(chttp_line handle, const char *path, bool is_folder) {
  request_line *line = line_of(handle);
  const curl_calls *curl = chttp_curl();
  if (is_folder) {
    SET(CURLOPT_CAPATH, path);
    SET(CURLOPT_PROXY_CAPATH, path);
  } else {
    SET(CURLOPT_CAINFO, path);
    SET(CURLOPT_PROXY_CAINFO, path);
  }
}

void chttp_line_send_bytes(chttp_line handle, const void *bytes, long count) {
  request_line *line = line_of(handle);
  line->sends = chttp_grow(&line->sent, bytes, (size_t)count);
  line->source_count = count;
}

int chttp_line_send_file(chttp_line handle, const char *path, long start, long count,
                         chttp_count sent) {
  request_line *line = line_of(handle);
  line->source = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (line->source < 0) return errno;
  line->sends = true;
  line->source_start = start;
  line->source_count = count;
  line->counted = sent;
  count_set(sent, 0);
  return 0;
}

/// Moves bytes until the request has ended, one way or the other.
static CURLcode exchange(request_line *line, double patience) {
  const curl_calls *curl = chttp_curl();
  stop_flag *stop = stop_of(line->stop);
  for (int running = 1;;) {
    if (curl->curl_multi_perform(line->multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (!running) break;
    if (chttp_stop_is_set(line->stop)) {
      line->end = CHTTP_STOPPED;
      return CURLE_ABORTED_BY_CALLBACK;
    }
    double left = line->last + patience - chttp_now();
    if (left <= 0) return CURLE_OPERATION_TIMEDOUT;
    struct curl_waitfd event = {stop ? stop->event : -1, CURL_WAIT_POLLIN, 0};
    (void)curl->curl_multi_poll(line->multi, &event, event.fd >= 0 ? 1 : 0,
                                chttp_milliseconds(left, 0.5), NULL);
  }
  int left = 0;
  CURLMsg *message = curl->curl_multi_info_read(line->multi, &left);
  return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

/// What libcurl's word for it means here.
static enum chttp_end end_of(CURLcode code) {
  switch (code) {
  case CURLE_OK: return CHTTP_DONE;
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_SSL_CONNECT_ERROR: return CHTTP_UNREACHABLE;
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_PROXY: return CHTTP_BAD_PROXY;
  case CURLE_OPERATION_TIMEDOUT: return CHTTP_STALLED;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_ISSUER_ERROR: return CHTTP_UNTRUSTED;
  case CURLE_URL_MALFORMAT: return CHTTP_BAD_ADDRESS;
  // It answered in something older than HTTP/1.
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_BAD_CONTENT_ENCODING: return CHTTP_BAD_ANSWER;
  default: return CHTTP_BROKEN_OFF;
  }
}

static void settle(request_line *line, CURLcode code) {
  const curl_calls *curl = chttp_curl();
  if (line->was_cut) return;
  if (line->end == CHTTP_DONE) {
    line->end = end_of(code);
    // An answer without a body decides about the file, too.
    if (line->end == CHTTP_DONE && !line->has_begun) (void)chttp_begin_body(line);
  }
  if (line->refusal) snprintf(line->reason, sizeof line->reason, "%s", line->refusal);
  long connected = 0;
  (void)curl->curl_easy_getinfo(line->easy, CURLINFO_HTTP_CONNECTCODE, &connected);
  if (line->end == CHTTP_BROKEN_OFF && connected >= 300) line->end = CHTTP_BAD_PROXY;
  curl_off_t connecting = 0;
  (void)curl->curl_easy_getinfo(line->easy, CURLINFO_CONNECT_TIME_T, &connecting);
  line->has_connected = connecting > 0;
  if (line->end != CHTTP_DONE && !line->reason[0])
    snprintf(line->reason, sizeof line->reason, "%s", curl->curl_easy_strerror(code));
}

chttp_outcome chttp_line_run(chttp_line handle, chttp_file file, long until, long limit,
                             double patience, chttp_stop stop) {
  request_line *line = line_of(handle);
  const curl_calls *curl = chttp_curl();
  line->file = file_of(file);
  line->until = until;
  line->limit = limit;
  line->stop = stop;
  line->has_connected = line->has_begun = line->is_into_file = line->was_cut = line->is_encoded = false;
  line->received = 0;
  line->range_start = line->length = -1;
  line->end = CHTTP_DONE;
  line->refusal = NULL;
  line->failure = 0;
  if (line->sends) {
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)line->source_count);
    SET(CURLOPT_READFUNCTION, chttp_give_body);
    SET(CURLOPT_READDATA, line);
    SET(CURLOPT_SEEKFUNCTION, chttp_rewind);
    SET(CURLOPT_SEEKDATA, line);
  }
  SET(CURLOPT_HTTPHEADER, line->fields);
  // libcurl shares it out among the host's addresses.
  SET(CURLOPT_CONNECTTIMEOUT_MS, (long)chttp_milliseconds(patience, 1e6));
  line->last = chttp_now();
  CURLcode code = CURLE_FAILED_INIT;
  if (curl->curl_multi_add_handle(line->multi, line->easy) == CURLM_OK) {
    code = exchange(line, patience);
    settle(line, code);
    (void)curl->curl_multi_remove_handle(line->multi, line->easy);
  } else {
    settle(line, code);
  }
  long status = 0;
  (void)curl->curl_easy_getinfo(line->easy, CURLINFO_RESPONSE_CODE, &status);
  return (chttp_outcome){line->end, (int)status, line->failure, line->has_connected, line->received,
                         (long)line->head.count, (long)line->body.count, (long)strlen(line->reason)};
}

void chttp_line_copy_head(chttp_line line, uint8_t *to) {
  memcpy(to, line_of(line)->head.bytes, line_of(line)->head.count);
}

void chttp_line_copy_body(chttp_line line, uint8_t *to) {
  memcpy(to, line_of(line)->body.bytes, line_of(line)->body.count);
}

void chttp_line_copy_reason(chttp_line line, uint8_t *to) {
  memcpy(to, line_of(line)->reason, strlen(line_of(line)->reason));
}
