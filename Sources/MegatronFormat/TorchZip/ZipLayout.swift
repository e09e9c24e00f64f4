import Tensors

/// Lays out a zip archive byte for byte as PyTorch 2.7 and later do, without holding its data.
///
/// Data begins at multiples of 64 bytes; sizes stand in descriptors behind the data; lengths and
/// places of 2³² − 1 bytes and more take their zip64 forms.
struct ZipLayout {
  private struct Record {
    let name: [UInt8]
    let size: Int
    let offset: Int
    var crc32: UInt32 = 0
  }

  private static let limit = 0xFFFF_FFFF
  private static let alignment = 64
  private static let flags = 0x0808

  private let folder: String
  private var records: [Record] = []
  /// The bytes laid out so far, data included.
  private(set) var position = 0

  init(folder: String) { self.folder = folder }

  /// The local header of a record up to its data, which must have `size` bytes.
  mutating func open(_ name: String, size: Int) -> [UInt8] {
    let record = Record(name: Array("\(folder)/\(name)".utf8), size: size, offset: position)
    var extra: [UInt8] = []
    Self.appendWide(record, to: &extra)
    let start = position + 30 + record.name.count + extra.count + 4
    let padding = (Self.alignment - start % Self.alignment) % Self.alignment
    extra += Array("FB".utf8)
    extra.append(number: padding, 2)
    extra += Array(repeating: UInt8(ascii: "Z"), count: padding)

    var header: [UInt8] = []
    header.append(number: 0x0403_4B50, 4)
    header.append(number: 0, 2)
    // No descriptor follows an empty record.
    header.append(number: size == 0 ? 0x0800 : Self.flags, 2)
    header += Array(repeating: 0, count: 18)
    header.append(number: record.name.count, 2)
    header.append(number: extra.count, 2)
    header += record.name
    header += extra
    records.append(record)
    position += header.count + size
    return header
  }

  /// The descriptor behind the data of the record that was opened last.
  mutating func close(crc32: UInt32) -> [UInt8] {
    guard let record = records.last, record.size > 0 else { return [] }
    records[records.count - 1].crc32 = crc32
    let wide = record.size >= Self.limit || record.offset >= Self.limit
    var descriptor: [UInt8] = []
    descriptor.append(number: 0x0807_4B50, 4)
    descriptor.append(number: Int(crc32), 4)
    descriptor.append(number: record.size, wide ? 8 : 4)
    descriptor.append(number: record.size, wide ? 8 : 4)
    position += descriptor.count
    return descriptor
  }

  /// A whole record.
  mutating func record(_ name: String, _ data: [UInt8]) -> [UInt8] {
    open(name, size: data.count) + data + close(crc32: crc32(data))
  }

  /// The last records and the directory.
  mutating func end() -> [UInt8] {
    var bytes = record("version", Array("3\n".utf8))
    bytes += record(".data/serialization_id", serialization())
    let start = position
    var directory: [UInt8] = []
    for record in records { Self.append(record, to: &directory) }
    let end = start + directory.count
    bytes += directory
    // The zip64 end record and its locator stand in every file, however small.
    bytes.append(number: 0x0606_4B50, 4)
    bytes.append(number: 44, 8)
    bytes.append(number: 0x031E, 2)
    bytes.append(number: 45, 2)
    bytes.append(number: 0, 8)
    bytes.append(number: records.count, 8)
    bytes.append(number: records.count, 8)
    bytes.append(number: directory.count, 8)
    bytes.append(number: start, 8)
    bytes.append(number: 0x0706_4B50, 4)
    bytes.append(number: 0, 4)
    bytes.append(number: end, 8)
    bytes.append(number: 1, 4)
    bytes.append(number: 0x0605_4B50, 4)
    bytes.append(number: 0, 4)
    bytes.append(number: min(records.count, 0xFFFF), 2)
    bytes.append(number: min(records.count, 0xFFFF), 2)
    bytes.append(number: min(directory.count, Self.limit), 4)
    bytes.append(number: min(start, Self.limit), 4)
    bytes.append(number: 0, 2)
    return bytes
  }

  private static func append(_ record: Record, to directory: inout [UInt8]) {
    var extra: [UInt8] = []
    appendWide(record, to: &extra)
    directory.append(number: 0x0201_4B50, 4)
    directory.append(number: 0, 4)
    directory.append(number: record.size == 0 ? 0x0800 : flags, 2)
    directory.append(number: 0, 6)
    directory.append(number: Int(record.crc32), 4)
    directory.append(number: min(record.size, limit), 4)
    directory.append(number: min(record.size, limit), 4)
    directory.append(number: record.name.count, 2)
    directory.append(number: extra.count, 2)
    directory += Array(repeating: 0, count: 10)
    directory.append(number: min(record.offset, limit), 4)
    directory += record.name
    directory += extra
  }

  /// The zip64 field of a record that needs one.
  private static func appendWide(_ record: Record, to extra: inout [UInt8]) {
    var numbers: [Int] = []
    if record.size >= limit { numbers += [record.size, record.size] }
    if record.offset >= limit { numbers.append(record.offset) }
    guard !numbers.isEmpty else { return }
    extra.append(number: 1, 2)
    extra.append(number: 8 * numbers.count, 2)
    for number in numbers { extra.append(number: number, 8) }
  }

  /// Forty digits that identify the content, as PyTorch's: a hash of the records' names, which depends
  /// on its C++ library and is known for archives of no and of one tensor, and one of their CRCs.
  private func serialization() -> [UInt8] {
    let tensors = records.count { $0.name.starts(with: "\(folder)/data/".utf8) }
    let names = [0: "02908468677762923104", 1: "15728199511854643026"]
    var hash: UInt64 = 0
    for record in records where record.size > 0 {
      hash ^= UInt64(record.crc32) &+ 0x9E37_79B9 &+ hash << 6 &+ hash >> 2
    }
    let digits = String(hash)
    let padded = String(repeating: "0", count: 20 - digits.count) + digits
    return Array(((names[tensors] ?? String(repeating: "0", count: 20)) + padded).utf8)
  }
}

extension [UInt8] {
  /// Appends a little-endian number.
  fileprivate mutating func append(number: Int, _ width: Int) {
    for index in 0..<width {
      append(UInt8(truncatingIfNeeded: UInt64(truncatingIfNeeded: number) >> (8 * index)))
    }
  }
}
