/// A protobuf message in the making, field by field.
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  init() {}

  init(_ build: (inout ProtobufMessage) -> Void) { build(&self) }

  mutating func number(_ field: Int, _ value: Int) {
    tag(field, 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func double(_ field: Int, _ value: Double) {
    tag(field, 1)
    little(value.bitPattern)
  }

  mutating func float(_ field: Int, _ value: Float) {
    tag(field, 5)
    little(value.bitPattern)
  }

  mutating func text(_ field: Int, _ value: String) { data(field, Array(value.utf8)) }

  mutating func message(_ field: Int, _ build: (inout ProtobufMessage) -> Void) {
    data(field, ProtobufMessage(build).bytes)
  }

  mutating func data(_ field: Int, _ value: [UInt8]) {
    tag(field, 2)
    varint(UInt64(value.count))
    bytes += value
  }

  private mutating func tag(_ field: Int, _ kind: Int) { varint(UInt64(field << 3 | kind)) }

  private mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  private mutating func little(_ value: some FixedWidthInteger) { bytes.appendLittle(value) }
}

extension [UInt8] {
  /// Appends a number's bytes, the lowest first.
  mutating func appendLittle<Number: FixedWidthInteger>(_ number: Number) {
    for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: number >> Number(shift)))
    }
  }
}

/// The fields of a protobuf message that was written before, for finding where to cut.
///
/// What is no message ends the fields early and sets `isBroken`; nothing in it can trap.
struct ProtobufFields {
  enum Value {
    case number(UInt64)
    case data(ArraySlice<UInt8>)
    /// A double or float, which nothing here asks for.
    case fixed
  }

  private var rest: ArraySlice<UInt8>
  private(set) var isBroken = false

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func next() -> (field: Int, value: Value)? {
    guard !rest.isEmpty else { return nil }
    guard let tag = varint(), let value = value(tag & 7) else {
      isBroken = true
      rest = []
      return nil
    }
    return (Int(truncatingIfNeeded: tag >> 3), value)
  }

  private mutating func value(_ kind: UInt64) -> Value? {
    switch kind {
    case 0: return varint().map { .number($0) }
    case 1: return take(8).map { _ in .fixed }
    case 2:
      guard let count = varint(), count <= UInt64(rest.count) else { return nil }
      return take(Int(count)).map { .data($0) }
    case 5: return take(4).map { _ in .fixed }
    default: return nil
    }
  }

  private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard rest.count >= count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private mutating func varint() -> UInt64? {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      result |= shift < 64 ? UInt64(byte & 0x7F) << shift : 0
      if byte & 0x80 == 0 { return result }
    }
    return nil
  }
}

extension ProtobufFields {
  /// The first field of a number, as a number.
  static func number(_ field: Int, in bytes: ArraySlice<UInt8>) -> UInt64? {
    for case (field, .number(let value)) in Self.all(bytes) { return value }
    return nil
  }

  /// All fields of a number that hold bytes.
  static func data(_ field: Int, in bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    all(bytes).compactMap { found in
      guard found.field == field, case .data(let value) = found.value else { return nil }
      return value
    }
  }

  static func all(_ bytes: ArraySlice<UInt8>) -> [(field: Int, value: Value)] {
    var fields = ProtobufFields(bytes)
    var result: [(field: Int, value: Value)] = []
    while let field = fields.next() { result.append(field) }
    return result
  }
}
