import Adapters
import Blueprint
import Engine
import Kernels
import Tensors

/// What an adapter does to the tensors of one slot, as pairs of the engine.
struct SlotChanges {
  private let slot: Slot
  private let adapter: Adapter
  private let origins: PackedOrigins

  /// The factors of one matrix, as numbers.
  private struct Numbers {
    var inputs: Matrix
    var outputs: Matrix
    var magnitude: Matrix?
    var scale: Double
    var rank: Int { inputs.rows }
  }

  init(_ slot: Slot, _ adapter: Adapter) {
    self.slot = slot
    self.adapter = adapter
    origins = PackedOrigins(slot)
  }

  func plans(_ parameter: String) throws -> [PlannedPair] {
    guard slot.parts.contains(where: { adapter.changes[$0.name] != nil }) else { return [] }
    var plans: [PlannedPair] = []
    // Most adapters change a matrix once; where several are stacked, each is a layer of its own.
    for layer in 0... {
      let parts = try (0..<slot.partsOfMatrix).map { part in
        try (0..<slot.matrices).map { try numbers(part, expert: $0, layer) }
      }
      if parts.allSatisfy({ $0.allSatisfy { $0 == nil } }) { break }
      if isFused(parts) {
        plans += [try plan(parameter, .all, parts)].compactMap { $0 }
      } else {
        for part in parts.indices {
          plans += [try plan(parameter, .part(part), parts)].compactMap { $0 }
        }
      }
    }
    return plans
  }

  // MARK: Reading

  private func numbers(_ part: Int, expert: Int, _ layer: Int) throws -> Numbers? {
    let isListed = slot.parts.count == slot.matrices * slot.partsOfMatrix
    let tensor = slot.parts[isListed ? expert * slot.partsOfMatrix + part : part]
    let changes = (adapter.changes[tensor.name] ?? []).filter {
      isListed || $0.matrix == nil || $0.matrix == expert
    }
    guard changes.indices.contains(layer) else { return nil }
    func fault(_ what: String) -> AdapterError {
      .unsupported(file: adapter.source, what: "\(tensor.name): \(what)")
    }
    guard case .lowRank(let low) = changes[layer].kind else {
      throw fault(
        "it is changed by more than low-rank factors, which cannot be trained further. Merge the "
          + "adapter into the model with merge-lora, and begin with the result")
    }
    let height = origins.heights[part]
    let expected = (a: Shape([low.rank, slot.rowWidth]), b: Shape([height, low.rank]))
    for (factor, shape) in [(low.a, expected.a), (low.b, expected.b)] where factor.shape != shape {
      throw AdapterError.doesNotFit(
        source: adapter.source,
        mismatches: [
          .init(tensor: factor.name, found: factor.shape, base: tensor.name, expected: shape)
        ])
    }
    func matrix(_ factor: Factor, _ rows: Int, _ columns: Int) throws -> Matrix {
      try Matrix(reading: factor.runs(), factor.dtype, rows, columns, .float32)
    }
    return Numbers(
      inputs: try matrix(low.a, low.rank, slot.rowWidth),
      outputs: try matrix(low.b, height, low.rank),
      magnitude: try low.magnitude.map { try matrix($0, height, 1) }, scale: low.scale)
  }

  // MARK: Finding what is shared

  /// Whether all tensors of each matrix have one A.
  private func isFused(_ parts: [[Numbers?]]) -> Bool {
    guard parts.count > 1 else { return false }
    return (0..<slot.matrices).allSatisfy { expert in
      guard let first = parts[0][expert] else { return false }
      return parts.allSatisfy { part in
        guard let other = part[expert] else { return false }
        return other.scale == first.scale && isSame(other.inputs, first.inputs)
          && (other.magnitude == nil) == (first.magnitude == nil)
      }
    }
  }

  private func isSame(_ left: Matrix, _ right: Matrix) -> Bool {
    left.rows == right.rows && left.columns == right.columns && left.floats == right.floats
  }

  // MARK: Packing

  private func plan(
    _ parameter: String, _ rows: AdapterPlace.Rows, _ parts: [[Numbers?]]
  ) throws -> PlannedPair? {
    guard let packed = slot.packedRows(rows) else { return nil }
    let own = packed.compactMap { origins.rows[$0] }
    let present = Set(own.map(\.part)).flatMap { parts[$0].compactMap { $0 } }
    guard let first = present.first else { return nil }
    let rank = present.reduce(0) { max($0, $1.rank) }
    let experts = slot.matrices
    let inputs = zeros(experts * rank, slot.rowWidth)
    let outputs = zeros(experts * own.count, rank)
    let hasMagnitude = present.contains { $0.magnitude != nil }
    let magnitude = zeros(experts * own.count, 1)
    for expert in 0..<experts {
      for (index, origin) in own.enumerated() {
        // An expert without factors keeps zeros, which stay so: neither learns without the other.
        guard let numbers = parts[origin.part][expert] else { continue }
        let place = outputs.rows(expert * own.count + index..<expert * own.count + index + 1)
          .columns(0..<numbers.rank)
        let source = numbers.outputs.rows(origin.row..<origin.row + 1)
        Sums.add(numbers.scale / first.scale, source, to: place, share: 0)
        magnitude[expert * own.count + index, 0] = numbers.magnitude?[origin.row, 0] ?? 0
      }
      guard let part = own.first?.part, let numbers = parts[part][expert] else { continue }
      inputs.rows(expert * rank..<expert * rank + numbers.rank).copy(numbers.inputs)
    }
    if hasMagnitude, present.contains(where: { $0.magnitude == nil }) || present.count < experts {
      throw AdapterError.unsupported(
        file: adapter.source, what: "\(parameter): only some of its matrices have DoRA's lengths")
    }
    var place = AdapterPlace(parameter, rows)
    place.sharesInputs = areAlike(inputs, experts)
    place.sharesOutputs = areAlike(outputs, experts)
    return PlannedPair(
      place, rank: rank, scale: first.scale,
      start: .given(
        inputs: place.sharesInputs ? inputs.rows(0..<rank) : inputs,
        outputs: place.sharesOutputs ? outputs.rows(0..<own.count) : outputs,
        magnitude: hasMagnitude ? magnitude : nil))
  }

  /// Whether all experts have the same numbers, as where they share them; zeros say nothing.
  private func areAlike(_ bank: Matrix, _ experts: Int) -> Bool {
    let height = bank.rows / experts
    let first = bank.rows(0..<height)
    guard experts > 1, first.floats.contains(where: { $0 != 0 }) else { return false }
    return (1..<experts).allSatisfy {
      isSame(bank.rows($0 * height..<($0 + 1) * height), first)
    }
  }

  private func zeros(_ rows: Int, _ columns: Int) -> Matrix {
    let matrix = Matrix(rows, columns, .float32)
    matrix.clear()
    return matrix
  }
}
