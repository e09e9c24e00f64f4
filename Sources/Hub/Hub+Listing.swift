import HTTP
import JSON
import Synchronization
import Tensors

/// What a repository holds at a revision.
extension Hub {
  /// A repository at a revision: which commit that is, and its files.
  ///
  /// The listing of a commit never changes: it is kept in the cache, and asked for once.
  ///
  /// - Throws: `HubError`.
  public func listing(
    _ repository: HubRepository, revision: String = "main"
  ) throws(HubError) -> HubListing {
    try listing(
      repository, revision: revision, in: .cache, progress: HubProgress(), isPatient: true)
  }

  /// - Parameters:
  ///   - destination: where listings of commits are kept.
  ///   - isPatient: whether to ask again where the hub cannot be reached.
  func listing(
    _ repository: HubRepository, revision: String, in destination: HubDestination,
    progress: HubProgress, isPatient: Bool
  ) throws(HubError) -> HubListing {
    defer { progress.say(nil) }
    progress.say("asking \(HubAddress.host(settings.endpoint)) for \(repository.title)")
    var commit = revision
    if !HubPath.isCommit(revision) {
      commit = try self.commit(
        of: repository, revision: revision, progress: progress, isPatient: isPatient)
    }
    var listing = HubListing(
      repository: repository, revision: revision, commit: commit, files: [])
    let place = try place(of: listing, destination, progress: progress)
    if let known = place.listing() {
      listing.files = known.files
      return listing
    }
    (listing.files, listing.leftOut) = try tree(of: listing, progress: progress)
    // One that cannot be kept is asked for again; others are to find it whole or not at all.
    if listing.leftOut.isEmpty { try? place.keep(listing) }
    return listing
  }

  /// The commit that a branch or tag is now.
  func commit(
    of repository: HubRepository, revision: String, progress: HubProgress, isPatient: Bool
  ) throws(HubError) -> String {
    let url =
      settings.questions(repository) + "/revision/"
      + HubAddress.quote(revision, slashes: false)
    let subject = HubSubject(repository, revision: revision)
    do throws(HubError) {
      let answer = try askJSON(url, about: subject, progress: progress, isPatient: isPatient).value
      guard let commit = answer.object?["sha"]?.string, HubPath.isCommit(commit) else {
        throw .badAnswer(
          url: HubAddress.shown(url), reason: "it names no commit (\"sha\": 40 hexadecimal digits)")
      }
      return commit
    } catch {
      guard case .noRevision = error else { throw error }
      throw .noRevision(
        repository, revision: revision, known: revisions(of: repository, progress: progress))
    }
  }

  /// The branches and tags there are; none where the hub does not tell.
  private func revisions(of repository: HubRepository, progress: HubProgress) -> [String] {
    let url = settings.questions(repository) + "/refs"
    let answer = try? askJSON(url, about: HubSubject(repository), progress: progress).value
    guard let object = answer?.object else { return [] }
    return ["branches", "tags"].flatMap { object[$0]?.array ?? [] }
      .compactMap { $0.object?["name"]?.string }
  }

  // MARK: Trees

  /// The most files of a repository that are listed.
  private static let fileLimit = 1_000_000

  /// All files of a commit: from the hub's tree, page by page, or from what else it tells.
  private func tree(
    of listing: HubListing, progress: HubProgress
  ) throws(HubError) -> (files: [HubFile], leftOut: [String]) {
    let first =
      settings.questions(listing.repository)
      + "/tree/\(listing.commit)?recursive=true&expand=false"
    let subject = HubSubject(listing.repository, revision: listing.revision)
    var files = HubFiles()
    var next: String? = first
    var pages = 0
    while let url = next {
      let answer: (value: JSON, headers: HTTPHeaders)
      do throws(HubError) {
        answer = try askJSON(url, about: subject, progress: progress)
      } catch {
        guard pages == 0, error.isUnknownQuestion else { throw error }
        return try siblings(of: listing, about: subject, progress: progress)
      }
      guard let entries = answer.value.array else {
        throw .badAnswer(url: HubAddress.shown(url), reason: "it is no list of files")
      }
      for entry in entries where entry.object?["type"]?.string != "directory" {
        try files.add(entry, url: url)
      }
      pages += 1
      next = try nextPage(answer.headers["Link"], after: url)
      guard files.count <= Self.fileLimit, pages <= 10_000 else {
        throw .badAnswer(
          url: HubAddress.shown(first), reason: "it lists more than \(Self.fileLimit) files")
      }
    }
    return try files.finished(url: first)
  }

  /// Where the next page is; it must be the same server, since the token goes there.
  private func nextPage(_ link: String?, after url: String) throws(HubError) -> String? {
    guard let link else { return nil }
    for entry in link.split(separator: ",") {
      let parts = entry.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
      guard let address = parts.first, address.hasPrefix("<"), address.hasSuffix(">"),
        parts.dropFirst().contains(where: { $0 == "rel=\"next\"" || $0 == "rel=next" })
      else { continue }
      let target = HubAddress.resolve(String(address.dropFirst().dropLast()), from: url)
      guard let target, HubAddress.isSameServer(target, settings.endpoint) else {
        throw .badAnswer(
          url: HubAddress.shown(url),
          reason: "its next page leads away from the hub: \(HubAddress.shown(String(address)))")
      }
      guard target != url else {
        throw .badAnswer(url: HubAddress.shown(url), reason: "its next page is itself")
      }
      return target
    }
    return nil
  }

