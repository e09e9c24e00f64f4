import CPCRE2

/// A compiled pattern, safe to look for from several threads at once.
///
/// PCRE2 with Unicode's properties does the work. What a match may cost is bounded, so that a pattern that
/// backtracks for ever ends in an error.
final class Regex: Sendable {
  /// In whose language a pattern is written.
  enum Language {
    /// Oniguruma's, which tokenizer.json is written for.
    case oniguruma
    /// That of Rust's `fancy_regex`, which tiktoken's patterns are written for.
    case rust
  }

  /// The pattern as it was given.
  let source: String
  /// Only ever read from once it is compiled.
  private nonisolated(unsafe) let pattern: isthmus_pattern

  /// Compiles a pattern.
  ///
  /// - Parameter place: where the pattern stands in its file, for the error.
  init(_ source: String, _ language: Language, at place: String) throws(TokenizerFault) {
    var translator = PatternTranslator(source, language)
    let translated: [UInt8]
    do throws(PatternFault) {
      translated = try translator.translate()
    } catch {
      throw .pattern(source, at: place, offset: error.offset, reason: error.reason)
    }
    var code: Int32 = 0
    var offset = 0
    // Oniguruma's `^` and `$` always stand at lines, Rust's `$` at the very end.
    let options = language == .oniguruma ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY
    let pattern = isthmus_pattern_compile(translated, translated.count, options, &code, &offset)
    guard pattern.code != nil else {
      throw .pattern(source, at: place, offset: offset, reason: Self.reason(code))
    }
    self.source = source
    self.pattern = pattern
  }

  deinit { isthmus_pattern_free(pattern) }

  private static func reason(_ code: Int32) -> String {
    var text = [UInt8](repeating: 0, count: 256)
    let count = pcre2_get_error_message_8(code, &text, text.count)
    return count > 0 ? String(decoding: text.prefix(Int(count)), as: UTF8.self) : "error \(code)"
  }

  /// Matches of a pattern in a part of a text, a block at a time.
  struct Search {
    /// First byte and end of each match found last, in turn.
    var bounds = [Int64](repeating: 0, count: 2 * Search.block)
    /// How many matches were found last.
    var count = 0
    fileprivate var place = 0
    fileprivate var last: Int64 = -1
    fileprivate var isDone = false

    static let block = 512

    /// Starts anew.
    mutating func begin() {
      place = 0
      last = -1
      isDone = false
      count = 0
    }
  }

  /// Finds the next matches; says whether there were any.
  ///
  /// - Parameters:
  ///   - text: UTF-8.
  ///   - range: what of it is looked at, as if it stood alone.
  func find(
    in text: [UInt8], _ range: Range<Int>, _ search: inout Search, _ matcher: Matcher
  ) throws(TokenizerError) -> Bool {
    guard !search.isDone else { return false }
    let found = isthmus_find(
      pattern, matcher.matcher, text, range.lowerBound, range.count, &search.place, &search.last,
      &search.bounds, Int64(Search.block))
    guard found >= 0 else {
      throw .patternGaveUp(pattern: source, offset: range.lowerBound + search.place)
    }
    search.count = Int(found)
    search.isDone = search.count < Search.block
    return search.count > 0
  }
}

/// What one thread needs to look for patterns; two may not use it at once, and none does: a workspace,
/// which holds it, is given to one at a time.
final class Matcher: @unchecked Sendable {
  fileprivate let matcher: isthmus_matcher

  init() {
    var matcher = isthmus_matcher()
    let isThere = isthmus_matcher_create(&matcher)
    precondition(isThere != 0, "out of memory")
    self.matcher = matcher
  }

  deinit { isthmus_matcher_free(matcher) }
}
