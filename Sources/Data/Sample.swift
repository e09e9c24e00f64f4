/// One sequence of tokens to learn from, with those that count in the loss.
///
/// This is what every way of making data ends in, and all that packing and batching know of it.
public struct Sample: Sendable, Equatable {
  /// The tokens, the last of which is only ever predicted.
  public var tokens: [Int32]
  /// For each token whether it counts where it is predicted from those before it; the first never is.
  public var trained: [Bool]

  public init(tokens: [Int32], trained: [Bool]) {
    precondition(tokens.count == trained.count)
    self.tokens = tokens
    self.trained = trained
  }

  public var count: Int { tokens.count }
  /// How many tokens are learnt.
  public var trainedCount: Int { trained.dropFirst().count { $0 } }
}
