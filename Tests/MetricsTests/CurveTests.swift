import Testing

@testable import Metrics

@Suite("Curves of many points")
struct CurveTests {
  @Test("keep every extreme, whatever their length", arguments: [1, 2, 1600, 1601, 5000, 100_000])
  func extremes(count: Int) {
    var curve = Curve()
    var values: [Double] = []
    for step in 1...count {
      // A quiet curve, with one peak and one hole at places that no rhythm has.
      let value =
        step == count * 2 / 3 ? 1e6 : step == count / 7 ? -1e6 : Double(step % 13)
      values.append(value)
      curve.add(step, value)
    }
    #expect(curve.stretches.count <= Curve.capacity)
    #expect(curve.stretches.count == count || curve.stretches.count >= Curve.capacity / 2)
    let least = curve.stretches.map(\.least).min { $0.value < $1.value }
    let greatest = curve.stretches.map(\.greatest).max { $0.value < $1.value }
    #expect(least?.value == values.min())
    #expect(greatest?.value == values.max())
    if count > 14 { #expect(greatest?.step == count * 2 / 3 && least?.step == count / 7) }
    // Every step is in exactly one stretch, in order.
    #expect(curve.stretches.reduce(0) { $0 + $1.count } == count)
    #expect(curve.stretches.first?.steps.lowerBound == 1)
    #expect(curve.stretches.last?.steps.upperBound == count)
    for (one, next) in zip(curve.stretches, curve.stretches.dropFirst()) {
      #expect(one.steps.upperBound + 1 == next.steps.lowerBound)
    }
    let places = curve.points.map(\.x)
    #expect(places == places.sorted())
  }

  @Test("set values aside that are no numbers, and say where they began")
  func broken() {
    var curve = Curve()
    for (step, value) in [1.0, .nan, 2, .infinity, 3].enumerated() { curve.add(step + 1, value) }
    #expect(curve.broken == 2)
    #expect(curve.firstBroken == 2)
    #expect(curve.points.map(\.y) == [1, 2, 3])
    #expect(curve.bounds == 1...3)
  }

  @Test("a straight line is its own smoothed curve, to its ends")
  func straight() {
    var curve = Curve()
    for step in 1...500 { curve.add(step, 10 - 0.01 * Double(step)) }
    for (place, level) in curve.smoothed {
      #expect((level - (10 - 0.01 * place)).magnitude < 1e-9)
    }
  }

  @Test("smoothing takes noise away")
  func noise() {
    var curve = Curve()
    for step in 1...1000 { curve.add(step, 5 + (step % 2 == 0 ? 1 : -1)) }
    #expect(curve.smoothed.allSatisfy { ($0.y - 5).magnitude < 0.1 })
  }

  @Test("one point and none are no trouble")
  func small() {
    var curve = Curve()
    #expect(curve.isEmpty && curve.smoothed.isEmpty && curve.bounds == nil && curve.mean == nil)
    curve.add(3, 2)
    #expect(curve.smoothed.map(\.y) == [2])
    #expect(LineChart("one", [.init(points: curve.points)]) != nil)
    #expect(LineChart("none", []) == nil)
  }
}

@Suite("Numbers along an axis")
struct AxisTests {
  @Test(
    "are round, in order and within it",
    arguments: [
      0.0...10, 1...300, 1.2345...1.2347, -3...3, 0...1e-5, 1...3_000_000, 5...5, 0...0, 0...1e300,
    ])
  func round(bounds: ClosedRange<Double>) {
    for isTight in [false, true] {
      let axis = Axis(bounds, count: 6, isTight: isTight)
      #expect(!axis.ticks.isEmpty && axis.ticks.count <= 14)
      #expect(axis.ticks == axis.ticks.sorted())
      #expect(
        axis.range.lowerBound <= bounds.lowerBound && bounds.upperBound <= axis.range.upperBound)
      for tick in axis.ticks {
        #expect((-1e-9...1 + 1e-9).contains(axis.share(tick)))
      }
      let labels = axis.ticks.map(axis.label)
      #expect(Set(labels).count == labels.count, "\(labels)")
    }
  }

  @Test("are spelled shortly")
  func labels() {
    #expect(
      Axis(0...3000, count: 6).ticks.map(Axis(0...3000, count: 6).label) == [
        "0", "500", "1000", "1500", "2000", "2500", "3000",
      ])
    let large = Axis(0...3_000_000, count: 3)
    #expect(large.ticks.map(large.label) == ["0", "1000k", "2000k", "3000k"])
    let small = Axis(0...2e-5, count: 4)
    #expect(small.ticks.map(small.label) == ["0", "5e-6", "1e-5", "1.5e-5", "2e-5"])
    let powers = Axis(0.005...200, count: 5, isLogarithmic: true)
    #expect(powers.ticks.map(powers.label) == ["1e-3", "0.01", "0.1", "1", "10", "100", "1k"])
  }
}
