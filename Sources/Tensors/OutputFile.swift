import CLinux
import Glibc

/// A file open for writing at any position, by several workers at once.
public final class OutputFile: Sendable {
  public let path: String
  let descriptor: Int32

  /// Creates the file, which must not exist yet.
  ///
  /// - Throws: `FileError.cannotOpen`.
  public init(creating path: String) throws(FileError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Writes all bytes at `offset`.
  ///
  /// - Throws: `FileError.cannotWrite`; its `errno` is `ENOSPC` when the disk is full.
  public func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
    var failure: FileError?
    bytes.withUnsafeBytes { buffer in
      do throws(FileError) { try write(buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < bytes.count {
      guard let start = bytes.baseAddress else { return }
      let count = pwrite(descriptor, start + done, bytes.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .cannotWrite(path: path, offset: offset + done, errno: errno)
      }
      done += count
    }
  }

  /// Starts writing a range back to the disk without waiting, so that the final flush is short.
  public func startFlushing(_ range: Range<Int>) {
    // An error here only means that the final flush has more to do.
    _ = clinux_start_flushing(descriptor, off_t(range.lowerBound), off_t(range.count))
  }

  /// Waits until everything written is on the disk.
  public func flush() throws(FileError) {
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw .cannotWrite(path: path, offset: 0, errno: errno)
    }
  }
}

extension OutputFile {
  /// Writes a file beside its destination and gives it its name: whoever looks sees the old or the new.
  public static func replace(
    _ path: String, _ write: (OutputFile) throws(FileError) -> Void
  ) throws(FileError) {
    // The process number keeps two writers of one file out of each other's way.
    let draft = "\(path).partial-\(getpid())"
    try Folder.removeFile(draft)
    let file = try OutputFile(creating: draft)
    do throws(FileError) {
      try write(file)
      try file.flush()
      try Folder.publish(draft, as: path)
    } catch {
      // The first failure is the one to report.
      try? Folder.removeFile(draft)
      throw error
    }
  }
}
