import Kernels

/// A sequence of tokens that a model continues, one token at a time.
public struct Continuation {
  private let model: Model
  /// All tokens, those that were given too.
  public private(set) var tokens: [Int32]
  private let given: Int

  /// - Parameter tokens: at least one.
  /// - Throws: `EngineError` for tokens that the model cannot take.
  public init(_ model: Model, _ tokens: [Int32]) throws(EngineError) {
    self.model = model
    self.tokens = tokens
    given = tokens.count
    try model.check(Batch([tokens]))
  }

  /// The tokens that were added.
  public var added: ArraySlice<Int32> { tokens[given...] }

  /// Adds a token.
  ///
  /// - Returns: the token.
  public mutating func next(_ sampling: Sampling = .greedy) throws(EngineError) -> Int32 {
    let token = sampling.choose(try logits(), step: added.count)
    tokens.append(token)
    return token
  }

  /// The logits of the token to come, computed from all tokens anew.
  private func logits() throws(EngineError) -> [Float] {
    let pass = Pass(model, Tape(model.numbers, isRecording: false), Batch([tokens]))
    guard let last = try model.hidden(pass).last else { throw .emptyBatch }
    let row = Node(last.value.rows(last.rows - 1..<last.rows), isTracked: false)
    return try model.logits(row, pass).floats
  }
}
