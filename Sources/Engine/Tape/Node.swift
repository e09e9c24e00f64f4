import Kernels

/// A matrix that a forward pass computes: a row for each token, and the gradient that comes back to it.
public final class Node {
  public let value: Matrix
  /// Whether a gradient is wanted.
  public let isTracked: Bool
  /// The gradient as far as it has been gathered.
  public private(set) var gradient: Matrix?

  public init(_ value: Matrix, isTracked: Bool) {
    self.value = value
    self.isTracked = isTracked
  }

  public var rows: Int { value.rows }
  public var columns: Int { value.columns }
  public var numbers: Numbers { value.numbers }

  /// Where a gradient goes that covers all elements: memory of undefined contents to be filled, or the
  /// gradient so far, to be added to.
  public func gradientPlace() -> (target: Matrix, accumulates: Bool) {
    if let gradient { return (gradient, true) }
    let fresh = Matrix(rows, columns, numbers)
    gradient = fresh
    return (fresh, false)
  }

  /// The gradient so far, zeros where nothing has come: for who adds to some columns or rows only.
  public func gradientSum() -> Matrix {
    let (target, accumulates) = gradientPlace()
    if !accumulates { target.clear() }
    return target
  }

  /// Adds a gradient; takes its memory over where it is the first.
  public func add(_ other: Matrix) {
    guard let gradient else {
      gradient = other
      return
    }
    Sums.add(1, other, to: gradient)
  }

  /// The whole gradient, handed over to the operation that made the node.
  public func takeGradient() -> Matrix? {
    defer { gradient = nil }
    return gradient
  }
}
