import Blueprint
import SafeTensors
import Tensors

/// Holds a Hugging Face folder's tensors against a blueprint: every one is used once, none is left over.
struct SourceCoverage {
  /// The blueprint without predictors that the folder leaves out.
  let blueprint: Blueprint
  /// Tensors that are no learned values or, in a lenient import, not known or not complete: kept
  /// beside the checkpoint.
  let carried: [String]
  /// Tensors that a lenient import does without, because they or their partners are missing.
  let absent: Set<String>
  let notes: [String]
  /// Whether values have still to be looked at, which may be an error then.
  let isUnseen: Bool
  /// Tensors that may have to be kept beside the checkpoint when their values have been looked at.
  let undecided: [String]

  /// - Parameter looks: whether tensors' values are looked at, where they decide something; else those that
  ///   should be equal are taken to be.
  /// - Throws: `ConversionError.coverage` with every disagreement, `.unequalDuplicate`.
  init(
    _ model: HuggingFaceModel, _ weights: SourceTensors, isStrict: Bool, looks: Bool = true
  ) throws {
    var blueprint = model.blueprint
    var notes = weights.notes
    if let note = Self.dropAbsentPredictors(&blueprint, weights) { notes.append(note) }
    var coverage = Coverage()
    var known: Set<String> = []
    var isUnseen = false
    for part in blueprint.slots.flatMap(\.slot.parts) {
      known.insert(part.name)
      guard let entry = weights[part.name] else {
        coverage.missing.append(part.name)
        continue
      }
      if entry.shape != part.shape {
        coverage.wrongShape.append(
          .init(name: part.name, expected: part.shape, found: entry.shape))
      }
    }
    for (name, original) in blueprint.duplicates.sorted(by: { $0.key < $1.key })
    where weights[name] != nil && weights[original] != nil && known.insert(name).inserted {
      isUnseen = !looks
      try Self.requireEqual(name, original, weights, looks: looks)
    }
    let copies = try PredictorCopies(blueprint, weights.weights, looks: looks)
    undecided = looks ? [] : copies.equal.sorted()
    self.isUnseen = isUnseen || !undecided.isEmpty
    known.formUnion(copies.equal)
    coverage.wrongShape += copies.wrongShape
    notes += copies.notes
    let besides = blueprint.buffers.union(copies.own)
    let others = weights.names.filter { !known.contains($0) && !besides.contains($0) }
    let bystanders = others.filter(blueprint.isBystander)
    if !bystanders.isEmpty {
      notes.append(
        "\(bystanders.count) tensors are no part of the language model (\(bystanders[0]) …); kept "
          + "beside the checkpoint as they are.")
    }
    let unknown = others.filter { !blueprint.isBystander($0) }
    coverage.extra = unknown
    if isStrict, !coverage.isComplete {
      throw ConversionError.coverage(coverage, in: model.folder)
    }
    if !coverage.wrongShape.isEmpty {
      throw ConversionError.coverage(coverage, in: model.folder)
    }
    notes += coverage.missing.map { "Missing, left out: \($0)" }
    notes += unknown.map { "Not known, kept beside the checkpoint: \($0)" }
    let absent = Self.incomplete(blueprint, without: Set(coverage.missing))
    let partners = weights.names.filter(absent.contains)
    notes += partners.map { "Incomplete without those, kept beside the checkpoint: \($0)" }
    self.absent = absent
    self.blueprint = blueprint
    self.notes = notes
    carried = weights.names.filter { !known.contains($0) || absent.contains($0) }
      .flatMap(weights.storedNames)
  }

  /// Leaves out predictors that the folder has nothing of; says so if its configuration names them.
  private static func dropAbsentPredictors(
    _ blueprint: inout Blueprint, _ weights: SourceTensors
  ) -> String? {
    let predicted = blueprint.slots.filter(\.isPredictor).flatMap(\.slot.parts)
    guard !predicted.isEmpty, predicted.allSatisfy({ weights[$0.name] == nil }) else { return nil }
    let stated = blueprint.predictors.filter(\.isStated).count
    blueprint.predictors = []
    return stated == 0
      ? nil
      : "The configuration names \(stated) multi-token predictor(s) whose tensors are not in the "
        + "files; converted without."
  }

  /// The missing tensors, and all that Megatron would keep in one tensor with them: fused with them,
  /// or stacked over the layers.
  private static func incomplete(_ blueprint: Blueprint, without missing: Set<String>) -> Set<
    String
  > {
    guard !missing.isEmpty else { return [] }
    let names = MegatronNames(blueprint)
    let slots = blueprint.slots.map { placed in
      (keys: names.pieces(of: placed).map(\.key), parts: placed.slot.parts.map(\.name))
    }
    let keys = Set(slots.filter { $0.parts.contains(where: missing.contains) }.flatMap(\.keys))
    return Set(slots.filter { $0.keys.contains(where: keys.contains) }.flatMap(\.parts))
  }

  /// A tensor stored twice must be the same twice: else the configuration lies.
  private static func requireEqual(
    _ name: String, _ original: String, _ weights: SourceTensors, looks: Bool
  ) throws {
    guard try weights.weights.areEqual(name, original, looks: looks) else {
      throw ConversionError.unequalDuplicate(
        tensor: name, original: original, file: weights.weights.path)
    }
  }
}

/// The embeddings and output layers that a folder holds for its predictors alone.
///
/// Megatron's predictors use the model's. Where theirs equal those, they are written from them; else
/// they are kept beside the checkpoint.
struct PredictorCopies {
  private(set) var equal: Set<String> = []
  private(set) var own: Set<String> = []
  private(set) var wrongShape: [Coverage.WrongShape] = []

  /// - Parameter looks: whether values are looked at; else they are taken to be equal.
  init(_ blueprint: Blueprint, _ weights: ShardedFolder?, looks: Bool = true) throws {
    guard let weights else { return }
    for (name, original) in blueprint.copies.sorted(by: { $0.key < $1.key }) {
      guard let copy = weights[name], let model = weights[original] else { continue }
      if copy.shape != model.shape {
        wrongShape.append(.init(name: name, expected: model.shape, found: copy.shape))
      } else if try weights.areEqual(name, original, looks: looks) {
        equal.insert(name)
      } else {
        own.insert(name)
      }
    }
  }

  var notes: [String] {
    own.sorted().map {
      "Differs from the model's own, which Megatron's predictors use; kept beside the checkpoint: \($0)"
    }
  }
}

extension ShardedFolder {
  /// Whether two tensors are the same, to the byte where one looks, else by what the headers say.
  fileprivate func areEqual(_ name: String, _ other: String, looks: Bool) throws -> Bool {
    guard let left = self[name], let right = self[other], left.dtype == right.dtype,
      left.shape == right.shape
    else { return false }
    return try !looks || TensorComparison.areEqual(runs(of: name), runs(of: other))
  }
}

/// Compares tensors' bytes in bounded memory.
enum TensorComparison {
  static func areEqual(_ left: ByteRuns, _ right: ByteRuns) throws -> Bool {
    guard left.byteCount == right.byteCount else { return false }
    let window = 1 << 20
    let buffers = (ByteBuffer(capacity: window), ByteBuffer(capacity: window))
    for start in stride(from: 0, to: left.byteCount, by: window) {
      let count = min(window, left.byteCount - start)
      try buffers.0.fill(left.slice(start..<start + count))
      try buffers.1.fill(right.slice(start..<start + count))
      if !buffers.0.equals(buffers.1, 0..<count) { return false }
    }
    return true
  }
}
