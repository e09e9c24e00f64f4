import Glibc
import Tensors

/// The folder that everything fetched from the hub lies in, laid out as huggingface_hub lays it out.
///
/// Both use it at once: what one has fetched, the other finds. Source of the layout: huggingface_hub 2.4.0,
/// `file_download.py`, `_tree_cache.py`, `utils/_shared_blobs.py`.
public struct HubCache: Sendable {
  public let root: String
  let disablesLinks: Bool
  let sharesBlobs: Bool

  public init(_ settings: HubSettings) {
    root = settings.cache
    disablesLinks = settings.disablesLinks
    sharesBlobs = settings.sharesBlobs
  }

  public func repository(_ id: HubRepository) -> Repository { Repository(id: id, cache: self) }

  /// The repositories that have a folder here, in the order of the folders' names.
  ///
  /// - Throws: `HubError.file` where the cache is there and cannot be read.
  public func repositories() throws(HubError) -> [Repository] {
    guard Folder.exists(root) else { return [] }
    return try HubError.files { () throws(FileError) in try Folder.names(in: root) }
      .compactMap { name in
        guard let id = HubRepository(folder: name), Folder.isFolder("\(root)/\(name)") else {
          return nil
        }
        return repository(id)
      }
  }

  /// Makes the folder, with the mark that tells backups to pass it by.
  func prepare() throws(HubError) {
    try HubError.files { () throws(FileError) in try Folder.create(root) }
    let tag = root + "/CACHEDIR.TAG"
    guard !Folder.exists(tag) else { return }
    // A cache without the mark is as good.
    try? write(Array(Self.tag.utf8), as: tag, flushed: false)
  }

  static let tag = """
    Signature: 8a477f597d28d172789f06886806bc55
    # This file is a cache directory tag created by huggingface_hub.
    # For information about cache directory tags, see:
    #\thttps://bford.info/cachedir/

    """

  /// Writes a small file so that whoever looks sees the old one or the new one.
  func write(_ bytes: [UInt8], as path: String, flushed: Bool = true) throws(HubError) {
    let draft = draft()
    try HubError.files { () throws(FileError) in
      try Folder.create(Folder.parent(path))
      do throws(FileError) {
        let file = try OutputFile(creating: draft)
        try file.write(bytes, at: 0)
        if flushed { try file.flush() }
        try Folder.publish(draft, as: path)
      } catch {
        // The first failure is the one to report.
        try? Folder.removeFile(draft)
        throw error
      }
    }
  }

  /// A name for something not yet done, of this call alone.
  ///
  /// It lies beside the locks: in every other folder Python takes each name for a fact.
  func draft() -> String {
    // Where the folder cannot be made, creating the draft says why.
    try? Folder.create(root + "/.locks")
    let number = UInt32.random(in: .min ... .max)
    return "\(root)/.locks/isthmus-\(getpid())-\(String(number, radix: 16)).tmp"
  }

  /// One repository's folder in the cache.
  public struct Repository: Sendable {
    public let id: HubRepository
    public let cache: HubCache
  }
}

extension HubRepository {
  /// The name of its folder in a cache: `models--org--name`.
  public var folderName: String {
    kind.rawValue + "s--" + name.split(separator: "/").joined(separator: "--")
  }

  /// The repository that a cache's folder is of; `nil` if it is none's.
  init?(folder: String) {
    let marks = HubRepository.Kind.allCases.map { ($0, $0.rawValue + "s--") }
    guard let (kind, mark) = marks.first(where: { folder.hasPrefix($0.1) }) else { return nil }
    var parts: [Substring] = []
    var rest = folder.dropFirst(mark.count)
    while let range = rest.firstRange(of: "--") {
      parts.append(rest[..<range.lowerBound])
      rest = rest[range.upperBound...]
    }
    let name = (parts + [rest]).joined(separator: "/")
    guard HubPath.isRepositoryName(name) else { return nil }
    self.init(name, kind: kind)
  }
}

extension HubError {
  /// Runs what can fail at files.
  static func files<R>(_ body: () throws(FileError) -> R) throws(HubError) -> R {
    do throws(FileError) { return try body() } catch { throw .file(error) }
  }
}
