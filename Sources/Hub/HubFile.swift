/// A repository of the hub at one revision, as the hub lists it.
public struct HubListing: Equatable, Sendable {
  public var repository: HubRepository
  /// What was asked for: a branch, a tag, a commit.
  public var revision: String
  /// 40 hexadecimal digits.
  public var commit: String
  /// In the order of their paths.
  public var files: [HubFile]
  /// The paths of files that no system, or not every one, can have under that name.
  public var leftOut: [String]

  public init(
    repository: HubRepository, revision: String, commit: String, files: [HubFile],
    leftOut: [String] = []
  ) {
    self.repository = repository
    self.revision = revision
    self.commit = commit
    self.files = files
    self.leftOut = leftOut
  }
}

/// One file of a listing.
public struct HubFile: Equatable, Sendable {
  /// Relative to the repository, with slashes; no part of it is empty, `.` or `..`.
  public var path: String
  /// In bytes.
  public var size: Int
  /// The SHA-1 that git has of it, or of the pointer that stands for it: 40 hexadecimal digits.
  public var blob: String
  /// The SHA-256 of a large file: 64 hexadecimal digits.
  public var sha256: String?
  /// What the shared store knows it by; kept so that a listing in the cache stays as others wrote it.
  public var xetHash: String?

  public init(
    path: String, size: Int, blob: String, sha256: String? = nil, xetHash: String? = nil
  ) {
    self.path = path
    self.size = size
    self.blob = blob
    self.sha256 = sha256
    self.xetHash = xetHash
  }

  /// The name of its blob in the cache.
  public var etag: String { sha256 ?? blob }
}

/// A repository's kind and name.
public struct HubRepository: Hashable, Sendable {
  public enum Kind: String, CaseIterable, Sendable {
    case model, dataset, space
  }

  public var kind: Kind
  /// `org/name`, or `name` alone for the oldest ones.
  public var name: String

  public init(_ name: String, kind: Kind = .model) {
    self.kind = kind
    self.name = name
  }
}

/// Which files of a repository a command needs.
public enum HubNeed: Equatable, Sendable {
  /// All of them, or those whose paths match one of `include` (where there are any) and none of `exclude`:
  /// patterns as of Python's `fnmatch`, where `*` also stands for slashes.
  case files(include: [String], exclude: [String])
  /// What it takes to convert or compute with a model: the safetensors that its folder is read from, and all files
  /// beside them. Weights in other formats are not read here, and not fetched.
  case model
  /// The same without weights.
  case withoutWeights
  /// config.json and its companions.
  case configuration
  /// The tokenizer's files and config.json.
  case tokenizer
}
