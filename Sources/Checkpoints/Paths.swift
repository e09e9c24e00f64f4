import Glibc
import Tensors

/// Paths and folders through the C library: no more of a file system than converting needs.
public enum Paths {
  /// The path from the root, without a trailing slash.
  public static func absolute(_ path: String) -> String {
    var full = path
    if !path.hasPrefix("/") {
      full = currentFolder + "/" + path
    }
    var parts: [Substring] = []
    for part in full.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  private static var currentFolder: String {
    guard let text = getcwd(nil, 0) else { return "" }
    defer { free(text) }
    return String(cString: text)
  }

  public static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  public static func name(_ path: String) -> String {
    String(path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...])
  }

  public static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  public static func isFolder(_ path: String) -> Bool { mode(path) == S_IFDIR }
  public static func isFile(_ path: String) -> Bool { mode(path) == S_IFREG }

  private static func mode(_ path: String) -> mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }

  public static func size(_ path: String) -> Int? {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  /// The names in a folder, sorted; `nil` if it is no folder or cannot be read.
  public static func entries(_ path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Creates a folder and those above it.
  public static func makeFolder(_ path: String) throws(FileError) {
    if isFolder(path) { return }
    let parent = parent(path)
    if parent != path { try makeFolder(parent) }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
      throw .cannotChange(path: path, action: "create this folder", errno: errno)
    }
  }

  /// The bytes an ordinary user may still write on the disk of a folder.
  public static func freeBytes(_ path: String) -> Int? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  /// Waits until a folder's names, and those in its subfolders, are on the disk.
  static func flushFolder(_ path: String) throws(FileError) {
    for entry in entries(path) ?? [] where isFolder("\(path)/\(entry)") && path != "/" {
      var status = stat()
      if lstat("\(path)/\(entry)", &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
        path.contains(".isthmus-")
      {
        try flushFolder("\(path)/\(entry)")
      }
    }
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw .cannotChange(path: path, action: "flush it", errno: errno)
    }
  }

  /// Removes a folder with all it holds, following no links; what cannot be removed stays.
  static func removeTree(_ path: String) {
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
