import HTTP
import Synchronization
import Tensors

/// What reading a cache from end to end found.
public struct HubVerification: Sendable {
  /// In the order of repositories, and there of paths.
  public var findings: [Finding] = []
  /// Files whose checksum was compared, and their bytes.
  public var checkedFiles = 0
  public var checkedBytes = 0
  /// Files whose names tell no checksum, and no listing does.
  public var uncheckedFiles = 0

  /// One thing that is not as it should be, or that somebody may want to know of.
  public struct Finding: Sendable {
    public var kind: Kind
    public var repository: HubRepository
    /// Below the repository's folder in the cache.
    public var path: String
    /// What should be there and what is.
    public var detail: String
    /// What brings it back; `nil` where nothing needs to be.
    public var repair: HubReference?
  }

  public enum Kind: String, Sendable, CaseIterable {
    /// The bytes are not those that the hub has under this name.
    case corrupt
    /// A link that leads nowhere.
    case dangling
    /// A link that leads to another file than the hub lists.
    case misled
    /// A branch or tag whose commit is not here.
    case lost
    /// A listing that cannot be read.
    case unreadable
    /// A file that the hub lists and that was not fetched.
    case absent
    /// The beginning of a file: a download that did not end.
    case incomplete
    /// A file that no revision leads to.
    case unused

    /// Whether what is there is wrong, rather than there in part or to spare.
    public var isFault: Bool {
      switch self {
      case .corrupt, .dangling, .misled, .unreadable: true
      case .lost, .absent, .incomplete, .unused: false
      }
    }
  }

  /// Whether something is wrong.
  public var hasFaults: Bool { findings.contains { $0.kind.isFault } }
}

extension Hub {
  /// Reads every file of repositories in the cache and compares it with what its name, or the hub's listing, says.
  ///
  /// Nobody is asked, and nothing is changed. Files are read in pieces of 4 MiB, as many at once as there are
  /// workers.
  ///
  /// - Parameter references: whose files; of a revision where one names it. None means the whole cache.
  /// - Throws: `HubError.offline` for a repository or revision that is not in the cache, `.file`, `.interrupted`.
  public func verify(_ references: [HubReference] = []) throws(HubError) -> HubVerification {
    if let fault = settings.fault { throw fault }
    var surveys: [HubSurvey] = []
    if references.isEmpty {
      for repository in try cache.repositories() { surveys.append(HubSurvey(repository, nil)) }
    }
    for reference in references {
      let repository = cache.repository(reference.repository)
      let commit = reference.revision.flatMap(repository.commit)
      guard !repository.commits().isEmpty,
        reference.revision == nil || commit.map(repository.commits().contains) == true
      else {
        throw .notCached(reference, place: repository.folder)
      }
      surveys.append(HubSurvey(repository, commit))
    }
    let files = surveys.flatMap(\.files)
    let progress = HubProgress()
    let first = progress.add(
      files.map { HubProgress.File(path: "\($0.repository.title)/\($0.shown)", size: $0.size) })
    let found = Mutex<[Int: String]>([:])
    let work = files.indices.map { (file: files[$0], index: $0) }
    try watched(progress) { () throws(HubError) in
      try inParallel(work, progress: progress) { file, index throws(HubError) in
        let digest = try file.digest { done in
          progress.update(first + index) { ($0.done, $0.state) = (done, .checking) }
          return progress.isCancelled
        }
        progress.update(first + index) { ($0.done, $0.state) = ($0.size, .done) }
        found.withLock { $0[index] = digest }
      }
    }
    var result = HubVerification()
    result.checkedFiles = files.count
    result.checkedBytes = files.reduce(0) { $0.saturatingAdd($1.size) }
    result.uncheckedFiles = surveys.reduce(0) { $0 + $1.unchecked }
    let digests = found.withLock { $0 }
    let corrupt = files.indices.compactMap { index -> HubVerification.Finding? in
      guard let digest = digests[index], digest != files[index].expected else { return nil }
      return files[index].finding(digest)
    }
    result.findings = (surveys.flatMap(\.findings) + corrupt).sorted {
      let keys = [$0, $1].map { "\($0.repository.folderName)\u{0}\($0.path)" }
      return keys[0].utf8.lexicographicallyPrecedes(keys[1].utf8)
    }
    return result
  }
}
