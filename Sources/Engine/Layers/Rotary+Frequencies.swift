import Blueprint
import Glibc

/// How fast the pairs of a head turn, and how strongly.
///
/// Source of the formulas: transformers/modeling_rope_utils.py, phimoe/modeling_phimoe.py.
extension Rotary {
  /// What of a sequence's length matters: sequences of one regime turn alike.
  enum Regime: Hashable, Sendable {
    case any
    case short
    case long
    /// A length that has frequencies of its own.
    case length(Int)
  }

  /// The regime of a sequence of so many tokens, those in a cache included.
  func regime(_ length: Int) -> Regime {
    switch scaling {
    case .none, .linear, .stretchedBase, .llama3, .yarn: .any
    case .dynamic(_, let original): length > original ? .length(length) : .any
    case .long(let long): length > long.original ? .long : .short
    }
  }

  /// The angle by which each turning pair turns from one position to the next.
  func frequencies(_ regime: Regime) -> [Double] {
    let plain = powers(of: theta)
    let all: [Double] =
      switch scaling {
      case .none: plain
      case .linear(let factor): plain.map { $0 / factor }
      case .stretchedBase(let alpha): powers(of: theta * pow(alpha, stretch))
      case .dynamic(let factor, let original):
        if case .length(let length) = regime {
          powers(
            of: theta * pow(factor * Double(length) / Double(original) - (factor - 1), stretch))
        } else {
          plain
        }
      case .llama3(let factor, let low, let high, let original):
        plain.map { Self.llama3($0, factor, low, high, Double(original)) }
      case .yarn(let yarn): self.yarn(yarn, plain)
      case .long(let long):
        zip(plain, regime == .long ? long.long : long.short).map { $0 / $1 }
      }
    return Array(all.prefix(pairs ?? all.count))
  }

  /// The factor on all that turns.
  func magnitude(_ regime: Regime) -> Double {
    switch scaling {
    case .none, .linear, .stretchedBase, .dynamic, .llama3: return 1
    case .yarn(let yarn):
      if let stated = yarn.attentionFactor { return stated }
      if let mscale = yarn.mscale, let all = yarn.mscaleAllDimensions, mscale != 0, all != 0 {
        return yarn.magnitude(mscale) / yarn.magnitude(all)
      }
      return yarn.magnitude(1)
    case .long(let long):
      let stated = regime == .long ? long.longAttentionFactor : long.shortAttentionFactor
      if let stated = stated ?? long.attentionFactor { return stated }
      return long.factor <= 1 ? 1 : (1 + log(long.factor) / log(Double(long.original))).squareRoot()
    }
  }

  /// base^(-2i / dimensions) for each pair i.
  private func powers(of base: Double) -> [Double] {
    (0..<dimensions / 2).map { pow(base, -2 * Double($0) / Double(dimensions)) }
  }

  /// What a factor on the wavelengths of the slowest pair is to the base.
  private var stretch: Double { Double(dimensions) / Double(dimensions - 2) }

  /// Long waves are stretched, short ones stay, and those between pass from one to the other.
  private static func llama3(
    _ frequency: Double, _ factor: Double, _ low: Double, _ high: Double, _ original: Double
  ) -> Double {
    let length = 2 * Double.pi / frequency
    if length < original / high { return frequency }
    if length > original / low { return frequency / factor }
    let smooth = (original / length - low) / (high - low)
    return (1 - smooth) * frequency / factor + smooth * frequency
  }

  private func yarn(_ yarn: Yarn, _ plain: [Double]) -> [Double] {
    /// The pair that turns so often within the original length.
    func pair(_ turns: Double) -> Double {
      Double(dimensions) * log(Double(yarn.original) / (turns * 2 * .pi)) / (2 * log(theta))
    }
    var (low, high) = (pair(yarn.betaFast), pair(yarn.betaSlow))
    if yarn.truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    (low, high) = (max(low, 0), min(high, Double(dimensions - 1)))
    if low == high { high += 0.001 }
    return plain.enumerated().map { index, frequency in
      let share = min(max((Double(index) - low) / (high - low), 0), 1)
      return frequency / yarn.factor * share + frequency * (1 - share)
    }
  }
}
