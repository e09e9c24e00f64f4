import JSON
import Tensors

/// What a commit holds, as the hub listed it: it never changes, and is kept for ever.
extension HubCache.Repository {
  /// The listing of a commit as it lies in the cache; `nil` where there is none, or none that can be believed.
  ///
  /// - Parameter revision: what was asked for, for the listing's own account.
  public func listing(_ commit: String, revision: String? = nil) -> HubListing? {
    try? storedListing(commit, revision: revision).get()
  }

  /// Why a listing in the cache is not believed.
  enum ListingFault: Error, Equatable {
    case absent
    case file(FileError)
    case bad(String)
  }

  func listingPath(_ commit: String) -> String { "\(folder)/trees/\(commit).json" }

  /// The listing of a commit that a folder of the user's own keeps below `store`.
  func listing(_ commit: String, in store: String) -> HubListing? {
    try? storedListing(commit, at: "\(store)/trees/\(commit).json").get()
  }

  func storedListing(
    _ commit: String, revision: String? = nil, at place: String? = nil
  ) -> Result<HubListing, ListingFault> {
    let path = place ?? listingPath(commit)
    guard HubPath.isCommit(commit), Folder.exists(path) else { return .failure(.absent) }
    let bytes: [UInt8]
    do throws(FileError) {
      let file = try InputFile(path)
      guard file.size <= 1 << 28 else { return .failure(.bad("it is too long")) }
      bytes = try file.readAll()
    } catch { return .failure(.file(error)) }
    let json: JSON
    do throws(JSONError) { json = try JSON(parsing: bytes, maximumDepth: 8) } catch {
      return .failure(.bad("\(error)"))
    }
    guard json.object?["format_version"]?.integer == 1, let members = json.object?["files"]?.object
    else { return .failure(.bad("it is of another version, or no listing")) }
    var files: [HubFile] = []
    files.reserveCapacity(members.count)
    for (name, value) in members.members {
      guard let file = HubFile(path: name, stored: value) else {
        return .failure(.bad("what it says of \"\(name)\" cannot be so"))
      }
      files.append(file)
    }
    files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    return .success(
      HubListing(repository: id, revision: revision ?? commit, commit: commit, files: files))
  }

  /// Keeps a listing, byte for byte as huggingface_hub writes it.
  ///
  /// - Throws: `HubError.file`, `.unsafePath`.
  public func setListing(_ listing: HubListing) throws(HubError) {
    guard let bytes = try stored(listing) else { return }
    try cache.prepare()
    try cache.write(bytes, as: listingPath(listing.commit))
  }

  /// A listing as a file holds it; `nil` for one that is not to be kept.
  func stored(_ listing: HubListing) throws(HubError) -> [UInt8]? {
    guard HubPath.isCommit(listing.commit) else {
      throw .unsafePath(listing.commit, repository: id)
    }
    // Python believes no listing with a name of the shared store that is none, and writes none.
    if listing.files.contains(where: { $0.xetHash.map { !HubPath.isHexadecimal($0, 64) } ?? false })
    {
      return nil
    }
    var members = JSONObject()
    for file in listing.files.sorted(by: { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }) {
      members[file.path] = file.stored
    }
    let whole: JSONObject = ["format_version": .integer(1), "files": .object(members)]
    return JSON.object(whole).serializedBytes(.indented(1), asciiOnly: true)
  }
}

extension HubFile {
  /// What a listing in the cache says of it.
  fileprivate var stored: JSON {
    var object: JSONObject = ["size": .integer(size), "blob_id": .string(blob)]
    if let sha256 {
      object["lfs_sha256"] = .string(sha256)
      object["lfs_size"] = .integer(size)
    }
    if let xetHash { object["xet_hash"] = .string(xetHash) }
    return .object(object)
  }

  /// One file of a stored listing; `nil` where a field cannot be so.
  fileprivate init?(path: String, stored: JSON) {
    guard HubPath.isSafe(path), let object = stored.object, let blob = object["blob_id"]?.string,
      let stated = object["size"]?.integer, HubPath.isBlobName(blob)
    else { return nil }
    let sha256 = object["lfs_sha256"]?.string
    let xetHash = object["xet_hash"]?.string
    // Of a large file the pointer's size may be meant where it stands first.
    let size = sha256 == nil ? stated : object["lfs_size"]?.integer ?? stated
    guard size >= 0, sha256.map({ HubPath.isHexadecimal($0, 64) }) ?? true,
      xetHash.map({ HubPath.isHexadecimal($0, 64) }) ?? true
    else { return nil }
    self.init(path: path, size: size, blob: blob, sha256: sha256, xetHash: xetHash)
  }
}
