import Tensors

extension ByteBuffer {
  /// The largest difference between stored numbers at the start of this buffer and float32 ones of another.
  func largestDifference(_ count: Int, _ dtype: DType, from other: ByteBuffer) -> Float {
    let stored = UnsafeRawBufferPointer(memory)
    let values = UnsafeRawBufferPointer(other.memory).assumingMemoryBound(to: Float.self)
    return switch dtype {
    case .bfloat16:
      Self.largest(count, values, stored.assumingMemoryBound(to: UInt16.self)) {
        Float(bitPattern: UInt32($0) << 16)
      }
    case .float16:
      Self.largest(count, values, stored.assumingMemoryBound(to: Float16.self)) { Float($0) }
    case .float32:
      Self.largest(count, values, stored.assumingMemoryBound(to: Float.self)) { $0 }
    default:
      Self.largest(count, values, stored.assumingMemoryBound(to: Double.self)) { Float($0) }
    }
  }

  /// Sixteen at a time, which the compiler would not do by itself: it may not reorder comparisons.
  @inline(__always)
  private static func largest<Element>(
    _ count: Int, _ values: UnsafeBufferPointer<Float>, _ stored: UnsafeBufferPointer<Element>,
    _ widen: (Element) -> Float
  ) -> Float {
    var largest = SIMD16<Float>(repeating: 0)
    var index = 0
    while index + 16 <= count {
      var change = SIMD16<Float>()
      for lane in 0..<16 {
        change[lane] = (values[index + lane] - widen(stored[index + lane])).magnitude
      }
      // What is no number counts as infinite: every comparison with it is false, so it would be lost.
      change.replace(with: .infinity, where: change .!= change)
      largest.replace(with: change, where: change .> largest)
      index += 16
    }
    var result: Float = 0
    for lane in 0..<16 where largest[lane] > result { result = largest[lane] }
    while index < count {
      let change = (values[index] - widen(stored[index])).magnitude
      if !(change <= result) { result = change.isNaN ? .infinity : change }
      index += 1
    }
    return result
  }
}
