import JSON
import Tensors

/// What the cache knows without asking anybody.
extension HubCache {
  /// What was found of a reference.
  public struct Found: Sendable {
    /// `nil` where the revision is not known, or nothing of it is here.
    public var snapshot: HubSnapshot?
    /// What the need asks for and the cache does not have: paths, or words where the names are not known.
    public var missing: [String]
    /// Where was looked.
    public var place: String
  }

  /// Looks a reference up.
  ///
  /// Whether everything is here is said by the cached listing; where there is none, by the files themselves:
  /// config.json, and the index that names its shards. Files that no command computes with, as README.md, may be
  /// missing; a note says which.
  ///
  /// - Throws: `HubError.badReference` where a file is named and a folder is wanted.
  public func find(_ reference: HubReference, _ need: HubNeed) throws(HubError) -> Found {
    let repository = repository(reference.repository)
    let revision = reference.revision ?? "main"
    guard let commit = repository.commit(revision) else {
      return Found(snapshot: nil, missing: need.words, place: repository.place(without: revision))
    }
    let root = try repository.snapshot(commit)
    let folder = reference.path.isEmpty ? root : try repository.place(reference.path, commit)
    let listing = repository.listing(commit, revision: revision)
    if Folder.isFile(folder)
      || listing?.files.contains(where: { $0.path == reference.path }) ?? false
    {
      guard case .files = need else {
        throw .badReference("\(reference)", reason: "it is a file; name the folder it lies in")
      }
    }
    var notes: [String] = []
    var missing: [String]
    if let listing {
      let absent = need.choose(from: listing, in: reference.path)
        .filter { !repository.has($0, commit) }.map(\.path)
      missing = absent.filter(need.isEssential)
      let others = absent.filter { !need.isEssential($0) }
      if missing.isEmpty, let first = others.first {
        notes.append(
          others.count == 1
            ? "\(first) of \(reference) is not in the cache; done without it."
            : "\(others.count) files of \(reference) that are not computed with are not in the cache "
              + "(\(first) …); done without them.")
      }
    } else {
      missing = Folder.isFolder(folder) ? need.missing(in: folder) : need.words
    }
    let isThere = Folder.isFolder(root)
    if !isThere, missing.isEmpty { missing = need.words }
    return Found(
      snapshot: isThere
        ? HubSnapshot(folder: folder, commit: commit, listing: listing, notes: notes) : nil,
      missing: missing, place: folder)
  }
}

extension HubCache.Repository {
  /// Where was looked for a revision in vain, and what is there instead.
  fileprivate func place(without revision: String) -> String {
    guard Folder.isFolder(folder) else { return folder }
    let names = refs().map(\.name)
    let known = names.isEmpty ? commits() : names
    guard !known.isEmpty else { return "\(folder)/refs/\(revision)" }
    let more = known.count > 5 ? " …" : ""
    return "\(folder), which knows of \(known.prefix(5).joined(separator: ", "))\(more)"
  }
}

extension HubNeed {
  /// Words for what is needed where no names are known.
  var words: [String] {
    switch self {
    case .files(let include, _): include.isEmpty ? ["all files"] : include
    case .model: ["config.json", "the tokenizer's files", "the weights (*.safetensors)"]
    case .withoutWeights: ["config.json", "the tokenizer's files"]
    case .configuration: ["config.json"]
    case .tokenizer: ["the tokenizer's files"]
    }
  }

  /// Whether a file that is needed is more than a companion of those that are computed with.
  fileprivate func isEssential(_ path: String) -> Bool {
    guard case .files = self else {
      return ModelFiles.isWeights(path)
        || [".json", ".py", ".jinja", ".model", ".txt", ".tiktoken"].contains { path.hasSuffix($0) }
    }
    return true
  }

  /// What a snapshot itself shows to be missing where there is no listing to hold it against.
  fileprivate func missing(in folder: String) -> [String] {
    func absent(_ names: [String]) -> [String] {
      names.filter { !Folder.isFile("\(folder)/\($0)") }
    }
    switch self {
    case .files: return absent(named)
    case .configuration, .withoutWeights: return absent(["config.json"])
    case .tokenizer:
      let names = Folder.entries(folder) ?? []
      return names.contains { ModelFiles.isTokenizer($0) && Folder.isFile("\(folder)/\($0)") }
        ? [] : words
    case .model:
      // An adapter's repository is taken for what it is.
      let isAdapter =
        Folder.isFile("\(folder)/adapter_config.json") && !Folder.isFile("\(folder)/config.json")
      return (isAdapter ? [] : absent(["config.json"])) + missingWeights(in: folder)
    }
  }

  /// Of the weights, the shards that an index names; without an index one file at least.
  private func missingWeights(in folder: String) -> [String] {
    let path = "\(folder)/\(ModelFiles.index)"
    guard Folder.exists(path) else {
      let names = Folder.entries(folder) ?? []
      let taken = ModelFiles.taken(names.filter { Folder.isFile("\(folder)/\($0)") })
      return taken.isEmpty ? ["model.safetensors"] : []
    }
    // What is wrong with an index is said by whoever reads the weights.
    guard let file = try? InputFile(path), file.size <= 1 << 28, let bytes = try? file.readAll(),
      let map = (try? JSON(parsing: bytes))?.object?["weight_map"]?.object
    else { return Folder.isFile(path) ? [] : [ModelFiles.index] }
    return Set(map.members.compactMap(\.value.string)).filter(HubPath.isSafe).sorted()
      .filter { !Folder.isFile("\(folder)/\($0)") }
  }
}
