// One HTTP request at a time, spoken by libcurl; bytes go straight between the network and a file, and
// are hashed by OpenSSL on the way. Everything that needs a pointer stays on this side; Swift holds
// numbered handles, of which 0 is none.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// MARK: Digests

typedef struct { uintptr_t value; } chttp_digest;

enum { CHTTP_NO_DIGEST, CHTTP_SHA256, CHTTP_SHA1 };

// A digest that has seen nothing yet; 0 where OpenSSL's library is not there.
chttp_digest chttp_digest_new(int kind);
void chttp_digest_add(chttp_digest digest, const void *_Nonnull bytes, long count);
// Puts the digest (32 or 20 bytes) into `result`, which has room for 32, and says how many they are.
int chttp_digest_end(chttp_digest digest, uint8_t *_Nonnull result);
void chttp_digest_free(chttp_digest digest);

// MARK: Stopping

// A flag that ends what waits for the network at once.
typedef struct { uintptr_t value; } chttp_stop;

chttp_stop chttp_stop_new(void);
void chttp_stop_set(chttp_stop stop);
bool chttp_stop_is_set(chttp_stop stop);
// Sleeps, and wakes early when stopped.
void chttp_stop_wait(chttp_stop stop, double seconds);
void chttp_stop_free(chttp_stop stop);

// MARK: Counting

// How many bytes of a file have been sent; any thread may look at any time.
typedef struct { uintptr_t value; } chttp_count;

chttp_count chttp_count_new(void);
long chttp_count_value(chttp_count count);
void chttp_count_free(chttp_count count);

// MARK: Files that bytes arrive in

typedef struct { uintptr_t value; } chttp_file;

// Opens or makes the file. `size` is the most it may hold, or -1; `blob` is the size that git's digest
// begins with, or -1. What is there already is kept and hashed in a thread of its own, or cut off.
// Returns 0 and sets `failure` where it cannot: an errno, -1 where OpenSSL's library is missing, -2 for
// what is no regular file.
chttp_file chttp_file_open(const char *_Nonnull path, long size, int kind, long blob, bool keeping,
                           int *_Nonnull failure);
// The bytes in the file, those of earlier runs too. Any thread may ask at any time.
long chttp_file_received(chttp_file file);
long chttp_file_restarts(chttp_file file);
// Cuts everything off. Returns an errno.
int chttp_file_start_over(chttp_file file);
// Waits until all that is there is hashed, or `stop` is set. Returns an errno of reading.
int chttp_file_catch_up(chttp_file file, chttp_stop stop);
// Writes everything to the disk. Returns an errno.
int chttp_file_flush(chttp_file file);
// The digest, as `chttp_digest_end`; 0 where none was asked for. After catching up, once.
int chttp_file_digest(chttp_file file, uint8_t *_Nonnull result);
void chttp_file_free(chttp_file file);

// A whole file into a digest, in pieces, until `stop` is set. Returns an errno.
int chttp_digest_file(chttp_digest digest, const char *_Nonnull path, chttp_stop stop);

// MARK: Requests

// What a request is made on: it keeps its connections for the next one. One thread at a time.
typedef struct { uintptr_t value; } chttp_line;

// How a request ended.
enum chttp_end {
  CHTTP_DONE,         // there is an answer, of whatever status
  CHTTP_UNREACHABLE,  // no address, or nobody listens
  CHTTP_BROKEN_OFF,   // the connection ended in the middle
  CHTTP_STALLED,      // nothing came for as long as the patience lasts
  CHTTP_UNTRUSTED,    // the certificate is not as it should be
  CHTTP_BAD_PROXY,    // the proxy is not there, or refuses
  CHTTP_BAD_ADDRESS,  // the address is none
  CHTTP_TOO_LONG,     // more than the limit, or than the file may hold
  CHTTP_BAD_ANSWER,   // what came is no HTTP, or not what was asked for
  CHTTP_WRONG_RANGE,  // the bytes begin elsewhere than those that were asked for
  CHTTP_CANNOT_WRITE, // the file; the errno is in `failure`
  CHTTP_CANNOT_READ,  // the file to be sent; -1 says that it is shorter than it was
  CHTTP_STOPPED,
  CHTTP_NO_LIBRARY,   // libcurl is not installed
};

typedef struct {
  enum chttp_end end;
  int status;
  int failure;
  // Whether anybody took the connection: the host or, if there is one, the proxy.
  bool has_connected;
  // Of the answer, to wherever they went.
  long received;
  // What `chttp_line_copy_…` give.
  long head_count, body_count, reason_count;
} chttp_outcome;

// 0 where libcurl is not installed.
chttp_line chttp_line_new(void);
bool chttp_has_library(void);
void chttp_line_free(chttp_line line);

// Begins a request: forgets everything about the one before but its connections.
void chttp_line_begin(chttp_line line, const char *_Nonnull method, const char *_Nonnull url);
// "Name: value", or "Name:" to send none.
void chttp_line_header(chttp_line line, const char *_Nonnull field);
void chttp_line_proxy(chttp_line line, const char *_Nonnull proxy);
// A file or a folder of authorities instead of the system's.
void chttp_line_authorities(chttp_line line, const char *_Nonnull path, bool is_folder);
// What is sent: a copy of these bytes.
void chttp_line_send_bytes(chttp_line line, const void *_Nonnull bytes, long count);
// What is sent: a stretch of a file; `sent`, if it is one, says how far that is, and starts at 0. Returns an
// errno.
int chttp_line_send_file(chttp_line line, const char *_Nonnull path, long start, long count,
                         chttp_count sent);
// Makes the request. The bytes of a 200 or 206 go into `file`, if it is one, until it holds `until`;
// others into memory, up to `limit`, behind which is an error, or is cut off where there is a file.
chttp_outcome chttp_line_run(chttp_line line, chttp_file file, long until, long limit, double patience,
                             chttp_stop stop);
// The fields of the last answer as they came, its bytes, and libcurl's words for what went wrong.
void chttp_line_copy_head(chttp_line line, uint8_t *_Nonnull to);
void chttp_line_copy_body(chttp_line line, uint8_t *_Nonnull to);
void chttp_line_copy_reason(chttp_line line, uint8_t *_Nonnull to);

// MARK: Addresses and dates

enum chttp_part { CHTTP_WHOLE, CHTTP_SCHEME, CHTTP_HOST, CHTTP_PORT };

// A part of the address that `relative` leads to from `base` (or of `base`, if `relative` is empty), ended
// by a 0, at most `room` bytes. Returns its length, or -1 where there is none such.
long chttp_address(const char *_Nonnull base, const char *_Nonnull relative, enum chttp_part part,
                   char *_Nonnull to, long room);

// Seconds since 1970 of a date as HTTP writes it, or -1.
long chttp_date(const char *_Nonnull text);
