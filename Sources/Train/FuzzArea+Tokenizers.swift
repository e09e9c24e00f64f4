import Tokenizers

/// What reads tokenizers of any kind.
extension FuzzArea {
  /// A tokenizer's file of the kind that its bytes show, and texts through it and back.
  static let tokenizers = FuzzArea(name: "tokenizers") { bytes in
    let tokenizer = try Tokenizer(
      bytes: bytes, name: "input", pattern: #"\p{L}+|\p{N}{1,3}|[^\s\p{L}\p{N}]+|\s+"#)
    for text in texts {
      let encoding = try tokenizer.encoding(text, addsSpecialTokens: true)
      precondition(encoding.ids.count == encoding.ranges.count, "tokens and ranges differ")
      // What was met before is remembered.
      let again = try tokenizer.encode(text, addsSpecialTokens: true)
      precondition(again == encoding.ids, "tokens depend on whether ranges are asked for")
      _ = try tokenizer.decode(encoding.ids)
      _ = try tokenizer.decode(encoding.ids, skipsSpecialTokens: true)
    }
  }

  private static let texts = [
    "", "the lazy  dog\u{3000}½<sep> zzz\n日本 naïve", "abab<ctl>\0\u{1}Å\u{30A} <s></s><unk>",
    String(repeating: "the", count: 60) + "  \t\u{2581}\u{2581} 👩‍👩‍👧 ﬁx 12345",
  ]
}
