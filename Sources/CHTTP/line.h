// A request on its way: what libcurl holds, and what its callbacks need.
#pragma once
#include "count.h"
#include "handles.h"

typedef struct {
  char *bytes;
  size_t count, room;
} growing;

typedef struct {
  CURL *easy;
  CURLM *multi;
  struct curl_slist *fields;
  char reason[CURL_ERROR_SIZE];

  // What is sent.
  growing sent;
  int source;
  long source_start, source_count, source_done;
  bool sends;
  chttp_count counted;

  // What came.
  growing head, body;
  arriving_file *file;
  bool has_connected, has_begun, is_into_file, was_cut;
  long until, limit, received;
  // Of `Content-Range`, or -1; of `Content-Length`, or -1.
  long range_start, length;
  bool is_encoded;
  enum chttp_end end;
  // Our own words for it; libcurl only knows that a callback did not go on.
  const char *refusal;
  int failure;
  // When something last moved: seconds.
  double last;
  chttp_stop stop;
} request_line;

double chttp_now(void);

// Whether there was room for them.
bool chttp_grow(growing *text, const void *bytes, size_t count);

// The callbacks of libcurl; `context` is a request_line.
size_t chttp_take_head(char *bytes, size_t size, size_t count, void *context);
size_t chttp_take_body(char *bytes, size_t size, size_t count, void *context);
size_t chttp_give_body(char *bytes, size_t size, size_t count, void *context);
int chttp_rewind(void *context, curl_off_t offset, int origin);

// What has to be settled before the first byte of the answer goes anywhere.
bool chttp_begin_body(request_line *line);
