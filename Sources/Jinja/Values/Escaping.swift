/// HTML's escapes, as markupsafe makes and reads them.
enum Escaping {
  /// The text with `& < > ' "` escaped, unless it is safe already.
  static func escaped(_ text: Text) -> Text {
    text.isMarkup ? text : forced(text)
  }

  static func forced(_ text: Text) -> Text {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.bytes.count)
    for byte in text.bytes {
      switch byte {
      case UInt8(ascii: "&"): bytes += "&amp;".utf8
      case UInt8(ascii: "<"): bytes += "&lt;".utf8
      case UInt8(ascii: ">"): bytes += "&gt;".utf8
      case UInt8(ascii: "'"): bytes += "&#39;".utf8
      case UInt8(ascii: "\""): bytes += "&#34;".utf8
      default: bytes.append(byte)
      }
    }
    return Text(bytes, isASCII: text.isASCII, isMarkup: true)
  }

  /// Without tags and comments, with single spaces, and with the common entities read.
  static func withoutTags(_ text: Text) -> Text {
    var parts: [UInt8] = []
    var place = 0
    while let start = text.find(Text("<"), from: place) {
      let isComment = text.matches(Text("<!--"), at: start)
      let mark = Text(isComment ? "-->" : ">")
      guard let end = text.find(mark, from: start + (isComment ? 4 : 0)) else { break }
      parts += text.bytes[place..<start]
      place = end + mark.bytes.count
    }
    parts += text.bytes[place...]
    let words = Text(parts).words().map(\.bytes)
    return unescaped(Text(Array(words.joined(separator: [Byte.space]))))
  }

  private static let entities: [(String, String)] = [
    ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"),
    ("&apos;", "'"), ("&nbsp;", "\u{A0}"), ("&amp;", "&"),
  ]

  static func unescaped(_ text: Text) -> Text {
    var result: [UInt8] = []
    var place = 0
    outer: while place < text.bytes.count {
      if text.bytes[place] == UInt8(ascii: "&") {
        for (entity, character) in entities where text.matches(Text(entity), at: place) {
          result += character.utf8
          place += entity.utf8.count
          continue outer
        }
      }
      result.append(text.bytes[place])
      place += 1
    }
    return Text(result)
  }
}
