import Glibc

/// How the next token is chosen by the logits.
public struct Sampling: Equatable, Sendable {
  /// What logits are divided by; 0 takes the likeliest token.
  public let temperature: Double
  /// How many of the likeliest tokens are left to choose from; `nil` is all.
  public let topK: Int?
  /// The likeliest tokens are left, as many as are needed for this share of what `topK` leaves.
  public let topP: Double?
  /// The same seed gives the same tokens.
  public let seed: UInt64

  /// The likeliest token, the lowest of equal ones.
  public static let greedy = Sampling()

  private init() { (temperature, topK, topP, seed) = (0, nil, nil, 0) }

  /// - Throws: `EngineError.badSampling` where a number is outside its bounds.
  public init(
    temperature: Double = 1, topK: Int? = nil, topP: Double? = nil, seed: UInt64 = 0
  ) throws(EngineError) {
    guard temperature >= 0, temperature.isFinite else {
      throw .badSampling(what: "the temperature", value: temperature, bounds: "0 or more")
    }
    if let topK, topK < 1 {
      throw .badSampling(what: "top-k", value: Double(topK), bounds: "1 or more")
    }
    if let topP, !(topP > 0 && topP <= 1) {
      throw .badSampling(what: "top-p", value: topP, bounds: "more than 0 and at most 1")
    }
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }
}

/// Chooses one token after the other.
struct Sampler {
  private struct Candidate {
    var token: Int32
    /// How likely it is, in proportion to the others.
    var weight: Double
  }

  private let sampling: Sampling
  private var state: UInt64

  init(_ sampling: Sampling) {
    self.sampling = sampling
    state = sampling.seed
  }

  /// The next token; `nil` where no logit is a finite number or one is none at all.
  ///
  /// Logits are float32, whatever is done with them is done in double. Of equal logits the lower token
  /// comes first.
  mutating func choose(_ logits: [Float]) -> Int32? {
    var best = 0
    for index in logits.indices {
      if logits[index].isNaN { return nil }
      if logits[index] > logits[best] { best = index }
    }
    guard !logits.isEmpty, logits[best].isFinite else { return nil }
    guard sampling.temperature > 0 else { return Int32(best) }
    let (most, temperature) = (Double(logits[best]), sampling.temperature)
    func weight(_ logit: Float) -> Double { exp((Double(logit) - most) / temperature) }
    guard sampling.topK != nil || sampling.topP != nil else {
      return draw(
        logits.indices.lazy.map { Candidate(token: Int32($0), weight: weight(logits[$0])) })
    }
    return draw(likeliest(logits, weight))
  }

  /// The tokens that are left, the likeliest first, with what speaks for each.
  private func likeliest(
    _ logits: [Float], _ weight: (Float) -> Double
  ) -> [Candidate] {
    var ranking = Ranking(logits)
    var left: [Candidate] = []
    if let count = sampling.topK, count < logits.count {
      while left.count < count, let token = ranking.next() {
        left.append(Candidate(token: token, weight: weight(logits[Int(token)])))
      }
      guard let share = sampling.topP else { return left }
      let enough = share * left.reduce(0) { $0 + $1.weight }
      var sum = 0.0
      let last = left.firstIndex { candidate in
        sum += candidate.weight
        return sum >= enough
      }
      return last.map { Array(left[...$0]) } ?? left
    }
    let enough = (sampling.topP ?? 1) * logits.reduce(0) { $0 + weight($1) }
    var sum = 0.0
    while sum < enough, let token = ranking.next() {
      left.append(Candidate(token: token, weight: weight(logits[Int(token)])))
      sum += left[left.count - 1].weight
    }
    return left
  }

  /// One of the candidates, each as likely as its weight says.
  private mutating func draw(_ candidates: some Collection<Candidate>) -> Int32? {
    let mark = uniform() * candidates.reduce(0) { $0 + $1.weight }
    var sum = 0.0
    var last: Int32?
    for candidate in candidates where candidate.weight > 0 {
      sum += candidate.weight
      last = candidate.token
      if sum > mark { break }
    }
    return last
  }

  /// A number from 0 on, below 1: splitmix64 (Steele, Lea and Flood 2014).
  private mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var number = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
    number ^= number >> 31
    return Double(number >> 11) / 0x1p53
  }
}

/// Tokens by their logits, the largest first; of equal ones the lower token.
///
/// A heap: most vocabularies are large, and few tokens of them are asked for.
struct Ranking {
  private let logits: [Float]
  private var heap: [Int32]

  init(_ logits: [Float]) {
    self.logits = logits
    heap = logits.indices.map { Int32($0) }
    for index in (0..<heap.count / 2).reversed() { sink(index) }
  }

  mutating func next() -> Int32? {
    guard let first = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty {
      heap[0] = last
      sink(0)
    }
    return first
  }

  private func isBefore(_ left: Int32, _ right: Int32) -> Bool {
    let (one, other) = (logits[Int(left)], logits[Int(right)])
    return one == other ? left < right : one > other
  }

  private mutating func sink(_ start: Int) {
    var index = start
    while true {
      var first = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
        if isBefore(heap[child], heap[first]) { first = child }
      }
      if first == index { return }
      heap.swapAt(index, first)
      index = first
    }
  }
}
