/// What is wrong with a JSON text, and at which byte.
public enum JSONError: Error, Equatable, Sendable {
  /// `found` is the byte at `offset`, or `nil` at the end of the text.
  case syntax(offset: Int, expected: String, found: UInt8?)
  case duplicateName(String, offset: Int)
  case tooDeep(offset: Int, limit: Int)
  case invalidUTF8(offset: Int)
  /// Half of a `\u` surrogate pair, which stands for no character.
  case loneSurrogate(offset: Int)
  /// A number too large for a `Double`.
  case numberOutOfRange(offset: Int)
  case trailingText(offset: Int)

  /// The byte the error is about, counted from the start of the text.
  public var offset: Int {
    switch self {
    case .syntax(let offset, _, _), .duplicateName(_, let offset), .tooDeep(let offset, _),
      .invalidUTF8(let offset), .loneSurrogate(let offset), .numberOutOfRange(let offset),
      .trailingText(let offset):
      offset
    }
  }
}

extension JSONError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .syntax(let offset, let expected, nil):
      "The JSON text ends at byte \(offset), where \(expected) is expected; it is cut short."
    case .syntax(let offset, let expected, let found?):
      "The JSON text is wrong at byte \(offset): \(expected) is expected, \(named(found)) is found."
    case .duplicateName(let name, let offset):
      "The name “\(name)” at byte \(offset) of the JSON text occurs twice in one object; remove one."
    case .tooDeep(let offset, let limit):
      "The JSON text is nested more than \(limit) deep at byte \(offset)."
    case .invalidUTF8(let offset):
      "The JSON text is not UTF-8 at byte \(offset)."
    case .loneSurrogate(let offset):
      "The \\u escape at byte \(offset) of the JSON text is half of a surrogate pair."
    case .numberOutOfRange(let offset):
      "The number at byte \(offset) of the JSON text is too large for a double."
    case .trailingText(let offset):
      "The JSON text goes on at byte \(offset), after its end; remove what follows the value."
    }
  }

  private func named(_ byte: UInt8) -> String {
    if byte > 0x20, byte < 0x7F { return "“\(Unicode.Scalar(byte))”" }
    return "the byte \(byte)"
  }
}
