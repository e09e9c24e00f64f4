import Blueprint
import MegatronFormat
import Tensors

/// One pair of matrices of an adapter as a Megatron checkpoint holds them, with the packed rows of the
/// layer that its outputs are.
struct FoundFactors: Sendable {
  let slot: Slot
  let rank: Int
  /// The packed rows it has outputs for, of each matrix of an expert bank.
  let rows: [Range<Int>]
  /// One, or one for each expert where experts have keys of their own.
  let inputs: [StoredFactor]
  let outputs: [PackedRows]
  let magnitudes: [PackedRows]

  /// [rank, inputs].
  func a(expert: Int) -> Factor {
    let stored = inputs[min(expert, inputs.count - 1)]
    let rank = rank
    return Factor(
      name: stored.tensor.key, dtype: stored.tensor.dtype, shape: [rank, slot.rowWidth]
    ) {
      try stored.runs(expert: expert, rows: 0..<rank)
    }
  }

  /// [outputs, rank], the outputs in the order of the Hugging Face tensor.
  func b(_ place: PartRows, matrix: Int) -> Factor {
    factor(outputs, place, matrix, width: rank)
  }

  func magnitude(_ place: PartRows, matrix: Int) -> Factor? {
    guard !magnitudes.isEmpty else { return nil }
    var factor = factor(magnitudes, place, matrix, width: 1)
    factor.shape = [factor.shape[0]]
    return factor
  }

  private func factor(
    _ sources: [PackedRows], _ place: PartRows, _ matrix: Int, width: Int
  ) -> Factor {
    let first = sources[0].tensors[0].tensor
    let rowBytes = width * first.dtype.byteWidth
    let height = slot.matrixRows
    return Factor(name: first.key, dtype: first.dtype, shape: [place.height, width]) {
      try place.unpacked(matrix: matrix, rowBytes: rowBytes, dtype: first.dtype) { range in
        var packed = ByteRuns()
        // The rows of an expert bank run over its experts.
        var row = range.lowerBound
        while row < range.upperBound {
          let expert = row / height
          let end = min(range.upperBound, (expert + 1) * height)
          let local = row - expert * height..<end - expert * height
          let source = sources[min(expert, sources.count - 1)]
          packed.append(try source.runs(expert: expert, local, rowBytes: rowBytes))
          row = end
        }
        return packed
      }
    }
  }
}

/// A tensor of an adapter, with the place of its matrix below the axes for layers and experts.
struct StoredFactor: Sendable {
  let tensor: DistributedTensor
  let lead: [MegatronPiece.Axis]
  /// Whether an axis behind those for layers counts experts.
  let isBank: Bool

  /// Rows of one expert's matrix, or of the only one.
  func runs(expert: Int, rows: Range<Int>) throws(MegatronError) -> ByteRuns {
    var region = lead.map { $0.index..<$0.index + 1 }
    if isBank { region.append(expert..<expert + 1) }
    region.append(rows)
    region += tensor.shape.dimensions.dropFirst(region.count).map { 0..<$0 }
    return try tensor.runs(region: region)
  }

  /// The chunks of one layer's tensor.
  var chunks: Int { tensor.chunkCount / max(1, lead.reduce(1) { $0 * $1.count }) }
}

/// Rows in the layer's packed order out of tensors that may hold them in others; zeros where none does.
struct PackedRows: Sendable {
  /// Consecutive packed rows that lie one after the other in a tensor.
  struct Strip: Sendable {
    var packed: Range<Int>
    var tensor: Int
    var stored: Int
  }

  let tensors: [StoredFactor]
  /// By packed rows.
  let strips: [Strip]

  init(_ tensors: [StoredFactor], _ strips: [Strip]) {
    self.tensors = tensors
    self.strips = strips.sorted { $0.packed.lowerBound < $1.packed.lowerBound }
  }

  func runs(expert: Int, _ rows: Range<Int>, rowBytes: Int) throws -> ByteRuns {
    var result = ByteRuns()
    var row = rows.lowerBound
    for strip in strips where strip.packed.overlaps(rows) {
      let wanted = strip.packed.clamped(to: rows)
      result.append(.zeros((wanted.lowerBound - row) * rowBytes))
      let start = strip.stored + wanted.lowerBound - strip.packed.lowerBound
      result.append(
        try tensors[strip.tensor].runs(expert: expert, rows: start..<start + wanted.count))
      row = wanted.upperBound
    }
    result.append(.zeros((rows.upperBound - row) * rowBytes))
    return result
  }
}

/// The packed rows that are outputs of one Hugging Face tensor.
struct PartRows: Sendable {
  let slot: Slot
  let part: Int
  /// How many matrices the tensor is a stack of; 1 where it is none.
  let matrices: Int

  init(slot: Slot, part: Int) {
    self.slot = slot
    self.part = part
    let shape = slot.parts[part].shape
    matrices = shape.rank == 3 ? shape[0] : 1
  }

  var isTransposed: Bool { if case .transposed = slot.layout { true } else { false } }

  /// The outputs of one matrix.
  var height: Int {
    slot.layout.segments.reduce(0) { $0 + ($1.part == part && $1.use == .own ? $1.count : 0) }
      / max(1, matrices)
  }

  /// The expert whose matrix it is.
  func expert(_ matrix: Int) -> Int {
    guard slot.split.isExpert, matrices == 1 else { return matrix }
    var row = 0
    for segment in slot.layout.segments {
      if segment.part == part, segment.use == .own { return row / slot.matrixRows }
      row += segment.count
    }
    return 0
  }

  /// Whether any of these packed rows is an output of the tensor.
  func isTouched(by rows: [Range<Int>]) -> Bool {
    let height = slot.matrixRows
    var start = 0
    return slot.layout.segments.contains { segment in
      defer { start += segment.count }
      guard segment.part == part, segment.use == .own else { return false }
      if segment.count >= height { return true }
      let local = start % height..<start % height + segment.count
      return rows.contains { $0.overlaps(local) }
    }
  }

  /// One matrix's rows in the tensor's order, given a way to get ranges of packed rows.
  func unpacked(
    matrix: Int, rowBytes: Int, dtype: DType, packed: (Range<Int>) throws -> ByteRuns
  ) throws -> ByteRuns {
    let rows = try slot.layout.untransposed.unpack(
      part: part, rowBytes: rowBytes, dtype: dtype, packed: packed)
    guard matrices > 1 else { return rows }
    return rows.slice(matrix * height * rowBytes..<(matrix + 1) * height * rowBytes)
  }
}
