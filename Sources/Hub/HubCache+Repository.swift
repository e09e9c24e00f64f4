import CLinux
import Glibc
import Tensors

extension HubCache.Repository {
  public var folder: String { cache.root + "/" + id.folderName }

  // MARK: Revisions

  /// The commit that a branch or tag was when it was last asked for; a commit is itself.
  ///
  /// - Returns: `nil` where nothing is known of the revision.
  public func commit(_ revision: String) -> String? {
    if HubPath.isCommit(revision) { return revision }
    guard HubPath.isSafe(revision) else { return nil }
    return ref(revision)
  }

  /// What `refs/<revision>` says, if it says a commit.
  func ref(_ revision: String) -> String? {
    guard HubPath.isSafe(revision), let file = try? InputFile("\(folder)/refs/\(revision)"),
      file.size <= 256, let bytes = try? file.readAll()
    else { return nil }
    let commit = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
    return HubPath.isCommit(commit) ? commit : nil
  }

  /// Notes which commit a branch or tag is; of a commit, and where it is noted already, nothing is written.
  public func setRef(_ revision: String, _ commit: String) throws(HubError) {
    guard HubPath.isSafe(revision), HubPath.isCommit(commit) else {
      throw .unsafePath(revision, repository: id)
    }
    guard revision != commit else { return }
    let path = "\(folder)/refs/\(revision)"
    if let file = try? InputFile(path), (try? file.readAll()) == Array(commit.utf8) { return }
    try cache.prepare()
    try cache.write(Array(commit.utf8), as: path)
  }

  /// The branches and tags that are known, with their commits, in the order of their names.
  public func refs() -> [(name: String, commit: String)] {
    files(below: "\(folder)/refs").compactMap { name in ref(name).map { (name, $0) } }
  }

  /// The folder of a commit's files, which need not be there.
  ///
  /// - Throws: `HubError.unsafePath` if it is no commit.
  public func snapshot(_ commit: String) throws(HubError) -> String {
    guard HubPath.isCommit(commit) else { throw .unsafePath(commit, repository: id) }
    return "\(folder)/snapshots/\(commit)"
  }

  /// The commits that have a folder, in the order of their digits.
  public func commits() -> [String] {
    (Folder.entries("\(folder)/snapshots") ?? []).filter(HubPath.isCommit)
  }

  // MARK: Files

  /// Where the bytes lie that the hub knows by an etag.
  ///
  /// - Throws: `HubError.unsafePath` for an etag that is no name.
  public func blob(_ etag: String) throws(HubError) -> String {
    guard HubPath.isBlobName(etag) else { throw .unsafePath(etag, repository: id) }
    return "\(folder)/blobs/\(etag)"
  }

  /// Where they lie as long as they are on their way.
  public func incomplete(_ etag: String) throws(HubError) -> String {
    try blob(etag) + ".incomplete"
  }

  /// The file whose lock a blob is fetched under: `HubLock`.
  public func lock(_ etag: String) throws(HubError) -> String {
    _ = try blob(etag)
    return "\(cache.root)/.locks/\(id.folderName)/\(etag).lock"
  }

  /// A file's place in a snapshot.
  ///
  /// - Throws: `HubError.unsafePath` for a path that would leave the snapshot.
  public func place(_ path: String, _ commit: String) throws(HubError) -> String {
    guard HubPath.isSafe(path) else { throw .unsafePath(path, repository: id) }
    return try snapshot(commit) + "/" + path
  }

  /// Whether a file of a listing is in the snapshot, whole.
  public func has(_ file: HubFile, _ commit: String) -> Bool {
    guard let place = try? place(file.path, commit) else { return false }
    return Folder.size(place) == file.size
  }

  /// Makes the folders that a fetched file goes into.
  public func prepare() throws(HubError) {
    try cache.prepare()
    try HubError.files { () throws(FileError) in
      try Folder.create(folder + "/blobs")
      try Folder.create(folder + "/snapshots")
    }
  }

  /// Notes that the commit has no such file.
  public func markAbsent(_ path: String, _ commit: String) throws(HubError) {
    let mark = try absence(path, commit)
    guard !Folder.exists(mark) else { return }
    try cache.prepare()
    try cache.write([], as: mark, flushed: false)
  }

  /// Whether the commit is known to have no such file.
  public func isAbsent(_ path: String, _ commit: String) -> Bool {
    (try? absence(path, commit)).map(Folder.isFile) ?? false
  }

  private func absence(_ path: String, _ commit: String) throws(HubError) -> String {
    guard HubPath.isSafe(path), HubPath.isCommit(commit) else {
      throw .unsafePath(path, repository: id)
    }
    return "\(folder)/.no_exist/\(commit)/\(path)"
  }

  /// The files below a folder, by their paths in it, ordered.
  func files(below folder: String) -> [String] {
    var found: [String] = []
    func walk(_ inner: String, _ depth: Int) {
      for name in Folder.entries(folder + inner) ?? [] {
        let path = "\(inner)/\(name)"
        if depth < 64, Folder.isFolder(folder + path), !Folder.isLink(folder + path) {
          walk(path, depth + 1)
        } else {
          found.append(String(path.dropFirst()))
        }
      }
    }
    walk("", 0)
    return found
  }
}
