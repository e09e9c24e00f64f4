/// Changes bytes at random, in the same way for the same seed.
struct Mutator {
  private var state: UInt64
  private let corpus: [[UInt8]]

  /// The longest input, so that repeated parts do not take over.
  private static let longest = 1 << 20

  /// Words that many formats give a meaning.
  private static let words: [String] = [
    "0", "-1", "9223372036854775807", "-9223372036854775808", "4294967295", "1e999", "NaN", "null",
    "true",
    "\"\"", "{}", "[]", "{{", "}}", "{%", "%}", "\\u0000", "\\ud800", "\n", "\r\n", "\u{FEFF}",
    "\u{0}", "é", "🙂",
  ]

  init(seed: UInt64, index: Int, corpus: [[UInt8]]) {
    state = seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(index)
    self.corpus = corpus
  }

  /// SplitMix64: any state begins a good sequence.
  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  private mutating func number(below limit: Int) -> Int {
    limit < 2 ? 0 : Int(next() % UInt64(limit))
  }

  private mutating func range(in bytes: [UInt8], longest: Int = 256) -> Range<Int> {
    let start = number(below: bytes.count + 1)
    return start..<min(bytes.count, start + number(below: longest))
  }

  /// One input: a member of the corpus, changed once or several times.
  mutating func input() -> [UInt8] {
    guard !corpus.isEmpty else { return [] }
    var bytes = corpus[number(below: corpus.count)]
    for _ in 0...number(below: 6) {
      change(&bytes)
      if bytes.count > Self.longest { bytes.removeLast(bytes.count - Self.longest) }
    }
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let place = number(below: bytes.count)
    switch number(below: 9) {
    case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(number(below: 8))
    case 1 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: next())
    case 2: bytes.insert(contentsOf: Self.words[number(below: Self.words.count)].utf8, at: place)
    case 3:
      bytes.replaceSubrange(
        range(in: bytes), with: Self.words[number(below: Self.words.count)].utf8)
    case 4: bytes.removeSubrange(range(in: bytes))
    case 5: bytes.removeLast(bytes.count - place)
    case 6:
      let part = Array(bytes[range(in: bytes)])
      for _ in 0...number(below: 40) { bytes.insert(contentsOf: part, at: min(place, bytes.count)) }
    case 7:
      let other = corpus[number(below: corpus.count)]
      bytes.replaceSubrange(range(in: bytes), with: other[range(in: other)])
    default:
      let (first, second) = (range(in: bytes), range(in: bytes))
      let part = Array(bytes[first])
      bytes.replaceSubrange(second, with: part)
    }
  }
}
