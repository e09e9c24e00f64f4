import Blueprint
import Kernels
import Tensors

/// One learned tensor in the engine: a slot's packed rows, and the gradient that gathers there.
///
/// The numbers of matrices are the model's; those of vectors, such as norm weights and biases, are of
/// the type of sums.
public final class Parameter {
  /// The slot, with the full Hugging Face names of its parts.
  public let slot: PlacedSlot
  /// [rows, rowWidth]; an expert bank's matrices stand one below the other.
  public let value: Matrix
  /// Whether training changes it.
  public var isTrained: Bool
  public private(set) var gradient: Matrix?
  /// The number type of gradients; float32 where many steps add up.
  public var gradientNumbers: Numbers

  public init(_ slot: PlacedSlot, _ value: Matrix, isTrained: Bool = true) {
    self.slot = slot
    self.value = value
    self.isTrained = isTrained && !slot.slot.isConstant
    gradientNumbers = value.numbers
  }

  /// What messages call it: the name of its first part.
  public var name: String { slot.slot.parts.first?.name ?? "\(slot.slot.role)" }
  public var role: Role { slot.slot.role }

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

extension Slot {
  /// Whether the engine multiplies by it or looks rows up in it.
  ///
  /// What is not a matrix is small, and float32 in every model.
  public var isMatrix: Bool {
    switch role {
    case .wordEmbeddings, .positionEmbeddings, .outputLayer(.weight), .queryKeyValue(.weight),
      .attentionOutput(.weight), .layerInput(.table), .layerInput(.projection),
      .layerInput(.gate), .layerInput(.output), .query, .queryDown, .queryUp, .keyValueDown,
      .keyValueUp, .indexer(.queryUp), .indexer(.key), .indexer(.headWeights), .fc1(.weight),
      .fc2(.weight), .attentionMap, .mlpMap, .router(.weight), .expertFC1(.weight),
      .expertFC2(.weight), .sharedFC1(.weight), .sharedFC2(.weight), .sharedGate, .latentDown,
      .latentUp, .mixer(_, .input(.weight)), .mixer(_, .output(.weight)), .predictorMerge:
      true
    default: false
    }
  }
}
