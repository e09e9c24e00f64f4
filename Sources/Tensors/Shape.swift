/// The dimensions of a tensor, outermost first; `[]` is a scalar.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  public var dimensions: [Int]

  public init(_ dimensions: [Int]) { self.dimensions = dimensions }
  public init(arrayLiteral elements: Int...) { self.dimensions = elements }

  public var rank: Int { dimensions.count }
  public subscript(axis: Int) -> Int { dimensions[axis] }

  /// The number of elements, or `nil` if a dimension is negative or the product does not fit an `Int`.
  public var checkedCount: Int? {
    var product = 1
    for dimension in dimensions {
      guard dimension >= 0 else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
      if overflow { return nil }
      product = next
    }
    return product
  }

  /// The number of bytes of a tensor of this shape, or `nil` on overflow or a partial last byte.
  public func checkedByteCount(_ dtype: DType) -> Int? {
    guard let count = checkedCount else { return nil }
    let (bits, overflow) = count.multipliedReportingOverflow(by: dtype.bitWidth)
    return overflow || bits % 8 != 0 ? nil : bits / 8
  }

  /// The number of elements of a shape that has been validated.
  public var count: Int { dimensions.reduce(1, *) }

  /// Row-major strides in elements.
  public var strides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    for axis in dimensions.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * max(1, dimensions[axis + 1])
    }
    return strides
  }

  public var description: String {
    "[" + dimensions.map(String.init).joined(separator: ", ") + "]"
  }
}
