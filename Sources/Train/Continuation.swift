import Engine
import Kernels

/// A sequence of tokens that a model continues, one token at a time.
struct Continuation {
  private let model: Model
  private(set) var tokens: [Int32]

  init(_ model: Model, _ tokens: [Int32]) {
    self.model = model
    self.tokens = tokens
  }

  /// Computes the logits behind the last token, and appends the token that is chosen by them.
  mutating func next(_ choose: ([Float]) throws -> Int32) throws -> Int32 {
    let token = try choose(try logits())
    tokens.append(token)
    return token
  }

  /// The logits of the token to come, computed from all tokens anew.
  private func logits() throws -> [Float] {
    let pass = Pass(model, Tape(model.numbers, isRecording: false), Batch([tokens]))
    guard let last = try model.hidden(pass).last else { return [] }
    let row = Node(last.value.rows(last.rows - 1..<last.rows), isTracked: false)
    return try model.logits(row, pass).floats
  }
}

extension [Float] {
  /// The index of the largest, the first of equal ones.
  var mostLikely: Int32 {
    var best = 0
    for index in indices where self[index] > self[best] { best = index }
    return Int32(best)
  }
}
