import Kernels

/// Numbers that training changes, and the gradient that gathers there: a parameter of the model, or a
/// factor of an adapter.
public class LearnedMatrix {
  /// What messages and files of the optimiser call it; unlike any other's of the model.
  public let name: String
  public internal(set) var value: Matrix
  /// Whether training changes it.
  public var isTrained: Bool
  /// Whether weight decay pulls at it: at matrices, not at vectors, norms and biases.
  public let decays: Bool
  public private(set) var gradient: Matrix?
  /// The number type of a gradient; that of sums where several batches add up.
  public var gradientNumbers: Numbers {
    get { gathersMany ? value.numbers.accumulated : plainGradientNumbers }
    set { plainGradientNumbers = newValue }
  }
  private var plainGradientNumbers: Numbers
  /// Whether the gradient under way is of several batches: sums of many need more digits than each.
  ///
  /// Told anew for every step, so that a step is the same whatever came before it.
  public var gathersMany = false

  public init(_ name: String, _ value: Matrix, isTrained: Bool, decays: Bool) {
    self.name = name
    self.value = value
    self.isTrained = isTrained
    self.decays = decays
    plainGradientNumbers = value.numbers
  }

  /// Where a gradient that covers all elements goes, as of `Node.gradientPlace`.
  public func gradientPlace() -> (target: Matrix, accumulates: Bool) {
    if let gradient { return (gradient, true) }
    let fresh = Matrix(value.rows, value.columns, gradientNumbers)
    gradient = fresh
    return (fresh, false)
  }

  /// The gradient so far, zeros where nothing has come.
  public func gradientSum() -> Matrix {
    let (target, accumulates) = gradientPlace()
    if !accumulates { target.clear() }
    return target
  }

  /// Forgets the gradient.
  public func clearGradient() { gradient = nil }
}
