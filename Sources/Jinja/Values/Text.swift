/// A string as Python has it: a sequence of Unicode scalars, compared scalar for scalar.
///
/// Kept as UTF-8, whose order of bytes is the order of code points; places are counted in scalars.
struct Text: Hashable, Sendable {
  let bytes: [UInt8]
  let isASCII: Bool
  /// Whether it came from the filter `safe` or `escape`: what is joined to it is then escaped for HTML.
  var isMarkup = false

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    isASCII = bytes.allSatisfy { $0 < 0x80 }
  }

  init(_ bytes: [UInt8], isASCII: Bool, isMarkup: Bool = false) {
    self.bytes = bytes
    self.isASCII = isASCII
    self.isMarkup = isMarkup
  }

  init(_ bytes: ArraySlice<UInt8>) { self.init(Array(bytes)) }

  init(_ string: String) { self.init(Array(string.utf8)) }

  init(_ scalars: some Sequence<Unicode.Scalar>) {
    var bytes: [UInt8] = []
    for scalar in scalars { bytes += String(Character(scalar)).utf8 }
    self.init(bytes)
  }

  static let empty = Text([], isASCII: true)

  static func == (left: Text, right: Text) -> Bool { left.bytes == right.bytes }

  func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

  var isEmpty: Bool { bytes.isEmpty }

  var string: String { String(decoding: bytes, as: UTF8.self) }

  var scalars: String.UnicodeScalarView { string.unicodeScalars }

  /// How many scalars there are.
  var count: Int { isASCII ? bytes.count : bytes.count { $0 & 0xC0 != 0x80 } }

  /// The same characters, safe or not.
  func marked(_ isMarkup: Bool = true) -> Text {
    Text(bytes, isASCII: isASCII, isMarkup: isMarkup)
  }

  static func + (left: Text, right: Text) -> Text {
    Text(left.bytes + right.bytes, isASCII: left.isASCII && right.isASCII)
  }

  static func < (left: Text, right: Text) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }

  /// Where each scalar starts, and the end: one more than there are scalars.
  var starts: [Int] {
    if isASCII { return Array(0...bytes.count) }
    return bytes.indices.filter { bytes[$0] & 0xC0 != 0x80 } + [bytes.count]
  }

  /// Each scalar as a text of its own.
  var characters: [Text] {
    let starts = starts
    return (0..<starts.count - 1).map { part(starts[$0]..<starts[$0 + 1]) }
  }

  /// The text between two bytes.
  func part(_ range: Range<Int>) -> Text {
    if isASCII { return Text(Array(bytes[range]), isASCII: true) }
    return Text(bytes[range])
  }

  /// How many scalars stand before a byte.
  func scalars(before byte: Int) -> Int {
    isASCII ? byte : bytes[..<byte].count { $0 & 0xC0 != 0x80 }
  }

  // MARK: Finding

  /// The first byte at or after `start` where `other` stands, within `end`.
  func find(_ other: Text, from start: Int = 0, to end: Int? = nil) -> Int? {
    let end = (end ?? bytes.count) - other.bytes.count
    guard let first = other.bytes.first else { return start <= end ? start : nil }
    guard start <= end else { return nil }
    var place = start
    while place <= end {
      if bytes[place] == first, matches(other, at: place) { return place }
      place += 1
    }
    return nil
  }

  /// The last byte where `other` stands, within the bytes from `start` to `end`.
  func findLast(_ other: Text, from start: Int = 0, to end: Int? = nil) -> Int? {
    var place = (end ?? bytes.count) - other.bytes.count
    while place >= start {
      if matches(other, at: place) { return place }
      place -= 1
    }
    return nil
  }

  func matches(_ other: Text, at place: Int) -> Bool {
    guard place >= 0, place + other.bytes.count <= bytes.count else { return false }
    for index in other.bytes.indices where bytes[place + index] != other.bytes[index] {
      return false
    }
    return true
  }

  func hasPrefix(_ other: Text) -> Bool { matches(other, at: 0) }

  func hasSuffix(_ other: Text) -> Bool { matches(other, at: bytes.count - other.bytes.count) }

  // MARK: Cutting

  /// The scalar that starts at a byte.
  func scalar(at place: Int) -> Unicode.Scalar {
    let first = UInt32(bytes[place])
    guard first >= 0x80 else { return Unicode.Scalar(UInt8(first)) }
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
    var code = first & (0x7F >> UInt32(length))
    for index in place + 1..<min(place + length, bytes.count) {
      code = code << 6 | UInt32(bytes[index] & 0x3F)
    }
    return Unicode.Scalar(code) ?? "\u{FFFD}"
  }

  /// The byte where the scalar after the one at `place` starts.
  func next(_ place: Int) -> Int {
    var place = place + 1
    while place < bytes.count, bytes[place] & 0xC0 == 0x80 { place += 1 }
    return place
  }

  /// The byte where the scalar before `place` starts.
  func previous(_ place: Int) -> Int {
    var place = place - 1
    while place > 0, bytes[place] & 0xC0 == 0x80 { place -= 1 }
    return place
  }

  /// Without the scalars at its ends that `isOut` names.
  func stripped(
    left: Bool = true, right: Bool = true, where isOut: (Unicode.Scalar) -> Bool = \.isPythonSpace
  ) -> Text {
    var start = 0
    var end = bytes.count
    while left, start < end, isOut(scalar(at: start)) { start = next(start) }
    while right, end > start {
      let before = previous(end)
      guard isOut(scalar(at: before)) else { break }
      end = before
    }
    return part(start..<end)
  }
}

extension Unicode.Scalar {
  /// What Python's `str.isspace` holds for white space.
  var isPythonSpace: Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F,
      0x205F, 0x3000:
      true
    default: false
    }
  }

  /// What ends a line for Python's `str.splitlines`.
  var isPythonLineEnd: Bool {
    switch value {
    case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
    default: false
    }
  }
}
