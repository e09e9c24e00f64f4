import Blueprint
import SafeTensors
import Tensors

/// The packed rows of a slot, out of a Hugging Face folder.
struct PackedSource: Sendable {
  private let weights: SourceTensors
  private let slot: Slot
  private let dtype: DType
  private let layout: Layout
  let work: TransferWork
  /// What must have arrived before any of the rows can be read.
  let needs: [Transfer.Need]

  /// - Parameter dtype: the type that all parts are given as.
  init(_ weights: SourceTensors, _ slot: Slot, _ dtype: DType) {
    self.weights = weights
    self.slot = slot
    self.dtype = dtype
    let parts = slot.parts.map { weights[$0.name] }
    // Quantised matrices lie as Megatron's do where the plain ones are transposed.
    if case .transposed(let segments, _) = slot.layout,
      parts.contains(where: { $0?.isOutputFirst ?? false })
    {
      layout = .rows(segments)
    } else {
      layout = slot.layout
    }
    let isComputed = parts.contains { $0?.isQuantised ?? false }
    let isChanged = slot.parts.contains { weights.overlay.changes[$0.name] != nil }
    needs = weights.weights.needs(
      of: slot.parts.map(\.name).flatMap(weights.storedNames))
    work =
      isChanged ? .turning : max(isComputed || slot.shift != 0 ? .computing : .copying, layout.work)
  }

  /// The bytes of a range of packed rows, zeros behind the last (a padded vocabulary).
  func runs(rows: Range<Int>, columns: Range<Int>?) throws -> ByteRuns {
    let rowBytes = slot.rowWidth * dtype.byteWidth
    let filled = rows.clamped(to: 0..<slot.rows)
    var packed = try layout.pack(rows: filled, rowBytes: rowBytes, dtype: dtype) {
      part throws(SafeTensorsError) in try weights.runs(of: slot.parts[part].name, as: dtype)
    }
    packed = packed.shifted(by: slot.shift, dtype: dtype)
    packed.append(.zeros((rows.count - filled.count) * rowBytes))
    guard let columns else { return packed }
    let width = dtype.byteWidth
    return packed.columns(
      columns.lowerBound * width..<columns.upperBound * width, rowBytes: rowBytes)
  }
}
