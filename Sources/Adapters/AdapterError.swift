import Tensors

/// Why an adapter could not be read, merged or written.
public enum AdapterError: Error, Equatable, CustomStringConvertible {
  /// Nothing known lies at a path.
  case notFound(path: String)
  /// A file says something that cannot be, or not what is needed.
  case malformed(file: String, place: String, reason: String)
  /// A setting of the adapter that is not understood, or not carried.
  case unsupported(file: String, what: String)
  /// Nothing says what the adapter's numbers mean.
  case noSettings(folder: String, looked: [String])
  /// Tensors that belong to others that are there.
  case incomplete(source: String, tensors: [String])
  /// Tensors whose shapes are not the model's.
  case doesNotFit(source: String, mismatches: [Mismatch])
  /// Tensors of the adapter for which the model has no place.
  case leftOver(source: String, tensors: [String])
  /// Numbers that are none.
  case notFinite(source: String, tensor: String, value: String)
  /// A rank of nothing.
  case rankZero(source: String, tensor: String)
  /// A result that already holds this adapter.
  case alreadyMerged(base: String, adapter: String)
  /// No weights to merge into.
  case noBase(adapter: String)
  /// The adapter names a base that is not here.
  case baseNotFound(path: String, namedBy: String, looked: [String])
  /// A Megatron checkpoint alone does not say what a Hugging Face folder needs.
  case noModel(base: String)

  /// A tensor of an adapter and the tensor it should change.
  public struct Mismatch: Equatable, Sendable {
    /// The adapter's tensor and its shape.
    public var tensor: String
    public var found: Shape
    /// The base's tensor and its shape.
    public var base: String
    public var expected: Shape

    public init(tensor: String, found: Shape, base: String, expected: Shape) {
      self.tensor = tensor
      self.found = found
      self.base = base
      self.expected = expected
    }
  }

  /// How many entries of a list a sentence shows.
  static let limit = 3

  public var description: String {
    switch self {
    case .notFound(let path):
      "\(path) holds no adapter. Known are folders with adapter_config.json (PEFT, mlx-lm) and "
        + "Megatron run folders of Megatron-Bridge and NeMo 2."
    case .malformed(let file, let place, let reason):
      "\(file): \(place): \(reason)."
    case .unsupported(let file, let what):
      "\(file): \(what)."
    case .noSettings(let folder, let looked):
      "\(folder) does not say what the factor of its adapter is: none of "
        + "\(looked.joined(separator: ", ")) does. Copy these files too from where the training "
        + "wrote them."
    case .incomplete(let source, let tensors):
      "The adapter \(source) lacks \(tensors.count) tensors that belong to others it has: "
        + "\(Self.list(tensors)). Copy it again, with all its files."
    case .doesNotFit(let source, let mismatches):
      "The adapter \(source) is for another model: \(Self.list(mismatches.map(Self.words))). "
        + "Check that --hf-model-path and --pretrained name the model it was trained on."
    case .leftOver(let source, let tensors):
      "The adapter \(source) has \(tensors.count) tensors for which the model has no place: "
        + "\(Self.list(tensors)). Check that --hf-model-path and --pretrained name the model it was "
        + "trained on."
    case .notFinite(let source, let tensor, let value):
      "\(source): \(tensor) holds \(value). The training went wrong; take an earlier checkpoint, or "
        + "merge it all the same with --allow-non-finite."
    case .rankZero(let source, let tensor):
      "\(source): \(tensor) has rank 0, so the adapter changes nothing. Check how it was saved."
    case .alreadyMerged(let base, let adapter):
      "\(base) holds the adapter \(adapter) already; merging it again would add it twice. Take the "
        + "model it was trained on."
    case .noBase(let adapter):
      "Nothing says what the adapter \(adapter) is to be merged into. Give --hf-model-path REF for a "
        + "Hugging Face model, or --pretrained CKPT besides for a Megatron checkpoint."
    case .baseNotFound(let path, let namedBy, let looked):
      "\(namedBy) names the base \(path), which is not here. Looked at: "
        + "\(looked.joined(separator: ", ")). Say where it lies with --pretrained CKPT, or merge into "
        + "Hugging Face weights with --pretrained REF."
    case .noModel(let base):
      "The base \(base) is a Megatron checkpoint, which has neither config.json nor tokenizer for "
        + "the result. Name the Hugging Face model with --hf-model-path REF."
    }
  }

  private static func words(_ mismatch: Mismatch) -> String {
    "\(mismatch.tensor) is \(mismatch.found), \(mismatch.base) is \(mismatch.expected)"
  }

  private static func list(_ entries: [String]) -> String {
    entries.prefix(limit).joined(separator: "; ")
      + (entries.count > limit ? "; and \(entries.count - limit) more" : "")
  }
}
