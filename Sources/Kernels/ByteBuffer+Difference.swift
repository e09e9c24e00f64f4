import Tensors

extension ByteBuffer {
  /// The largest difference between a range of stored numbers and float32 ones of another buffer.
  ///
  /// - Parameter first: the first of the other buffer's.
  func largestDifference(
    _ range: Range<Int>, _ dtype: DType, from other: ByteBuffer, at first: Int
  ) -> Float {
    guard let all = other.memory.baseAddress?.assumingMemoryBound(to: Float.self),
      let start = memory.baseAddress
    else { return 0 }
    let (count, values) = (range.count, all + first)
    let stored = start + range.lowerBound * dtype.byteWidth
    let bits =
      switch dtype {
      case .bfloat16: Self.largest(count, values, bits: stored.assumingMemoryBound(to: UInt16.self))
      case .float16:
        Self.largest(count, values, halves: stored.assumingMemoryBound(to: Float16.self))
      case .float32:
        Self.largest(count, values, singles: stored.assumingMemoryBound(to: Float.self))
      default: Self.largest(count, values, doubles: stored.assumingMemoryBound(to: Double.self))
      }
    return Float(bitPattern: bits)
  }

  // Numbers that are not negative are ordered as their bits are, and what is no number comes last. The
  // compiler makes sixteen comparisons of whole numbers at a time, but of floats one: one loop for each
  // type, because a closure would keep it from that too.

  private static func largest(
    _ count: Int, _ values: UnsafePointer<Float>, bits stored: UnsafePointer<UInt16>
  ) -> UInt32 {
    var largest: UInt32 = 0
    for index in 0..<count {
      let base = Float(bitPattern: UInt32(stored[index]) &<< 16)
      largest = max(largest, (values[index] - base).bitPattern & 0x7FFF_FFFF)
    }
    return largest
  }

  private static func largest(
    _ count: Int, _ values: UnsafePointer<Float>, halves stored: UnsafePointer<Float16>
  ) -> UInt32 {
    var largest: UInt32 = 0
    for index in 0..<count {
      largest = max(largest, (values[index] - Float(stored[index])).bitPattern & 0x7FFF_FFFF)
    }
    return largest
  }

  private static func largest(
    _ count: Int, _ values: UnsafePointer<Float>, singles stored: UnsafePointer<Float>
  ) -> UInt32 {
    var largest: UInt32 = 0
    for index in 0..<count {
      largest = max(largest, (values[index] - stored[index]).bitPattern & 0x7FFF_FFFF)
    }
    return largest
  }

  private static func largest(
    _ count: Int, _ values: UnsafePointer<Float>, doubles stored: UnsafePointer<Double>
  ) -> UInt32 {
    var largest: UInt32 = 0
    for index in 0..<count {
      largest = max(largest, (values[index] - Float(stored[index])).bitPattern & 0x7FFF_FFFF)
    }
    return largest
  }
}
