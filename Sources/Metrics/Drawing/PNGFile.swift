import CZlib

/// A picture of pixels as a PNG file (ISO/IEC 15948): 8 bits each of red, green and blue.
enum PNGFile {
  static func bytes(_ canvas: Canvas) -> [UInt8] {
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    var header = bigEndian(canvas.width) + bigEndian(canvas.height)
    // Depth, colour without alpha, the only compression and filter there are, no interlacing.
    header += [8, 2, 0, 0, 0]
    file += chunk("IHDR", header)
    file += chunk("IDAT", compressed(canvas))
    return file + chunk("IEND", [])
  }

  private static func chunk(_ kind: String, _ content: [UInt8]) -> [UInt8] {
    let body = Array(kind.utf8) + content
    let sum = crc32(0, body, UInt32(body.count))
    return bigEndian(content.count) + body + bigEndian(Int(sum))
  }

  private static func compressed(_ canvas: Canvas) -> [UInt8] {
    let row = canvas.width * 3
    var rows: [UInt8] = []
    rows.reserveCapacity((row + 1) * canvas.height)
    for place in 0..<canvas.height {
      rows.append(0)  // no filter: flat pictures have none that pays
      rows += canvas.pixels[place * row..<(place + 1) * row]
    }
    var count = compressBound(uLong(rows.count))
    var result = [UInt8](repeating: 0, count: Int(count))
    let status = compress2(&result, &count, rows, uLong(rows.count), 9)
    precondition(status == Z_OK, "the room for the worst case was enough")
    return Array(result.prefix(Int(count)))
  }

  private static func bigEndian(_ number: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }
}
