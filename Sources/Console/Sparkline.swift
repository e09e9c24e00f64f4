/// A row of numbers as one line of small bars.
package enum Sparkline {
  private static let bars = Array("▁▂▃▄▅▆▇█")

  /// - Parameter width: the most characters; more numbers than these are averaged.
  /// - Returns: one bar for each number, the least the lowest; a number that is none is a space.
  package static func text(_ values: [Double], width: Int) -> String {
    guard width > 0, !values.isEmpty else { return "" }
    let count = min(width, values.count)
    let means = (0..<count).map { index -> Double in
      let part = values[index * values.count / count..<(index + 1) * values.count / count]
        .filter(\.isFinite)
      return part.isEmpty ? .nan : part.reduce(0, +) / Double(part.count)
    }
    let finite = means.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return "" }
    return String(
      means.map { mean in
        guard mean.isFinite else { return " " }
        guard high > low else { return bars[0] }
        return bars[min(bars.count - 1, Int((mean - low) / (high - low) * Double(bars.count)))]
      })
  }
}
