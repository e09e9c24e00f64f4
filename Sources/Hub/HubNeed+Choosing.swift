extension HubNeed {
  /// The files of a listing that are needed, in its order.
  ///
  /// - Parameter folder: the folder of the repository that the model lies in; what lies elsewhere is not needed.
  public func choose(from listing: HubListing, in folder: String = "") -> [HubFile] {
    guard !folder.isEmpty else { return choose(listing.files, \.path) }
    let mark = folder + "/"
    let inner = listing.files.filter { $0.path.hasPrefix(mark) }
    return choose(inner) { String($0.path.dropFirst(mark.count)) }
  }

  private func choose(_ files: [HubFile], _ path: (HubFile) -> String) -> [HubFile] {
    switch self {
    case .files(let include, let exclude):
      let included = include.map(FilePattern.init)
      let excluded = exclude.map(FilePattern.init)
      return files.filter { file in
        let name = path(file)
        return (included.isEmpty || included.contains { $0.matches(name) })
          && !excluded.contains { $0.matches(name) }
      }
    case .model:
      let taken = ModelFiles.taken(files.map(path).filter { !$0.contains("/") })
      return files.filter { taken.contains(path($0)) || Self.isBeside(path($0)) }
    case .withoutWeights: return files.filter { Self.isBeside(path($0)) }
    case .configuration:
      return files.filter { Self.isConfiguration(path($0)) }
    case .tokenizer:
      return files.filter {
        let name = path($0)
        return Self.isConfiguration(name) || (ModelFiles.isTokenizer(name) && !name.contains("/"))
      }
    }
  }

  /// Whether a file lies beside the weights, where commands look for what they copy.
  private static func isBeside(_ path: String) -> Bool {
    !path.contains("/") && ModelFiles.isBeside(path)
  }

  /// config.json, what generating goes by, and the model's own code, which is copied and never run.
  private static func isConfiguration(_ path: String) -> Bool {
    !path.contains("/")
      && (["config.json", "generation_config.json"].contains(path) || path.hasSuffix(".py"))
  }
}
