import Blueprint
import Engine
import Kernels
import Tensors

extension Parameter {
  /// A packed matrix of this parameter's shape, such as its gradient, as the Hugging Face tensors that it
  /// is made of: names and shapes, and their numbers when they are asked for.
  ///
  /// Nothing is shifted: a gradient is the same on both sides.
  public func parts(_ packed: Matrix) -> [(part: Part, runs: ByteRuns)] {
    precondition(packed.isDense && packed.count == value.count)
    let slot = slot.slot
    let dtype = packed.numbers.dtype
    let rowBytes = slot.rowWidth * dtype.byteWidth
    let runs = ByteRuns(
      memory: packed.start, byteCount: packed.count * dtype.byteWidth, rowBytes: rowBytes,
      of: packed.memory)
    return slot.parts.indices.map { index in
      (
        slot.parts[index],
        slot.layout.unpack(runs, part: index, rowBytes: rowBytes, dtype: dtype)
      )
    }
  }
}
