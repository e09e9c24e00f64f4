// What libcurl calls while a request is on its way.
#include "line.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

// A server may send this much before its answer begins, all fields together.
enum { HEAD_LIMIT = 256 << 10 };

double chttp_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

bool chttp_grow(growing *text, const void *bytes, size_t count) {
  if (text->room - text->count < count) {
    size_t room = text->room * 2 > text->count + count ? text->room * 2 : text->count + count;
    char *grown = realloc(text->bytes, room);
    if (!grown) return false;
    text->bytes = grown;
    text->room = room;
  }
  if (count) memcpy(text->bytes + text->count, bytes, count);
  text->count += count;
  return true;
}

/// Ends the request with what is wrong; libcurl stops when less than all is taken.
static size_t refuse(request_line *line, enum chttp_end end, const char *reason) {
  line->end = end;
  line->refusal = reason;
  return 0;
}

/// The value of a field if it has this name, or NULL. A field is not ended by a 0.
static const char *value_of(const char *field, size_t count, const char *name, size_t *value_count) {
  size_t length = strlen(name);
  if (count <= length || field[length] != ':' || strncasecmp(field, name, length)) return NULL;
  size_t from = length + 1;
  while (from < count && (field[from] == ' ' || field[from] == '\t')) from++;
  while (count > from && isspace((unsigned char)field[count - 1])) count--;
  *value_count = count - from;
  return field + from;
}

/// The digits at the beginning, or -1 where there are none or too many.
static long number(const char *text, size_t count) {
  long result = 0;
  size_t digits = 0;
  for (; digits < count && isdigit((unsigned char)text[digits]); digits++) {
    if (digits == 18) return -1;
    result = result * 10 + (text[digits] - '0');
  }
  return digits ? result : -1;
}

size_t chttp_take_head(char *bytes, size_t size, size_t count, void *context) {
  request_line *line = context;
  count *= size;
  line->last = chttp_now();
  // An answer before the answer: 100 Continue, or a proxy's.
  if (count >= 5 && !memcmp(bytes, "HTTP/", 5) && !line->has_begun) {
    line->head.count = 0;
    line->range_start = line->length = -1;
    line->is_encoded = false;
  }
  if (line->head.count + count > HEAD_LIMIT)
    return refuse(line, CHTTP_BAD_ANSWER, "its header fields are longer than 256 KiB");
  if (!chttp_grow(&line->head, bytes, count)) return 0;
  size_t value_count = 0;
  const char *value = value_of(bytes, count, "Content-Range", &value_count);
  if (value && value_count > 6 && !strncasecmp(value, "bytes ", 6))
    line->range_start = number(value + 6, value_count - 6);
  value = value_of(bytes, count, "Content-Length", &value_count);
  if (value) line->length = number(value, value_count);
  value = value_of(bytes, count, "Content-Encoding", &value_count);
  if (value) line->is_encoded = !(value_count == 8 && !strncasecmp(value, "identity", 8));
  return count;
}

bool chttp_begin_body(request_line *line) {
  line->has_begun = true;
  long status = 0;
  chttp_curl()->curl_easy_getinfo(line->easy, CURLINFO_RESPONSE_CODE, &status);
  line->is_into_file = line->file && (status == 200 || status == 206);
  if (!line->is_into_file) return true;
  arriving_file *file = line->file;
  if (line->is_encoded) {
    refuse(line, CHTTP_BAD_ANSWER, "it is compressed, which was not asked for");
    return false;
  }
  long position = atomic_load(&file->position);
  if (status == 206 && line->range_start != position) {
    refuse(line, CHTTP_WRONG_RANGE, "it sent another part of the file than was asked for");
    return false;
  }
  // Whether it is the file at all is settled before anything of it is given up: what answers all questions
  // with a page of its own must not cost what took hours to come.
  long room = file->size - (status == 206 ? position : 0);
  if (file->size >= 0 && line->until < 0 && line->length > room) {
    refuse(line, CHTTP_TOO_LONG, "");
    return false;
  }
  if (status == 206 || position == 0) return true;
  if (file->size >= 0 && line->length >= 0 && line->length != file->size) {
    // Whoever answered may be gone the next time.
    refuse(line, CHTTP_BROKEN_OFF, "what it sends is not of the size of the file that was begun");
    return false;
  }
  line->failure = chttp_file_start_over((chttp_file){(uintptr_t)file});
  if (line->failure) refuse(line, CHTTP_CANNOT_WRITE, "");
  return line->failure == 0;
}

static size_t take_into_file(request_line *line, const char *bytes, size_t count) {
  long position = atomic_load(&line->file->position);
  size_t wanted = count;
  if (line->until >= 0 && (long)count > line->until - position)
    wanted = line->until > position ? (size_t)(line->until - position) : 0;
  if (line->file->size >= 0 && (long)wanted > line->file->size - position)
    return refuse(line, CHTTP_TOO_LONG, "");
  line->failure = chttp_file_write(line->file, bytes, wanted);
  if (line->failure) return refuse(line, CHTTP_CANNOT_WRITE, "");
  line->received += (long)wanted;
  if (wanted < count) line->was_cut = true;
  return wanted;
}

static size_t take_into_memory(request_line *line, const char *bytes, size_t count) {
  size_t room = (size_t)line->limit - line->body.count;
  size_t wanted = count < room ? count : room;
  if (!chttp_grow(&line->body, bytes, wanted)) return 0;
  line->received += (long)wanted;
  if (wanted == count) return count;
  // What a file's server says to a refusal may be cut off.
  if (line->file) line->was_cut = true;
  else refuse(line, CHTTP_TOO_LONG, "");
  return 0;
}

size_t chttp_take_body(char *bytes, size_t size, size_t count, void *context) {
  request_line *line = context;
  if (chttp_stop_is_set(line->stop)) return refuse(line, CHTTP_STOPPED, "");
  if (!line->has_begun && !chttp_begin_body(line)) return 0;
  size_t taken = line->is_into_file ? take_into_file(line, bytes, size * count)
                                    : take_into_memory(line, bytes, size * count);
  // After writing, so that a slow disk is not taken for a silent server.
  line->last = chttp_now();
  return taken;
}

size_t chttp_give_body(char *bytes, size_t size, size_t count, void *context) {
  request_line *line = context;
  if (chttp_stop_is_set(line->stop)) {
    refuse(line, CHTTP_STOPPED, "");
    return CURL_READFUNC_ABORT;
  }
  long left = line->source_count - line->source_done;
  size_t wanted = size * count < (size_t)left ? size * count : (size_t)left;
  if (wanted == 0) return 0;
  ssize_t got = (ssize_t)wanted;
  if (line->source < 0)
    memcpy(bytes, line->sent.bytes + line->source_done, wanted);
  else
    do got = pread(line->source, bytes, wanted, line->source_start + line->source_done);
    while (got < 0 && errno == EINTR);
  if (got <= 0) {
    line->failure = got < 0 ? errno : -1;
    refuse(line, CHTTP_CANNOT_READ, "");
    return CURL_READFUNC_ABORT;
  }
  line->source_done += got;
  count_set(line->counted, line->source_done);
  line->last = chttp_now();
  return (size_t)got;
}

int chttp_rewind(void *context, curl_off_t offset, int origin) {
  request_line *line = context;
  if (origin != SEEK_SET || offset < 0 || offset > line->source_count) return CURL_SEEKFUNC_FAIL;
  line->source_done = offset;
  count_set(line->counted, offset);
  return CURL_SEEKFUNC_OK;
}
