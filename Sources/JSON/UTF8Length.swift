/// The length of the character of two to four bytes that starts at a place, if it is one.
///
/// As Unicode's table 3-7 allows them: no overlong spelling, no surrogate, nothing beyond U+10FFFF.
public func multibyteLength(_ text: [UInt8], at place: Int) -> Int? {
  let lead = text[place]
  let length: Int
  var second: ClosedRange<UInt8> = 0x80...0xBF
  switch lead {
  case 0xC2...0xDF: length = 2
  case 0xE0...0xEF:
    length = 3
    if lead == 0xE0 { second = 0xA0...0xBF } else if lead == 0xED { second = 0x80...0x9F }
  case 0xF0...0xF4:
    length = 4
    if lead == 0xF0 { second = 0x90...0xBF } else if lead == 0xF4 { second = 0x80...0x8F }
  default: return nil
  }
  guard place + length <= text.count, second.contains(text[place + 1]) else { return nil }
  for index in place + 2..<place + length where text[index] & 0xC0 != 0x80 { return nil }
  return length
}
