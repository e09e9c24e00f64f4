extension DType {
  /// Whether an element is one number that `ByteBuffer` compares as such.
  public var isNumber: Bool {
    switch self {
    case .float4, .float6E2M3, .float6E3M2, .float8E8M0, .float8E4M3FNUZ, .float8E5M2FNUZ,
      .complex64:
      false
    default: true
    }
  }
}

/// Comparing the elements of two buffers.
extension ByteBuffer {
  /// How many elements differ, which first, and by how much at most.
  public struct Differences: Hashable, Sendable {
    public var count = 0
    /// The position of the first element that differs.
    public var first: Int?
    /// The largest |a − b|; infinite where only one of the two is a number.
    public var largest = 0.0
    /// The position of the element with the largest difference.
    public var largestAt: Int?

    public init() {}

    /// Adds what was found `offset` elements further on.
    public mutating func add(_ other: Differences, offset: Int) {
      count += other.count
      if first == nil { first = other.first.map { $0 + offset } }
      if let at = other.largestAt, largestAt == nil || other.largest > largest {
        largest = other.largest
        largestAt = at + offset
      }
    }

    mutating func note(_ index: Int, by difference: Double) {
      count += 1
      if first == nil { first = index }
      let size = difference.isNaN ? Double.infinity : difference
      if largestAt == nil || size > largest {
        largest = size
        largestAt = index
      }
    }
  }

  /// Compares the first `count` elements bit for bit.
  public func differences(_ other: ByteBuffer, count: Int, dtype: DType) -> Differences {
    let width = dtype.byteWidth
    precondition(count * width <= capacity && count * width <= other.capacity)
    var result = Differences()
    for index in 0..<count {
      let range = index * width..<(index + 1) * width
      if !memory[range].elementsEqual(other.memory[range]) {
        result.note(
          index, by: distance(value(range.lowerBound, dtype), other.value(range.lowerBound, dtype)))
      }
    }
    return result
  }

  /// Compares the first `count` elements as numbers, each buffer's in its own type.
  ///
  /// Both types must be `isNumber`. Two values that are not a number are equal, and so are equal infinities.
  public func differences(
    _ other: ByteBuffer, count: Int, _ left: DType, _ right: DType, tolerance: Double
  ) -> Differences {
    precondition(count * left.byteWidth <= capacity && count * right.byteWidth <= other.capacity)
    var result = Differences()
    for index in 0..<count {
      let a = value(index * left.byteWidth, left)
      let b = other.value(index * right.byteWidth, right)
      if a == b || a.isNaN && b.isNaN { continue }
      let difference = distance(a, b)
      if !(difference <= tolerance) { result.note(index, by: difference) }
    }
    return result
  }

  private func distance(_ a: Double, _ b: Double) -> Double { a == b ? 0 : (a - b).magnitude }

  /// The number at a byte position; for types that are not `isNumber` something like it.
  private func value(_ position: Int, _ dtype: DType) -> Double {
    func load<Value: BitwiseCopyable>(_: Value.Type) -> Value {
      memory.loadUnaligned(fromByteOffset: position, as: Value.self)
    }
    return switch dtype {
    case .float16: Double(load(Float16.self))
    case .bfloat16: Double(Float(bitPattern: UInt32(load(UInt16.self)) << 16))
    case .float32, .complex64: Double(load(Float.self))
    case .float64: load(Double.self)
    case .int8: Double(load(Int8.self))
    case .int16: Double(load(Int16.self))
    case .uint16: Double(load(UInt16.self))
    case .int32: Double(load(Int32.self))
    case .uint32: Double(load(UInt32.self))
    case .int64: Double(load(Int64.self))
    case .uint64: Double(load(UInt64.self))
    case .float8E4M3: float8(load(UInt8.self), exponentBits: 4, bias: 7, hasInfinity: false)
    case .float8E5M2: float8(load(UInt8.self), exponentBits: 5, bias: 15, hasInfinity: true)
    default: Double(load(UInt8.self))
    }
  }

  /// An eight-bit float of the OCP formats.
  private func float8(
    _ bits: UInt8, exponentBits: Int, bias: Int, hasInfinity: Bool
  ) -> Double {
    let mantissaBits = 7 - exponentBits
    let sign: Double = bits & 0x80 == 0 ? 1 : -1
    let exponent = Int(bits & 0x7F) >> mantissaBits
    let mantissa = Int(bits) & (1 << mantissaBits - 1)
    let top = 1 << exponentBits - 1
    if exponent == top {
      if hasInfinity { return mantissa == 0 ? sign * .infinity : .nan }
      if mantissa == 1 << mantissaBits - 1 { return .nan }
    }
    let fraction = Double(mantissa) / Double(1 << mantissaBits)
    let scale = exponent == 0 ? 1 - bias : exponent - bias
    return sign
      * Double(
        sign: .plus, exponent: scale, significand: exponent == 0 ? fraction : 1 + fraction)
  }
}
