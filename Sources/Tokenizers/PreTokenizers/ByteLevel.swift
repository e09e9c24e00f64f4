import JSON

/// Cuts as GPT-2 does, and writes every byte as a character of the byte-level alphabet; as a decoder, turns
/// those characters back; as a post-processor, trims ranges.
struct ByteLevel: PreTokenizer, Decoder {
  private let addsPrefixSpace: Bool
  private let pattern: Regex?
  private let leavesBytes: Bool

  /// GPT-2's pattern (encoder.py).
  private static let source =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// - Parameter leavesBytes: whether the alphabet's characters may be left unwritten.
  init(_ section: Section, leavesBytes: Bool) throws(TokenizerFault) {
    addsPrefixSpace = try section.flag("add_prefix_space")
    let usesPattern = try section.flag("use_regex", default: true)
    pattern = usesPattern ? try Regex(Self.source, .oniguruma, at: section.place) : nil
    self.leavesBytes = leavesBytes
  }

  /// The decoder, to which none of the settings matters.
  init() {
    addsPrefixSpace = false
    pattern = nil
    leavesBytes = false
  }

  func split(_ words: inout Words, _ workspace: inout Workspace) throws(TokenizerError) {
    let space = UInt8(ascii: " ")
    let bytes = words.passage.bytes
    if addsPrefixSpace,
      words.ranges.contains(where: { !$0.isEmpty && bytes[$0.lowerBound] != space })
    {
      words.rewrite { word, text, new in
        if text[word.lowerBound] != space { new.add(space, from: word.lowerBound) }
        new.keep(word)
      }
    }
    if let pattern {
      try words.split(.isolated, at: .pattern(pattern), isInverted: false, &workspace)
    }
    if leavesBytes {
      words.areBytes = true
    } else {
      words.rewrite { word, text, new in
        for index in word { new.add(ByteAlphabet.utf8[Int(text[index])], from: index) }
      }
    }
  }

  func decode(_ pieces: inout [[UInt8]], _ workspace: inout Workspace) {
    var bytes: [UInt8] = []
    for piece in pieces { bytes += ByteAlphabet.bytes(piece) ?? piece }
    if firstInvalidByte(bytes) != nil {
      bytes = Array(String(decoding: bytes, as: UTF8.self).utf8)
    }
    pieces = [bytes]
  }
}
