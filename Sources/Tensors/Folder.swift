import Glibc

/// What is done to folders and to names in them: listing, renaming, removing, making durable.
public enum Folder {
  /// The names in a folder, without `.` and `..`, ordered by their bytes.
  ///
  /// - Throws: `FileError.cannotOpen`.
  public static func names(in path: String) throws(FileError) -> [String] {
    guard let stream = opendir(path) else { throw .cannotOpen(path: path, errno: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Gives a file its final name, in place of what has that name, and makes the change durable.
  public static func publish(_ path: String, as final: String) throws(FileError) {
    guard rename(path, final) == 0 else {
      throw .cannotChange(path: path, action: "rename to \(final)", errno: errno)
    }
    try flush(final.contains("/") ? parent(final) : ".")
  }

  /// Removes a file; one that is not there is no error.
  public static func removeFile(_ path: String) throws(FileError) {
    guard unlink(path) == 0 || errno == ENOENT else {
      throw .cannotChange(path: path, action: "remove", errno: errno)
    }
  }

  /// Makes a symbolic link, in place of what has its name: whoever looks finds the old or the new.
  ///
  /// - Parameter target: as the link is to say it.
  public static func link(_ target: String, as path: String) throws(FileError) {
    let draft = "\(path).partial-\(getpid())"
    try removeFile(draft)
    guard symlink(target, draft) == 0 else {
      throw .cannotChange(path: path, action: "make a link to \(target)", errno: errno)
    }
    do throws(FileError) { try publish(draft, as: path) } catch {
      // The first failure is the one to report.
      try? removeFile(draft)
      throw error
    }
  }
}
