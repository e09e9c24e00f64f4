/// A tiktoken file: on each line the bytes of a token in base64, a space, and the token's rank, which is its
/// id.
///
/// Lines end with LF or CRLF; empty ones do not count.
///
/// Source: tiktoken/load.py of tiktoken 0.14.
struct TiktokenFile {
  private(set) var tokens: [RankedTokens.Token] = []

  init(_ bytes: [UInt8]) throws(TokenizerFault) {
    var number = 0
    var start = 0
    while start < bytes.count {
      number += 1
      let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
      let line = Self.trimmed(bytes[start..<end])
      start = end + 1
      guard !line.isEmpty else { continue }
      guard let token = Self.token(line) else {
        throw .line(
          number, expected: "a token in base64, a space and the token's rank",
          found: "“\(String(decoding: line.prefix(60), as: UTF8.self))”")
      }
      tokens.append(token)
    }
  }

  /// Whether bytes are a line of such a file.
  static func isLine(_ line: ArraySlice<UInt8>) -> Bool { token(trimmed(line)) != nil }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D
  }

  private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line.drop(while: isSpace)
    while let last = line.last, isSpace(last) { line.removeLast() }
    return line
  }

  private static func token(_ line: ArraySlice<UInt8>) -> RankedTokens.Token? {
    guard let space = line.firstIndex(where: isSpace) else { return nil }
    let digits = line[space...].drop(while: isSpace)
    guard !digits.isEmpty, digits.count <= 10, digits.allSatisfy({ (0x30...0x39).contains($0) }),
      let rank = Int32(String(decoding: digits, as: UTF8.self)), rank < .max,
      let bytes = Base64.bytes(line[..<space]), !bytes.isEmpty
    else { return nil }
    return RankedTokens.Token(bytes: bytes, id: rank)
  }
}
