import Glibc
import Kernels

/// How a token is chosen by its logits.
///
/// As transformers does it: logits / temperature, then the largest `topK` of them, then of those the fewest
/// whose probabilities reach `topP` together; one is drawn by the probabilities of what is left.
public struct Sampling: Sendable {
  /// 0 takes the most likely token.
  public var temperature: Double
  /// `nil` keeps all.
  public var topK: Int?
  /// `nil` keeps all.
  public var topP: Double?
  /// Draws depend on it and on how many tokens were drawn before.
  public var seed: UInt64

  /// The most likely token each time.
  public static let greedy = Sampling(temperature: 0)

  public init(temperature: Double = 1, topK: Int? = nil, topP: Double? = nil, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }

  /// Chooses the token at a step of a sequence.
  public func choose(_ logits: [Float], step: Int) -> Int32 {
    guard temperature > 0 else { return logits.mostLikely }
    let kept = candidates(logits)
    let sum = kept.reduce(0) { $0 + $1.probability }
    var left = draw(step) * sum
    for candidate in kept {
      left -= candidate.probability
      if left < 0 { return candidate.token }
    }
    return kept.last?.token ?? logits.mostLikely
  }

  struct Candidate: Equatable {
    var token: Int32
    var probability: Double
  }

  /// The tokens that may be drawn, the most likely first.
  ///
  /// Their probabilities are those before `topP` leaves some out.
  func candidates(_ logits: [Float]) -> [Candidate] {
    let largest = Double(logits.max() ?? 0)
    var order = logits.indices.filter { logits[$0] > -.infinity }
    // Of equal ones the first comes first, whatever the sort does.
    order.sort { (logits[$1], $0) < (logits[$0], $1) }
    if let topK { order.removeLast(max(0, order.count - max(1, topK))) }
    let weights = order.map { exp((Double(logits[$0]) - largest) / temperature) }
    let sum = weights.reduce(0, +)
    var kept = zip(order, weights).map { Candidate(token: Int32($0), probability: $1 / sum) }
    guard let topP else { return kept }
    var before = 0.0
    let count = kept.prefix { candidate in
      defer { before += candidate.probability }
      return before < topP
    }.count
    kept.removeLast(kept.count - max(1, count))
    return kept
  }

  /// A number from 0 up to 1.
  private func draw(_ step: Int) -> Double {
    let number = Matrix(1, 1, .float64)
    RandomStream(seed: seed, "token \(step)").fill(number, .uniform(from: 0, to: 1))
    return number[0, 0]
  }
}

extension [Float] {
  /// The index of the largest, the first of equal ones.
  public var mostLikely: Int32 {
    var best = 0
    for index in indices where self[index] > self[best] { best = index }
    return Int32(best)
  }
}
