import CLinux
import Glibc
import Tensors

/// A folder written beside its destination and put in its place by one rename.
///
/// A kill at any moment leaves the old destination or the new one. What a killed run left beside the
/// destination is removed by the next one.
public struct StagedFolder {
  public let destination: String
  /// Where to write until `publish`.
  public let path: String

  private static let marker = ".isthmus-"

  /// Makes the staging folder.
  ///
  /// - Throws: `ConversionError.destinationNotEmpty` without `overwrite`, `.diskFull` if `needed` bytes
  ///   are not free, `FileError` if the place cannot be written.
  public init(destination: String, overwrite: Bool, needed: Int) throws {
    let destination = Paths.absolute(destination)
    if let entries = Paths.entries(destination), !entries.isEmpty, !overwrite {
      throw ConversionError.destinationNotEmpty(path: destination, entries: entries.count)
    }
    if Paths.isFile(destination), !overwrite {
      throw ConversionError.destinationNotEmpty(path: destination, entries: 1)
    }
    let parent = Paths.parent(destination)
    try Paths.makeFolder(parent)
    Self.removeStale(in: parent, of: Paths.name(destination))
    let available = Paths.freeBytes(parent)
    if let available, available < needed {
      throw FileError.diskFull(path: parent, needed: needed, available: available)
    }
    self.destination = destination
    path = "\(parent)/.\(Paths.name(destination))\(Self.marker)\(getpid())"
    guard mkdir(path, 0o777) == 0 else {
      throw FileError.cannotChange(path: parent, action: "create a folder in it", errno: errno)
    }
  }

  /// Flushes the folder and puts it in the destination's place, atomically.
  public func publish() throws {
    try Paths.flushFolder(path)
    if !Paths.exists(destination) || rmdir(destination) == 0 {
      guard rename(path, destination) == 0 else {
        throw FileError.cannotChange(path: destination, action: "put the result there", errno: errno)
      }
    } else {
      guard clinux_exchange(path, destination) == 0 else {
        throw FileError.cannotChange(path: destination, action: "exchange it with the new one", errno: errno)
      }
      Paths.removeTree(path)
    }
    try Paths.flushFolder(Paths.parent(destination))
  }

  /// Removes everything written so far.
  public func discard() { Paths.removeTree(path) }

  /// Removes what runs that no longer live left for this destination.
  private static func removeStale(in parent: String, of name: String) {
    let prefix = ".\(name)\(marker)"
    for entry in Paths.entries(parent) ?? [] where entry.hasPrefix(prefix) {
      guard let process = pid_t(entry.dropFirst(prefix.count)) else { continue }
      if process != getpid(), kill(process, 0) != 0, errno == ESRCH {
        Paths.removeTree("\(parent)/\(entry)")
      }
    }
  }
}
