import Adapters
import Blueprint
import Engine
import Kernels
import Tensors

extension Model {
  /// Puts an adapter out of files on the model, to be computed with and trained on; everything else is
  /// frozen.
  ///
  /// What Megatron fuses (one A for all tensors of a packed matrix, or for all experts) is found again by
  /// comparing the numbers.
  ///
  /// - Throws: `AdapterError.unsupported` for what is no low-rank change of a matrix, `.doesNotFit`;
  ///   `EngineError`, `FileError`.
  public func attach(_ adapter: Adapter) throws {
    var plans: [PlannedPair] = []
    var left = Set(adapter.changes.keys)
    for parameter in parameters where parameter.slot.slot.takesAdapters {
      let changes = SlotChanges(parameter.slot.slot, adapter)
      plans += try changes.plans(parameter.name)
      left.subtract(parameter.slot.slot.parts.map(\.name))
    }
    if let name = left.sorted().first {
      throw AdapterError.unsupported(
        file: adapter.source,
        what:
          "\(name) is no matrix that adapters can be trained on. Merge the adapter into the model "
          + "with merge-lora, and begin with the result")
    }
    try attach(plans)
  }

  /// What has been learned, as the files of all formats have it: by Hugging Face tensors, in float32.
  ///
  /// - Parameters:
  ///   - source: what messages call it.
  ///   - values: the numbers of a factor; an optimiser may know them better than the factor.
  /// - Throws: `AdapterError.unsupported` where magnitudes are those of some rows of a tensor only.
  public func adapter(
    _ source: String, values: (LearnedMatrix) -> Matrix = { $0.value }
  ) throws -> Adapter {
    var adapter = Adapter(source: source)
    for parameter in parameters {
      for pair in parameter.change?.pairs ?? [] {
        let learned = LearnedPair(parameter.slot.slot, pair, values)
        for (tensor, change) in try learned.changes(source) {
          adapter.changes[tensor, default: []].append(change)
        }
      }
    }
    return adapter
  }
}

/// A pair of factors, as changes of the tensors that its rows belong to.
private struct LearnedPair {
  let slot: Slot
  let pair: LowRankPair
  let origins: PackedOrigins
  let packedRows: [Int]
  let inputs: Matrix
  let outputs: Matrix
  let magnitude: Matrix?

  init(_ slot: Slot, _ pair: LowRankPair, _ values: (LearnedMatrix) -> Matrix) {
    self.slot = slot
    self.pair = pair
    origins = PackedOrigins(slot)
    packedRows = slot.packedRows(pair.place.rows) ?? []
    inputs = values(pair.inputs).copied(as: .float32)
    outputs = values(pair.outputs).copied(as: .float32)
    magnitude = pair.magnitude.map { values($0).copied(as: .float32) }
  }

  func changes(_ source: String) throws(AdapterError) -> [(tensor: String, change: Change)] {
    let touched = Set(packedRows.compactMap { origins.rows[$0]?.part })
    var result: [(String, Change)] = []
    for expert in 0..<slot.matrices {
      for part in touched.sorted() {
        let isListed = slot.parts.count == slot.matrices * slot.partsOfMatrix
        let tensor = slot.parts[isListed ? expert * slot.partsOfMatrix + part : part]
        let low = LowRank(
          a: factor(tensor.name, "A", inputs.rows(pair.inputRows(expert))),
          b: factor(tensor.name, "B", rows(outputs.rows(pair.outputRows(expert)), of: part)),
          scale: pair.scale, magnitude: try lengths(tensor.name, part, expert, source),
          isTransposed: isTransposed)
        result.append((tensor.name, Change(.lowRank(low), matrix: isListed ? nil : expert)))
      }
    }
    return result
  }

  private var isTransposed: Bool { if case .transposed = slot.layout { true } else { false } }

  private func lengths(
    _ tensor: String, _ part: Int, _ expert: Int, _ source: String
  ) throws(AdapterError) -> Factor? {
    guard let magnitude else { return nil }
    guard packedRows.count(where: { origins.rows[$0]?.part == part }) == origins.heights[part]
    else {
      throw .unsupported(
        file: source, what: "\(tensor): DoRA's lengths are learned for some of its rows only")
    }
    let row = magnitude.columns(pair.magnitudes(expert))
    let column = row.copied().reshaped(row.columns, 1)
    var factor = factor(tensor, "magnitudes", rows(column, of: part))
    factor.shape = [factor.shape[0]]
    return factor
  }

  /// The rows that belong to a tensor, in its order; zeros where there are none.
  private func rows(_ source: Matrix, of part: Int) -> Matrix {
    let result = Matrix(origins.heights[part], source.columns, source.numbers)
    result.clear()
    for (index, packed) in packedRows.enumerated() {
      guard let origin = origins.rows[packed], origin.part == part else { continue }
      result.rows(origin.row..<origin.row + 1).copy(source.rows(index..<index + 1))
    }
    return result
  }

  private func factor(_ tensor: String, _ what: String, _ values: Matrix) -> Factor {
    let values = values.isDense ? values : values.copied()
    return Factor(
      name: "\(what) of \(tensor)", dtype: .float32, shape: [values.rows, values.columns]
    ) {
      ByteRuns(
        memory: values.start, byteCount: values.count * 4, rowBytes: values.columns * 4,
        of: values.memory)
    }
  }
}
