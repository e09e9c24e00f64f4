import Glibc
import HTTP
import Tensors

/// A folder of the user's own (`--local-dir`): real files, and beside them what is known of each.
///
/// Below `.cache/huggingface` lie the listings, a file `download/<path>.metadata` for each file (commit, etag and
/// time, a line each), its lock, and what is on its way. Source: huggingface_hub 2.4.0, `_local_folder.py`, which
/// goes on with a folder that was begun here, and the other way round.
struct LocalPlace: HubPlace {
  let folder: String
  /// Where a file may lie already.
  let cache: HubCache.Repository
  let commit: String
  /// Ends the reading of large files, and shows it.
  let progress: HubProgress?

  init(
    _ folder: String, cache: HubCache.Repository, commit: String, progress: HubProgress? = nil
  ) {
    self.folder = Folder.absolute(folder)
    self.cache = cache
    self.commit = commit
    self.progress = progress
  }

  private var store: String { folder + "/.cache/huggingface" }

  // MARK: Places

  func final(_ file: HubFile) throws(HubError) -> String {
    guard HubPath.isSafe(file.path) else { throw .unsafePath(file.path, repository: cache.id) }
    return "\(folder)/\(file.path)"
  }

  private func metadata(_ file: HubFile) -> String { "\(store)/download/\(file.path).metadata" }

  func lock(_ file: HubFile) -> String { "\(store)/download/\(file.path).lock" }

  func incomplete(_ file: HubFile) throws(HubError) -> String {
    guard HubPath.isSafe(file.path), HubPath.isBlobName(file.etag) else {
      throw .unsafePath(file.path, repository: cache.id)
    }
    let place = metadata(file)
    let mark = try Self.mark(Folder.name(place))
    return "\(Folder.parent(place))/\(mark).\(file.etag).incomplete"
  }

  /// A name's SHA-1 in the alphabet of base64 that file names may have.
  static func mark(_ name: String) throws(HubError) -> String {
    let digest = try HubError.files { () throws(FileError) -> String in
      let digest = try Digest(.sha1)
      digest.add(Array(name.utf8))
      return digest.finish()
    }
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    // 20 bytes are 27 letters of 6 bits, of which the last has 4, and a sign that fills up.
    let bits = digest.compactMap(\.hexDigitValue).flatMap { digit in
      [8, 4, 2, 1].map { digit & $0 == 0 ? 0 : 1 }
    }
    var text: [UInt8] = []
    for start in stride(from: 0, to: bits.count, by: 6) {
      var letter = 0
      for place in start..<start + 6 {
        letter = letter << 1 | (place < bits.count ? bits[place] : 0)
      }
      text.append(letters[letter])
    }
    return String(decoding: text, as: UTF8.self) + "="
  }

  // MARK: What is there

  func has(_ file: HubFile) throws(HubError) -> Bool {
    let place = try final(file)
    // The file may be the user's own work: size alone says nothing against it, but it says enough for it to be replaced.
    guard Folder.isFile(place) else { return false }
    if let known = known(file) {
      if known.commit == commit { return true }
      if known.etag == file.etag {
        try note(file)
        return true
      }
      return false
    }
    guard let sha256 = file.sha256, Folder.size(place) == file.size else { return false }
    let found: String
    do throws(HTTPError) { found = try Digest.of(file: place, .sha256) } catch {
      throw .http(error)
    }
    guard found == sha256 else { return false }
    try note(file)
    return true
  }

  /// What the metadata say of a file, if it has not been changed since.
  private func known(_ file: HubFile) -> (commit: String, etag: String)? {
    guard let text = try? InputFile(metadata(file)), text.size <= 4096,
      let bytes = try? text.readAll()
    else { return nil }
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } }
    var status = stat()
    guard lines.count >= 3, let time = Double(lines[2]), let place = try? final(file),
      stat(place, &status) == 0
    else { return nil }
    let changed = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) * 1e-9
    // File systems may count in whole seconds.
    return changed - 1 <= time ? (lines[0], lines[1]) : nil
  }

  /// Notes what a file is, as of now.
  private func note(_ file: HubFile) throws(HubError) {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let time = Double(now.tv_sec) + Double(now.tv_nsec / 1000) * 1e-6
    let text = "\(commit)\n\(file.etag)\n\(time)\n"
    let metadata = metadata(file)
    try HubError.files { () throws(FileError) in
      try Folder.create(Folder.parent(metadata))
      try OutputFile.replace(metadata) { output throws(FileError) in
        try output.write(Array(text.utf8), at: 0)
      }
    }
  }

  // MARK: Fetching

  func prepare(_ file: HubFile) throws(HubError) {
    let (place, metadata) = (try final(file), metadata(file))
    try HubError.files { () throws(FileError) in
      try Folder.create(Folder.parent(place))
      try Folder.create(Folder.parent(metadata))
    }
    write("*", as: store + "/.gitignore")
    write(HubCache.tag, as: store + "/CACHEDIR.TAG")
  }

  /// A mark for other programs; the folder is as good without it.
  private func write(_ text: String, as path: String) {
    guard !Folder.exists(path) else { return }
    try? OutputFile.replace(path) { output throws(FileError) in
      try output.write(Array(text.utf8), at: 0)
    }
  }

  func canAdopt(_ file: HubFile) -> Bool { cache.has(file, commit) }

  func adopt(_ file: HubFile) throws(HubError) -> Bool {
    if try has(file) { return true }
    guard canAdopt(file) else { return false }
    let (source, place) = (try cache.place(file.path, commit), try final(file))
    try HubError.files { () throws(FileError) in try cache.copy(source, to: place) }
    try note(file)
    return true
  }

  func settle(_ file: HubFile) throws(HubError) {
    let (draft, place) = (try incomplete(file), try final(file))
    try HubError.files { () throws(FileError) in try Folder.publish(draft, as: place) }
    try note(file)
  }

  // MARK: Listings

  func listing() -> HubListing? { cache.listing(commit, in: store) }

  func keep(_ listing: HubListing) throws(HubError) {
    guard let bytes = try cache.stored(listing) else { return }
    try HubError.files { () throws(FileError) in
      try Folder.create(store + "/trees")
      try OutputFile.replace("\(store)/trees/\(commit).json") { output throws(FileError) in
        try output.write(bytes, at: 0)
      }
    }
  }
}
