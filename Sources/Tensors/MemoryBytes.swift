/// Bytes that lie in memory already.
final class MemoryBytes: ComputedBytes {
  private nonisolated(unsafe) let start: UnsafeRawPointer
  private let keeper: any AnyObject & Sendable
  let byteCount: Int
  let rowBytes: Int

  init(
    _ start: UnsafeRawPointer, _ byteCount: Int, rowBytes: Int,
    keeper: any AnyObject & Sendable
  ) {
    self.start = start
    self.byteCount = byteCount
    self.rowBytes = rowBytes
    self.keeper = keeper
  }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) {
    for index in 0..<rows.count {
      target.baseAddress.map {
        $0.advanced(by: index * columns.count).copyMemory(
          from: start + rows[index] * rowBytes + columns.lowerBound, byteCount: columns.count)
      }
    }
  }
}

/// Bytes of an array.
private final class ArrayBytes: ComputedBytes {
  private let bytes: [UInt8]
  var byteCount: Int { bytes.count }
  // Any length serves: what is wanted is copied.
  let rowBytes = 1 << 16

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func fill(
    _ target: UnsafeMutableRawBufferPointer, _ rows: RowSteps, columns: Range<Int>,
    scratch: ByteBuffer
  ) {
    for index in 0..<rows.count {
      let first = rows[index] * rowBytes
      UnsafeMutableRawBufferPointer(rebasing: target[(index * columns.count)...])
        .copyBytes(from: bytes[first + columns.lowerBound..<first + columns.upperBound])
    }
  }
}

extension ByteRuns {
  /// Bytes that are held in memory.
  public init(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else {
      self.init()
      return
    }
    self.init(computed: ArrayBytes(bytes))
  }

  /// Bytes that lie in memory, row by row.
  ///
  /// - Parameter keeper: keeps them there; nobody writes them while the runs are in use.
  public init(
    memory start: UnsafeMutableRawPointer, byteCount: Int, rowBytes: Int,
    of keeper: any AnyObject & Sendable
  ) {
    guard byteCount > 0 else {
      self.init()
      return
    }
    self.init(computed: MemoryBytes(start, byteCount, rowBytes: rowBytes, keeper: keeper))
  }

  /// The bytes where they lie in a mapped file, and the file, which keeps them there; `nil` where they
  /// are not one stretch of a file that is there, or do not begin at a multiple of an element's size.
  ///
  /// - Throws: `FileError` if the file has become shorter.
  public func mapped(
    elementSize: Int
  ) throws(FileError) -> (bytes: UnsafeRawBufferPointer, file: InputFile)? {
    guard runs.count == 1, runs[0].count == 1, case .file(let file) = runs[0].origin,
      file.arrival == nil, runs[0].offset % elementSize == 0
    else { return nil }
    try file.requireWhole()
    return (try file.mapped(runs[0].offset..<runs[0].offset + runs[0].length), file)
  }

  /// Reads all numbers into memory, a small piece at a time, converted where the types differ.
  ///
  /// - Parameters:
  ///   - start: has room for all of them.
  ///   - source: their type; where it is not `target`, both are `isFloat`.
  /// - Throws: `FileError` if they cannot be read.
  public func read(
    _ source: DType, into start: UnsafeMutableRawPointer, as target: DType
  ) throws(FileError) {
    guard byteCount > 0 else { return }
    let limit = prefersStrips ? 16 << 20 : 256 << 10
    let buffer = ByteBuffer(capacity: min(limit, byteCount))
    var done = 0
    while done < byteCount {
      let bytes = strip(from: done, limit: buffer.capacity)
      try buffer.fill(slice(done..<done + bytes))
      let count = bytes / source.byteWidth
      let place = UnsafeMutableRawBufferPointer(
        start: start + done / source.byteWidth * target.byteWidth,
        count: count * target.byteWidth)
      if source == target {
        place.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.memory[..<bytes]))
      } else {
        buffer.convert(0..<count, from: source, to: target, into: place)
      }
      done += bytes
    }
  }
}
