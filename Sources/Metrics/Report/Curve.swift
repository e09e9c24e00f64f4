/// A curve of any number of points in bounded memory: stretches of steps with their least and their greatest value.
///
/// As long as there are few points each is a stretch of its own; when there are too many, neighbours become one.
/// Nothing that stands out is ever lost.
struct Curve: Sendable {
  struct Stretch: Equatable, Sendable {
    var steps: ClosedRange<Int>
    var least: Point
    var greatest: Point
    var sum: Double
    var count: Int

    init(_ point: Point) {
      steps = point.step...point.step
      (least, greatest) = (point, point)
      sum = point.value
      count = 1
    }

    mutating func add(_ other: Stretch) {
      steps =
        min(
          steps.lowerBound, other.steps.lowerBound)...max(
          steps.upperBound, other.steps.upperBound)
      if other.least.value < least.value { least = other.least }
      if other.greatest.value > greatest.value { greatest = other.greatest }
      sum += other.sum
      count += other.count
    }

    var mean: Double { sum / Double(count) }

    var middle: Double { (Double(steps.lowerBound) + Double(steps.upperBound)) / 2 }
  }

  struct Point: Equatable, Sendable {
    var step: Int
    var value: Double
  }

  /// The most stretches a curve has; at least half as many are there once it had them.
  static let capacity = 1600

  private(set) var stretches: [Stretch] = []
  /// Values that are no numbers, and the step of the first of them.
  private(set) var broken = 0
  private(set) var firstBroken: Int?
  private(set) var last: Point?
  /// How many points make a stretch.
  private var width = 1

  mutating func add(_ step: Int, _ value: Double) {
    let point = Point(step: step, value: value)
    last = point
    // What no picture has room for is as good as no number.
    guard value.magnitude < 1e100 else {
      if broken == 0 { firstBroken = step }
      broken += 1
      return
    }
    if let open = stretches.last, open.count < width {
      stretches[stretches.count - 1].add(Stretch(point))
    } else {
      stretches.append(Stretch(point))
    }
    if stretches.count > Self.capacity { halve() }
  }

  private mutating func halve() {
    width *= 2
    stretches = stride(from: 0, to: stretches.count, by: 2).map { index in
      var stretch = stretches[index]
      if index + 1 < stretches.count { stretch.add(stretches[index + 1]) }
      return stretch
    }
  }

  var isEmpty: Bool { stretches.isEmpty }

  /// The points to draw a line through, extremes included.
  var points: [(x: Double, y: Double)] {
    stretches.flatMap { stretch -> [(x: Double, y: Double)] in
      let ends =
        stretch.least.step <= stretch.greatest.step
        ? [stretch.least, stretch.greatest] : [stretch.greatest, stretch.least]
      let isOne = stretch.least == stretch.greatest
      return (isOne ? [ends[0]] : ends).map { (Double($0.step), $0.value) }
    }
  }

  /// The curve without its noise: at each place the straight line that fits its neighbours best, over a thirtieth of the
  /// curve to either side, the nearer the weightier.
  ///
  /// It looks ahead as well as back, so that it lies where the points do, at the steep beginning too.
  var smoothed: [(x: Double, y: Double)] {
    let spread = max(1, Double(stretches.count) / 60)
    let reach = Int((2 * spread).rounded(.up))
    return stretches.indices.map { index in
      let place = stretches[index].middle
      // Sums of 1, x, x², y and xy, with x from here.
      var (one, x, xx, y, xy) = (0.0, 0.0, 0.0, 0.0, 0.0)
      for other in max(0, index - reach)...min(stretches.count - 1, index + reach) {
        let stretch = stretches[other]
        let weight = weight(Double(other - index) / spread) * Double(stretch.count)
        let distance = stretch.middle - place
        one += weight
        x += weight * distance
        xx += weight * distance * distance
        y += weight * stretch.mean
        xy += weight * distance * stretch.mean
      }
      let rest = one * xx - x * x
      let level = rest > 1e-9 * one * xx ? (xx * y - x * xy) / rest : y / one
      return (place, level.isFinite ? level : stretches[index].mean)
    }
  }

  /// Falls off smoothly from 1, and is 0 from a distance of 2 on.
  private func weight(_ distance: Double) -> Double {
    let rest = max(0, 1 - distance * distance / 4)
    return max(rest * rest, 1e-9)
  }

  /// All finite values' bounds.
  var bounds: ClosedRange<Double>? {
    guard let least = stretches.map(\.least.value).min(),
      let greatest = stretches.map(\.greatest.value).max()
    else { return nil }
    return least...greatest
  }

  /// The mean of all values.
  var mean: Double? {
    guard !isEmpty else { return nil }
    return stretches.reduce(0) { $0 + $1.sum } / Double(stretches.reduce(0) { $0 + $1.count })
  }
}
