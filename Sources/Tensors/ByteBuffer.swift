import CDeflate
import Glibc

/// One worker's block of reusable memory: filled from runs, checksummed, converted, written.
///
/// Not `Sendable`: each worker owns its own. Memory is page-aligned and stays uninitialised until used.
public final class ByteBuffer {
  public let capacity: Int
  package let memory: UnsafeMutableRawBufferPointer
  /// Where computed values are made from others; computed ones among those have its own scratch.
  package private(set) lazy var scratch = ByteBuffer(capacity: Self.scratchSize)

  /// Small enough to stay in the second cache.
  public static let scratchSize = 256 << 10

  public init(capacity: Int) {
    self.capacity = capacity
    memory = .allocate(byteCount: capacity, alignment: 4096)
  }

  deinit { memory.deallocate() }

  /// Runs at least this long are read by position; shorter ones are gathered from the map.
  ///
  /// A system call costs as much as copying about 2 KB; a fault of the map as much as copying 4 KB
  /// and it is paid once for 16 pages.
  private static let longRun = 16 * 1024

  /// Of evenly spaced pieces those at least this long are read by position, so that the memory the
  /// system counts for the process does not grow with the file.
  private static let longPiece = 256

  /// Fills the buffer from `position` on with the whole list.
  ///
  /// - Throws: `FileError` if a run lies outside its file or cannot be read.
  public func fill(_ runs: ByteRuns, at position: Int = 0) throws(FileError) {
    precondition(position + runs.byteCount <= capacity)
    try requireWhole(runs)
    var filled = position
    for run in runs.runs {
      let target = UnsafeMutableRawBufferPointer(rebasing: memory[filled..<filled + run.byteCount])
      try fill(target, from: run)
      filled += run.byteCount
    }
  }

  /// Looks once at each file whether it has been cut short since it was opened.
  private func requireWhole(_ runs: ByteRuns) throws(FileError) {
    var last: InputFile?
    var seen: Set<ObjectIdentifier> = []
    for run in runs.runs {
      guard case .file(let file) = run.origin, file !== last else { continue }
      last = file
      if seen.insert(ObjectIdentifier(file)).inserted { try file.requireWhole() }
    }
  }

  private func fill(_ target: UnsafeMutableRawBufferPointer, from run: ByteRun) throws(FileError) {
    let file: InputFile
    switch run.origin {
    case .zeros:
      target.initializeMemory(as: UInt8.self, repeating: 0)
      return
    case .computed(let values):
      try values.fill(target, run, scratch: scratch)
      return
    case .file(let found):
      file = found
    }
    if run.count == 1, run.length >= Self.longRun {
      try file.read(run.offset..<run.offset + run.length, into: target)
      return
    }
    if run.count > 1, run.length >= Self.longPiece, run.stride >= run.length {
      for piece in 0..<run.count {
        let start = run.offset + piece * run.stride
        try file.read(
          start..<start + run.length,
          into: UnsafeMutableRawBufferPointer(
            rebasing: target[piece * run.length..<(piece + 1) * run.length]))
      }
      return
    }
    if file.arrival != nil {
      try read(target, from: file, run)
      return
    }
    let span = (run.count - 1) * run.stride + run.length
    gather(target, from: try file.mapped(run.offset..<run.offset + span), run.count, of: run)
  }

  /// Reads short pieces by position, those near each other together with what lies between them.
  ///
  /// As above, a system call costs as much as copying about 2 KB.
  private func read(
    _ target: UnsafeMutableRawBufferPointer, from file: InputFile, _ run: ByteRun
  ) throws(FileError) {
    let isNear = run.length < Self.longPiece && (1...2048).contains(run.stride)
    let together = isNear ? (Self.scratchSize - run.length) / run.stride + 1 : 1
    for first in stride(from: 0, to: run.count, by: together) {
      let count = min(together, run.count - first)
      let start = run.offset + first * run.stride
      let part = UnsafeMutableRawBufferPointer(
        rebasing: target[first * run.length..<(first + count) * run.length])
      if count == 1 {
        try file.read(start..<start + run.length, into: part)
        continue
      }
      let span = (count - 1) * run.stride + run.length
      let near = UnsafeMutableRawBufferPointer(rebasing: scratch.memory[..<span])
      try file.read(start..<start + span, into: near)
      gather(part, from: UnsafeRawBufferPointer(near), count, of: run)
    }
  }

  /// Copies evenly spaced pieces to where they touch.
  private func gather(
    _ target: UnsafeMutableRawBufferPointer, from source: UnsafeRawBufferPointer, _ count: Int,
    of run: ByteRun
  ) {
    guard var into = target.baseAddress, var from = source.baseAddress else { return }
    if count == 1 {
      memcpy(into, from, run.length)
      return
    }
    switch run.length {
    case 1: gather(UInt8.self, into, from, count, run.stride)
    case 2: gather(UInt16.self, into, from, count, run.stride)
    case 4: gather(UInt32.self, into, from, count, run.stride)
    case 8: gather(UInt64.self, into, from, count, run.stride)
    default:
      for _ in 0..<count {
        memcpy(into, from, run.length)
        into += run.length
        from += run.stride
      }
    }
  }

  private func gather<Element: BitwiseCopyable>(
    _: Element.Type, _ into: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: Int,
    _ stride: Int
  ) {
    let width = MemoryLayout<Element>.size
    for index in 0..<count {
      let element = from.loadUnaligned(fromByteOffset: index * stride, as: Element.self)
      into.storeBytes(of: element, toByteOffset: index * width, as: Element.self)
    }
  }

  /// Copies a range of another buffer to the start of this one.
  public func copy(_ range: Range<Int>, of other: ByteBuffer) {
    memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: other.memory[range]))
  }

  /// Writes the range `range` of the buffer at `offset` of a file.
  public func write(
    _ range: Range<Int>, to file: OutputFile, at offset: Int
  ) throws(FileError) {
    try file.write(UnsafeRawBufferPointer(rebasing: memory[range]), at: offset)
  }

  /// Continues a CRC-32 (zip's polynomial) over a range; start with 0.
  public func crc32(_ range: Range<Int>, continuing crc: UInt32 = 0) -> UInt32 {
    libdeflate_crc32(crc, UnsafeRawBufferPointer(rebasing: memory[range]).baseAddress, range.count)
  }

  /// A copy of a range, for small tensors and tests.
  public func bytes(_ range: Range<Int>) -> [UInt8] { Array(memory[range]) }

  /// Whether a range of this buffer equals the same range of another.
  public func equals(_ other: ByteBuffer, _ range: Range<Int>) -> Bool {
    guard let left = memory.baseAddress, let right = other.memory.baseAddress else { return true }
    return memcmp(left + range.lowerBound, right + range.lowerBound, range.count) == 0
  }
}

/// CRC-32 with zip's polynomial.
public func crc32(_ bytes: [UInt8], continuing crc: UInt32 = 0) -> UInt32 {
  bytes.withUnsafeBytes { libdeflate_crc32(crc, $0.baseAddress, $0.count) }
}

/// CRC-32 of numbers as they lie in memory.
public func crc32(_ numbers: [Float], continuing crc: UInt32 = 0) -> UInt32 {
  numbers.withUnsafeBytes { libdeflate_crc32(crc, $0.baseAddress, $0.count) }
}
