/// Curves over steps, ready to be drawn as SVG or as pixels.
struct LineChart {
  struct Series {
    enum Look {
      /// Thin and pale, behind the others.
      case raw
      case line
      /// A thin line with a dot on each point.
      case dots
    }

    /// What the legend says; `nil` for none.
    var name: String?
    var points: [(x: Double, y: Double)]
    var look = Look.line
    /// Which of the palette's colours.
    var colour = 0
  }

  var title: String
  var series: [Series]
  /// What stands below the steps.
  var below = "step"
  let x: Axis
  let y: Axis

  /// - Parameters:
  ///   - isFromZero: whether the values' axis begins at 0.
  ///   - mayBeLogarithmic: whether values that span more than two powers of ten are drawn by their factors.
  /// - Returns: `nil` without a point.
  init?(
    _ title: String, _ series: [Series], isFromZero: Bool = false, mayBeLogarithmic: Bool = false
  ) {
    let points = series.flatMap(\.points)
    guard let left = points.map(\.x).min(), let right = points.map(\.x).max(),
      let low = points.map(\.y).min(), let high = points.map(\.y).max()
    else { return nil }
    self.title = title
    self.series = series
    x = Axis(left...right, count: 8, isTight: true)
    let isWide = mayBeLogarithmic && low > 0 && high / low > 100
    y = Axis(
      (isFromZero ? min(0, low) : low)...high, count: 5, isLogarithmic: isWide)
  }
}
