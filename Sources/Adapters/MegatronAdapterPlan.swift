import Blueprint
import Checkpoints
import Tensors

/// What an adapter is in Megatron's words: its class, rank and alpha, and for each layer the pairs that
/// make it up.
struct MegatronAdapterPlan {
  let kind: MegatronAdapterSettings.Kind
  /// The rank of all layers; smaller ones are filled up with zeros.
  let rank: Int
  /// The factor of every pair, once B is multiplied by its own in relation to it.
  let scale: Double
  /// The type of all tensors.
  let dtype: DType
  let layers: [Layer]

  /// One linear layer of Megatron's, with what the adapter does to it.
  struct Layer {
    let placed: PlacedSlot
    let module: MegatronModule
    /// By expert; one matrix where it is no bank.
    var matrices: [Matrix]
    /// The parts that have pairs of their own; `whole` alone where one pair serves the layer.
    var members: [AdapterMember]
  }

  /// The pairs on one matrix of a layer.
  struct Matrix {
    var pairs: [Pair] = []
    /// The rank that one adapter for all of them has.
    var rank = 0
    /// The number of different A.
    var inputs = 0
  }

  /// A pair on one Hugging Face tensor, or on one matrix of it.
  struct Pair {
    var part: Int
    var low: LowRank
    /// Where its A begins among those of the layer.
    var offset: Int
    /// Whether the A there is this one's own and not one that another pair brought.
    var bringsInput: Bool
  }

  /// - Parameter fused: joins pairs of different A into one of a larger rank, block by block.
  /// - Throws: `AdapterError.unsupported` for what Megatron's adapters cannot hold.
  init(_ adapter: Adapter, for blueprint: Blueprint, fused: Bool) throws {
    let collected = try LayerCollector(adapter, blueprint).layers()
    let pairs = collected.flatMap(\.matrices).flatMap(\.pairs).map(\.low)
    guard let first = pairs.first else {
      throw AdapterError.unsupported(
        file: adapter.source, what: "it has no low-rank change, so there is nothing to write")
    }
    if let zero = pairs.first(where: { $0.rank == 0 }) {
      throw AdapterError.rankZero(source: adapter.source, tensor: zero.a.name)
    }
    let isDoRA = pairs.contains { $0.magnitude != nil }
    let divided = collected.contains { $0.matrices.contains { $0.inputs > 1 } }
    let isCanonical = divided && !fused && !isDoRA
    kind = isDoRA ? .dora : isCanonical ? .canonical : .lora
    let attentions = AttentionTable(blueprint)
    layers = try collected.map { layer in
      var layer = layer
      if isCanonical { layer.members = try layer.canonicalMembers(attentions, adapter.source) }
      if isDoRA { try layer.requireMagnitudes(adapter.source) }
      if !fused { try layer.requireOneInput(adapter.source) }
      return layer
    }
    rank = layers.flatMap(\.ranks).max() ?? first.rank
    scale = first.scale
    let types = Set(
      pairs.flatMap { [$0.a.dtype, $0.b.dtype] + ($0.magnitude.map { [$0.dtype] } ?? []) })
    let isUniform = pairs.allSatisfy { $0.scale == first.scale } && types.count == 1
    dtype = isUniform ? first.a.dtype : .float32
  }

  var alpha: Double { scale * Double(rank) }
}

extension MegatronAdapterPlan.Layer {
  /// The parts Megatron's canonical adapters tell apart, where the layer is one that has such.
  fileprivate func canonicalMembers(
    _ attentions: AttentionTable, _ source: String
  ) throws(AdapterError) -> [AdapterMember] {
    let slot = placed.slot
    guard !slot.split.isExpert else { return [.whole] }
    let groups: [[AdapterMember]] = [[.query, .key, .value], [.gate, .up]]
    for members in groups {
      let rows = members.compactMap { try? $0.rows(of: slot, attentions[slot]).get() }
      guard rows.count == members.count else { continue }
      // All of them: Megatron-Bridge cannot load a layer that lacks one. Zeros change nothing.
      return members
    }
    switch slot.role {
    case .queryKeyValue, .fc1, .sharedFC1:
      throw .unsupported(
        file: source,
        what:
          "where layers have a pair for each of their tensors, Megatron-Bridge divides \(module.key) too, "
          + "which holds something else in this model; --fuse joins pairs into one for each layer, with "
          + "the same products")
    default: return [.whole]
    }
  }

  /// The pairs that a member's outputs come from.
  func pairs(of member: AdapterMember, rows: [Range<Int>], matrix: Int)
    -> [MegatronAdapterPlan.Pair]
  {
    matrices[matrix].pairs.filter {
      member == .whole || PartRows(slot: placed.slot, part: $0.part).isTouched(by: rows)
    }
  }

  /// The ranks the layer's adapters need.
  var ranks: [Int] {
    members == [.whole]
      ? matrices.map(\.rank) : matrices.flatMap { $0.pairs.map { $0.low.rank } }
  }

  fileprivate func requireMagnitudes(_ source: String) throws(AdapterError) {
    let pairs = matrices.flatMap(\.pairs)
    let parts = placed.slot.parts.count / (placed.slot.split.isExpert ? matrices.count : 1)
    guard pairs.allSatisfy({ $0.low.magnitude != nil }),
      matrices.allSatisfy({ $0.pairs.count == max(1, parts) })
    else {
      throw .unsupported(
        file: source,
        what:
          "Megatron's DoRA needs the lengths of all rows of \(module.key), and the adapter has those of some "
          + "of its tensors; merge the adapter with merge-lora, then import the model")
    }
  }

