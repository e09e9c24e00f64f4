import HTTP
import Tensors

/// What a repository's folder shows before its files are read, and which files have to be.
struct HubSurvey {
  private let repository: HubCache.Repository
  private(set) var findings: [HubVerification.Finding] = []
  /// Each once, however many names lead to it.
  private(set) var files: [HubCheckedFile] = []
  private(set) var unchecked = 0
  /// The blobs that are accounted for, and where in `files` they stand.
  private var blobs: [String: Int] = [:]
  private var used: Set<String> = []

  /// - Parameter commit: the one revision that is looked at; `nil` for all, and for what belongs to none.
  init(_ repository: HubCache.Repository, _ commit: String?) {
    self.repository = repository
    for known in repository.commits() where commit == nil || commit == known { survey(known) }
    guard commit == nil else { return }
    let kept = Set(repository.commits())
    for (name, commit) in repository.refs() where !kept.contains(commit) {
      note(.lost, "refs/\(name)", "its commit \(commit.prefix(12)) has no files here")
    }
    for name in Folder.entries("\(repository.folder)/blobs") ?? [] where !used.contains(name) {
      surveyBlob(name)
    }
  }

  private mutating func note(
    _ kind: HubVerification.Kind, _ path: String, _ detail: String, _ repair: HubReference? = nil
  ) {
    findings.append(
      HubVerification.Finding(
        kind: kind, repository: repository.id, path: path, detail: detail, repair: repair))
  }

  private func reference(_ commit: String, _ path: String) -> HubReference {
    HubReference(repository.id, revision: commit, path: path)
  }

  private mutating func survey(_ commit: String) {
    let folder = "\(repository.folder)/snapshots/\(commit)"
    var listed: [String: HubFile] = [:]
    switch repository.storedListing(commit) {
    case .success(let listing):
      for file in listing.files { listed[file.path] = file }
      for file in listing.files where !Folder.exists("\(folder)/\(file.path)") {
        note(
          .absent, "snapshots/\(commit)/\(file.path)", "\(file.size) bytes were not fetched",
          reference(commit, file.path))
      }
    case .failure(.absent): break
    case .failure(.file(let error)): note(.unreadable, "trees/\(commit).json", "\(error)")
    case .failure(.bad(let reason)):
      note(.unreadable, "trees/\(commit).json", "it is not believed: \(reason)")
    }
    for path in repository.files(below: folder) {
      survey(path, in: commit, folder, listed[path])
    }
  }

  private mutating func survey(
    _ path: String, in commit: String, _ folder: String, _ listed: HubFile?
  ) {
    let shown = "snapshots/\(commit)/\(path)"
    let place = "\(folder)/\(path)"
    guard let target = Folder.target(of: place) else {
      // Where links are off or impossible the file itself lies here.
      guard let expected = listed?.etag else {
        unchecked += 1
        return
      }
      add(place, shown, expected, reference(commit, path))
      return
    }
    let name = Folder.name(target)
    used.insert(name)
    guard let size = Folder.size(place) else {
      return note(
        .dangling, shown, "it leads to \(target), which is not there", reference(commit, path))
    }
    if let listed, listed.etag != name {
      return note(
        .misled, shown, "it leads to \(name), and the hub lists \(listed.etag)",
        reference(commit, path))
    }
    guard blobs[name] == nil else { return }
    guard HubCheckedFile.kind(name, size) != nil else {
      unchecked += 1
      return
    }
    blobs[name] = files.count
    add(place, "blobs/\(name)", name, reference(commit, path))
  }

  /// A blob that no revision leads to.
  private mutating func surveyBlob(_ name: String) {
    let place = "\(repository.folder)/blobs/\(name)"
    guard let size = Folder.size(place) else {
      return note(
        .dangling, "blobs/\(name)", "it leads to \(Folder.target(of: place) ?? "nothing")")
    }
    if name.hasSuffix(".incomplete") {
      note(.incomplete, "blobs/\(name)", "\(size) bytes of a file whose download did not end")
    } else {
      note(.unused, "blobs/\(name)", "\(size) bytes that no revision leads to")
      if HubCheckedFile.kind(name, size) != nil { add(place, "blobs/\(name)", name, nil) }
    }
  }

  private mutating func add(
    _ place: String, _ shown: String, _ expected: String, _ repair: HubReference?
  ) {
    guard let size = Folder.size(place), let kind = HubCheckedFile.kind(expected, size) else {
      unchecked += 1
      return
    }
    files.append(
      HubCheckedFile(
        repository: repository.id, place: place, shown: shown, size: size, kind: kind,
        expected: expected, repair: repair))
  }
}

/// A file that is read from end to end.
struct HubCheckedFile: Sendable {
  var repository: HubRepository
  var place: String
  /// Below the repository's folder.
  var shown: String
  var size: Int
  var kind: Digest.Kind
  var expected: String
  var repair: HubReference?

  /// Which digest a name is; `nil` if it is none.
  static func kind(_ name: String, _ size: Int) -> Digest.Kind? {
    if HubPath.isHexadecimal(name, 64) { return .sha256 }
    return HubPath.isHexadecimal(name, 40) ? .gitBlob(size: size) : nil
  }

  /// The file's digest, read in pieces.
  ///
  /// - Parameter read: told of the bytes read so far; whether to end.
  /// - Throws: `HubError.file`, `.interrupted`.
  func digest(_ read: (Int) -> Bool) throws(HubError) -> String {
    let isStopped: Bool
    do throws(FileError) {
      let file = try InputFile(place)
      let digest = try Digest(kind)
      var done = 0
      while done < file.size, !read(done) {
        let end = min(file.size, done + 4 << 20)
        digest.add(try file.read(done..<end))
        done = end
      }
      isStopped = done < file.size
      if !isStopped { return digest.finish() }
    } catch { throw .file(error) }
    throw .interrupted
  }

  func finding(_ found: String) -> HubVerification.Finding {
    let name = kind == .sha256 ? "SHA-256" : "git SHA-1"
    return HubVerification.Finding(
      kind: .corrupt, repository: repository, path: shown,
      detail: "its \(name) is \(found), and should be \(expected)", repair: repair)
  }
}
