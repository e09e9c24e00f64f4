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
  private let overwrite: Bool
  /// Tells other runs that this one lives.
  private let lock: FolderLock?
  /// Folders above the destination that were made for it, innermost first.
  private let made: [String]

  private static let marker = ".isthmus-"

  /// Makes the staging folder; a destination that is a link to a folder means that folder.
  ///
  /// - Throws: `ConversionError.destinationNotEmpty` without `overwrite`, `.diskFull` if `needed` bytes
  ///   are not free, `FileError` if the place cannot be written.
  public init(destination: String, overwrite: Bool, needed: Int) throws {
    var destination = Folder.absolute(destination)
    if Folder.isFolder(destination) { destination = Folder.real(destination) ?? destination }
    if !overwrite { try Self.requireEmpty(destination) }
    let parent = Folder.parent(destination)
    let available = Folder.freeBytes(parent)
    if let available, available < needed {
      throw FileError.diskFull(path: parent, needed: needed, available: available)
    }
    made = Self.missing(parent)
    try Folder.create(parent)
    Self.removeStale(in: parent, of: Folder.name(destination))
    let base = "\(parent)/.\(Folder.name(destination))\(Self.marker)\(getpid())"
    do throws(FileError) {
      (path, lock) = try Self.make(base, in: parent)
    } catch {
      for folder in made { rmdir(folder) }
      throw error
    }
    self.destination = destination
    self.overwrite = overwrite
  }

  /// Flushes the folder and puts it in the destination's place, atomically.
  ///
  /// - Throws: `ConversionError.destinationNotEmpty` if something has come to lie there meanwhile and
  ///   `overwrite` was not given; `FileError`.
  public func publish() throws {
    try Folder.flush(tree: path)
    // This takes the place of nothing or of an empty folder only.
    if rename(path, destination) != 0 {
      let code = errno
      guard [ENOTEMPTY, EEXIST, ENOTDIR].contains(code) else {
        throw FileError.cannotChange(
          path: destination, action: "put the result there", errno: code)
      }
      if !overwrite {
        try Self.requireEmpty(destination)
        throw ConversionError.destinationNotEmpty(path: destination, entries: 1)
      }
      guard clinux_exchange(path, destination) == 0 else {
        throw FileError.cannotChange(
          path: destination, action: "exchange it with the new one", errno: errno)
      }
      Folder.removeTree(path)
    }
    try Folder.flush(Folder.parent(destination))
  }

  /// Removes everything written so far, and the folders above that were made for it.
  public func discard() {
    Folder.removeTree(path)
    // One that holds something else by now stays.
    for folder in made where rmdir(folder) != 0 { return }
  }

  private static func requireEmpty(_ destination: String) throws(ConversionError) {
    let entries = Folder.entries(destination)?.count
    guard entries ?? (Folder.exists(destination) ? 1 : 0) == 0 else {
      throw .destinationNotEmpty(path: destination, entries: entries ?? 1)
    }
  }

  /// The folders that creating this one would make, innermost first.
  private static func missing(_ folder: String) -> [String] {
    var missing: [String] = []
    var place = folder
    while !Folder.exists(place), place != "/" {
      missing.append(place)
      place = Folder.parent(place)
    }
    return missing
  }

  /// Makes a folder of this name, or with a number behind it, that no other run works on.
  private static func make(
    _ base: String, in parent: String
  ) throws(FileError) -> (path: String, lock: FolderLock?) {
    for attempt in 0..<100 {
      let path = attempt == 0 ? base : "\(base)-\(attempt)"
      if mkdir(path, 0o777) == 0 {
        switch FolderLock.take(path) {
        case .taken(let lock): return (path, lock)
        case .unsupported: return (path, nil)
        // Another run took it for something left behind and removes it.
        case .busy, .gone: continue
        }
      }
      guard errno == EEXIST else { break }
    }
    throw .cannotChange(path: parent, action: "create a folder in it", errno: errno)
  }

  /// Removes what runs that no longer live left for this destination.
  private static func removeStale(in parent: String, of name: String) {
    removeStale(in: parent) { $0 == name }
  }

  /// Removes what runs that no longer live left in a folder, for destinations of certain names.
  package static func removeStale(in parent: String, where isMeant: (String) -> Bool) {
    for entry in Folder.entries(parent) ?? [] where entry.hasPrefix(".") {
      guard let (name, tail) = parted(entry), isMeant(name) else { continue }
      let numbers = tail.split(separator: "-", maxSplits: 1)
      guard let process = numbers.first.flatMap({ pid_t($0) }) else { continue }
      let path = "\(parent)/\(entry)"
      switch FolderLock.take(path) {
      // Not the number but the lock decides: in a container every run may have the same number.
      case .taken(let lock):
        Folder.removeTree(path)
        lock.release()
      case .unsupported:
        if process != getpid(), kill(process, 0) != 0, errno == ESRCH { Folder.removeTree(path) }
      case .busy, .gone: continue
      }
    }
  }

  /// The destination's name and the number behind the marker, of a staging folder's name.
  private static func parted(_ entry: String) -> (name: String, tail: Substring)? {
    let (bytes, mark) = (Array(entry.utf8), Array(marker.utf8))
    guard bytes.count > mark.count else { return nil }
    for start in stride(from: bytes.count - mark.count, to: 1, by: -1)
    where bytes[start..<start + mark.count].elementsEqual(mark) {
      return (
        String(decoding: bytes[1..<start], as: UTF8.self),
        Substring(decoding: bytes[(start + mark.count)...], as: UTF8.self)
      )
    }
    return nil
  }

  /// Removes a folder so that no kill leaves half of it under its name.
  ///
  /// - Throws: `FileError` if it cannot be renamed; it is as it was then.
  package static func remove(_ folder: String) throws(FileError) {
    let parent = Folder.parent(folder)
    let doomed = "\(parent)/.\(Folder.name(folder))\(marker)\(getpid())"
    Folder.removeTree(doomed)
    try Folder.publish(folder, as: doomed)
    Folder.removeTree(doomed)
  }
}

/// A lock on a folder that ends with the process that holds it, however that ends.
package final class FolderLock: Sendable {
  package enum Outcome {
    case taken(FolderLock)
    /// Another run holds it.
    case busy
    case gone
    /// The file system knows no locks.
    case unsupported
  }

  private let descriptor: Int32

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// The lock itself ends when the last reference does.
  func release() { _ = clinux_unlock(descriptor) }

  package static func take(_ path: String) -> Outcome {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return .gone }
    let lock = FolderLock(descriptor)
    if clinux_try_lock(descriptor) == 0 { return .taken(lock) }
    return errno == EWOULDBLOCK ? .busy : .unsupported
  }
}
