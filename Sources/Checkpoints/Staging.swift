import CLinux
import Glibc
import Tensors

/// A folder written beside its destination and put in its place by one rename.
///
/// A kill at any moment leaves the old destination or the new one. What a killed run left beside the
/// destination is removed by the next one.
public struct StagedFolder: Sendable {
  public let destination: String
  /// Where to write until `publish`.
  public let path: String

  private static let marker = ".isthmus-"

  /// Makes the staging folder.
  ///
  /// - Throws: `ConversionError.destinationNotEmpty` without `overwrite`, `.diskFull` if `needed` bytes
  ///   are not free, `FileError` if the place cannot be written.
  public init(destination: String, overwrite: Bool, needed: Int) throws {
    let destination = Folder.absolute(destination)
    if let entries = Folder.entries(destination), !entries.isEmpty, !overwrite {
      throw ConversionError.destinationNotEmpty(path: destination, entries: entries.count)
    }
    if Folder.isFile(destination), !overwrite {
      throw ConversionError.destinationNotEmpty(path: destination, entries: 1)
    }
    let parent = Folder.parent(destination)
    try Folder.create(parent)
    Self.removeStale(in: parent, of: Folder.name(destination))
    let available = Folder.freeBytes(parent)
    if let available, available < needed {
      throw FileError.diskFull(path: parent, needed: needed, available: available)
    }
    self.destination = destination
    path = "\(parent)/.\(Folder.name(destination))\(Self.marker)\(getpid())"
    guard mkdir(path, 0o777) == 0 else {
      throw FileError.cannotChange(path: parent, action: "create a folder in it", errno: errno)
    }
  }

  /// Flushes the folder and puts it in the destination's place, atomically.
  public func publish() throws {
    try Folder.flush(tree: path)
    if !Folder.exists(destination) || rmdir(destination) == 0 {
      guard rename(path, destination) == 0 else {
        throw FileError.cannotChange(
          path: destination, action: "put the result there", errno: errno)
      }
    } else {
      guard clinux_exchange(path, destination) == 0 else {
        throw FileError.cannotChange(
          path: destination, action: "exchange it with the new one", errno: errno)
      }
      Folder.removeTree(path)
    }
    try Folder.flush(Folder.parent(destination))
  }

  /// Removes everything written so far.
  public func discard() { Folder.removeTree(path) }

  /// Removes what runs that no longer live left for this destination.
  private static func removeStale(in parent: String, of name: String) {
    let prefix = ".\(name)\(marker)"
    for entry in Folder.entries(parent) ?? [] where entry.hasPrefix(prefix) {
      guard let process = pid_t(entry.dropFirst(prefix.count)) else { continue }
      if process != getpid(), kill(process, 0) != 0, errno == ESRCH {
        Folder.removeTree("\(parent)/\(entry)")
      }
    }
  }
}
