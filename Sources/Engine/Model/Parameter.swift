import Blueprint
import Kernels
import Tensors

/// One learned tensor in the engine: a slot's packed rows, and the gradient that gathers there.
///
/// The numbers of matrices are the model's; those of vectors, such as norm weights and biases, are of
/// the type of sums.
public final class Parameter: LearnedMatrix {
  /// The slot, with the full Hugging Face names of its parts.
  public let slot: PlacedSlot
  /// What adapters add to it; `nil` where there are none.
  public internal(set) var change: LowRankChange?

  /// - Parameter value: [rows, rowWidth]; an expert bank's matrices stand one below the other.
  public init(_ slot: PlacedSlot, _ value: Matrix, isTrained: Bool = true) {
    self.slot = slot
    super.init(
      slot.slot.parts.first?.name ?? "\(slot.slot.role)", value,
      isTrained: isTrained && !slot.slot.isConstant, decays: slot.slot.isDecayed)
  }

  public var role: Role { slot.slot.role }

  /// Whether the parameter or what adapters add to it wants gradients.
  public var learns: Bool { isTrained || change?.isTrained ?? false }
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

  /// Whether weight decay pulls at it: at matrices and at the kernels of convolutions.
  public var isDecayed: Bool {
    if case .mixer(_, .convolution(.weight)) = role { return true }
    return isMatrix
  }
}