  fileprivate func requireOneInput(_ source: String) throws(AdapterError) {
    guard members == [.whole], let matrix = matrices.first(where: { $0.inputs > 1 }) else { return }
    let names = matrix.pairs.filter(\.bringsInput).prefix(3).map(\.low.a.name)
    throw .unsupported(
      file: source,
      what:
        "\(names.joined(separator: " and ")) differ, and Megatron has one adapter for the layer "
        + "\(module.key) that they belong to; --fuse joins them into one of a larger rank, with the same "
        + "products")
  }
}

/// Puts the changes of an adapter under the layers that they are changes of.
private struct LayerCollector {
  let adapter: Adapter
  let blueprint: Blueprint
  let names: MegatronNames

  init(_ adapter: Adapter, _ blueprint: Blueprint) {
    self.adapter = adapter
    self.blueprint = blueprint
    names = MegatronNames(blueprint)
  }

  /// The layers with changes; those that share a key with one too, for they have a place in its tensors.
  func layers() throws -> [MegatronAdapterPlan.Layer] {
    var layers: [MegatronAdapterPlan.Layer] = []
    var used: Set<String> = []
    for placed in blueprint.slots {
      guard let module = names.module(of: placed) else { continue }
      used.formUnion(placed.slot.parts.map(\.name))
      layers.append(
        .init(
          placed: placed, module: module, matrices: try matrices(of: placed.slot),
          members: [.whole]))
    }
    let idle = adapter.changes.keys.filter { !used.contains($0) }.sorted()
    guard idle.isEmpty else {
      throw AdapterError.unsupported(
        file: adapter.source,
        what: "Megatron's adapters have no place for what it does to "
          + idle.prefix(AdapterError.limit).joined(separator: ", ")
          + (idle.count > AdapterError.limit ? " and \(idle.count - AdapterError.limit) more" : "")
          + "; merge it with merge-lora, then import the model")
    }
    let keys = Set(layers.filter { $0.matrices.contains { !$0.pairs.isEmpty } }.map(\.module.key))
    return layers.filter { keys.contains($0.module.key) }
  }

  private func matrices(of slot: Slot) throws -> [MegatronAdapterPlan.Matrix] {
    let count = slot.split.isExpert ? slot.shape[0] : 1
    var matrices = [MegatronAdapterPlan.Matrix](repeating: .init(), count: count)
    for (index, part) in slot.parts.enumerated() {
      guard let changes = adapter.changes[part.name] else { continue }
      let place = PartRows(slot: slot, part: index)
      for change in changes {
        let low = try lowRank(change, part, place)
        let expert = place.expert(change.matrix ?? 0)
        guard matrices.indices.contains(expert),
          !matrices[expert].pairs.contains(where: { $0.part == index })
        else { throw unsupported(part, "changes it more than once; merge the adapters one by one") }
        matrices[expert].pairs.append(
          .init(part: index, low: low, offset: 0, bringsInput: false))
      }
    }
    for index in matrices.indices { try join(&matrices[index]) }
    return matrices
  }

  private func lowRank(_ change: Change, _ part: Part, _ place: PartRows) throws -> LowRank {
    guard case .lowRank(let low) = change.kind else {
      throw unsupported(
        part,
        "changes it otherwise than by a product of low rank, which Megatron's adapters do not have")
    }
    guard (change.matrix == nil) == (part.shape.rank == 2) else {
      throw unsupported(part, "changes it as a whole where it is a stack of matrices")
    }
    let found = (low.a.shape, low.b.shape)
    let expected = (
      Shape([low.rank, place.slot.rowWidth]), Shape([place.height, low.rank])
    )
    guard found == expected else {
      throw AdapterError.doesNotFit(
        source: adapter.source,
        mismatches: [
          .init(
            tensor: found.0 == expected.0 ? low.b.name : low.a.name,
            found: found.0 == expected.0 ? found.1 : found.0, base: "what \(part.name) needs",
            expected: found.0 == expected.0 ? expected.1 : expected.0)
        ])
    }
    return low
  }

  private func unsupported(_ part: Part, _ what: String) -> AdapterError {
    .unsupported(file: adapter.source, what: "the adapter of \(part.name) \(what)")
  }

  /// Gives each pair its place in one adapter for all: pairs of the same A share it.
  private func join(_ matrix: inout MegatronAdapterPlan.Matrix) throws {
    var known: [(bytes: [UInt8], scale: Double, offset: Int)] = []
    for index in matrix.pairs.indices {
      let low = matrix.pairs[index].low
      let bytes = matrix.pairs.count > 1 ? try low.a.bytes() : []
      if let same = known.first(where: { $0.bytes == bytes }) {
        matrix.pairs[index].offset = same.offset
        continue
      }
      matrix.pairs[index].offset = matrix.rank
      matrix.pairs[index].bringsInput = true
      known.append((bytes, low.scale, matrix.rank))
      matrix.rank += low.rank
      matrix.inputs += 1
    }
  }
}

extension Factor {
  /// All of its bytes; for small ones.
  func bytes() throws -> [UInt8] {
    let runs = try runs()
    let buffer = ByteBuffer(capacity: max(1, runs.byteCount))
    try buffer.fill(runs)
    return buffer.bytes(0..<runs.byteCount)
  }
}
