/// Where a word may be cut without any token changing.
///
/// A character that no merge ever puts behind another one (such as the “▁” of sentencepiece) starts every
/// token it is in, but for runs of itself. No merge reaches over the place before it, and merges on both sides
/// do not know of each other, so that a cut there changes nothing. A whole text that is one word then falls
/// into words that can be kept in mind.
struct SafeCuts: Sendable {
  /// One bit per code point of the basic plane: whether a cut before it is safe where another character
  /// comes before it; empty if there is none.
  private var starters: [UInt64] = []

  init() {}

  /// - Parameter results: the ids of all pieces that merges make.
  init(_ vocabulary: Vocabulary, _ results: [Int32]) {
    starters = [UInt64](repeating: 0, count: 1024)
    for code in UInt32(0)..<0x10000 {
      guard let character = Unicode.Scalar(code) else { continue }
      if vocabulary.id(of: Array(String(character).utf8)) != nil {
        starters[Int(code >> 6)] |= 1 << UInt64(code & 63)
      }
    }
    for id in results {
      guard let piece = vocabulary.bytes(of: id).map(Array.init) else { continue }
      var last: UInt32?
      var place = 0
      while place < piece.count {
        let code = scalar(piece, place)
        if let last, last != code, code < 0x10000 {
          starters[Int(code >> 6)] &= ~(1 << UInt64(code & 63))
        }
        last = code
        place += scalarLength(piece[place])
      }
    }
    if starters.allSatisfy({ $0 == 0 }) { starters = [] }
  }

  /// The first safe cut inside a range of a text.
  func next(in text: [UInt8], _ range: Range<Int>) -> Int? {
    guard !starters.isEmpty, !range.isEmpty else { return nil }
    var last = scalar(text, range.lowerBound)
    var place = range.lowerBound + scalarLength(text[range.lowerBound])
    while place < range.upperBound {
      let code = scalar(text, place)
      if code != last, code < 0x10000, starters[Int(code >> 6)] >> UInt64(code & 63) & 1 == 1 {
        return place
      }
      last = code
      place += scalarLength(text[place])
    }
    return nil
  }
}
