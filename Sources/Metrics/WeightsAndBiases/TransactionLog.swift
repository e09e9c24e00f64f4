import CZlib
import Tensors

/// The log of records in a `.wandb` file: LevelDB's, behind a header of its own, with zlib's checksum.
///
/// Reference: wandb/sdk/internal/datastore.py, core/pkg/leveldb/record.go
enum TransactionLog {
  /// `:W&B`, a magic number and a version; it counts as part of the first block.
  static let header: [UInt8] = Array(":W&B".utf8) + [0xE1, 0xBE, 0]
  private static let block = 32_768
  private static let headSize = 7

  private enum Kind: UInt8 {
    case full = 1
    case first
    case middle
    case last
  }

  /// A record as it stands at an offset of the file: whole, or in pieces where blocks end.
  static func framed(_ record: [UInt8], at offset: Int) -> [UInt8] {
    var result: [UInt8] = []
    var rest = record[...]
    var isFirst = true
    repeat {
      var room = block - (offset + result.count) % block
      if room < headSize {
        result.append(contentsOf: repeatElement(0, count: room))
        room = block
      }
      let piece = rest.prefix(room - headSize)
      rest = rest.dropFirst(piece.count)
      let kind: Kind =
        switch (isFirst, rest.isEmpty) {
        case (true, true): .full
        case (true, false): .first
        case (false, false): .middle
        case (false, true): .last
        }
      isFirst = false
      let bytes = Array(piece)
      result.appendLittle(checksum(kind, bytes))
      result.appendLittle(UInt16(bytes.count))
      result.append(kind.rawValue)
      result += bytes
    } while !rest.isEmpty
    return result
  }

  private static func checksum(_ kind: Kind, _ bytes: [UInt8]) -> UInt32 {
    let sum = crc32(0, [kind.rawValue], 1)
    return UInt32(truncatingIfNeeded: crc32(sum, bytes, UInt32(bytes.count)))
  }

  // MARK: Reading

  /// Reads the records one after the other, up to the end or to the first that is torn.
  struct Reader {
    private let file: InputFile
    /// Behind the last whole record.
    private(set) var place = TransactionLog.header.count

    /// - Returns: `nil` if the file does not begin as such files do.
    init?(_ path: String) throws(FileError) {
      file = try InputFile(path)
      guard file.size >= TransactionLog.header.count,
        try file.read(0..<TransactionLog.header.count) == TransactionLog.header
      else { return nil }
    }

    mutating func next() throws(FileError) -> [UInt8]? {
      var place = place
      var record: [UInt8] = []
      var isOpen = false
      while let (kind, bytes) = try piece(at: &place) {
        guard isOpen == (kind == .middle || kind == .last) else { return nil }
        isOpen = true
        record += bytes
        if kind == .full || kind == .last {
          self.place = place
          return record
        }
      }
      return nil
    }

    private func piece(at place: inout Int) throws(FileError) -> (Kind, [UInt8])? {
      let room = block - place % block
      if room < headSize { place += room }
      guard file.size - place >= headSize else { return nil }
      let head = try file.read(place..<place + headSize)
      let count = Int(head[4]) | Int(head[5]) << 8
      guard let kind = Kind(rawValue: head[6]), headSize + count <= block - place % block,
        file.size - place >= headSize + count
      else { return nil }
      let bytes = try file.read(place + headSize..<place + headSize + count)
      var sum: [UInt8] = []
      sum.appendLittle(TransactionLog.checksum(kind, bytes))
      guard head.prefix(4).elementsEqual(sum) else { return nil }
      place += headSize + count
      return (kind, bytes)
    }
  }
}
