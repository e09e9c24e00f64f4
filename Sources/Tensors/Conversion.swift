/// Conversions between the floating-point formats, with IEEE rounding to nearest, ties to even.
extension ByteBuffer {
  /// Converts `count` elements of this buffer into the start of another one.
  ///
  /// - Parameter first: the first of the elements, counted from the start of this buffer.
  ///
  /// Both formats must be `isFloat`. Widening is exact; narrowing rounds once, also from float64.
  public func convert(
    _ count: Int, from source: DType, to target: DType, at first: Int = 0,
    into destination: ByteBuffer
  ) {
    precondition(count * target.byteWidth <= destination.capacity)
    convert(first..<first + count, from: source, to: target, into: destination.memory)
  }

  /// Converts a range of elements into raw memory.
  package func convert(
    _ range: Range<Int>, from source: DType, to target: DType,
    into result: UnsafeMutableRawBufferPointer
  ) {
    precondition(source.isFloat && target.isFloat)
    precondition(range.lowerBound >= 0 && range.upperBound * source.byteWidth <= capacity)
    precondition(range.count * target.byteWidth <= result.count)
    switch source {
    case .bfloat16 where target == .float32:
      widenBits(
        elements(range, as: UInt16.self), into: result.assumingMemoryBound(to: UInt32.self))
    case .bfloat16:
      convert(range, to: target, into: result) { (bits: UInt16) in
        Double(Float(bitPattern: UInt32(bits) << 16))
      } narrow: { (bits: UInt16) in
        Float(bitPattern: UInt32(bits) << 16)
      }
    case .float16:
      convert(range, to: target, into: result) { (value: Float16) in
        Double(value)
      } narrow: { (value: Float16) in
        Float(value)
      }
    case .float32 where target == .bfloat16:
      roundFloats(
        elements(range, as: UInt32.self), into: result.assumingMemoryBound(to: UInt16.self))
    case .float32:
      convert(range, to: target, into: result) { (value: Float) in
        Double(value)
      } narrow: { (value: Float) in
        value
      }
    default:
      convertDoubles(range, to: target, into: result)
    }
  }

  private func convert<Source: BitwiseCopyable>(
    _ range: Range<Int>, to target: DType, into memory: UnsafeMutableRawBufferPointer,
    widen: (Source) -> Double, narrow: (Source) -> Float
  ) {
    let source = elements(range, as: Source.self)
    let count = range.count
    switch target {
    case .bfloat16:
      let result = memory.assumingMemoryBound(to: UInt16.self)
      for index in 0..<count { result[index] = bfloat16Bits(narrow(source[index])) }
    case .float16:
      let result = memory.assumingMemoryBound(to: Float16.self)
      for index in 0..<count { result[index] = Float16(narrow(source[index])) }
    case .float32:
      let result = memory.assumingMemoryBound(to: Float.self)
      for index in 0..<count { result[index] = narrow(source[index]) }
    default:
      let result = memory.assumingMemoryBound(to: Double.self)
      for index in 0..<count { result[index] = widen(source[index]) }
    }
  }

  /// bfloat16 to float32, sixteen at a time: through the closures above it would be one by one.
  private func widenBits(
    _ source: UnsafeBufferPointer<UInt16>, into result: UnsafeMutableBufferPointer<UInt32>
  ) {
    guard let from = source.baseAddress, let into = result.baseAddress else { return }
    for index in 0..<source.count { into[index] = UInt32(from[index]) &<< 16 }
  }

  /// `bfloat16Bits` without branches, so that the compiler makes sixteen at a time.
  private func roundFloats(
    _ source: UnsafeBufferPointer<UInt32>, into result: UnsafeMutableBufferPointer<UInt16>
  ) {
    guard let from = source.baseAddress, let into = result.baseAddress else { return }
    for index in 0..<source.count {
      let bits = from[index]
      let rounded = (bits &+ 0x7FFF &+ (bits &>> 16 & 1)) &>> 16
      let isNaN = bits & 0x7FFF_FFFF > 0x7F80_0000
      into[index] = UInt16(truncatingIfNeeded: isNaN ? bits &>> 16 | 0x40 : rounded)
    }
  }

  private func elements<Element: BitwiseCopyable>(
    _ range: Range<Int>, as _: Element.Type
  ) -> UnsafeBufferPointer<Element> {
    UnsafeBufferPointer(
      rebasing: UnsafeRawBufferPointer(memory).assumingMemoryBound(to: Element.self)[range])
  }

  private func convertDoubles(
    _ range: Range<Int>, to target: DType, into memory: UnsafeMutableRawBufferPointer
  ) {
    let source = elements(range, as: Double.self)
    let count = range.count
    switch target {
    case .bfloat16:
      let result = memory.assumingMemoryBound(to: UInt16.self)
      for index in 0..<count { result[index] = bfloat16Bits(oddRounded(source[index])) }
    case .float16:
      let result = memory.assumingMemoryBound(to: Float16.self)
      for index in 0..<count { result[index] = Float16(source[index]) }
    case .float32:
      let result = memory.assumingMemoryBound(to: Float.self)
      for index in 0..<count { result[index] = Float(source[index]) }
    default:
      let result = memory.assumingMemoryBound(to: Double.self)
      for index in 0..<count { result[index] = source[index] }
    }
  }
}

/// The bfloat16 nearest to a float, ties to even; a NaN stays a (quiet) NaN.
public func bfloat16Bits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}

/// A double as a float whose last bit remembers that something was cut off, so that a second
/// rounding to fewer bits gives what one rounding would have given.
private func oddRounded(_ value: Double) -> Float {
  let nearest = Float(value)
  guard nearest.isFinite, Double(nearest) != value else { return nearest }
  let towardZero =
    nearest.magnitude > Float.zero && Double(nearest.magnitude) > value.magnitude
    ? Float(bitPattern: nearest.bitPattern - 1) : nearest
  return Float(bitPattern: towardZero.bitPattern | 1)
}
