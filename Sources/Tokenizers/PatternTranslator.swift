/// Why a pattern cannot be used.
struct PatternFault: Error {
  var offset: Int
  var reason: String
}

/// Spells a pattern in PCRE2's language.
struct PatternTranslator {
  private let source: [UInt8]
  private let language: Regex.Language

  init(_ source: String, _ language: Regex.Language) {
    self.source = Array(source.utf8)
    self.language = language
  }

  mutating func translate() throws(PatternFault) -> [UInt8] { source }
}
