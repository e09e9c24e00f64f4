import Blueprint
import Engine
import Weights

/// What is done with tokens, for counting.
enum TokenWork {
  /// All weights learn.
  case learning
  /// Weights stay as they are, and what is small and beside them learns.
  case adapting
  /// A prompt is read: logits are wanted of its last token alone.
  case reading

  /// How often each weight is multiplied by: there, for the gradient that goes on, for its own.
  fileprivate var products: Int {
    switch self {
    case .learning: 3
    case .adapting: 2
    case .reading: 1
    }
  }
}

extension Blueprint {
  /// The operations of work on tokens as they are usually counted: two for each token and each parameter
  /// that it is multiplied by, there and for each gradient; for attention the products of queries and keys,
  /// and of scores and values, that a causal mask leaves, once there and twice on the way back.
  func operations(sequences: Int, length: Int, _ work: TokenWork) -> Double {
    // Rows that are looked up and not multiplied by; a tied embedding is the output layer as well.
    let tables = learnedSlots.filter { slot in
      switch slot.role {
      case .wordEmbeddings: !frame.isTied || work == .reading
      case .outputLayer: work == .reading
      case .positionEmbeddings, .layerInput(.table): true
      default: false
      }
    }
    let matrices = activeParameters - tables.reduce(0) { $0 + $1.shape.count }
    let attention = blocks.flatMap(\.leaves).reduce(0) { sum, layer in
      guard let layer = layer as? Attention else { return sum }
      return sum + 2 * layer.heads * layer.headSize
    }
    let tokens = Double(sequences * length)
    return 2 * Double(work.products) * Double(matrices) * tokens
      + (work == .reading ? 1 : 3) * Double(attention) * Double(length) * tokens
  }
}
