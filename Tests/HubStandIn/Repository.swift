import Foundation

extension HubStandIn {
  public enum Kind: String, Sendable, CaseIterable {
    case model, dataset, space

    /// What stands before the name in addresses of pages and files.
    var prefix: String { self == .model ? "" : "\(rawValue)s/" }
  }

  /// Who may see a repository.
  public enum Access: Sendable {
    case open, gated, `private`, disabled
  }

  /// Someone that a token stands for.
  public struct Account: Sendable {
    public enum Role: String, Sendable {
      case read, write
    }

    public var name: String
    public var organizations: [String]
    public var role: Role
    /// Gated repositories whose terms were agreed to.
    public var agreed: Set<String>

    public init(
      _ name: String, organizations: [String] = [], role: Role = .write, agreed: Set<String> = []
    ) {
      self.name = name
      self.organizations = organizations
      self.role = role
      self.agreed = agreed
    }

    func owns(_ repository: String) -> Bool {
      let owner = repository.split(separator: "/").first.map(String.init) ?? ""
      return owner == name || organizations.contains(owner)
    }
  }

  /// One commit, as it lies there.
  public struct Commit: Sendable {
    public var oid: String
    public var parent: String?
    public var title: String
    public var description: String
    /// Every file of the tree, not only those that changed.
    public var paths: [String] { files.keys.sorted() }
    var files: [String: Blob]
    var date: Date

    public func contents(_ path: String) -> [UInt8]? { files[path]?.bytes }

    public func isLarge(_ path: String) -> Bool { files[path]?.sha256 != nil }
  }
}

/// A repository and its history.
struct Repository: Sendable {
  struct Key: Hashable, Sendable {
    var kind: HubStandIn.Kind
    var name: String
  }

  var key: Key
  var access: HubStandIn.Access
  var commits: [String: HubStandIn.Commit] = [:]
  /// `main`, `refs/pr/1`: where each stands.
  var branches: [String: String] = [:]
  var tags: [String: String] = [:]

  /// The commit that a branch, a tag or a hash means.
  func commit(_ revision: String) -> HubStandIn.Commit? {
    let short = revision.hasPrefix("refs/heads/") ? String(revision.dropFirst(11)) : revision
    return commits[branches[short] ?? tags[short] ?? short]
  }

  mutating func add(
    _ files: [String: Blob], title: String, description: String = "", on branch: String
  ) -> HubStandIn.Commit {
    let parent = branches[branch]
    let tree = files.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.oid)" }
    let facts = [parent ?? "", key.kind.rawValue, key.name, branch, title, description] + tree
    let oid = Digest.of(Array(facts.joined(separator: "\n").utf8), .sha1)
    let commit = HubStandIn.Commit(
      oid: oid, parent: parent, title: title, description: description, files: files,
      date: Date(timeIntervalSince1970: 1_700_000_000 + Double(commits.count)))
    commits[oid] = commit
    branches[branch] = oid
    return commit
  }

  /// The commits of a branch, newest first.
  func log(_ revision: String) -> [HubStandIn.Commit] {
    var log: [HubStandIn.Commit] = []
    var next = commit(revision)
    while let commit = next, log.count <= commits.count {
      log.append(commit)
      next = commit.parent.flatMap { commits[$0] }
    }
    return log
  }
}

/// An upload to the storage that was allowed.
struct Upload: Sendable {
  var oid: String
  var size: Int
  var repository: Repository.Key
  /// Parts that have arrived: number, ETag, place.
  var parts: [Int: Part] = [:]

  struct Part: Sendable {
    var etag: String
    var path: String
    var size: Int
  }
}
