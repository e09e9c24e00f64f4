import Glibc

/// Knows how much of a file is there that is still arriving, from its beginning on.
///
/// Files arrive in the order of their bytes. What has arrived stays as it is; who makes the file checks that, and
/// says in the end whether what was read of it was sound.
public protocol Arrival: AnyObject, Sendable {
  /// The number of bytes that are there.
  ///
  /// - Throws: `FileError` if no more will come.
  func available() throws(FileError) -> Int

  /// Returns once the first `count` bytes are there.
  ///
  /// - Throws: `FileError` if they will not come.
  func wait(until count: Int) throws(FileError)
}

extension Arrival {
  public func wait(until count: Int) throws(FileError) {
    while try available() < count { usleep(arrivalInterval) }
  }
}

/// How often one looks whether more has arrived, in microseconds: a network brings a megabyte in that time at best.
public let arrivalInterval: UInt32 = 2_000
