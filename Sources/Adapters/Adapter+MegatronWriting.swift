import Blueprint
import Checkpoints
import MegatronFormat
import Tensors

extension Adapter {
  /// Everything that writing it as a Megatron-Bridge run folder takes.
  ///
  /// Where tensors that are one matrix to Megatron have the same A, the adapter is a plain one of the fused
  /// matrix; else a canonical one, with a pair for each of queries, keys, values, gate and what it gates.
  ///
  /// - Parameters:
  ///   - fused: one adapter for each fused matrix, block-diagonal where the parts' A differ.
  ///   - pretrained: what run_config.yaml calls the base checkpoint.
  /// - Throws: `AdapterError.unsupported` for changes that Megatron's adapters cannot hold.
  public func megatronTransfer(
    for model: HuggingFaceModel, fused: Bool, pretrained: String?
  ) throws -> Transfer {
    let plan = try MegatronAdapterPlan(self, for: model.blueprint, fused: fused)
    let tensors = MegatronAdapterTensors(plan, AttentionTable(model.blueprint))
    var transfer = Transfer()
    let folder = "iter_0000000"
    var writing = DistributedWritePlan()
    let file = DistributedWritePlan.fileName(rank: 0)
    let chunks = tensors.chunks()
    for chunk in chunks {
      try writing.add(
        tensor: chunk.key, dtype: plan.dtype, shape: chunk.shape, offsets: chunk.offsets,
        sizes: chunk.sizes, file: file)
    }
    let layout = try writing.finish()
    transfer.files = layout.files.map { .init(path: "\(folder)/\($0.name)", size: $0.size) }
    for (chunk, item) in zip(chunks, layout.items) {
      transfer.tasks.append(
        .init(
          name: chunk.key, file: 0, offset: item.offset, count: chunk.sizes.count,
          source: plan.dtype, target: plan.dtype, archive: chunk.sizes, work: .computing,
          runs: chunk.runs))
    }
    let section = MegatronAdapterSection(plan, tensors)
    let config = try section.runConfig(model, pretrained: pretrained)
    let state = try TrainState().encoded()
    transfer.before = [
      (path: "\(folder)/common.pt", bytes: CommonState.encoded(iteration: 0)),
      (path: "\(folder)/train_state.pt", bytes: state),
      (path: "\(folder)/run_config.yaml", bytes: Array(config.dumped().utf8)),
    ]
    transfer.after = [
      (path: "\(folder)/.metadata", bytes: layout.encodedMetadata()),
      (path: "\(folder)/metadata.json", bytes: BackendMetadata.bytes),
      (path: "latest_train_state.pt", bytes: state),
      (
        path: "latest_checkpointed_iteration.txt", bytes: RunFolder.trackerBytes(iteration: 0)
      ),
    ]
    return transfer
  }
}

/// The tensors that an adapter is in a Megatron checkpoint.
struct MegatronAdapterTensors {
  private let plan: MegatronAdapterPlan
  private let attentions: AttentionTable
  /// The parts that the adapters of each layer's key have, in any of the layers that share it.
  let members: [String: [AdapterMember]]

  /// A stretch of a tensor, and how to come by its bytes.
  struct Chunk {
    let key: String
    let shape: Shape
    let offsets: [Int]
    let sizes: Shape
    let runs: @Sendable () throws -> ByteRuns
  }

  init(_ plan: MegatronAdapterPlan, _ attentions: AttentionTable) {
    self.plan = plan
    self.attentions = attentions
    var members: [String: Set<AdapterMember>] = [:]
    for layer in plan.layers { members[layer.module.key, default: []].formUnion(layer.members) }
    self.members = members.mapValues { found in AdapterMember.allCases.filter(found.contains) }
  }

  func chunks() -> [Chunk] {
    plan.layers.flatMap { layer in
      (members[layer.module.key] ?? []).flatMap { chunks(layer, $0) }
    }
  }

  private func chunks(_ layer: MegatronAdapterPlan.Layer, _ member: AdapterMember) -> [Chunk] {
    let slot = layer.placed.slot
    guard case .success(let rows) = member.rows(of: slot, attentions[slot]) else { return [] }
    let source = PairSource(plan: plan, layer: layer, member: member, rows: rows)
    let isBank = slot.split.isExpert
    let height = rows.reduce(0) { $0 + $1.count }
    let lead = isBank ? [slot.shape[0]] : []
    func cut(
      _ name: String, _ shape: [Int], rowsOf: Slot? = nil,
      _ runs: @escaping @Sendable (Range<Int>) throws -> ByteRuns
    ) -> [Chunk] {
      let pieces = layer.module.pieces(
        member.prefix + name, shape: Shape(lead + shape), rowsOf: rowsOf, isBank: isBank)
      return pieces.flatMap { piece in
        piece.shards(isBank ? .expertRows : .rows, ParallelSizes()).map { shard in
          Chunk(key: piece.key, shape: piece.keyShape, offsets: shard.offsets, sizes: shard.sizes) {
            try runs(shard.rows)
          }
        }
      }
    }
    let whole = member == .whole ? slot : nil
    var chunks =
      cut("linear_in.weight", [plan.rank, slot.rowWidth]) { try source.input($0) }
      + cut("linear_out.weight", [height, plan.rank], rowsOf: whole) { try source.output($0) }
    if plan.kind == .dora {
      chunks += cut("weight_magnitude", [height]) { try source.magnitude($0) }
    }
    return chunks
  }
}

