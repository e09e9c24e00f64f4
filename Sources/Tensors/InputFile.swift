import Glibc

/// A file open for reading: mapped for scattered access, and readable by position for long runs.
///
/// Its size is taken once, when it is opened; every access is checked against it, and `ByteBuffer`
/// looks whether the file still has it before it touches the map. Only a file that somebody cuts
/// short in the very moment of copying can still end the process.
public final class InputFile: Sendable {
  public let path: String
  public let size: Int
  let descriptor: Int32
  /// Says what is there of a file that is still arriving; such a file is not mapped.
  package let arrival: (any Arrival)?
  /// The first mapped byte; `nil` for a file that is empty or still arriving.
  private nonisolated(unsafe) let base: UnsafeRawPointer?

  /// Opens and maps a regular file.
  ///
  /// - Throws: `FileError.cannotOpen`, or `.notARegularFile` for a folder, pipe or device.
  public init(_ path: String) throws(FileError) {
    let (descriptor, size) = try Self.open(path)
    var base: UnsafeRawPointer?
    if size > 0 {
      let mapped = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0)
      guard let mapped, mapped != MAP_FAILED else {
        let code = errno
        close(descriptor)
        throw .cannotOpen(path: path, errno: code)
      }
      base = UnsafeRawPointer(mapped)
    }
    self.path = path
    self.size = size
    self.descriptor = descriptor
    self.base = base
    arrival = nil
  }

  /// Opens a file that is still arriving: every read waits until its bytes are there.
  ///
  /// It is read by position only, for the map of a file that somebody begins anew ends the process.
  ///
  /// - Parameters:
  ///   - path: what the file will be called, and is called in messages.
  ///   - place: where its bytes lie now.
  ///   - size: what it will have.
  /// - Throws: as for any file.
  package init(
    _ path: String, at place: String, size: Int, arriving arrival: any Arrival
  ) throws(FileError) {
    self.path = path
    self.size = size
    self.arrival = arrival
    descriptor = try Self.open(place).descriptor
    base = nil
  }

  private static func open(_ path: String) throws(FileError) -> (descriptor: Int32, size: Int) {
    // Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .notARegularFile(path: path)
    }
    return (descriptor, Int(status.st_size))
  }

  deinit {
    if let base { munmap(UnsafeMutableRawPointer(mutating: base), size) }
    close(descriptor)
  }

  /// Copies a range of bytes out of the file.
  ///
  /// - Throws: `FileError.endOfFile` if the range lies outside the file, `.cannotRead` otherwise.
  public func read(_ range: Range<Int>) throws(FileError) -> [UInt8] {
    try check(range)
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      do throws(FileError) {
        try read(
          range,
          into: UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[..<range.count]))
        count = range.count
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// The whole file.
  public func readAll() throws(FileError) -> [UInt8] { try read(0..<size) }

  /// Fills the start of `buffer` by position, past the map: the cheapest way for long runs.
  func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try check(range)
    try arrival?.wait(until: range.upperBound)
    var done = 0
    while done < range.count {
      guard let start = buffer.baseAddress else { return }
      let count = pread(
        descriptor, start + done, range.count - done, off_t(range.lowerBound + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .cannotRead(path: path, offset: range.lowerBound + done, errno: errno)
      }
      if count == 0 { throw .endOfFile(path: path, wanted: range, size: range.lowerBound + done) }
      done += count
    }
  }

  /// Throws if the file has become shorter: touching what is no longer there would end the process.
  func requireWhole() throws(FileError) {
    // Nothing of an arriving file is touched but by reading.
    if arrival != nil { return }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw .cannotRead(path: path, offset: 0, errno: errno)
    }
    guard status.st_size >= size else {
      throw .endOfFile(path: path, wanted: 0..<size, size: Int(status.st_size))
    }
  }

  /// Whether the file on the disk is still the one that was opened.
  package func isSame(asFileAt place: String) -> Bool {
    var (opened, there) = (stat(), stat())
    return fstat(descriptor, &opened) == 0 && stat(place, &there) == 0
      && opened.st_dev == there.st_dev && opened.st_ino == there.st_ino
  }

  /// The mapped bytes of a checked range.
  func mapped(_ range: Range<Int>) throws(FileError) -> UnsafeRawBufferPointer {
    try check(range)
    precondition(arrival == nil, "a file that is still arriving is not mapped")
    return UnsafeRawBufferPointer(start: base.map { $0 + range.lowerBound }, count: range.count)
  }

  private func check(_ range: Range<Int>) throws(FileError) {
    guard range.lowerBound >= 0, range.upperBound <= size else {
      throw .endOfFile(path: path, wanted: range, size: size)
    }
  }
}
