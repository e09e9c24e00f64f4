/// Reads the fields of one protobuf message one after the other, out of bytes that need not be trusted.
///
/// Every length is held against the bytes that are there; what is not asked for is stepped over. Offsets in
/// errors count from the start of the file, not of the message.
struct ProtobufReader {
  /// A field's number and what stands for its value.
  struct Field {
    var number: Int
    var value: Value
    /// Where the field begins.
    var offset: Int
  }

  enum Value {
    case varint(UInt64)
    case fixed32(UInt32)
    case fixed64(UInt64)
    /// A string, bytes or a message: where it lies.
    case bytes(Range<Int>)
    /// A group, which no message of ours has.
    case group
  }

  let bytes: [UInt8]
  private let end: Int
  private var place: Int

  /// Groups may lie in each other so deep; each costs one turn of a loop.
  private static let deepestGroup = 64

  init(_ bytes: [UInt8]) {
    self.init(bytes, 0..<bytes.count)
  }

  /// - Parameter range: where the message lies in the file.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    place = range.lowerBound
    end = range.upperBound
  }

  /// The next field; `nil` at the end of the message.
  mutating func next() throws(TokenizerFault) -> Field? {
    guard place < end else { return nil }
    let offset = place
    let tag = try varint()
    let number = tag >> 3
    guard number >= 1, number < 1 << 29 else {
      throw .malformed(offset: offset, expected: "the number of a protobuf field")
    }
    return Field(number: Int(number), value: try value(tag & 7, offset), offset: offset)
  }

  private mutating func value(_ kind: UInt64, _ offset: Int) throws(TokenizerFault) -> Value {
    switch kind {
    case 0: return .varint(try varint())
    case 1: return .fixed64(try little(8))
    case 2:
      let lengthOffset = place
      let length = try varint()
      guard length <= UInt64(end - place) else {
        throw .malformed(
          offset: lengthOffset,
          expected: "a length of at most \(end - place), the bytes that are left, not \(length)")
      }
      let start = place
      place += Int(length)
      return .bytes(start..<place)
    case 3:
      try skipGroup(offset)
      return .group
    case 5: return .fixed32(UInt32(truncatingIfNeeded: try little(4)))
    default:
      throw .malformed(offset: offset, expected: "a protobuf field, not the wire type \(kind)")
    }
  }

  /// Steps over a group up to its end, with those inside it.
  private mutating func skipGroup(_ offset: Int) throws(TokenizerFault) {
    var depth = 1
    while depth > 0 {
      guard place < end else {
        throw .malformed(offset: place, expected: "the end of the group from byte \(offset)")
      }
      let start = place
      let tag = try varint()
      switch tag & 7 {
      case 3:
        depth += 1
        guard depth <= Self.deepestGroup else {
          throw .malformed(offset: start, expected: "no group that deep in others")
        }
      case 4: depth -= 1
      default: _ = try value(tag & 7, start)
      }
    }
  }

  private mutating func varint() throws(TokenizerFault) -> UInt64 {
    let start = place
    var result: UInt64 = 0
    var shift: UInt64 = 0
    while place < end, shift < 70 {
      let byte = bytes[place]
      place += 1
      // Bits beyond the 64th fall away, as in every reader of the format.
      result |= shift < 64 ? UInt64(byte & 0x7F) << shift : 0
      if byte & 0x80 == 0 { return result }
      shift += 7
    }
    throw .malformed(offset: start, expected: "a number of at most ten bytes")
  }

  private mutating func little(_ count: Int) throws(TokenizerFault) -> UInt64 {
    guard end - place >= count else {
      throw .malformed(offset: place, expected: "\(count) bytes, and only \(end - place) are left")
    }
    var result: UInt64 = 0
    for index in (0..<count).reversed() { result = result << 8 | UInt64(bytes[place + index]) }
    place += count
    return result
  }
}

extension ProtobufReader.Value {
  /// A whole number with a sign, as `int32` is written: in up to ten bytes when negative.
  var int32: Int32? {
    if case .varint(let value) = self { Int32(truncatingIfNeeded: value) } else { nil }
  }

  var bool: Bool? { if case .varint(let value) = self { value != 0 } else { nil } }

  var float: Float? { if case .fixed32(let bits) = self { Float(bitPattern: bits) } else { nil } }

  var range: Range<Int>? { if case .bytes(let range) = self { range } else { nil } }
}
