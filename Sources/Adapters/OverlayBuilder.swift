import Checkpoints
import Kernels
import Tensors

/// Turns what adapters change into the computation that changes it, tensor by tensor.
struct OverlayBuilder {
  private(set) var overlay = TensorOverlay()
  private(set) var report = ChangeReport()
  private let tensors: BaseTensors
  private var mismatches: [AdapterError.Mismatch] = []

  /// - Throws: `AdapterError.doesNotFit` with every disagreement of shapes, `.leftOver`, `.unsupported`.
  init(_ adapters: [WeightedAdapter], _ tensors: BaseTensors) throws {
    self.tensors = tensors
    for weighted in adapters {
      let missing = weighted.adapter.changes.keys.filter { tensors[$0] == nil }
      guard missing.isEmpty else {
        throw AdapterError.leftOver(source: weighted.adapter.source, tensors: missing.sorted())
      }
    }
    for name in tensors.names {
      let changes = adapters.flatMap { weighted in
        (weighted.adapter.changes[name] ?? []).map { (weighted, $0) }
      }
      guard !changes.isEmpty else { continue }
      try add(name, changes)
    }
    if let first = adapters.first, !mismatches.isEmpty {
      throw AdapterError.doesNotFit(source: first.adapter.source, mismatches: mismatches)
    }
    report.untouched = tensors.names.filter { overlay.changes[$0] == nil }
  }

  private mutating func add(_ name: String, _ changes: [(WeightedAdapter, Change)]) throws {
    guard let (dtype, shape) = tensors[name] else { return }
    guard dtype.isFloat else {
      throw AdapterError.unsupported(
        file: changes[0].0.adapter.source, what: "\(name) holds \(dtype.rawValue), not numbers")
    }
    var terms: [Int: [LowRankTerm]] = [:]
    var replacement: Factor?
    var ranks: [Int] = []
    let isStack = shape.rank > 2
    for (weighted, change) in changes {
      let matrices = change.matrix.map { [$0] } ?? Array(0..<(isStack ? shape[0] : 1))
      switch change.kind {
      case .replacement(let factor):
        guard changes.count == 1, weighted.weight == 1 else {
          throw AdapterError.unsupported(
            file: weighted.adapter.source,
            what: "it replaces \(name) as a whole, which goes with no other adapter and no weight")
        }
        if check(factor, shape, name) { replacement = factor }
      case .addition(let factor, let scale):
        guard check(factor, shape, name) else { continue }
        let term = try Self.addition(factor, scale: scale, weight: weighted.weight)
        terms[0, default: []].append(term)
      case .lowRank(let change):
        ranks.append(change.rank)
        guard let term = try term(change, shape, name, weight: weighted.weight) else { continue }
        for matrix in matrices { terms[matrix, default: []].append(term) }
      }
    }
    guard mismatches.isEmpty else { return }
    let meter = ChangeMeter()
    let change =
      try replacement.map { try Self.replacing($0) }
      ?? Self.merging(terms, shape, meter)
    for place in [name] + (tensors.copies[name] ?? []) { overlay.changes[place] = change }
    report.entries.append(
      .init(tensor: name, ranks: ranks, isReplaced: replacement != nil) { Double(meter.largest) })
  }

  private mutating func check(_ factor: Factor, _ shape: Shape, _ name: String) -> Bool {
    if factor.shape == shape { return true }
    mismatches.append(
      .init(tensor: factor.name, found: factor.shape, base: name, expected: shape))
    return false
  }

  // MARK: - Computations

  private static func replacing(_ factor: Factor) throws -> TensorOverlay.Change {
    let runs = try factor.runs()
    let width = factor.shape.dimensions.last ?? 1
    return { _, dtype in runs.converted(from: factor.dtype, to: dtype, width: max(1, width)) }
  }

  private static func merging(
    _ terms: [Int: [LowRankTerm]], _ shape: Shape, _ meter: ChangeMeter
  ) -> TensorOverlay.Change {
    let height = shape.rank < 2 ? 1 : shape[shape.rank - 2]
    let width = shape.dimensions.last ?? 1
    return { runs, dtype in
      runs.merged(dtype: dtype, height: height, width: width, terms: terms, meter: meter)
    }
  }

  /// A vector that is added: the product of a one and it.
  private static func addition(
    _ factor: Factor, scale: Double, weight: Double
  ) throws -> LowRankTerm {
    let one = ByteRuns(repeating: 1, count: 1, dtype: .float32)
    return LowRankTerm(
      left: StoredMatrix(one, dtype: .float32, rows: 1, columns: 1),
      right: StoredMatrix(
        try factor.runs(), dtype: factor.dtype, rows: 1, columns: factor.shape.count),
      scale: Float(scale), weight: Float(weight))
  }

  private mutating func term(
    _ change: LowRank, _ shape: Shape, _ name: String, weight: Double
  ) throws -> LowRankTerm? {
    let (rows, columns) = (shape.dimensions.suffix(2).first ?? 1, shape.dimensions.last ?? 1)
    let (outputs, inputs) = change.isTransposed ? (columns, rows) : (rows, columns)
    let rank = change.a.shape.rank == 2 ? change.a.shape[0] : 0
    let fits =
      check(change.a, [rank, inputs], name) && check(change.b, [outputs, rank], name)
    guard shape.rank >= 2, fits else { return nil }
    guard rank > 0 else {
      throw AdapterError.rankZero(source: name, tensor: change.a.name)
    }
    var lengths: StoredMatrix?
    if let magnitude = change.magnitude {
      guard magnitude.shape.count == outputs else {
        mismatches.append(
          .init(tensor: magnitude.name, found: magnitude.shape, base: name, expected: [outputs]))
        return nil
      }
      lengths = StoredMatrix(
        try magnitude.runs(), dtype: magnitude.dtype, rows: 1, columns: outputs)
    }
    let (a, b) = (try change.a.runs(), try change.b.runs())
    let (left, right) =
      change.isTransposed
      ? (
        StoredMatrix(
          a, dtype: change.a.dtype, rows: inputs, columns: rank, isTransposed: true),
        StoredMatrix(
          b, dtype: change.b.dtype, rows: rank, columns: outputs, isTransposed: true)
      )
      : (
        StoredMatrix(b, dtype: change.b.dtype, rows: outputs, columns: rank),
        StoredMatrix(a, dtype: change.a.dtype, rows: rank, columns: inputs)
      )
    return LowRankTerm(
      left: left, right: right, scale: Float(change.scale), weight: Float(weight),
      lengths: lengths, outputsAreColumns: change.isTransposed)
  }
}
