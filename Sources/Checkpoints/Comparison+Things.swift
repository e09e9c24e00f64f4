import MegatronFormat
import SafeTensors
import Tensors

/// Two things of whatever format, made comparable: which tensors of one answer to which of the other.
public struct ComparablePair: Sendable {
  public let left: TensorSet
  public let right: TensorSet
  /// What the user should know: what was mapped, and what is not compared.
  public let notes: [String]

  /// Opens both sides.
  ///
  /// A Hugging Face folder and a Megatron checkpoint meet in Hugging Face's names, by way of the
  /// folder's blueprint; anything else is compared by the names as stored.
  ///
  /// - Throws: what opening throws; `ConversionError.notYet` for formats that cannot be read.
  public init(_ left: StoredThing, _ right: StoredThing) throws {
    switch (left, right) {
    case (.huggingFace(let folder), .megatron(let run)):
      let mapped = try MappedSides(folder, run)
      self.init(mapped.huggingFace, mapped.megatron, mapped.notes)
    case (.megatron(let run), .huggingFace(let folder)):
      let mapped = try MappedSides(folder, run)
      self.init(mapped.megatron, mapped.huggingFace, mapped.notes)
    default:
      try self.init(byName: left.tensors(), right.tensors())
    }
  }

  package init(_ left: TensorSet, _ right: TensorSet, _ notes: [String]) {
    self.left = left
    self.right = right
    self.notes = notes
  }

  /// Sides whose names match as they are, or once wrappers' prefixes are off.
  private init(byName left: TensorSet, _ right: TensorSet) throws {
    var (left, right) = (left.withoutExtraState, right.withoutExtraState)
    var notes: [String] = []
    if !left.names.contains(where: { right[$0] != nil }) {
      left = left.renamed(MegatronModel.bareKey)
      right = right.renamed(MegatronModel.bareKey)
      guard
        left.names.contains(where: { right[$0] != nil }) || left.tensors.isEmpty
          || right.tensors.isEmpty
      else {
        throw ConversionError.nothingInCommon(left.names[0], right.names[0])
      }
      notes.append("Compared without the prefixes `module.` and `model.`.")
    }
    if !right.names.contains(where: MegatronModel.isTrainingState) {
      let skipped = left.names.filter(MegatronModel.isTrainingState)
      if !skipped.isEmpty {
        left = left.renamed { MegatronModel.isTrainingState($0) ? nil : $0 }
        notes.append(
          "\(skipped.count) tensors of the optimizer are only in the first; not compared.")
      }
    }
    self.init(left, right, notes)
  }
}

/// A Hugging Face folder and a Megatron checkpoint under the same names.
private struct MappedSides {
  let huggingFace: TensorSet
  let megatron: TensorSet
  let notes: [String]

  init(_ folder: String, _ run: RunFolder) throws {
    // A configuration key that is not understood changes no tensor's name or shape.
    let model = try HuggingFaceModel(folder: folder, isStrict: false)
    guard let weights = model.weights else { throw ConversionError.noWeights(folder: folder) }
    try run.requireDistributed()
    let checkpoint = try MegatronModel(path: run.path)
    var unused: [String] = []
    var stored = try TensorSet(model.blueprint, checkpoint, unused: &unused)
    var notes = ["The checkpoint's tensors are compared as \(model.architecture) maps them."]
    // A tied head may be stored by neither, either or both.
    let duplicates = model.blueprint.everyDuplicate
    stored = stored.renamed { duplicates[$0] != nil && weights[$0] == nil ? nil : $0 }
    let buffers = model.blueprint.buffers
    let skipped = weights.names.filter {
      (buffers.contains($0) || model.blueprint.isBystander($0)) && stored[$0] == nil
    }
    if !skipped.isEmpty {
      notes.append(
        "\(skipped.count) tensors that are no part of the model or hold no learned values are only in "
          + "Hugging Face's files; not compared.")
    }
    let source = try SourceTensors(weights, model.blueprint.quantisation)
    if source.isQuantised {
      notes.append("Quantised weights are compared as the numbers that an import makes of them.")
    }
    let left = Set(skipped)
    huggingFace = TensorSet(source) { stored[$0]?.dtype }.renamed { left.contains($0) ? nil : $0 }
    megatron = TensorSet(stored.tensors + checkpoint.unmapped(unused))
    self.notes = notes
  }
}

extension MegatronModel {
  /// Tensors that no blueprint name answers to, under their own keys.
  fileprivate func unmapped(_ keys: [String]) -> [TensorSet.Tensor] {
    keys.compactMap { key in
      tensors[key].map { tensor in
        TensorSet.Tensor(
          name: key, dtype: tensor.dtype, shape: tensor.shape, pieces: tensor.chunkCount
        ) { _ in try tensor.runs() }
      }
    }
  }
}

extension TensorSet {
  /// Without the state that Transformer Engine keeps of its layers.
  fileprivate var withoutExtraState: TensorSet {
    renamed { MegatronModel.isExtraState($0) || $0.hasPrefix("_extra_state") ? nil : $0 }
  }
}
