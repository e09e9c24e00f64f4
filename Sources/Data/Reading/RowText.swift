import JSON

/// One row as it stands in a file: a line, an element of a JSON array, or a whole document.
public struct RowText: Sendable, Equatable {
  public var bytes: [UInt8]
  /// Where it begins in the text of the file, decompressed.
  public var offset: Int
  /// The line and column it begins at, from 1.
  public var line: Int
  public var column: Int

  /// The place of a byte of the row.
  func place(_ byte: Int, in file: String) -> Place {
    let before = bytes[..<min(max(0, byte), bytes.count)]
    let lines = before.count { $0 == ASCII.newline }
    guard lines > 0, let last = before.lastIndex(of: ASCII.newline) else {
      return Place(file: file, line: line, column: column + before.count)
    }
    return Place(file: file, line: line + lines, column: before.count - last)
  }

  /// The row's JSON.
  func json(in file: String, _ limits: ReadingLimits) throws(DataError) -> JSON {
    do throws(JSONError) {
      // Python's `json` writes numbers that are not finite as bare tokens.
      return try JSON(parsing: bytes, maximumDepth: limits.depth, allowingNonFinite: true)
    } catch { throw .json(place(error.offset, in: file), error) }
  }
}

/// The bytes that structure a text.
enum ASCII {
  static let newline = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let quote = UInt8(ascii: "\"")
  static let backslash = UInt8(ascii: "\\")
  static let openBrace = UInt8(ascii: "{")
  static let closeBrace = UInt8(ascii: "}")
  static let openBracket = UInt8(ascii: "[")
  static let closeBracket = UInt8(ascii: "]")
  static let comma = UInt8(ascii: ",")
  static let space = UInt8(ascii: " ")

  static func isSpace(_ byte: UInt8) -> Bool {
    byte == space || byte == newline || byte == carriageReturn || byte == 0x09
  }
}