  /// All files of a commit where the hub knows no trees, as mirrors may not: from the repository's description, and
  /// from the files' own heads for what it leaves open.
  private func siblings(
    of listing: HubListing, about subject: HubSubject, progress: HubProgress
  ) throws(HubError) -> (files: [HubFile], leftOut: [String]) {
    let url = settings.questions(listing.repository) + "/revision/\(listing.commit)?blobs=true"
    let answer = try askJSON(url, about: subject, progress: progress).value
    guard let entries = answer.object?["siblings"]?.array else {
      throw .badAnswer(url: HubAddress.shown(url), reason: "it lists no files (\"siblings\")")
    }
    var files = HubFiles()
    var open: [String] = []
    for entry in entries {
      guard let path = entry.object?["rfilename"]?.string else {
        throw .badAnswer(url: HubAddress.shown(url), reason: "an entry has no \"rfilename\"")
      }
      if entry.object?["blobId"] == nil || entry.object?["size"] == nil {
        if try files.isUsable(path, url: url) { open.append(path) }
      } else {
        try files.add(entry, url: url)
      }
    }
    let found = Mutex<[HubFile]>([])
    try inParallel(open, progress: progress) { path throws(HubError) in
      let file = try self.head(path, of: listing, about: subject, progress: progress)
      found.withLock { $0.append(file) }
    }
    for file in found.withLock({ $0 }) { files.add(file) }
    return try files.finished(url: url)
  }

  /// What a file's own head says of it.
  ///
  /// Source: huggingface_hub 2.4.0, `get_hf_file_metadata`.
  private func head(
    _ path: String, of listing: HubListing, about subject: HubSubject, progress: HubProgress
  ) throws(HubError) -> HubFile {
    let url = settings.address(path, of: listing.repository, revision: listing.commit)
    var subject = subject
    subject.path = path
    try requireConnections(subject)
    let request = HTTPRequest(
      .head, url, token: settings.token?.value, redirects: .sameOrigin, patience: patience)
    let response = try persistently(progress) { () throws(HTTPError) in
      try client.send(request, limit: 1 << 20, stop: progress.stop)
    }
    let isRedirect = (300..<400).contains(response.status)
    guard response.isSuccess || isRedirect else { throw refusal(response, about: subject) }
    let headers = response.headers
    guard let etag = HubFetch.etag(headers["X-Linked-Etag"] ?? headers["ETag"]) else {
      throw .badAnswer(
        url: HubAddress.shown(url), reason: "it does not say what the file is (ETag)")
    }
    let length = headers["X-Linked-Size"] ?? (isRedirect ? nil : headers["Content-Length"])
    guard let size = length.flatMap({ Int($0) }), size >= 0 else {
      throw .badAnswer(
        url: HubAddress.shown(url), reason: "it does not say how large the file is (Content-Length)"
      )
    }
    let isLarge = HubPath.isHexadecimal(etag, 64)
    return HubFile(path: path, size: size, blob: etag, sha256: isLarge ? etag : nil)
  }
}

extension HubError {
  /// Whether the hub does not know questions of this kind, as opposed to what is asked for.
  fileprivate var isUnknownQuestion: Bool {
    switch self {
    case .refused(_, let status, _): [404, 405, 410, 501].contains(status)
    default: false
    }
  }
}

/// Files as they are read from answers.
private struct HubFiles {
  private var files: [HubFile] = []
  private var leftOut: [String] = []

  var count: Int { files.count + leftOut.count }

  /// Adds an entry as the hub describes files: `oid` or `blobId`, `size`, `lfs`.
  mutating func add(_ entry: JSON, url: String) throws(HubError) {
    let object = entry.object
    guard let path = object?["path"]?.string ?? object?["rfilename"]?.string else {
      throw .badAnswer(url: HubAddress.shown(url), reason: "an entry has no path")
    }
    guard try isUsable(path, url: url) else { return }
    let large = object?["lfs"]?.object
    let sha256 = large?["oid"]?.string ?? large?["sha256"]?.string
    let size = large?["size"]?.integer ?? object?["size"]?.integer
    let blob = object?["oid"]?.string ?? object?["blobId"]?.string
    guard let blob, HubPath.isHexadecimal(blob, 40),
      sha256.map({ HubPath.isHexadecimal($0, 64) }) ?? true
    else {
      throw .badAnswer(url: HubAddress.shown(url), reason: "the checksum of \(path) is none")
    }
    guard let size, size >= 0 else {
      throw .badAnswer(url: HubAddress.shown(url), reason: "the size of \(path) is none")
    }
    let xet = object?["xetHash"]?.string.flatMap { HubPath.isHexadecimal($0, 64) ? $0 : nil }
    files.append(HubFile(path: path, size: size, blob: blob, sha256: sha256, xetHash: xet))
  }

  mutating func add(_ file: HubFile) { files.append(file) }

  /// Whether a path can be one on this machine; what would lead out of the folder belongs to no honest repository.
  mutating func isUsable(_ path: String, url: String) throws(HubError) -> Bool {
    if HubPath.isSafe(path) { return true }
    let parts = path.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
    guard !parts.contains(".."), !path.hasPrefix("/"), !path.isEmpty else {
      throw .badAnswer(
        url: HubAddress.shown(url),
        reason: "it lists a file outside the repository: \(HubListing.shown(path))")
    }
    leftOut.append(path)
    return false
  }

  func finished(url: String) throws(HubError) -> (files: [HubFile], leftOut: [String]) {
    // Bytes decide, not what Swift holds for the same text.
    let sorted = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    for (file, next) in zip(sorted, sorted.dropFirst())
    where file.path.utf8.elementsEqual(next.path.utf8) {
      throw .badAnswer(url: HubAddress.shown(url), reason: "it lists \(file.path) twice")
    }
    return (sorted, leftOut.sorted())
  }
}

extension HubListing {
  /// A path with what cannot be shown escaped.
  static func shown(_ path: String) -> String { JSON.string(path).serialized(asciiOnly: true) }
}
