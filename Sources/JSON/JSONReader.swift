/// Reads a JSON text piece by piece, without building what is passed over or taken apart by the caller.
///
/// It is as strict as `JSON` is, which is read by it. Names and strings are bytes here, so that names that
/// Swift holds for equal (canonically equivalent spellings) are two; whether a name occurs twice in an object
/// is for the caller to see.
public struct JSONReader: Sendable {
  let bytes: [UInt8]
  let maximumDepth: Int
  let allowingNonFinite: Bool
  var place = 0
  private var depth = 0
  /// Whether an object or array was just opened.
  private var isFirst = false
  /// The name read last, as UTF-8.
  public private(set) var name: [UInt8] = []
  /// Where the name read last begins.
  public private(set) var nameOffset = 0

  /// What the next value is.
  public enum Kind: Sendable {
    case object, array, string, number, bool, null
  }

  /// Begins at the start of a UTF-8 text.
  ///
  /// - Parameters:
  ///   - maximumDepth: how deep arrays and objects may be nested.
  ///   - allowingNonFinite: as for `JSON.init(parsing:maximumDepth:allowingNonFinite:)`.
  public init(_ bytes: [UInt8], maximumDepth: Int = 128, allowingNonFinite: Bool = false) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
    self.allowingNonFinite = allowingNonFinite
  }

  /// Where the reader stands.
  public var offset: Int { place }

  // MARK: - Values

  /// What the next value is, by its first byte.
  public mutating func kind() throws(JSONError) -> Kind {
    skipSpace()
    guard let byte = current else { throw unexpected("a value") }
    switch byte {
    case ASCII.quote: return .string
    case ASCII.openBrace: return .object
    case ASCII.openBracket: return .array
    case ASCII.minus, ASCII.zero...ASCII.nine: return .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "N") where allowingNonFinite: return .number
    case UInt8(ascii: "I") where allowingNonFinite: return .number
    default: throw unexpected("a value")
    }
  }

  /// Opens an object; `nextName` then leads through it.
  public mutating func beginObject() throws(JSONError) {
    try open(ASCII.openBrace, "an object")
  }

  /// Opens an array; `nextElement` then leads through it.
  public mutating func beginArray() throws(JSONError) {
    try open(ASCII.openBracket, "an array")
  }

  private mutating func open(_ bracket: UInt8, _ expected: String) throws(JSONError) {
    _ = try kind()
    guard current == bracket else { throw unexpected(expected) }
    guard depth < maximumDepth else { throw .tooDeep(offset: place, limit: maximumDepth) }
    place += 1
    depth += 1
    isFirst = true
  }

  /// Reads the name of the next member, whose value is to be read then; says no at the end of the object,
  /// which it closes.
  public mutating func nextName() throws(JSONError) -> Bool {
    guard try goOn(ASCII.closeBrace, "a comma or a closing brace") else { return false }
    guard current == ASCII.quote else { throw unexpected("a name in quotes") }
    nameOffset = place
    name.removeAll(keepingCapacity: true)
    var text: [UInt8] = []
    swap(&text, &name)
    try string(into: &text)
    swap(&text, &name)
    skipSpace()
    guard take(ASCII.colon) else { throw unexpected("a colon") }
    return true
  }

  /// Steps to the next element, which is to be read then; says no at the end of the array, which it closes.
  public mutating func nextElement() throws(JSONError) -> Bool {
    try goOn(ASCII.closeBracket, "a comma or a closing bracket")
  }

  private mutating func goOn(_ end: UInt8, _ expected: String) throws(JSONError) -> Bool {
    skipSpace()
    let wasFirst = isFirst
    isFirst = false
    if take(end) {
      depth -= 1
      return false
    }
    if !wasFirst {
      guard take(ASCII.comma) else { throw unexpected(expected) }
      skipSpace()
    }
    return true
  }

  /// Reads `true` or `false`.
  public mutating func bool() throws(JSONError) -> Bool {
    guard try kind() == .bool else { throw unexpected("true or false") }
    return current == UInt8(ascii: "t") ? try word("true", true) : try word("false", false)
  }

  /// Reads `null`.
  public mutating func null() throws(JSONError) {
    guard try kind() == .null else { throw unexpected("null") }
    try word("null", ())
  }

  /// Steps over the next value, whatever it is.
  public mutating func skip() throws(JSONError) {
    // Whether each container that is open is an object; no recursion, whatever the depth allowed.
    let outer = depth
    var containers: [Bool] = []
    var skipped: [UInt8] = []
    repeat {
      if depth > outer {
        let isObject = containers.last == true
        guard try isObject ? nextName() : nextElement() else {
          containers.removeLast()
          continue
        }
      }
      switch try kind() {
      case .string:
        skipped.removeAll(keepingCapacity: true)
        try string(into: &skipped)
      case .number: _ = try number()
      case .bool: _ = try bool()
      case .null: try null()
      case .object:
        try beginObject()
        containers.append(true)
      case .array:
        try beginArray()
        containers.append(false)
      }
    } while depth > outer
  }

  /// Requires that nothing but space follows.
  public mutating func finish() throws(JSONError) {
    skipSpace()
    guard place == bytes.count else { throw .trailingText(offset: place) }
  }

  // MARK: - Bytes

  var current: UInt8? { place < bytes.count ? bytes[place] : nil }

  func unexpected(_ expected: String) -> JSONError {
    .syntax(offset: place, expected: expected, found: current)
  }

  mutating func skipSpace() {
    while place < bytes.count {
      switch bytes[place] {
      case 0x20, 0x09, 0x0A, 0x0D: place += 1
      default: return
      }
    }
  }

  /// Steps over `byte` if it is next.
  mutating func take(_ byte: UInt8) -> Bool {
    guard place < bytes.count, bytes[place] == byte else { return false }
    place += 1
    return true
  }

  mutating func word<Value>(_ word: StaticString, _ result: Value) throws(JSONError) -> Value {
    for byte in word.description.utf8 {
      guard take(byte) else { throw unexpected("the word \(word)") }
    }
    return result
  }
}
