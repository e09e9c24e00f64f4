import Blueprint
import Hub
import MegatronFormat
import SafeTensors
import Tensors

/// A model's weights as the packed rows of its slots, wherever they lie: what an engine reads.
///
/// It holds places, no data. Packed rows are Megatron's: fused, in Megatron's order, and with `Slot.shift`
/// added, so that a norm whose slot is shifted by −1 holds w − 1, and whoever computes with it uses
/// (1 + packed). The shift of Hugging Face's values is added in the type that is asked for, which loses
/// nothing in float32; a Megatron checkpoint's packed values are taken as they are stored.
public struct ModelWeights: Sendable {
  /// Configuration and files; without weights where those lie in a Megatron checkpoint.
  public let model: HuggingFaceModel
  /// The model without predictors that the source leaves out.
  public let blueprint: Blueprint
  /// Where the weights lie.
  public let place: String
  /// What the user should know: tensors that are not used.
  public let notes: [String]
  /// Tensors that Hugging Face's files hold although they equal another one: name → the one it equals.
  public let duplicates: [String: String]
  private let source: Source

  private enum Source: Sendable {
    case huggingFace(SourceTensors)
    /// By the name of a slot's first part.
    case megatron([String: StoredSlot])
  }

  /// Finds the weights that a user names.
  ///
  /// - Parameters:
  ///   - text: a Hugging Face folder or reference, a Megatron run folder or an iteration in one.
  ///   - configuration: the Hugging Face model that a Megatron checkpoint is of; where it is `nil`, the
  ///     one that `run_config.yaml` names.
  /// - Throws: `ConversionError`, `MegatronError`, `ConfigError`, `SafeTensorsError`.
  public init(_ text: String, revision: String? = nil, configuration: String? = nil) throws {
    switch try StoredThing(text, revision: revision) {
    case .huggingFace(let folder):
      try self.init(HuggingFaceModel(folder: folder))
    case .megatron(let run):
      try run.requireDistributed()
      let folder =
        try configuration.map { try ModelReference($0, revision: revision).folder(.withoutWeights) }
        ?? run.modelFolder()
      try self.init(
        HuggingFaceModel(folder: folder, needsWeights: false), from: MegatronModel(path: text))
    case .safetensors(let path), .torch(let path):
      throw ConversionError.noModel(path: path)
    }
  }

  /// The weights of a Hugging Face folder, every tensor held against the blueprint.
  public init(_ model: HuggingFaceModel) throws {
    guard let weights = model.weights else {
      throw ConversionError.noWeights(folder: model.folder)
    }
    let tensors = try SourceTensors(weights, model.blueprint.quantisation)
    let coverage = try SourceCoverage(model, tensors, isStrict: true)
    self.model = model
    blueprint = coverage.blueprint
    place = model.folder
    let bystanders = tensors.names.filter(coverage.blueprint.isBystander)
    notes =
      bystanders.isEmpty
      ? tensors.notes
      : tensors.notes + [
        "\(bystanders.count) tensors are no part of the language model (\(bystanders[0]) …); not used."
      ]
    duplicates = coverage.blueprint.duplicates.filter { tensors[$0.key] != nil }
    source = .huggingFace(tensors)
  }

  /// The weights of a Megatron checkpoint, every tensor held against the blueprint.
  ///
  /// - Parameter model: says what the checkpoint holds; its own weights are not looked at.
  public init(_ model: HuggingFaceModel, from checkpoint: MegatronModel) throws {
    let kept = try SourceRecord.read(from: checkpoint.folder)
    let model = try model.spelled(as: kept.flatMap { $0.files.isEmpty ? nil : $0.names })
    let stored = try StoredTensors(model.blueprint, checkpoint, besides: [], isStrict: true)
    var slots: [String: StoredSlot] = [:]
    for placed in model.blueprint.slots {
      guard let name = placed.slot.parts.first?.name else { continue }
      slots[name] = stored.origins[name]?.slot
    }
    self.model = model
    blueprint = model.blueprint
    place = checkpoint.folder
    notes = []
    let names = Set(kept?.names ?? [])
    duplicates = model.blueprint.duplicates.filter { names.contains($0.key) }
    source = .megatron(slots)
  }

