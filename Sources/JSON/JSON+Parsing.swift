extension JSON {
  /// Reads a UTF-8 text strictly by RFC 8259.
  ///
  /// Integers that fit an `Int` become `.integer`, all other numbers `.number`. Names that Swift
  /// holds for equal (canonically equivalent spellings) count as duplicates.
  ///
  /// - Parameters:
  ///   - maximumDepth: how deep arrays and objects may be nested; each level uses some stack.
  ///   - allowingNonFinite: whether the bare tokens `NaN`, `Infinity` and `-Infinity`, which Python
  ///     writes, are numbers, and whether a number too large for a `Double` is infinite.
  public init(
    parsing bytes: [UInt8], maximumDepth: Int = 128, allowingNonFinite: Bool = false
  ) throws(JSONError) {
    var reader = JSONReader(
      bytes, maximumDepth: maximumDepth, allowingNonFinite: allowingNonFinite)
    self = try reader.value()
    try reader.finish()
  }
}

extension JSONReader {
  /// Reads the next value whole, whatever it is.
  public mutating func value() throws(JSONError) -> JSON {
    switch try kind() {
    case .string: return .string(try string())
    case .number: return try number()
    case .bool: return .bool(try bool())
    case .null:
      try null()
      return .null
    case .object:
      var result = JSONObject()
      try beginObject()
      while try nextName() {
        let name = String(decoding: name, as: UTF8.self)
        let offset = nameOffset
        guard result.append(name, try value()) else {
          throw .duplicateName(name, offset: offset)
        }
      }
      return .object(result)
    case .array:
      var result: [JSON] = []
      try beginArray()
      while try nextElement() { result.append(try value()) }
      return .array(result)
    }
  }
}

enum ASCII {
  static let quote = UInt8(ascii: "\"")
  static let backslash = UInt8(ascii: "\\")
  static let openBrace = UInt8(ascii: "{")
  static let closeBrace = UInt8(ascii: "}")
  static let openBracket = UInt8(ascii: "[")
  static let closeBracket = UInt8(ascii: "]")
  static let colon = UInt8(ascii: ":")
  static let comma = UInt8(ascii: ",")
  static let minus = UInt8(ascii: "-")
  static let zero = UInt8(ascii: "0")
  static let nine = UInt8(ascii: "9")
  static let space = UInt8(ascii: " ")
  static let newline = UInt8(ascii: "\n")
}
