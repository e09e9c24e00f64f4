import Blueprint
import Tensors

/// The way of tensors that Megatron holds shifted, as w − 1 for a norm's weight w.
///
/// The difference is rounded to the checkpoint's type, as Megatron-Bridge rounds it, and that may lose
/// bits of w: of those outside 1/2 … 2, where the difference needs more digits than the type has. An
/// import then keeps the tensor beside the checkpoint, and an export takes it from there as long as
/// the checkpoint still holds what became of it: so what was not trained comes back to the bit.
struct Shift {
  var amount: Double
  /// The types at the source and in the checkpoint.
  var source: DType
  var stored: DType

  /// The bytes an import writes for the tensor.
  func applied(to runs: ByteRuns) throws -> [UInt8] {
    let buffer = try shifted(runs)
    return buffer.bytes(0..<count(runs) * stored.byteWidth)
  }

  /// Whether an export computes the very same bytes from what an import wrote.
  func isUndone(of runs: ByteRuns) throws -> Bool {
    let count = count(runs)
    let there = try shifted(runs)
    there.add(-amount, to: count, dtype: stored)
    let back = ByteBuffer(capacity: max(1, runs.byteCount))
    there.convert(count, from: stored, to: source, into: back)
    let original = ByteBuffer(capacity: max(1, runs.byteCount))
    try original.fill(runs)
    return original.equals(back, 0..<runs.byteCount)
  }

  private func count(_ runs: ByteRuns) -> Int { runs.byteCount / source.byteWidth }

  private func shifted(_ runs: ByteRuns) throws -> ByteBuffer {
    let count = count(runs)
    let buffer = ByteBuffer(capacity: max(1, runs.byteCount))
    try buffer.fill(runs.shifted(by: amount, dtype: source))
    let converted = ByteBuffer(capacity: max(1, count * stored.byteWidth))
    buffer.convert(count, from: source, to: stored, into: converted)
    return converted
  }
}

extension StoredTensors.Origin {
  /// Whether the checkpoint holds what an import makes of a tensor.
  func isMade(from runs: ByteRuns, dtype: DType) throws -> Bool {
    guard slot.slot.shift != 0, dtype.isFloat, slot.dtype.isFloat else { return false }
    let made = try Shift(amount: slot.slot.shift, source: dtype, stored: slot.dtype)
      .applied(to: runs)
    let stored = try slot.storedRuns(part: part)
    guard stored.byteCount == made.count else { return false }
    let buffer = ByteBuffer(capacity: max(1, made.count))
    try buffer.fill(stored)
    return buffer.bytes(0..<made.count) == made
  }
}
