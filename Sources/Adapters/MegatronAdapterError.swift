import Tensors

/// Why an adapter of Megatron's cannot be read or written, as facts with their place.
public enum MegatronAdapterError: Error, Sendable {
  /// Nothing says what the adapter's numbers mean.
  case noSettings(folder: String, looked: [String])
  /// The settings' file is there, but not what is needed of it.
  case badSetting(file: String, place: String, expected: String, found: String)
  /// A checkpoint without one tensor of an adapter.
  case noAdapter(folder: String)
  /// The tensors are not those of an adapter of this model.
  case mismatch(AdapterMismatch, in: String)
  /// What one side has and the other has no place for.
  case notRepresentable(tensor: String, source: String, reason: String)
}

extension MegatronAdapterError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noSettings(let folder, let looked):
      "\(folder) does not say what its adapter's factor is: the section of the adapter's settings is in none of "
        + looked.joined(separator: ", ")
        + ". Copy the checkpoint again with these files; the alpha of training must be known."
    case .badSetting(let file, let place, let expected, let found):
      "\(file): \(place) should be \(expected), but \(found) was found. Take the file that the training run "
        + "wrote."
    case .noAdapter(let folder):
      "\(folder) holds no tensor of an adapter (none has .adapter. in its name). Give the checkpoint that the "
        + "fine-tuning wrote, not its base."
    case .mismatch(let mismatch, let place): mismatch.description(in: place)
    case .notRepresentable(let tensor, let source, let reason):
      "\(source): \(tensor): \(reason)"
    }
  }
}

/// How an adapter's tensors disagree with a model.
public struct AdapterMismatch: Sendable {
  public struct WrongShape: Sendable {
    public var name: String
    public var expected: Shape
    public var found: Shape
  }

  public var wrongShape: [WrongShape] = []
  public var missing: [String] = []
  public var extra: [String] = []

  public init() {}

  public var isEmpty: Bool { wrongShape.isEmpty && missing.isEmpty && extra.isEmpty }

  func description(in place: String) -> String {
    var lines = ["\(place) holds no adapter of this model."]
    func add(_ items: [String]) {
      lines += items.prefix(3)
      if items.count > 3 { lines.append("  and \(items.count - 3) more") }
    }
    add(
      wrongShape.map {
        "  wrong shape: \($0.name), for the model \($0.expected), found \($0.found)"
      })
    add(missing.map { "  missing: \($0)" })
    add(extra.map { "  not known: \($0)" })
    lines.append("Give the model that the adapter was trained on, and copy the adapter again whole.")
    return lines.joined(separator: "\n")
  }
}
