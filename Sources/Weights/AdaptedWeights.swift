import Adapters
import Blueprint
import Checkpoints
import Engine
import MegatronFormat
import Tensors

/// A model's weights, and the adapter that is put on them where there is one.
///
/// What no pair of factors does (biases, embeddings, modules trained as a whole) is merged as weights are read.
public struct AdaptedWeights: Sendable {
  public let weights: ModelWeights
  public let adapter: Adapter?
  /// What messages call the adapter, merged or not; `nil` where there is none.
  public let source: String?
  /// What the user should know.
  public let notes: [String]

  /// Finds what a user names; reads no weights yet.
  ///
  /// - Parameters:
  ///   - text: a Hugging Face folder or reference, a Megatron checkpoint; or an adapter in any format, whose
  ///     base is what its own files name, else `configuration`.
  ///   - adapter: the folder of an adapter to put on the model.
  ///   - configuration: the Hugging Face model that a Megatron checkpoint is of.
  /// - Throws: `AdapterError`, `ConversionError`, `MegatronError`.
  public init(
    _ text: String, adapter: String? = nil, revision: String? = nil, configuration: String? = nil
  ) throws {
    let text = try ModelReference(text, revision: revision).place()
    guard adapter == nil, Self.isAdapter(text) else {
      let weights = try ModelWeights(text, revision: revision, configuration: configuration)
      let adapter = try adapter.map {
        try Adapter(reading: AdapterReference($0).place(), for: weights.model)
      }
      try self.init(weights, adapter)
      return
    }
    let (base, note) = try Self.base(of: text, configuration)
    let weights = try ModelWeights(base)
    try self.init(weights, Adapter(reading: text, for: weights.model), note.map { [$0] } ?? [])
  }

  private init(
    _ weights: ModelWeights, _ adapter: Adapter?, _ notes: [String] = []
  ) throws {
    source = adapter?.source
    let notes = notes + weights.notes + (adapter?.notes ?? [])
    if let adapter, !Self.isAttachable(adapter, to: weights.blueprint) {
      self.weights = try adapter.merged(into: weights)
      self.adapter = nil
      self.notes =
        notes + [
          "The adapter changes more than matrices by low-rank factors; it is merged as the weights are read."
        ]
    } else {
      self.weights = weights
      self.adapter = adapter
      self.notes = notes
    }
  }

  /// Whether all that an adapter does is done by pairs of the engine's.
  private static func isAttachable(_ adapter: Adapter, to blueprint: Blueprint) -> Bool {
    let parts = Set(
      blueprint.slots.filter(\.slot.takesAdapters).flatMap { $0.slot.parts.map(\.name) })
    return adapter.changes.allSatisfy { name, changes in
      parts.contains(name)
        && changes.allSatisfy { if case .lowRank = $0.kind { true } else { false } }
    }
  }

  /// Where the model lies, with the adapter's place.
  public var place: String {
    weights.place + (source.map { ", with the adapter \($0)" } ?? "")
  }

  /// Whether a folder holds an adapter and no weights of its own.
  private static func isAdapter(_ path: String) -> Bool {
    guard Folder.isFolder(path), !Folder.isFile("\(path)/config.json") else { return false }
    switch try? Adapter.Format(of: path) {
    case .peft, .mlx: return true
    case .megatron:
      // What is wrong with a checkpoint, whoever opens it as a model says.
      let stored = try? MegatronModel(path: path)
      return stored?.tensors.keys.contains { $0.contains(".adapter.") } ?? false
    case nil: return false
    }
  }

  /// The base that an adapter's files name; where that is not here, the model that the user names.
  private static func base(
    of path: String, _ configuration: String?
  ) throws -> (BaseModel, note: String?) {
    do {
      return (try BaseModel(.init(pretrained: nil, model: configuration), adapter: path), nil)
    } catch let error as AdapterError {
      guard case .baseNotFound(let missing, let file, _) = error, let configuration else {
        throw error
      }
      return (
        try BaseModel(.init(pretrained: configuration, model: nil), adapter: path),
        "\(missing), which \(file) names as the base, is not here; the weights of \(configuration) are used"
      )
    }
  }
}

extension ModelWeights {
  /// The weights that adapters belong to.
  fileprivate init(_ base: BaseModel) throws {
    if let checkpoint = base.checkpoint {
      try self.init(base.model, from: checkpoint)
    } else {
      try self.init(base.model)
    }
  }
}
