import Blueprint
import Tensors

/// Tensors that are not taken as they are stored: others are computed out of them on the way.
package struct TensorOverlay: Sendable {
  /// The numbers that stand for a tensor's stored ones, given those and their type.
  package typealias Change = @Sendable (ByteRuns, DType) -> ByteRuns

  /// By Hugging Face name.
  package var changes: [String: Change] = [:]

  package init() {}

  /// A tensor's numbers, changed or not.
  package func apply(to name: String, _ runs: ByteRuns, _ dtype: DType) -> ByteRuns {
    changes[name]?(runs, dtype) ?? runs
  }
}

extension TensorOverlay {
  /// Changes the Hugging Face tensors that a transfer writes under their names.
  package func apply(to transfer: inout Transfer) {
    for index in transfer.tasks.indices {
      guard let change = changes[transfer.tasks[index].name] else { continue }
      let task = transfer.tasks[index]
      transfer.tasks[index].work = .turning
      transfer.tasks[index].runs = { change(try task.runs(), task.source) }
    }
  }
}
