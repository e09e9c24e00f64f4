/// Which files of a listing a need means.
extension HubNeed {
  /// The files that are needed, in the order given.
  ///
  /// - Parameter folder: a folder that alone is meant, or a file; empty for the whole repository.
  package func chosen(from files: [HubFile], in folder: String = "") -> [HubFile] {
    guard !folder.isEmpty else { return chosen(among: files) }
    let within = files.filter { Self.isIn($0.path, folder) }
    if within.count == 1, within[0].path == folder { return within }
    let bare = within.map { file in
      var file = file
      file.path = String(file.path.dropFirst(folder.count + 1))
      return file
    }
    let chosen = Set(chosen(among: bare).map { "\(folder)/\($0.path)" })
    return within.filter { chosen.contains($0.path) }
  }

  static func isIn(_ path: String, _ folder: String) -> Bool {
    path == folder || path.hasPrefix(folder + "/")
  }

  private func chosen(among files: [HubFile]) -> [HubFile] {
    switch self {
    case .files(let include, let exclude):
      let include = include.map(FilePattern.init)
      let exclude = exclude.map(FilePattern.init)
      return files.filter { file in
        (include.isEmpty || include.contains { $0.matches(file.path) })
          && !exclude.contains { $0.matches(file.path) }
      }
    case .model:
      let weights = Self.weights(in: files)
      return files.filter { !Self.isWeights($0.path) || weights.contains($0.path) }
    case .withoutWeights:
      return files.filter { !Self.isWeights($0.path) }
    case .configuration:
      return files.filter { Self.isConfiguration($0.path) }
    case .tokenizer:
      return files.filter { Self.isConfiguration($0.path) || Self.isTokenizer($0.path) }
    }
  }

  /// The paths that are asked for by name, which must be there.
  package var named: [String] {
    guard case .files(let include, _) = self else { return [] }
    return include.filter { FilePattern($0).isPath }
  }

  /// What weights are stored as, in any format that is in use.
  private static let weightEndings = [
    ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx",
    ".onnx_data", ".ot", ".tflite", ".mlmodel", ".pb", ".npz", ".nemo", ".pkl", ".distcp", ".keras",
  ]

  static func isWeights(_ path: String) -> Bool {
    let path = path.lowercased()
    return weightEndings.contains { path.hasSuffix($0) }
  }

  /// The paths of the weights that are taken of those there are.
  ///
  /// safetensors at the top of the repository come first; what lies in folders is the same in another form
  /// (`original/`, `onnx/`), and so is `consolidated.safetensors` beside `model.safetensors` and its shards.
  private static func weights(in files: [HubFile]) -> Set<String> {
    let all = files.map(\.path).filter(isWeights)
    let top = all.filter { !$0.contains("/") }
    let tensors = top.filter { $0.hasSuffix(".safetensors") }
    let plain = tensors.filter { !$0.hasPrefix("consolidated") }
    for choice in [plain, tensors, top] where !choice.isEmpty { return Set(choice) }
    return Set(all)
  }

  private static func isConfiguration(_ path: String) -> Bool {
    guard !path.contains("/") else { return false }
    return path.hasSuffix("config.json") || path.hasSuffix(".py") || path == "params.json"
  }

  private static func isTokenizer(_ path: String) -> Bool {
    if path.hasPrefix("additional_chat_templates/") { return true }
    guard !path.contains("/") else { return false }
    let endings = [".model", ".tiktoken", ".jinja", ".spm"]
    let beginnings = [
      "tokenizer", "tokenization", "vocab", "merges", "special_tokens", "added_tokens", "tekken",
      "chat_template", "processor_config", "preprocessor_config",
    ]
    return endings.contains { path.hasSuffix($0) } || beginnings.contains { path.hasPrefix($0) }
  }
}
