import JSON

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
    if text[place] < 0x80 {
      place += 1
      continue
    }
    guard let length = multibyteLength(text, at: place) else { return place }
    place += length
  }
  return nil
}
