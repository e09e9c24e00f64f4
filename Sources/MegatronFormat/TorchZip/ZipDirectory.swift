import Tensors

/// The records of one zip archive inside a file, as its central directory lists them.
///
/// For archives as PyTorch writes them: stored, unencrypted, zip64 where needed. Every number is
/// checked against the archive's own range before it is used.
struct ZipDirectory {
  struct Record {
    /// The name with the archive's own.
    let name: String
    /// The data's bytes, absolute.
    let range: Range<Int>
    let crc32: UInt32
  }

  let records: [Record]

  private static let endSize = 22
  private static let locatorSize = 20
  private static let end64Size = 56
  private static let entrySize = 46
  private static let localSize = 30

  init(_ bytes: ZipBytes) throws(TorchFileError) {
    let end = try Self.findEnd(bytes)
    let directory = try Self.directory(bytes, end: end)
    let data = try bytes.read(directory.range)
    guard directory.count <= directory.range.count / Self.entrySize else {
      throw bytes.malformed(directory.range.lowerBound, "its directory is too short")
    }
    var records: [Record] = []
    records.reserveCapacity(directory.count)
    var position = 0
    for _ in 0..<directory.count {
      let entry = try Self.entry(data, &position, bytes, directory.range)
      let start = try Self.dataStart(of: entry, bytes)
      guard entry.size <= directory.range.lowerBound - start else {
        throw bytes.malformed(start, "the record \(entry.name) reaches into the directory")
      }
      records.append(
        Record(name: entry.name, range: start..<start + entry.size, crc32: entry.crc32))
    }
    guard position == data.count else {
      throw bytes.malformed(directory.range.lowerBound + position, "its directory is too long")
    }
    self.records = records
  }

  /// The absolute place of the end record, which stands last but for a comment.
  private static func findEnd(_ bytes: ZipBytes) throws(TorchFileError) -> Int {
    let tail = bytes.tail
    var index = tail.data.count - endSize
    while index >= 0 {
      if tail.data[index] == 0x50, tail.data.number(index, 4) == 0x0605_4B50,
        tail.data.number(index + 20, 2) == tail.data.count - index - endSize
      {
        return tail.start + index
      }
      index -= 1
    }
    throw .notTorch(bytes.place)
  }

  private static func directory(
    _ bytes: ZipBytes, end: Int
  ) throws(TorchFileError) -> (range: Range<Int>, count: Int) {
    let record = try bytes.read(end..<end + endSize)
    var count = record.number(10, 2)
    var size = record.number(12, 4)
    var offset = record.number(16, 4)
    var limit = end
    let locatorStart = end - locatorSize
    if locatorStart >= bytes.range.lowerBound {
      let locator = try bytes.read(locatorStart..<end)
      if locator.number(0, 4) == 0x0706_4B50 {
        let (start, overflow) = bytes.range.lowerBound.addingReportingOverflow(
          locator.number(8, 8))
        // Without gaps: else one archive's end could be read with another's directory.
        guard !overflow, start >= bytes.range.lowerBound, start == locatorStart - end64Size else {
          throw bytes.malformed(locatorStart, "its zip64 end record lies elsewhere")
        }
        let record64 = try bytes.read(start..<start + end64Size)
        guard record64.number(0, 4) == 0x0606_4B50 else {
          throw bytes.malformed(start, "its zip64 end record is missing")
        }
        let wide = (record64.number(32, 8), record64.number(40, 8), record64.number(48, 8))
        guard count == 0xFFFF || count == wide.0, size == 0xFFFF_FFFF || size == wide.1,
          offset == 0xFFFF_FFFF || offset == wide.2
        else { throw bytes.malformed(start, "its two end records disagree") }
        (count, size, offset) = wide
        limit = start
      }
    }
    let room = limit - bytes.range.lowerBound
    guard count >= 0, size >= 0, offset >= 0, offset <= room, size == room - offset else {
      throw bytes.malformed(end, "its directory lies elsewhere")
    }
    let start = bytes.range.lowerBound + offset
    return (start..<start + size, count)
  }

  private struct Entry {
    let name: String
    let nameLength: Int
    let size: Int
    /// Relative to the archive.
    let offset: Int
    let crc32: UInt32
  }

