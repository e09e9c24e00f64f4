/// Where a text stops being UTF-8 as Unicode's table 3-7 has it; `nil` if it is all UTF-8.
func firstInvalidByte(_ text: [UInt8]) -> Int? {
  let bytes = text.span.bytes
  var place = 0
  while place < text.count {
    if place + 8 <= text.count,
      bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
    {
      place += 8
      continue
    }
    let lead = text[place]
    if lead < 0x80 {
      place += 1
      continue
    }
    guard let length = validLength(text, place, lead) else { return place }
    place += length
  }
  return nil
}

/// The length of the character of two to four bytes at a place, if it is one.
private func validLength(_ text: [UInt8], _ place: Int, _ lead: UInt8) -> Int? {
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
