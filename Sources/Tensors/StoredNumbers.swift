// Numbers of one type that lie one after the other in a file, in the machine's order of bytes (little-endian).

/// Whole numbers in a mapped file: read where they lie, without a copy of their own.
///
/// Every index is checked. As with `InputFile`, only a file that is cut short while it is read can end
/// the process.
public struct MappedNumbers<Element: FixedWidthInteger & BitwiseCopyable & Sendable>: Sendable {
  public let file: InputFile
  /// Where in the file the first number lies, in bytes.
  public let offset: Int
  public let count: Int
  private nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// - Throws: `FileError.endOfFile` if the file does not hold so many.
  public init(_ file: InputFile, at offset: Int, count: Int) throws(FileError) {
    let (size, isTooLarge) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.size)
    let (end, isTooFar) = offset.addingReportingOverflow(size)
    guard !isTooLarge, !isTooFar, offset >= 0, count >= 0 else {
      throw .endOfFile(path: file.path, wanted: max(0, offset)..<Int.max, size: file.size)
    }
    try file.requireWhole()
    self.file = file
    self.offset = offset
    self.count = count
    bytes = try file.mapped(offset..<end)
  }

  public subscript(index: Int) -> Element {
    @inline(__always) get {
      precondition(index >= 0 && index < count, "the index lies among the numbers")
      return bytes.loadUnaligned(
        fromByteOffset: index * MemoryLayout<Element>.size, as: Element.self)
    }
  }

  /// A copy of some of the numbers.
  public func array(_ range: Range<Int>) -> [Element] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return [Element](unsafeUninitializedCapacity: range.count) { buffer, filled in
      let width = MemoryLayout<Element>.size
      UnsafeMutableRawBufferPointer(buffer).copyMemory(
        from: UnsafeRawBufferPointer(
          rebasing: bytes[range.lowerBound * width..<range.upperBound * width]))
      filled = range.count
    }
  }
}

extension InputFile {
  /// Copies numbers out of the file, past the map: a file that is cut short is an error, not the end.
  ///
  /// - Throws: `FileError.endOfFile` if they lie outside the file, `.cannotRead` otherwise.
  public func numbers<Element: BitwiseCopyable>(
    _: Element.Type = Element.self, at offset: Int, count: Int
  ) throws(FileError) -> [Element] {
    let (size, isTooLarge) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    let (end, isTooFar) = offset.addingReportingOverflow(size)
    guard !isTooLarge, !isTooFar, offset >= 0, count >= 0, end <= self.size else {
      throw .endOfFile(
        path: path,
        wanted: max(0, offset)..<(isTooLarge || isTooFar ? Int.max : max(end, 0, offset)),
        size: self.size)
    }
    var failure: FileError?
    let result = [Element](unsafeUninitializedCapacity: count) { buffer, filled in
      let bytes = UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<size])
      do throws(FileError) {
        try read(offset..<end, into: bytes)
        filled = count
      } catch { failure = error }
    }
    if let failure { throw failure }
    return result
  }
}

extension OutputFile {
  /// Writes numbers at `offset`, as they lie in memory.
  ///
  /// - Throws: `FileError.cannotWrite`; its `errno` is `ENOSPC` when the disk is full.
  public func write<Element: BitwiseCopyable>(
    numbers: [Element], at offset: Int
  ) throws(FileError) {
    var failure: FileError?
    numbers.withUnsafeBytes { buffer in
      do throws(FileError) { try write(buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
