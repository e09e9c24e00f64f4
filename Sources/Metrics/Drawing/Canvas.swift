/// A picture of pixels on which smooth lines are drawn.
struct Canvas {
  struct Colour: Equatable {
    var red, green, blue: UInt8

    init(_ hex: Int) {
      red = UInt8(truncatingIfNeeded: hex >> 16)
      green = UInt8(truncatingIfNeeded: hex >> 8)
      blue = UInt8(truncatingIfNeeded: hex)
    }
  }

  let width: Int
  let height: Int
  /// Red, green and blue of each pixel, row by row.
  private(set) var pixels: [UInt8]

  init(width: Int, height: Int, _ paper: Colour) {
    self.width = width
    self.height = height
    pixels = []
    pixels.reserveCapacity(width * height * 3)
    for _ in 0..<width * height { pixels += [paper.red, paper.green, paper.blue] }
  }

  /// A line through points, as wide as said; where it crosses itself it gets no darker.
  mutating func line(
    _ points: [(x: Double, y: Double)], _ colour: Colour, width lineWidth: Double,
    opacity: Double = 1
  ) {
    var cover = [Float](repeating: 0, count: width * height)
    let half = lineWidth / 2
    for (from, to) in zip(points, points.dropFirst()) {
      segment(from, to, half, &cover)
    }
    if points.count == 1 { segment(points[0], points[0], half, &cover) }
    for (place, share) in cover.enumerated() where share > 0 {
      blend(place, colour, Double(share) * opacity)
    }
  }

  /// How much of each pixel lies within `half` of the way between two points.
  private func segment(
    _ from: (x: Double, y: Double), _ to: (x: Double, y: Double), _ half: Double,
    _ cover: inout [Float]
  ) {
    let (dx, dy) = (to.x - from.x, to.y - from.y)
    let square = dx * dx + dy * dy
    let reach = half + 1
    let rows = clamped(min(from.y, to.y) - reach, max(from.y, to.y) + reach, height)
    for row in rows {
      let y = Double(row) + 0.5
      // Of a steep line only the columns near it in this row.
      var (low, high) = (min(from.x, to.x), max(from.x, to.x))
      if dy.magnitude > 1e-9 {
        let a = from.x + dx * ((y - reach * 1.5 - from.y) / dy)
        let b = from.x + dx * ((y + reach * 1.5 - from.y) / dy)
        (low, high) = (max(low, min(a, b)), min(high, max(a, b)))
        if low > high { (low, high) = (high, low) }
      }
      for column in clamped(low - reach, high + reach, width) {
        let x = Double(column) + 0.5
        let along =
          square > 0 ? min(1, max(0, ((x - from.x) * dx + (y - from.y) * dy) / square)) : 0
        let (ex, ey) = (x - from.x - along * dx, y - from.y - along * dy)
        let share = min(1, max(0, half + 0.5 - (ex * ex + ey * ey).squareRoot()))
        let place = row * width + column
        cover[place] = max(cover[place], Float(share))
      }
    }
  }

  private func clamped(_ low: Double, _ high: Double, _ count: Int) -> Range<Int> {
    let first = Int(max(0, min(Double(count), low.rounded(.down))))
    let last = Int(max(0, min(Double(count), high.rounded(.up))))
    return first..<max(first, last)
  }

  private mutating func blend(_ place: Int, _ colour: Colour, _ share: Double) {
    for (offset, value) in [colour.red, colour.green, colour.blue].enumerated() {
      let old = Double(pixels[place * 3 + offset])
      pixels[place * 3 + offset] = UInt8((old + (Double(value) - old) * share).rounded())
    }
  }

  /// Letters from a point at their upper left, in squares of so many pixels.
  mutating func text(_ text: String, x: Int, y: Int, _ colour: Colour, scale: Int = 2) {
    var left = x
    for letter in text {
      for (row, dots) in Letters.rows(of: letter).enumerated() {
        for (column, isSet) in dots.enumerated() where isSet {
          fill(
            left + column * scale..<left + (column + 1) * scale,
            y + row * scale..<y + (row + 1) * scale, colour)
        }
      }
      left += Letters.advance * scale
    }
  }

  mutating func fill(_ columns: Range<Int>, _ rows: Range<Int>, _ colour: Colour) {
    for row in rows.clamped(to: 0..<height) {
      for column in columns.clamped(to: 0..<width) { blend(row * width + column, colour, 1) }
    }
  }
}
