import Tensors

/// The rows of one file, each to be had at any time.
///
/// Opening reads the file once. Memory: 12 bytes for each row where the file is not compressed; a compressed file's
/// text is held as a whole besides, up to `ReadingLimits.held`.
public final class RowFile: Sendable {
  public let path: String
  public let shape: RowScanner.Shape
  public let isCompressed: Bool
  private let limits: ReadingLimits
  private let text: Text
  private let offsets: [Int]
  private let lengths: [UInt32]

  private enum Text: Sendable {
    case file(InputFile)
    case held([UInt8])
  }

  public init(_ path: String, _ limits: ReadingLimits = ReadingLimits()) throws(DataError) {
    let scanner = try RowScanner(path, limits)
    var offsets: [Int] = []
    var lengths: [UInt32] = []
    var held: [UInt8] = []
    while let row = try scanner.next() {
      guard let length = UInt32(exactly: row.bytes.count) else {
        throw .rowTooLong(file: path, line: row.line, limit: Int(UInt32.max))
      }
      if scanner.isCompressed {
        guard held.count + row.bytes.count <= limits.held else {
          throw .tooMuchToHold(file: path, limit: limits.held)
        }
        offsets.append(held.count)
        held += row.bytes
      } else {
        offsets.append(row.offset)
      }
      lengths.append(length)
    }
    self.path = path
    self.limits = limits
    shape = scanner.shape
    isCompressed = scanner.isCompressed
    if isCompressed {
      text = .held(held)
    } else {
      do throws(FileError) { text = .file(try InputFile(path)) } catch { throw .file(error) }
    }
    self.offsets = offsets
    self.lengths = lengths
  }

  public var count: Int { offsets.count }

  /// The bytes of a row.
  public func bytes(_ index: Int) throws(DataError) -> [UInt8] {
    let range = offsets[index]..<offsets[index] + Int(lengths[index])
    switch text {
    case .held(let bytes): return Array(bytes[range])
    case .file(let file):
      do throws(FileError) { return try file.read(range) } catch { throw .file(error) }
    }
  }

  /// A row with its place, which is found by reading the file up to it: for errors.
  public func located(_ index: Int) throws(DataError) -> RowText {
    let scanner = try RowScanner(path, limits)
    var place = 0
    while let row = try scanner.next() {
      if place == index { return row }
      place += 1
    }
    throw .changed(file: path)
  }
}
