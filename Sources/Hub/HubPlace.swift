import Tensors

/// Where files of one commit go: into the cache, or into a folder of the user's.
protocol HubPlace: Sendable {
  /// The folder that the files get their names in.
  var folder: String { get }

  /// Whether a file lies there already, whole as far as that shows without asking the hub.
  func has(_ file: HubFile) throws(HubError) -> Bool

  /// Whether a file lies on this machine under another name, so that nothing has to travel.
  func canAdopt(_ file: HubFile) -> Bool

  /// Where a file's bytes lie as long as they are on their way.
  func incomplete(_ file: HubFile) throws(HubError) -> String

  /// Where they lie in the end.
  func final(_ file: HubFile) throws(HubError) -> String

  /// The file whose lock a file is fetched under.
  func lock(_ file: HubFile) throws(HubError) -> String

  /// Makes what is needed before a file can arrive.
  func prepare(_ file: HubFile) throws(HubError)

  /// Takes a file from where it lies on this machine under another name; `false` if it has to be fetched.
  ///
  /// Called under the lock.
  func adopt(_ file: HubFile) throws(HubError) -> Bool

  /// Gives a file its name, once it is whole and flushed.
  func settle(_ file: HubFile) throws(HubError)

  /// The listing of the commit, if it is kept here.
  func listing() -> HubListing?

  func keep(_ listing: HubListing) throws(HubError)
}

/// A snapshot in the cache.
struct CachePlace: HubPlace {
  let repository: HubCache.Repository
  let commit: String
  let folder: String

  init(_ repository: HubCache.Repository, commit: String) throws(HubError) {
    self.repository = repository
    self.commit = commit
    folder = try repository.snapshot(commit)
  }

  func has(_ file: HubFile) -> Bool { repository.has(file, commit) }

  func canAdopt(_ file: HubFile) -> Bool {
    (try? repository.blob(file.etag)).flatMap(Folder.size) == file.size
  }

  func incomplete(_ file: HubFile) throws(HubError) -> String {
    try repository.incomplete(file.etag)
  }

  func final(_ file: HubFile) throws(HubError) -> String {
    // Where links are off, the blob itself moves into the snapshot.
    let blob = try repository.blob(file.etag)
    return Folder.exists(blob) ? blob : try repository.place(file.path, commit)
  }

  func lock(_ file: HubFile) throws(HubError) -> String { try repository.lock(file.etag) }

  func prepare(_ file: HubFile) throws(HubError) { try repository.prepare() }

  func adopt(_ file: HubFile) throws(HubError) -> Bool {
    if has(file) { return true }
    let blob = try repository.blob(file.etag)
    // A blob of another size is damaged: what is fetched takes its place.
    guard Folder.size(blob) == file.size || repository.linkShared(file) else { return false }
    try repository.link(file.path, commit, to: file.etag, isNew: false)
    return true
  }

  func settle(_ file: HubFile) throws(HubError) {
    let blob = try repository.blob(file.etag)
    let incomplete = try repository.incomplete(file.etag)
    try HubError.files { () throws(FileError) in try Folder.publish(incomplete, as: blob) }
    try repository.link(file.path, commit, to: file.etag, isNew: true)
  }

  func listing() -> HubListing? { repository.listing(commit) }

  func keep(_ listing: HubListing) throws(HubError) { try repository.setListing(listing) }
}
