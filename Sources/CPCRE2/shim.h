#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>

// A compiled pattern, and what a thread needs to look for it. Only the second is written to by matching.
typedef struct {
  pcre2_code *code;
} isthmus_pattern;

typedef struct {
  pcre2_match_data *data;
  pcre2_match_context *context;
  pcre2_jit_stack *stack;
} isthmus_matcher;

// Compiles UTF-8 with Unicode's properties; `error` and `offset` say what is wrong where `code` is null.
static inline isthmus_pattern isthmus_pattern_compile(
    const uint8_t *text, size_t length, uint32_t options, int *error, size_t *offset) {
  isthmus_pattern pattern = {0};
  pcre2_compile_context *context = pcre2_compile_context_create(NULL);
  if (!context) {
    *error = PCRE2_ERROR_NOMEMORY;
    return pattern;
  }
  pcre2_set_parens_nest_limit(context, 100);
  pcre2_set_max_pattern_length(context, 1 << 20);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pattern.code = pcre2_compile(
      text, length, options | PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
      error, offset, context);
  pcre2_compile_context_free(context);
  // Where there is no just-in-time compiler, the interpreter does.
  if (pattern.code) pcre2_jit_compile(pattern.code, PCRE2_JIT_COMPLETE);
  return pattern;
}

static inline void isthmus_pattern_free(isthmus_pattern pattern) { pcre2_code_free(pattern.code); }

static inline int isthmus_matcher_create(isthmus_matcher *matcher) {
  matcher->data = pcre2_match_data_create(1, NULL);
  matcher->context = pcre2_match_context_create(NULL);
  matcher->stack = pcre2_jit_stack_create(64 * 1024, 8 * 1024 * 1024, NULL);
  if (!matcher->data || !matcher->context) return 0;
  if (matcher->stack) pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
  pcre2_set_match_limit(matcher->context, 10 * 1000 * 1000);
  pcre2_set_depth_limit(matcher->context, 100 * 1000);
  pcre2_set_heap_limit(matcher->context, 256 * 1024);
  return 1;
}

static inline void isthmus_matcher_free(isthmus_matcher matcher) {
  pcre2_match_data_free(matcher.data);
  pcre2_match_context_free(matcher.context);
  if (matcher.stack) pcre2_jit_stack_free(matcher.stack);
}

// Finds up to `capacity` matches in text[0..<length] from *place on, one after the other, as pairs of first
// byte and end. Moves *place to where to go on. Returns their count, fewer than `capacity` at the end of the
// text, or an error of PCRE2 (below 0). The text must be UTF-8. An empty match counts unless it lies where
// the last one ended (`*last`, -1 at first), as Oniguruma's callers have it.
static inline int64_t isthmus_find(
    isthmus_pattern pattern, isthmus_matcher matcher, const uint8_t *text, size_t start, size_t length,
    size_t *place, int64_t *last, int64_t *bounds, int64_t capacity) {
  int64_t count = 0;
  const uint8_t *subject = text + start;
  while (count < capacity && *place <= length) {
    int found = pcre2_match(
        pattern.code, subject, length, *place, PCRE2_NO_UTF_CHECK, matcher.data, matcher.context);
    if (found == PCRE2_ERROR_NOMATCH) {
      *place = length + 1;
      break;
    }
    if (found < 0) return found;
    const size_t *ends = pcre2_get_ovector_pointer(matcher.data);
    size_t first = ends[0], end = ends[1];
    if (end < first) return PCRE2_ERROR_BADOFFSET;
    if (first == end) {
      // Go on behind the next character.
      size_t next = end;
      do next++; while (next < length && (subject[next] & 0xC0) == 0x80);
      int repeated = *last == (int64_t)end;
      *place = next;
      if (repeated) continue;
    } else {
      *place = end;
    }
    *last = (int64_t)end;
    bounds[2 * count] = (int64_t)(start + first);
    bounds[2 * count + 1] = (int64_t)(start + end);
    count++;
  }
  return count;
}