  /// One header of the directory; the position moves behind it.
  private static func entry(
    _ data: [UInt8], _ position: inout Int, _ bytes: ZipBytes, _ range: Range<Int>
  ) throws(TorchFileError) -> Entry {
    let place = range.lowerBound + position
    guard data.count - position >= entrySize, data.number(position, 4) == 0x0201_4B50 else {
      throw bytes.malformed(place, "a directory entry is missing")
    }
    let nameLength = data.number(position + 28, 2)
    let extraLength = data.number(position + 30, 2)
    let length = entrySize + nameLength + extraLength + data.number(position + 32, 2)
    guard length <= data.count - position else {
      throw bytes.malformed(place, "a directory entry is cut short")
    }
    let nameStart = position + entrySize
    let nameBytes = data[nameStart..<nameStart + nameLength]
    guard let name = String(validating: nameBytes, as: UTF8.self) else {
      throw bytes.malformed(place, "a record's name is not UTF-8")
    }
    guard data.number(position + 8, 2) & 1 == 0, data.number(position + 10, 2) == 0 else {
      throw .compressed(bytes.place, record: name)
    }
    var fields = [
      data.number(position + 24, 4), data.number(position + 20, 4), data.number(position + 42, 4),
    ]
    if fields.contains(0xFFFF_FFFF) {
      let extra = nameStart + nameLength
      try widen(&fields, data, extra..<extra + extraLength, bytes, place)
    }
    guard fields.allSatisfy({ $0 >= 0 }), fields[0] == fields[1] else {
      throw bytes.malformed(place, "the sizes of \(name) are impossible")
    }
    let crc = UInt32(truncatingIfNeeded: data.number(position + 16, 4))
    position += length
    return Entry(
      name: name, nameLength: nameLength, size: fields[0], offset: fields[2], crc32: crc)
  }

  /// Takes the size, the stored size and the offset, where they do not fit, from the extra field 1.
  private static func widen(
    _ fields: inout [Int], _ data: [UInt8], _ extra: Range<Int>, _ bytes: ZipBytes, _ place: Int
  ) throws(TorchFileError) {
    var position = extra.lowerBound
    while extra.upperBound - position >= 4 {
      let length = data.number(position + 2, 2)
      let end = position + 4 + length
      guard end <= extra.upperBound else { break }
      if data.number(position, 2) == 1 {
        var next = position + 4
        for index in fields.indices where fields[index] == 0xFFFF_FFFF {
          guard next + 8 <= end else {
            throw bytes.malformed(place, "a zip64 field is cut short")
          }
          fields[index] = data.number(next, 8)
          next += 8
        }
        return
      }
      position = end
    }
    throw bytes.malformed(place, "a zip64 field is missing")
  }

  /// The absolute first byte of a record's data: the local header's own lengths decide.
  private static func dataStart(
    of entry: Entry, _ bytes: ZipBytes
  ) throws(TorchFileError) -> Int {
    guard entry.offset <= bytes.range.count - localSize else {
      throw bytes.malformed(bytes.range.lowerBound, "the record \(entry.name) lies outside")
    }
    let start = bytes.range.lowerBound + entry.offset
    let header = try bytes.read(start..<start + localSize)
    guard header.number(0, 4) == 0x0403_4B50, header.number(26, 2) == entry.nameLength else {
      throw bytes.malformed(start, "the record \(entry.name) does not begin here")
    }
    return start + localSize + entry.nameLength + header.number(28, 2)
  }
}

/// Access to an archive's bytes that reads its two ends once, where nearly everything small stands.
struct ZipBytes {
  let file: InputFile
  let range: Range<Int>
  let head: (start: Int, data: [UInt8])
  let tail: (start: Int, data: [UInt8])

  private static let headSize = 1_024
  private static let tailSize = 1_536

  init(_ file: InputFile, _ range: Range<Int>) throws(TorchFileError) {
    self.file = file
    self.range = range
    let tailStart = max(range.lowerBound, range.upperBound - Self.tailSize)
    let headEnd = min(tailStart, range.lowerBound + Self.headSize)
    do throws(FileError) {
      tail = (tailStart, try file.read(tailStart..<range.upperBound))
      head = (range.lowerBound, try file.read(range.lowerBound..<headEnd))
    } catch {
      throw .file(error)
    }
  }

  var place: TorchPlace { TorchPlace(path: file.path, offset: range.lowerBound) }

  func malformed(_ offset: Int, _ what: String) -> TorchFileError {
    .malformed(place, at: offset, what)
  }

  /// The bytes of an absolute range inside the archive.
  func read(_ wanted: Range<Int>) throws(TorchFileError) -> [UInt8] {
    guard wanted.lowerBound >= range.lowerBound, wanted.upperBound <= range.upperBound else {
      throw malformed(wanted.lowerBound, "it points outside itself")
    }
    for part in [tail, head] {
      let start = wanted.lowerBound - part.start
      if start >= 0, start + wanted.count <= part.data.count {
        return Array(part.data[start..<start + wanted.count])
      }
    }
    do throws(FileError) { return try file.read(wanted) } catch { throw .file(error) }
  }
}

extension [UInt8] {
  /// A little-endian number; one of eight bytes may come out negative.
  func number(_ offset: Int, _ width: Int) -> Int {
    var result = 0
    for index in 0..<width { result |= Int(self[offset + index]) << (8 * index) }
    return result
  }
}
