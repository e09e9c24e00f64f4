/// What the files of a model's folder are by their names: the one list of such facts.
public enum ModelFiles {
  /// Whether a file holds a model's weights, in any framework's format, or an index of them.
  public static func isWeights(_ name: String) -> Bool {
    weightEndings.contains { name.hasSuffix($0) }
  }

  /// Of the names in a folder, those of the weights that are read, and of the index that says in which files they lie.
  ///
  /// With an index, it decides; then `model.safetensors`, a numbered set, a single file. Files
  /// `consolidated*.safetensors` hold a model once more in its maker's own format.
  public static func taken(_ names: [String]) -> Set<String> {
    let candidates = names.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix("consolidated") }
    if names.contains(index) { return Set(candidates + [index]) }
    if candidates.contains("model.safetensors") { return ["model.safetensors"] }
    let numbered = candidates.filter { $0.hasPrefix("model-") && $0.contains("-of-") }
    return Set(numbered.isEmpty ? candidates : numbered)
  }

  /// Whether a file of this name is a tokenizer's.
  public static func isTokenizer(_ name: String) -> Bool {
    tokenizerNames.contains(name) || name.hasSuffix(".tiktoken")
  }

  /// Whether a file beside the weights is one that every command copies, and none of the folder's own affairs.
  public static func isBeside(_ name: String) -> Bool { !name.hasPrefix(".") && !isWeights(name) }

  /// The index of weights that lie in several files.
  public static let index = "model.safetensors.index.json"

  private static let weightEndings = [
    ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".ckpt",
    ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite", ".npz",
  ]

  private static let tokenizerNames: Set<String> = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "merges.txt", "tekken.json",
    "chat_template.jinja", "chat_template.json",
  ]
}
