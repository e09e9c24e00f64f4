import Glibc

/// Round numbers along one side of a picture.
struct Axis {
  let range: ClosedRange<Double>
  /// Whether equal ways are equal factors.
  let isLogarithmic: Bool
  let ticks: [Double]
  private let step: Double

  /// - Parameters:
  ///   - bounds: what has to be on it.
  ///   - count: about how many numbers stand there.
  ///   - isTight: whether it ends where the bounds do, as a row of steps does.
  init(
    _ bounds: ClosedRange<Double>, count: Int, isTight: Bool = false, isLogarithmic: Bool = false
  ) {
    var (low, high) = (bounds.lowerBound, bounds.upperBound)
    if low == high {
      let room = low == 0 ? 1 : low.magnitude / 2
      (low, high) = isTight ? (low, low + 1) : (low - room, high + room)
    }
    if isLogarithmic, low > 0 {
      let first = Int(log10(low).rounded(.down))
      let last = Int(log10(high).rounded(.up))
      let stride = max(1, (last - first) / max(1, count))
      self.isLogarithmic = true
      step = 0
      ticks = Swift.stride(from: first, through: last, by: stride).map { pow(10, Double($0)) }
      range = min(low, ticks.first ?? low)...max(high, ticks.last ?? high)
      return
    }
    self.isLogarithmic = false
    let step = Self.roundStep((high - low) / Double(max(1, count)))
    self.step = step
    // A bound that is a round number but for its last bits is that number.
    let slack = isTight ? -1e-9 : 1e-9
    let first = (low / step + slack).rounded(isTight ? .up : .down)
    let last = (high / step - slack).rounded(isTight ? .down : .up)
    ticks = first <= last ? (0...Int(last - first)).map { (first + Double($0)) * step } : []
    range = isTight ? low...high : min(low, first * step)...max(high, last * step)
  }

  /// 1, 2 or 5 times a power of ten, at least as large.
  private static func roundStep(_ step: Double) -> Double {
    guard step > 0, step.isFinite else { return 1 }
    let power = pow(10, log10(step).rounded(.down))
    let factor = [1.0, 2, 5, 10].first { $0 * power >= step * 0.999 } ?? 10
    return factor * power
  }

  /// Where a value lies, 0 at the one end and 1 at the other.
  func share(_ value: Double) -> Double {
    let (low, high) = (range.lowerBound, range.upperBound)
    if isLogarithmic {
      return (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low))
    }
    return (value - low) / (high - low)
  }

  /// A tick as a label says it: `1500`, `20k`, `0.05`, `1e-5`.
  func label(_ value: Double) -> String {
    if value == 0 { return "0" }
    let scale = isLogarithmic ? value : step
    let largest = max(range.lowerBound.magnitude, range.upperBound.magnitude)
    let isPlain = (1e-3..<1e15).contains(largest) && (!isLogarithmic || value >= 1e-2)
    if !isPlain { return Self.exponential(value) }
    for (unit, size) in [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)] {
      if largest >= 10 * size || isLogarithmic && value >= size {
        return Self.plain(value / size, scale / size) + unit
      }
    }
    return Self.plain(value, scale)
  }

  private static func plain(_ value: Double, _ step: Double) -> String {
    var decimals = 0
    var scaled = step
    while decimals < 9, (scaled - scaled.rounded()).magnitude > 1e-6 * max(1, scaled) {
      scaled *= 10
      decimals += 1
    }
    return decimals == 0 ? "\(Int(value.rounded()))" : PlainLines.fixed(value, decimals)
  }

  /// `2e-5`, `2.5e-5`.
  static func exponential(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value)" }
    var power = Int(log10(value.magnitude).rounded(.down))
    var factor = value / pow(10, Double(power))
    if factor.magnitude >= 9.995 {
      factor /= 10
      power += 1
    }
    let text = PlainLines.fixed(factor, 2)
    let short =
      text.hasSuffix(".00")
      ? String(text.dropLast(3)) : text.hasSuffix("0") ? String(text.dropLast()) : text
    return "\(short)e\(power)"
  }
}
