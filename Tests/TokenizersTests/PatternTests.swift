import Testing

@testable import Tokenizers

/// How Oniguruma's patterns are spelled for PCRE2; what they then match is held against the crate in PartsTests.
struct PatternTests {
  private func spelled(_ pattern: String, _ language: Regex.Language = .oniguruma) throws -> String
  {
    var translator = PatternTranslator(pattern, language)
    return String(decoding: try translator.translate(), as: UTF8.self)
  }

  @Test func quantifiersKeepTheirMeaning() throws {
    // In Oniguruma `{n,m}+` is greedy twice, `{n}?` means n or none, `{,n}` starts at 0.
    #expect(try spelled("a{1,3}+") == "(?:a{1,3})+")
    #expect(try spelled("a{1,3}+", .rust) == "a{1,3}+")
    #expect(try spelled("(?:ab){2}?") == "(?:(?:ab){2})?")
    #expect(try spelled("a{,3}") == "a{0,3}")
    #expect(try spelled("a++b*+c?+") == "a++b*+c?+")
    #expect(try spelled("a{b") == "a\\{b")
  }

  @Test func optionsInTheMiddleReachToTheEndOfTheirGroup() throws {
    #expect(try spelled("(a(?i)b|c)d") == "(a(?i:b|c))d")
    #expect(try spelled("(?m:.)") == "(?s:.)")
    #expect(try spelled("(?i:'s|'t)") == "(?i:'s|'t)")
  }

  @Test func setsAreWrittenOut() throws {
    #expect(try spelled("[a-z&&[^aeiou]]").hasPrefix("(?:(?=["))
    #expect(try spelled("[a[0-9]_]") == #"[\x{61}\x{30}-\x{39}\x{5f}]"#)
    #expect(try spelled(#"[^\D]"#) == #"[^\P{Nd}]"#)
    #expect(try spelled(#"\p{^L}\P{Han}\p{Lowercase_Letter}"#) == #"[^\p{L}][^\p{sc:han}][\p{Ll}]"#)
  }

  @Test func emptyMatchesAreFoundOnce() throws {
    let pattern = try Regex("x*", .oniguruma, at: "")
    var search = Regex.Search()
    let text = Array("axxé".utf8)
    #expect(try pattern.find(in: text, 0..<text.count, &search, Matcher()))
    #expect(Array(search.bounds.prefix(search.count * 2)) == [0, 0, 1, 3, 5, 5])
  }

  @Test func matchesAreFoundBeyondABlock() throws {
    let pattern = try Regex("a", .oniguruma, at: "")
    var search = Regex.Search()
    let matcher = Matcher()
    let text = [UInt8](repeating: UInt8(ascii: "a"), count: 3 * Regex.Search.block)
    var count = 0
    while try pattern.find(in: text, 0..<text.count, &search, matcher) { count += search.count }
    #expect(count == text.count)
  }
}
