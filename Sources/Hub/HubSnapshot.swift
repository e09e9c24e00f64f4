/// A repository's files at one commit, in the cache.
public struct HubSnapshot: Sendable {
  /// The folder that the reference leads to: the commit's, or one in it.
  public var folder: String
  public var commit: String
  /// What the hub listed, where that is known.
  public var listing: HubListing?
  /// The files that were needed, where the listing is known, and those of them that had to be fetched.
  public var files: [HubFile] = []
  public var fetched: [HubFile] = []
  /// The bytes that travelled; what earlier runs had brought of those files is not among them.
  public var received = 0
  /// What the user should know: that the hub could not be reached, and the files are those of an earlier run.
  public var notes: [String]

  public init(folder: String, commit: String, listing: HubListing? = nil, notes: [String] = []) {
    self.folder = folder
    self.commit = commit
    self.listing = listing
    self.notes = notes
  }
}

/// What of a repository is needed and where it goes, before anything is fetched.
public struct HubPlan: Sendable {
  public var listing: HubListing
  /// Where the files get their names, and where in there the reference leads to.
  public var folder: String
  public var path: String
  /// The files that are needed, in the order of their paths.
  public var files: [HubFile]
  /// Those that have to be fetched.
  public var missing: [HubFile]
  /// Those that lie on this machine under another name, and only need theirs.
  public var adopted: [HubFile]
  /// Bytes of them that earlier runs have brought.
  public var begun: Int
  public var destination: HubDestination
  public var isForced: Bool
  public var notes: [String]

  /// The bytes that will travel; what several names stand for is fetched once into the cache.
  public var bytes: Int {
    var seen: Set<String> = []
    let files = missing.filter { destination != .cache || seen.insert($0.etag).inserted }
    return max(0, files.reduce(0) { $0.saturatingAdd($1.size) } - begun)
  }
}

/// Where files go.
public enum HubDestination: Equatable, Sendable {
  /// The cache, shared with Python's huggingface_hub.
  case cache
  /// A folder of the user's own (`--local-dir`).
  case folder(String)
}

extension Int {
  /// The sum, or the largest number there is: sizes come from servers.
  package func saturatingAdd(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
