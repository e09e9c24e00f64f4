/// A chart as pixels.
extension LineChart {
  /// A PNG file on white paper.
  func png(width: Int = 1280, height: Int = 720) -> [UInt8] {
    var canvas = Canvas(width: width, height: height, Canvas.Colour(0xFFFFFF))
    let frame = (left: 110.0, right: Double(width) - 40, top: 64.0, bottom: Double(height) - 74)
    let (ink, dim) = (Canvas.Colour(0x1C2330), Canvas.Colour(0x5B6575))
    func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
      (
        frame.left + (frame.right - frame.left) * x.share(point.x),
        frame.bottom - (frame.bottom - frame.top) * y.share(point.y)
      )
    }
    for tick in y.ticks {
      let row = Int(frame.bottom - (frame.bottom - frame.top) * y.share(tick))
      canvas.fill(Int(frame.left)..<Int(frame.right), row..<row + 1, Canvas.Colour(0xE4E8EE))
      let label = y.label(tick)
      canvas.text(label, x: Int(frame.left) - 14 - 12 * label.count, y: row - 7, dim)
    }
    for tick in x.ticks {
      let column = Int(frame.left + (frame.right - frame.left) * x.share(tick))
      let label = x.label(tick)
      canvas.text(label, x: column - 6 * label.count, y: Int(frame.bottom) + 16, dim)
    }
    canvas.text(
      below, x: Int(frame.right) - 12 * below.count, y: Int(frame.bottom) + 44, dim)
    canvas.text(title, x: Int(frame.left), y: 20, ink, scale: 3)
    var right = Int(frame.right)
    for series in series.reversed() {
      guard let name = series.name else { continue }
      right -= 12 * name.count + 64
      let line = [(Double(right), 31.0), (Double(right) + 32, 31.0)]
      canvas.line(line, colour(series), width: 3, opacity: series.look == .raw ? 0.4 : 1)
      canvas.text(name, x: right + 42, y: 24, dim)
    }
    for series in series {
      let points = series.points.map(place)
      switch series.look {
      case .raw: canvas.line(points, colour(series), width: 1.5, opacity: 0.4)
      case .line: canvas.line(points, colour(series), width: 3)
      case .dots:
        canvas.line(points, colour(series), width: 2)
        if points.count <= 80 {
          for point in points { canvas.line([point], colour(series), width: 9) }
        }
      }
    }
    return PNGFile.bytes(canvas)
  }

  private func colour(_ series: Series) -> Canvas.Colour {
    let palette = [0x2563C9, 0xD9601A, 0x1D8A5F, 0x9B3FB5, 0xB8860B, 0x0F8EA8]
    return Canvas.Colour(palette[series.colour % palette.count])
  }
}
