import Glibc

/// How the learning rate and the weight decay change from update to update, as Megatron-Core's
/// `OptimizerParamScheduler` defines it.
public struct Schedule: Hashable, Sendable {
  /// How the rate falls behind the warm-up.
  public enum Decay: Hashable, Sendable {
    case constant
    case linear
    case cosine
    /// √(warm-up / step), with a warm-up of one step at least.
    case inverseSquareRoot
    /// Constant, and in the last so many steps down to the least rate (warm-up, stable, decay).
    case stable(falling: Int, Fall)
  }

  /// How the rate falls at the end of `stable`.
  public enum Fall: Hashable, Sendable {
    case linear
    case cosine
    /// 2 · ½^x − 1
    case exponential
    /// 1 − √x
    case squareRoot
  }

  /// How weight decay grows from `startDecay` to `endDecay`.
  public enum Growth: Hashable, Sendable {
    case constant
    case linear
    case cosine
  }

  public var decay: Decay
  /// The highest rate, that of the first step of a warm-up, and the least one.
  public var rate: Double
  public var firstRate = 0.0
  public var leastRate = 0.0
  /// The steps in which the rate grows; 0 is no warm-up.
  public var warmUp = 0
  /// The step at which the rate is least, the warm-up included.
  public var length: Int
  public var startDecay: Double
  public var endDecay: Double
  public var growth = Growth.constant
  /// The steps in which weight decay grows.
  public var growthLength = 0

  public init(
    _ decay: Decay, rate: Double, leastRate: Double = 0, warmUp: Int = 0, length: Int,
    weightDecay: Double = 0.01
  ) {
    self.decay = decay
    self.rate = rate
    self.leastRate = leastRate
    self.warmUp = warmUp
    self.length = length
    startDecay = weightDecay
    endDecay = weightDecay
  }

  /// The learning rate of an update.
  ///
  /// - Parameter step: how many updates there were before it; Megatron counts samples, which makes no
  ///   difference where all steps have as many.
  public func rate(at step: Int) -> Double {
    if warmUp > 0, step <= warmUp {
      return firstRate + (rate - firstRate) * Double(step) / Double(warmUp)
    }
    if decay == .constant { return rate }
    if step > length { return leastRate }
    if decay == .inverseSquareRoot {
      return max(leastRate, rate * (Double(max(warmUp, 1)) / Double(max(step, 1))).squareRoot())
    }
    return leastRate + share(at: step) * (rate - leastRate)
  }

  /// How much is left of the way between the highest and the least rate.
  private func share(at step: Int) -> Double {
    let done = Double(step - warmUp) / Double(max(1, length - warmUp))
    switch decay {
    case .constant, .inverseSquareRoot: return 1
    case .linear: return 1 - done
    case .cosine: return 0.5 * (cos(.pi * done) + 1)
    case .stable(let falling, let fall):
      let start = length - falling
      guard step > start else { return 1 }
      let fallen = Double(step - start) / Double(falling)
      switch fall {
      case .linear: return 1 - fallen
      case .cosine: return 0.5 * (cos(.pi * fallen) + 1)
      case .exponential: return 2 * pow(0.5, fallen) - 1
      case .squareRoot: return 1 - fallen.squareRoot()
      }
    }
  }

  /// The weight decay of an update.
  public func weightDecay(at step: Int) -> Double {
    guard growth != .constant, step <= growthLength else { return endDecay }
    let done = Double(step) / Double(max(1, growthLength))
    let share = growth == .linear ? done : 0.5 * (cos(.pi * (1 - done)) + 1)
    return startDecay + share * (endDecay - startDecay)
  }
}
