import Kernels

/// A matrix that a forward pass computes: a row for each token, and the gradient that comes back to it.
public final class Node {
  public let value: Matrix
  /// What comes back.
  ///
  /// The way back holds on to it alone where it does not need the value, whose memory is
  /// free for others then.
  public let returning: Returning
  /// Computes the value once more, where that costs little; `nil` where it does not.
  public internal(set) var remake: (() -> Matrix)?

  public init(_ value: Matrix, isTracked: Bool) {
    self.value = value
    returning = Returning(value.rows, value.columns, value.numbers, isTracked: isTracked)
  }

  public var rows: Int { value.rows }
  public var columns: Int { value.columns }
  public var numbers: Numbers { value.numbers }

  /// The value for the way back: made again then where that costs little, so that its memory is free for
  /// others in between, or kept.
  var recalled: () -> Matrix { remake ?? { [value] in value } }

  /// Whether a gradient is wanted.
  public var isTracked: Bool { returning.isTracked }
  /// The gradient as far as it has been gathered.
  public var gradient: Matrix? { returning.gradient }

  /// As of `Returning`.
  public func gradientPlace() -> (target: Matrix, accumulates: Bool) { returning.gradientPlace() }

  /// As of `Returning`.
  public func gradientSum() -> Matrix { returning.gradientSum() }

  /// As of `Returning`.
  public func add(_ other: Matrix) { returning.add(other) }

  /// As of `Returning`.
  public func takeGradient() -> Matrix? { returning.takeGradient() }
}

/// The gradient of a node as it gathers, without the node's value.
public final class Returning {
  public let rows: Int
  public let columns: Int
  public let numbers: Numbers
  /// Whether a gradient is wanted.
  public let isTracked: Bool
  /// The gradient as far as it has been gathered.
  public private(set) var gradient: Matrix?

  init(_ rows: Int, _ columns: Int, _ numbers: Numbers, isTracked: Bool) {
    self.rows = rows
    self.columns = columns
    self.numbers = numbers
    self.isTracked = isTracked
  }

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
