import Glibc
import Tensors

/// What lies in a cache: repositories, their revisions, downloads that did not end.
public struct HubInventory: Sendable {
  public var cache: String
  /// In the order of their folders' names.
  public var repositories: [Stored]
  /// The bytes of all files together, each counted once, those of incomplete downloads not.
  public var bytes: Int

  /// One repository in the cache.
  public struct Stored: Sendable {
    public var id: HubRepository
    public var folder: String
    /// Different files, and their bytes.
    public var files: Int
    public var bytes: Int
    /// When a file of it was read or written last, in seconds since 1970.
    public var used: Double
    public var modified: Double
    /// In the order of their commits.
    public var revisions: [Revision]
    /// Branches and tags whose commit is not here.
    public var lostRefs: [String]
    public var incomplete: [Incomplete]
  }

  /// The files of one commit.
  public struct Revision: Sendable {
    public var commit: String
    /// Branches and tags that were this commit when they were last asked for.
    public var refs: [String]
    public var folder: String
    public var files: Int
    public var bytes: Int
    public var modified: Double
    /// How many files the hub listed; `nil` where its listing is not kept.
    public var listed: Int?
  }

  /// A download that did not end; the next one of the file goes on with it.
  public struct Incomplete: Sendable {
    /// Below the cache.
    public var path: String
    public var bytes: Int
  }
}

/// What a file system says of a file, links followed.
struct FileFacts: Hashable {
  var device: UInt64
  var number: UInt64
  var bytes: Int
  var used: Double
  var modified: Double

  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
    bytes = Int(status.st_size)
    used = Double(status.st_atim.tv_sec)
    modified = Double(status.st_mtim.tv_sec)
  }

  static func == (left: FileFacts, right: FileFacts) -> Bool {
    left.device == right.device && left.number == right.number
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(device)
    hasher.combine(number)
  }
}

extension HubCache {
  /// Looks through the cache; reads names and sizes alone.
  ///
  /// - Throws: `HubError.file` where the cache is there and cannot be read.
  public func inventory() throws(HubError) -> HubInventory {
    var everything: Set<FileFacts> = []
    var stored: [HubInventory.Stored] = []
    for repository in try repositories() {
      stored.append(repository.inventory(counting: &everything))
    }
    return HubInventory(
      cache: root, repositories: stored, bytes: everything.reduce(0) { $0.saturatingAdd($1.bytes) })
  }
}

extension Hub {
  /// Looks through this hub's cache.
  public func cacheInventory() throws(HubError) -> HubInventory { try cache.inventory() }
}

extension HubCache.Repository {
  fileprivate func inventory(counting everything: inout Set<FileFacts>) -> HubInventory.Stored {
    let refs = refs()
    var all: Set<FileFacts> = []
    var revisions: [HubInventory.Revision] = []
    for commit in commits() {
      let folder = "\(folder)/snapshots/\(commit)"
      let names = files(below: folder)
      let facts = Set(names.compactMap { FileFacts("\(folder)/\($0)") })
      all.formUnion(facts)
      revisions.append(
        HubInventory.Revision(
          commit: commit, refs: refs.filter { $0.commit == commit }.map(\.name), folder: folder,
          files: names.count, bytes: facts.reduce(0) { $0.saturatingAdd($1.bytes) },
          modified: facts.map(\.modified).max() ?? 0, listed: listing(commit)?.files.count))
    }
    let kept = Set(revisions.map(\.commit))
    var incomplete: [HubInventory.Incomplete] = []
    for name in Folder.entries("\(folder)/blobs") ?? [] {
      guard let facts = FileFacts("\(folder)/blobs/\(name)") else { continue }
      if name.hasSuffix(".incomplete") {
        incomplete.append(.init(path: "\(id.folderName)/blobs/\(name)", bytes: facts.bytes))
      } else {
        all.insert(facts)
      }
    }
    everything.formUnion(all)
    return HubInventory.Stored(
      id: id, folder: folder, files: all.count,
      bytes: all.reduce(0) { $0.saturatingAdd($1.bytes) },
      used: all.map { max($0.used, $0.modified) }.max() ?? 0,
      modified: all.map(\.modified).max() ?? 0, revisions: revisions,
      lostRefs: refs.filter { !kept.contains($0.commit) }.map(\.name), incomplete: incomplete)
  }
}
