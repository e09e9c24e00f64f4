import Glibc

extension Folder {
  /// What a path leads to, symbolic links followed.
  public enum Kind: Equatable, Sendable {
    case file(size: Int)
    case folder
    case other
  }

  /// What lies at a path; `nil` if nothing does or it cannot be reached.
  public static func kind(_ path: String) -> Kind? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file(size: Int(status.st_size))
    case S_IFDIR: return .folder
    default: return .other
    }
  }

  /// Whether two places that exist share their free space.
  public static func areOnOneDisk(_ left: String, _ right: String) -> Bool {
    var (one, other) = (stat(), stat())
    return stat(left, &one) == 0 && stat(right, &other) == 0 && one.st_dev == other.st_dev
  }

  public static func isFolder(_ path: String) -> Bool { kind(path) == .folder }

  public static func isFile(_ path: String) -> Bool {
    if case .file = kind(path) { true } else { false }
  }

  /// Lets this process open as many files as its owner may: a checkpoint has up to two per rank.
  public static func raiseOpenFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
      limit.rlim_cur < limit.rlim_max
    else { return }
    limit.rlim_cur = limit.rlim_max
    // A refusal shows later, as the error of the file that could not be opened.
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
