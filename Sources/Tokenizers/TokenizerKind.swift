/// What kind of file a tokenizer is read from, by what is in it: names say too little, for some
/// `tokenizer.model` are text.
enum TokenizerKind {
  case json
  case tekken
  case tiktoken
  case sentencePiece

  init(_ bytes: [UInt8]) {
    let start = bytes.firstIndex { !Self.isSpace($0) } ?? bytes.count
    if start < bytes.count, bytes[start] == UInt8(ascii: "{") {
      let next = bytes[(start + 1)...].first { !Self.isSpace($0) }
      // A sentencepiece file may begin with a line feed and a length of 123, but then not go on so.
      if next == nil || next == UInt8(ascii: "\"") || next == UInt8(ascii: "}") {
        self = Self.isTekken(bytes, start) ? .tekken : .json
        return
      }
    }
    self = TiktokenFile.isLine(bytes.prefix { $0 != 0x0A }) ? .tiktoken : .sentencePiece
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
  }

  /// Whether the first vocabulary in a JSON text is a list of tokens in base64.
  ///
  /// - Parameter start: where the text's opening brace is.
  private static func isTekken(_ bytes: [UInt8], _ start: Int) -> Bool {
    let keys = topKeys(bytes, start)
    return !keys.contains("model") && keys.contains("vocab") && keys.contains("config")
  }

  /// The names of the members of a JSON object, as far as it is one.
  private static func topKeys(_ bytes: [UInt8], _ start: Int) -> [String] {
    var keys: [String] = []
    var depth = 0
    var isName = false
    var place = start
    while place < bytes.count {
      switch bytes[place] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        isName = depth == 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: ","): isName = depth == 1
      case UInt8(ascii: "\""):
        let first = place + 1
        place = first
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
          place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
        }
        if isName, place < bytes.count {
          keys.append(String(decoding: bytes[first..<place], as: UTF8.self))
          isName = false
          // The kinds differ in their first members already.
          if keys.last == "model" || keys.count == 64 { return keys }
        }
      default: break
      }
      place += 1
    }
    return keys
  }
}
