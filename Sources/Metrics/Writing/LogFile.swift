import Glibc
import Tensors

/// A file that grows by whole entries.
///
/// When `append` returns the entry is in the file, so that a kill of the process cannot take it back; when it
/// throws nothing of the entry is, so that what was there before stays readable.
final class LogFile {
  let path: String
  private let descriptor: Int32
  private(set) var size: Int

  /// Opens the file at its end, and makes it, with its folder, if need be.
  init(appendingTo path: String) throws(FileError) {
    try Folder.create(Folder.parent(path))
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    self.path = path
    self.descriptor = descriptor
    size = Folder.size(path) ?? 0
  }

  deinit { close(descriptor) }

  func append(_ entry: [UInt8]) throws(FileError) {
    var rest = entry[...]
    while !rest.isEmpty {
      let count = write(descriptor, Array(rest), rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        let code = errno
        // What cannot be taken back either is a torn end, which every reader of ours steps over.
        _ = ftruncate(descriptor, off_t(size))
        throw .cannotWrite(path: path, offset: size + entry.count - rest.count, errno: code)
      }
      rest = rest.dropFirst(count)
    }
    size += entry.count
  }

  /// Takes away everything from an offset on, in one go.
  func cut(to size: Int) throws(FileError) {
    guard ftruncate(descriptor, off_t(size)) == 0 else {
      throw .cannotChange(path: path, action: "cut to \(size) bytes", errno: errno)
    }
    self.size = size
  }

  /// Takes away everything of a file from an offset on.
  static func cut(_ path: String, to size: Int) throws(FileError) {
    guard truncate(path, off_t(size)) == 0 else {
      throw .cannotChange(path: path, action: "cut to \(size) bytes", errno: errno)
    }
  }
}
