import Glibc

/// Paths, and whole trees of folders.
extension Folder {
  /// The path from the root, without `.`, `..` and a trailing slash.
  public static func absolute(_ path: String) -> String {
    let full = path.hasPrefix("/") ? path : current + "/" + path
    var parts: [Substring] = []
    for part in full.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  /// The path without links, of what exists; `nil` else.
  public static func real(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  private static var current: String {
    guard let text = getcwd(nil, 0) else { return "" }
    defer { free(text) }
    return String(cString: text)
  }

  /// The folder a path lies in.
  public static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  /// The last name of a path.
  public static func name(_ path: String) -> String {
    String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
  }

  /// Whether anything has this path, a dangling link included.
  public static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// The size of a file; `nil` if there is none.
  public static func size(_ path: String) -> Int? {
    if case .file(let size) = kind(path) { size } else { nil }
  }

  /// The names in a folder, sorted; `nil` if it is no folder or cannot be read.
  public static func entries(_ path: String) -> [String]? { try? names(in: path) }

  /// Creates a folder and those above it.
  public static func create(_ path: String) throws(FileError) {
    if isFolder(path) { return }
    let parent = parent(path)
    if parent != path { try create(parent) }
    guard mkdir(path, 0o777) != 0 else { return }
    let code = errno
    // Somebody else may have made it in the meantime; a file in its place is an error.
    guard code == EEXIST, isFolder(path) else {
      throw .cannotChange(path: path, action: "create this folder", errno: code)
    }
  }

  /// The bytes an ordinary user may still write on the disk that holds a path, existing or not.
  public static func freeBytes(_ path: String) -> Int? {
    var place = absolute(path)
    while !exists(place), place != "/" { place = parent(place) }
    var status = statvfs()
    guard statvfs(place, &status) == 0 else { return nil }
    // Some file systems report sizes that are not of this world.
    let (bytes, overflow) = Int(clamping: status.f_bavail)
      .multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
    return overflow ? .max : bytes
  }

  /// Waits until the names in a folder and in its subfolders are on the disk.
  public static func flush(tree path: String) throws(FileError) {
    for entry in entries(path) ?? [] {
      var status = stat()
      let inner = "\(path)/\(entry)"
      if lstat(inner, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { try flush(tree: inner) }
    }
    try flush(path)
  }

  /// Waits until the names in a folder are on the disk.
  public static func flush(_ path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    defer { close(descriptor) }
    // Some file systems cannot flush a folder, and then do not need it.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw .cannotChange(path: path, action: "flush it", errno: errno)
    }
  }

  /// Waits until a file's contents are on the disk.
  public static func flush(file path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw .cannotWrite(path: path, offset: 0, errno: errno)
    }
  }

  /// Removes a folder with all it holds, following no links; what cannot be removed stays.
  public static func removeTree(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      for entry in entries(path) ?? [] { removeTree("\(path)/\(entry)") }
      rmdir(path)
    } else {
      unlink(path)
    }
  }
}