  /// The weights with some tensors computed out of what is stored; `nil` where they lie in a Megatron checkpoint,
  /// or a tensor is none of the model's.
  package func changed(by overlay: TensorOverlay) -> ModelWeights? {
    guard case .huggingFace(var tensors) = source else { return nil }
    let parts = Set(blueprint.slots.flatMap(\.slot.parts).map(\.name))
    guard overlay.changes.keys.allSatisfy(parts.contains) else { return nil }
    tensors.overlay = overlay
    return ModelWeights(self, .huggingFace(tensors))
  }

  private init(_ weights: ModelWeights, _ source: Source) {
    model = weights.model
    blueprint = weights.blueprint
    place = weights.place
    notes = weights.notes
    duplicates = weights.duplicates
    self.source = source
  }

  /// A slot's packed rows, all of them.
  ///
  /// - Parameter wanted: the type that the numbers are wanted in; computed ones are given in it.
  /// - Returns: the bytes, and the type that they have, which may be another one.
  /// - Throws: `ConversionError.coverage` where the source has no such slot, `.notConvertible`.
  public func packed(
    _ placed: PlacedSlot, as wanted: DType
  ) throws -> (runs: ByteRuns, dtype: DType) {
    let slot = placed.slot
    let name = slot.parts.first?.name ?? ""
    let runs: ByteRuns
    let dtype: DType
    switch source {
    case .huggingFace(let tensors):
      let parts = slot.parts.compactMap { tensors[$0.name] }
      guard let first = parts.first, parts.count == slot.parts.count else {
        throw ConversionError.coverage(Coverage(missing: slot.parts.map(\.name)), in: place)
      }
      let isPlain =
        slot.shift == 0 && parts.allSatisfy { !$0.isQuantised && $0.dtype == first.dtype }
      if let odd = parts.first(where: { !$0.dtype.isFloat }) {
        throw ConversionError.notConvertible(tensor: name, from: odd.dtype, to: wanted)
      }
      dtype = isPlain ? first.dtype : wanted
      runs = try PackedSource(tensors, slot, dtype).runs(rows: 0..<slot.rows, columns: nil)
    case .megatron(let slots):
      guard let stored = slots[name] else {
        throw ConversionError.coverage(Coverage(missing: [name]), in: place)
      }
      dtype = stored.dtype
      runs = try stored.packed(0..<slot.rows)
    }
    guard dtype == wanted || dtype.isFloat else {
      throw ConversionError.notConvertible(tensor: name, from: dtype, to: wanted)
    }
    let expected = slot.shape.count * dtype.byteWidth
    guard runs.byteCount == expected else {
      throw ConversionError.sizeMismatch(tensor: name, expected: expected, found: runs.byteCount)
    }
    return (runs, dtype)
  }
}

extension RunFolder {
  /// The folder of the Hugging Face model that the run's own configuration names.
  ///
  /// A relative path is looked for from here, then from the folders that hold the run; `ModelReference.recorded`
  /// says when the hub is asked.
  ///
  /// - Throws: `ConversionError.noConfiguration`, `.interrupted`; `HubError.interrupted`.
  package func modelFolder() throws -> String {
    let recorded = try runConfig()
    guard
      let name = recorded?["model", "hf_model_id"]?.string
        ?? recorded?["checkpoint", "hf_source_path"]?.string
    else { throw ConversionError.noConfiguration(checkpoint: folder, model: nil) }
    do {
      return try ModelReference(name).recorded(in: folder, .withoutWeights)
    } catch HubError.interrupted {
      throw HubError.interrupted
    } catch {
      throw ConversionError.noConfiguration(checkpoint: folder, model: name, reason: "\(error)")
    }
  }
}
