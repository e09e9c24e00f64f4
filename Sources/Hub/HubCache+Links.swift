import CLinux
import Glibc
import Tensors

/// How a snapshot's names lead to blobs.
extension HubCache.Repository {
  /// Gives a blob its name in a snapshot: a relative link, or where links are off or impossible the file itself.
  ///
  /// - Parameter isNew: whether nothing else can lead to the blob yet, so that a file may be moved and not copied.
  /// - Throws: `HubError.file`, `.unsafePath`.
  public func link(
    _ path: String, _ commit: String, to etag: String, isNew: Bool
  ) throws(HubError) {
    let place = try place(path, commit)
    let blob = try blob(etag)
    try HubError.files { () throws(FileError) in try Folder.create(Folder.parent(place)) }
    // From the file's folder up to the repository's, two for `snapshots/<commit>` and one for each folder in it.
    let depth = 2 + path.utf8.filter { $0 == UInt8(ascii: "/") }.count
    let target = String(repeating: "../", count: depth) + "blobs/" + etag
    if !cache.disablesLinks {
      if symlink(target, place) == 0 { return }
      switch errno {
      case EEXIST:
        if Folder.target(of: place) == target { return }
        if try replace(place, by: target) { return }
      case EPERM, ENOTSUP, EOPNOTSUPP, ENOSYS, EACCES: break
      case let code:
        throw .file(.cannotChange(path: place, action: "make a link to \(target)", errno: code))
      }
    }
    try HubError.files { () throws(FileError) in
      if isNew, !Folder.isLink(blob) {
        try Folder.publish(blob, as: place)
      } else {
        try copy(blob, to: place)
      }
    }
  }

  /// Puts a link in the place of what is there; `false` where the file system has no links.
  private func replace(_ place: String, by target: String) throws(HubError) -> Bool {
    let draft = cache.draft()
    guard symlink(target, draft) == 0 else { return false }
    try HubError.files { () throws(FileError) in
      do throws(FileError) { try Folder.publish(draft, as: place) } catch {
        try? Folder.removeFile(draft)
        throw error
      }
    }
    return true
  }

  func copy(_ blob: String, to place: String) throws(FileError) {
    let draft = cache.draft()
    let from = open(blob, O_RDONLY | O_CLOEXEC)
    guard from >= 0 else { throw .cannotOpen(path: blob, errno: errno) }
    defer { close(from) }
    let to = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard to >= 0 else { throw .cannotOpen(path: draft, errno: errno) }
    defer { close(to) }
    do throws(FileError) {
      guard clinux_copy(from, to) == 0, fsync(to) == 0 else {
        throw .cannotWrite(path: place, offset: 0, errno: errno)
      }
      try Folder.publish(draft, as: place)
    } catch {
      try? Folder.removeFile(draft)
      throw error
    }
  }

  // MARK: The shared store

  /// Makes a blob out of the cache's shared store, where that has a file of this name and size.
  ///
  /// Python puts files there that came through its own protocol; here nothing is added to the store. The
  /// reference is noted before the link can be seen, so that whoever clears the store knows of it.
  ///
  /// - Returns: whether the blob is there now.
  public func linkShared(_ file: HubFile) -> Bool {
    guard cache.sharesBlobs, !cache.disablesLinks, let hash = file.xetHash,
      let blob = try? blob(file.etag),
      let stored = sharedBlob(hash), Folder.size(stored) == file.size, !Folder.isLink(stored)
    else { return false }
    guard let lock = try? HubLock(stored + ".lock"),
      // Whoever clears the store may have been quicker.
      Folder.size(stored) == file.size
    else { return false }
    defer { withExtendedLifetime(lock) {} }
    let line = "\(id.folderName)/blobs/\(file.etag)\n"
    guard append(line, to: stored + ".refs") else { return false }
    let target = "../../blobs/\(hash.prefix(2))/\(hash)"
    let draft = cache.draft()
    guard symlink(target, draft) == 0 else { return false }
    guard rename(draft, blob) == 0 else {
      unlink(draft)
      return false
    }
    return true
  }

  /// A file's place in the shared store; `nil` where there is no such store.
  private func sharedBlob(_ hash: String) -> String? {
    let store = cache.root + "/blobs"
    guard HubPath.isHexadecimal(hash, 64), !Folder.isLink(store),
      !Folder.isLink(store + "/.huggingface-shared-blobs"),
      let mark = try? InputFile(store + "/.huggingface-shared-blobs"), mark.size == 2,
      (try? mark.readAll()) == Array("1\n".utf8)
    else { return nil }
    return "\(store)/\(hash.prefix(2))/\(hash)"
  }

  private func append(_ line: String, to path: String) -> Bool {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    fchmod(descriptor, 0o666)
    let bytes = Array(line.utf8)
    return write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
  }
}

extension Folder {
  /// Whether a path is itself a symbolic link.
  package static func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  /// What a symbolic link says; `nil` if it is none.
  package static func target(of path: String) -> String? {
    var text = [CChar](repeating: 0, count: 4097)
    let count = readlink(path, &text, 4096)
    guard count >= 0 else { return nil }
    return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
