import Glibc
import HTTP
import Tensors

/// The files of a folder that is to be brought to the hub, as they were when they were looked at.
public struct HubFolder: Sendable {
  public struct File: Sendable {
    /// Relative to the folder, with slashes.
    public var path: String
    public var size: Int
    /// In hexadecimal, once somebody asked for it.
    public var sha256: String?
    var stamp: Stamp
  }

  /// What tells a file from another one that has come to its place, or from itself after a change.
  struct Stamp: Equatable, Sendable {
    var device: UInt
    var number: UInt
    var size: Int
    var seconds: Int
    var nanoseconds: Int

    /// Of what a path leads to; `nil` if that is no file.
    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
      device = UInt(status.st_dev)
      number = UInt(status.st_ino)
      size = Int(status.st_size)
      seconds = status.st_mtim.tv_sec
      nanoseconds = status.st_mtim.tv_nsec
    }
  }

  public private(set) var path: String
  /// In the order of their paths.
  public private(set) var files: [File] = []

  /// Looks at a folder and those in it; links to files are followed.
  ///
  /// What a folder has for itself is left out: `.git`, `.cache`, what a writer left unfinished.
  ///
  /// - Parameters:
  ///   - include: patterns of the files that are meant; none means all.
  ///   - exclude: patterns of those that are not.
  /// - Throws: `HubError.publishing`, `.file`.
  public init(
    _ path: String, include: [String] = [], exclude: [String] = []
  ) throws(HubError) {
    self.path = path
    let (wanted, unwanted) = (include.map(FilePattern.init), exclude.map(FilePattern.init))
    try add("", depth: 0)
    files = files.filter { file in
      (wanted.isEmpty || wanted.contains { $0.matches(file.path) })
        && !unwanted.contains { $0.matches(file.path) }
    }
    guard !files.isEmpty else { throw .publishing(.emptyFolder(path)) }
    files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private static let depthLimit = 32
  private static let fileLimit = 100_000

  private mutating func add(_ folder: String, depth: Int) throws(HubError) {
    let names: [String]
    do throws(FileError) { names = try Folder.names(in: place(folder)) } catch {
      throw .file(error)
    }
    for name in names where !Self.isOwn(name) {
      let inner = folder.isEmpty ? name : "\(folder)/\(name)"
      switch Folder.kind(place(inner)) {
      case .file:
        guard HubPath.isSafe(inner), let stamp = Stamp(place(inner)) else {
          throw .publishing(
            .badFile(path: place(inner), reason: "its name cannot be one on the hub. Rename it."))
        }
        files.append(File(path: inner, size: stamp.size, stamp: stamp))
      case .folder:
        guard depth < Self.depthLimit else {
          throw .publishing(
            .badFile(path: place(inner), reason: "it lies too deep; is a link its own parent?"))
        }
        try add(inner, depth: depth + 1)
      case .other, nil:
        throw .publishing(
          .badFile(
            path: place(inner),
            reason: "it is no file, or a link that leads nowhere. Take it away or mend it."))
      }
      guard files.count <= Self.fileLimit else {
        throw .publishing(
          .badFile(path: path, reason: "it holds more than \(Self.fileLimit) files."))
      }
    }
  }

  /// What belongs to a folder on this machine rather than to the model.
  ///
  /// Source: huggingface_hub 2.4.0, `FORBIDDEN_FOLDERS` and `DEFAULT_IGNORE_PATTERNS`.
  private static func isOwn(_ name: String) -> Bool {
    if [".git", ".cache", ".DS_Store"].contains(name) { return true }
    if name.hasPrefix("."), name.firstRange(of: ".isthmus-") != nil { return true }
    guard let draft = name.firstRange(of: ".partial-") else { return false }
    let number = name[draft.upperBound...]
    return !number.isEmpty && number.allSatisfy { $0.isASCII && $0.isNumber }
  }

  func place(_ file: String) -> String { file.isEmpty ? path : "\(path)/\(file)" }

  subscript(path: String) -> File? { files.first { $0.path == path } }

  /// The same files, after the folder was given another name.
  public func moved(to path: String) -> HubFolder {
    var folder = self
    folder.path = path
    return folder
  }

  /// The same files with the checksums that another look at them found, where they are still the same.
  public func keeping(_ earlier: HubFolder) -> HubFolder {
    var folder = self
    for index in folder.files.indices {
      let file = earlier[folder.files[index].path]
      if let file, file.stamp == folder.files[index].stamp {
        folder.files[index].sha256 = file.sha256
      }
    }
    return folder
  }

  mutating func set(_ sums: [String: String]) {
    for index in files.indices {
      if let sum = sums[files[index].path] { files[index].sha256 = sum }
    }
  }

  /// - Throws: `HubError.publishing(.changed)` if a file is not the one that was looked at.
  func requireUnchanged(_ file: File) throws(HubError) {
    guard Stamp(place(file.path)) == file.stamp else {
      throw .publishing(.changed(path: place(file.path)))
    }
  }
}

extension Hub {
  /// The folder with the SHA-256 of some of its files, several computed at once.
  ///
  /// - Throws: `HubError.publishing(.changed)`, `.file`, `.interrupted`.
  public func summed(
    _ folder: HubFolder, where isWanted: (HubFolder.File) -> Bool
  ) throws(HubError) -> HubFolder {
    let wanted = folder.files.filter { $0.sha256 == nil && isWanted($0) }
    guard !wanted.isEmpty else { return folder }
    let progress = HubProgress(title: "checksums")
    let first = progress.add(wanted.map { .init(path: $0.path, size: $0.size, state: .waiting) })
    let sums = HubResults<String>(count: wanted.count)
    try watched(progress) { () throws(HubError) in
      progress.say("computing checksums")
      try inParallel(Array(wanted.indices), progress: progress) { index throws(HubError) in
        let file = wanted[index]
        progress.update(first + index) { $0.state = .checking }
        do throws(HTTPError) {
          sums[index] = try Digest.of(
            file: folder.place(file.path), .sha256, stop: progress.stop)
        } catch { throw HubError(error) }
        try folder.requireUnchanged(file)
        progress.update(first + index) { file in
          file.done = file.size
          file.state = .done
        }
      }
    }
    var result = folder
    var found: [String: String] = [:]
    for (index, file) in wanted.enumerated() { found[file.path] = sums[index] }
    result.set(found)
    return result
  }
}
