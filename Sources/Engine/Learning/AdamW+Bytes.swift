import Kernels
import Tensors

/// What a checkpoint keeps of the optimiser, without copies of it.
extension AdamW.State {
  /// The numbers that are trained, row by row, made as they are read: float32, or the weights' own type where
  /// nothing is kept of them besides.
  package var masterBytes: ByteRuns {
    remainder.map { ByteRuns(joining: target.value, $0) } ?? target.value.bytes
  }

  /// The type of `masterBytes`.
  package var masterNumbers: Numbers { remainder == nil ? target.value.numbers : .float32 }
}
