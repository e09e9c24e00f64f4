import CKernels
import Kernels

/// AdamW over learned matrices, one pass over memory for each update (arXiv 1711.05101; the formula and
/// the defaults are torch.optim.AdamW's).
///
/// Everything is kept in float32 (in float64 models float64): a bfloat16 weight is the rounded upper half
/// of the number that is trained, and 16 bits beside it hold the rest. `Precision.half` keeps less.
public final class AdamW {
  public struct Settings: Hashable, Sendable {
    public var beta1 = 0.9
    public var beta2 = 0.999
    public var eps = 1e-8
    /// Whether weight decay pulls at embeddings as at other matrices.
    public var decaysEmbeddings = true
    /// Whether it pulls at biases and the weights of norms too, as PyTorch's does.
    public var decaysVectors = false
    public var precision = Precision.full

    public init() {}
  }

  /// What is kept of bfloat16 weights: 12 bytes or 6 for each.
  public enum Precision: Hashable, Sendable {
    /// The weights and both running means in float32.
    case full
    /// All in bfloat16; the weights and the mean of squares are rounded up or down at random, the nearer
    /// the likelier, so that changes too small for a digit add up on average.
    case half
  }

  public let settings: Settings
  /// How many updates there were.
  public var updates = 0
  public let states: [State]

  /// What the optimiser keeps of one learned matrix.
  public struct State {
    public let target: LearnedMatrix
    /// The running means of the gradient and of its square.
    public let first: Matrix
    public let second: Matrix
    /// What bfloat16 weights lack of float32 ones, 16 bits each; `nil` where nothing is kept of it.
    let remainder: Matrix?
    let isEmbedding: Bool
  }

  /// - Parameter learned: what is trained, all of it at every update.
  public init(_ learned: [LearnedMatrix], _ settings: Settings = Settings()) {
    self.settings = settings
    states = learned.map { target in
      func zeros(_ numbers: Numbers) -> Matrix {
        let matrix = Matrix(target.value.rows, target.value.columns, numbers)
        matrix.clear()
        return matrix
      }
      let numbers = target.value.numbers
      let means = settings.precision == .full ? numbers.accumulated : numbers
      return State(
        target: target, first: zeros(means), second: zeros(means),
        remainder: numbers == .bfloat16 && means != numbers ? zeros(.bfloat16) : nil,
        isEmbedding: (target as? Parameter)?.isEmbedding ?? false)
    }
  }

  /// The length of all gradients together: √ of the sum of all squares.
  ///
  /// Sums are taken in an order that depends neither on the threads nor on their number.
  public func gradientNorm() -> Double {
    states.flatMap { state in
      (state.target as? Parameter)?.ownGradients ?? (state.target.gradient.map { [$0] } ?? [])
    }
    .reduce(0) { $0 + AdamW.squares($1) }.squareRoot()
  }

  private static func squares(_ gradient: Matrix) -> Double {
    let pieces = (gradient.count + piece - 1) / piece
    let sums = Matrix(1, pieces, .float64)
    Team.forEach(pieces) { index in
      let first = index * piece
      sums[0, index] = sum_squares(
        gradient.numbers.kernel, gradient.address(0, first), min(piece, gradient.count - first))
    }
    return sums.values.reduce(0, +)
  }

  private static let piece = 1 << 16

  /// Changes all weights by their gradients, and forgets those.
  ///
  /// - Parameters:
  ///   - rate: the learning rate.
  ///   - weightDecay: λ; a decaying weight becomes (1 − rate · λ) times itself besides.
  ///   - gradientFactor: on all gradients.
  public func update(rate: Double, weightDecay: Double, gradientFactor: Double = 1) {
    updates += 1
    let power = Double(updates)
    var rule = adamw_rule()
    rule.step = rate / (1 - AdamW.power(settings.beta1, power))
    rule.correction = (1 - AdamW.power(settings.beta2, power)).squareRoot()
    rule.beta1 = settings.beta1
    rule.beta2 = settings.beta2
    rule.eps = settings.eps
    rule.gradient_factor = gradientFactor
    for (index, state) in states.enumerated() {
      let decays =
        (state.target.decays || settings.decaysVectors)
        && (settings.decaysEmbeddings || !state.isEmbedding)
      rule.decay = decays ? 1 - rate * weightDecay : 1
      state.update(
        rule, seed: UInt32(truncatingIfNeeded: updates &* 0x9E37_79B9 &+ index &* 0x85EB_CA6B))
      // What is rounded at random is not alike where it stands twice.
      if settings.precision == .half { (state.target as? Parameter)?.settleCopies() }
      state.target.clearGradient()
    }
  }

  private static func power(_ base: Double, _ exponent: Double) -> Double {
    var (result, factor, left) = (1.0, base, Int(exponent))
    while left > 0 {
      if left & 1 == 1 { result *= factor }
      factor *= factor
      left >>= 1
    }
    return result
  }
}

extension AdamW.State {
  fileprivate func update(_ rule: adamw_rule, seed: UInt32) {
    guard let gradient = target.gradient else { return }
    let value = target.value
    let isWide = gradient.numbers != value.numbers
    Team.split(value.count, grain: Sums.grain) { range in
      let start = range.lowerBound
      adamw(
        value.numbers.kernel, value.address(0, start),
        remainder?.address(0, start).assumingMemoryBound(to: Int16.self),
        gradient.address(0, start), isWide, first.address(0, start), second.address(0, start),
        range.count, rule, seed &+ UInt32(truncatingIfNeeded: start))
    }
  }

  /// The float32 numbers that are trained; a copy.
  public var master: Matrix {
    let value = target.value
    guard let remainder else { return value.copied() }
    let result = Matrix(value.rows, value.columns, .float32)
    Team.split(value.count, grain: Sums.grain) { range in
      let start = range.lowerBound
      join_remainders(
        value.address(0, start).assumingMemoryBound(to: UInt16.self),
        remainder.address(0, start).assumingMemoryBound(to: Int16.self),
        result.address(0, start).assumingMemoryBound(to: Float.self), range.count)
    }
    return result
  }

  /// Sets the numbers that are trained, and the weights with them.
  public func setMaster(_ master: Matrix) {
    let value = target.value
    guard let remainder else { return value.copy(master) }
    let numbers =
      master.numbers == .float32 && master.isDense ? master : master.copied(as: .float32)
    Team.split(value.count, grain: Sums.grain) { range in
      let start = range.lowerBound
      split_remainders(
        numbers.address(0, start).assumingMemoryBound(to: Float.self),
        value.address(0, start).assumingMemoryBound(to: UInt16.self),
        remainder.address(0, start).assumingMemoryBound(to: Int16.self), range.count)
    }
  }
}

extension Parameter {
  /// Whether it is a table of tokens or positions.
  var isEmbedding: Bool {
    switch role {
    case .wordEmbeddings, .positionEmbeddings, .layerInput(.table): true
    default: false
    }
  }
}