/// The rows of one adapter of a layer, put together from the pairs on its Hugging Face tensors.
private struct PairSource: Sendable {
  private let rank: Int
  private let dtype: DType
  private let slot: Slot
  /// The packed rows that the adapter has outputs for, of each matrix.
  private let rows: [Range<Int>]
  /// By expert.
  private let pairs: [[MegatronAdapterPlan.Pair]]
  /// The factor that all pairs have.
  private let scale: Double

  init(
    plan: MegatronAdapterPlan, layer: MegatronAdapterPlan.Layer, member: AdapterMember,
    rows: [Range<Int>]
  ) {
    rank = plan.rank
    dtype = plan.dtype
    scale = plan.scale
    slot = layer.placed.slot
    self.rows = rows
    pairs = layer.matrices.indices.map { matrix in
      let own = layer.pairs(of: member, rows: rows, matrix: matrix)
      guard member != .whole else { return own }
      // Alone, a pair's A begins with the adapter's.
      return own.map { pair in
        var pair = pair
        (pair.offset, pair.bringsInput) = (0, true)
        return pair
      }
    }
  }

  private var height: Int { rows.reduce(0) { $0 + $1.count } }

  /// Rows of A, those of an expert behind those of the one before; zeros where no pair has any.
  func input(_ range: Range<Int>) throws -> ByteRuns {
    let rowBytes = slot.rowWidth * dtype.byteWidth
    var result = ByteRuns()
    for (expert, wanted) in parts(of: range, height: rank) {
      var whole = ByteRuns()
      for pair in pairs[expert] where pair.bringsInput {
        whole.append(try converted(pair.low.a, by: 1))
      }
      whole.append(.zeros(rank * rowBytes - whole.byteCount))
      result.append(whole.slice(wanted.lowerBound * rowBytes..<wanted.upperBound * rowBytes))
    }
    return result
  }

  /// Rows of B in the layer's order.
  func output(_ range: Range<Int>) throws -> ByteRuns {
    try packed(range, width: rank) { pair in
      let own = try converted(pair.low.b, by: pair.low.scale / scale)
      return own.widened(
        from: pair.low.rank * dtype.byteWidth, to: rank * dtype.byteWidth,
        at: pair.offset * dtype.byteWidth)
    }
  }

  func magnitude(_ range: Range<Int>) throws -> ByteRuns {
    try packed(range, width: 1) { pair in
      guard let magnitude = pair.low.magnitude else { return ByteRuns() }
      return try converted(magnitude, by: 1)
    }
  }

  private func packed(
    _ range: Range<Int>, width: Int, values: (MegatronAdapterPlan.Pair) throws -> ByteRuns
  ) throws -> ByteRuns {
    let rowBytes = width * dtype.byteWidth
    var result = ByteRuns()
    for (expert, wanted) in parts(of: range, height: height) {
      var start = 0
      for stretch in rows {
        defer { start += stretch.count }
        let own = wanted.clamped(to: start..<start + stretch.count)
        guard !own.isEmpty else { continue }
        let first = expert * slot.matrixRows + stretch.lowerBound + own.lowerBound - start
        result.append(
          try slot.layout.untransposed.pack(
            rows: first..<first + own.count, rowBytes: rowBytes, dtype: dtype
          ) { part in
            try partRows(part, expert, rowBytes: rowBytes, values)
          })
      }
    }
    return result
  }

  /// The rows of a Hugging Face tensor, zeros where the adapter leaves them alone.
  ///
  /// Of a stack of matrices only the expert's are filled.
  private func partRows(
    _ part: Int, _ expert: Int, rowBytes: Int,
    _ values: (MegatronAdapterPlan.Pair) throws -> ByteRuns
  ) throws -> ByteRuns {
    let place = PartRows(slot: slot, part: part)
    let pair = pairs[expert].first { $0.part == part }
    let bytes = place.height * rowBytes
    guard place.matrices > 1 else { return try pair.map(values) ?? ByteRuns(.zeros(bytes)) }
    var result = ByteRuns(.zeros(expert * bytes))
    result.append(try pair.map(values) ?? ByteRuns(.zeros(bytes)))
    result.append(.zeros((place.matrices - expert - 1) * bytes))
    return result
  }

  /// A range of rows over all experts, cut at their borders.
  private func parts(of range: Range<Int>, height: Int) -> [(expert: Int, rows: Range<Int>)] {
    var parts: [(expert: Int, rows: Range<Int>)] = []
    var row = range.lowerBound
    while row < range.upperBound {
      let expert = row / height
      let end = min(range.upperBound, (expert + 1) * height)
      parts.append((expert, row - expert * height..<end - expert * height))
      row = end
    }
    return parts
  }

  private func converted(_ factor: Factor, by multiplier: Double) throws -> ByteRuns {
    let width = factor.shape.dimensions.last ?? 1
    return try factor.runs()
      .converted(from: factor.dtype, to: dtype, width: width).scaled(by: multiplier)
  }
}

extension ByteRuns {
  /// Rows with zeros around them.
  fileprivate func widened(from rowBytes: Int, to wide: Int, at offset: Int) -> ByteRuns {
    guard rowBytes != wide, rowBytes > 0 else { return self }
    var result = ByteRuns()
    for row in 0..<byteCount / rowBytes {
      result.append(.zeros(offset))
      result.append(slice(row * rowBytes..<(row + 1) * rowBytes))
      result.append(.zeros(wide - offset - rowBytes))
    }
    return result
  }
}
