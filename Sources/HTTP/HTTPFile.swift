import CHTTP
import Glibc
import Tensors

/// A file that bytes arrive in, hashed on the way.
///
/// Its length says how far it is, so that a later run can go on where an earlier one ended, whatever ended it.
/// One request at a time brings bytes; any thread may look how many there are.
public final class HTTPFile: Sendable {
  public let path: String
  /// The bytes it will have, if that is known; more are never written.
  public let size: Int?
  let handle: chttp_file

  /// Opens the file, or makes it.
  ///
  /// - Parameters:
  ///   - size: What it is to hold in the end. What is there and longer is cut off.
  ///   - keeping: Whether to go on behind what is there, which is hashed while new bytes arrive.
  /// - Throws: `FileError.cannotOpen` or `.notARegularFile`.
  public init(_ path: String, size: Int?, digest: Digest.Kind?, keeping: Bool) throws(FileError) {
    var failure: Int32 = 0
    handle = chttp_file_open(
      path, size ?? -1, digest?.number ?? Int32(CHTTP_NO_DIGEST), digest?.blob ?? -1, keeping,
      &failure)
    self.path = path
    self.size = size
    guard handle.value == 0 else { return }
    switch failure {
    case -1: throw Digest.isMissing
    case -2: throw .notARegularFile(path: path)
    default: throw .cannotOpen(path: path, errno: failure)
    }
  }

  deinit { chttp_file_free(handle) }

  /// The bytes in the file, those of earlier runs too; it may be asked while it grows.
  public var received: Int { chttp_file_received(handle) }

  /// How often bytes that were there have been thrown away, since a server sent the file from its beginning again.
  public var restarts: Int { chttp_file_restarts(handle) }

  /// Whether all its bytes are there; never known without a size.
  public var isWhole: Bool { received == size }

  /// Forgets every byte.
  public func startOver() throws(FileError) {
    let failure = chttp_file_start_over(handle)
    guard failure == 0 else { throw .cannotWrite(path: path, offset: 0, errno: failure) }
  }

  /// Waits until what was there before is hashed, which `finish` needs; nothing to wait for else.
  ///
  /// - Throws: `HTTPError.file`, or `.interrupted` if `stop` was.
  public func catchUp(stop: HTTPStop? = nil) throws(HTTPError) {
    let failure = chttp_file_catch_up(handle, stop.handle)
    guard failure == 0 else {
      throw .file(.cannotRead(path: path, offset: 0, errno: failure))
    }
    if let stop, stop.isStopped { throw .interrupted }
  }

  /// Waits until everything is on the disk; call it once, at the end.
  ///
  /// - Returns: the digest in hexadecimal, if one was asked for.
  public func finish() throws(FileError) -> String? {
    let reading = chttp_file_catch_up(handle, chttp_stop(value: 0))
    guard reading == 0 else { throw .cannotRead(path: path, offset: 0, errno: reading) }
    let writing = chttp_file_flush(handle)
    guard writing == 0 else { throw failure(writing) }
    var result = [UInt8](repeating: 0, count: 32)
    let count = Int(chttp_file_digest(handle, &result))
    return count == 0 ? nil : Digest.hexadecimal(result[..<count])
  }

  /// What could not be written.
  func failure(_ code: Int32) -> FileError {
    guard code == ENOSPC || code == EDQUOT, let size, let free = Folder.freeBytes(path) else {
      return .cannotWrite(path: path, offset: received, errno: code)
    }
    return .diskFull(path: path, needed: size - received, available: free)
  }
}
