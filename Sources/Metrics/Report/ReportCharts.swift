/// The curves of one run, or of several beside each other.
struct ReportCharts {
  let runs: [RecordedRun]

  /// Losses as they were, without their noise, and on validation sets.
  var loss: LineChart? {
    var series: [LineChart.Series] = []
    for (index, run) in runs.enumerated() where !run.loss.isEmpty {
      let name = runs.count == 1 ? "training" : run.description.name
      series.append(.init(name: nil, points: run.loss.points, look: .raw, colour: colour(index)))
      series.append(.init(name: name, points: run.loss.smoothed, colour: colour(index)))
      for (number, validation) in run.validations.enumerated() where !validation.curve.isEmpty {
        let only = runs.count == 1
        let suffix = validation.name.isEmpty ? "" : " " + validation.name
        series.append(
          .init(
            name: only ? "validation" + suffix : nil, points: validation.curve.points,
            look: .dots, colour: only ? colour(1 + number) : colour(index)))
      }
    }
    return LineChart("loss", series)
  }

  /// The smaller pictures.
  var others: [LineChart] {
    [
      chart("learning rate", \.rate, isFromZero: true),
      chart("gradient norm", \.gradientNorm, mayBeLogarithmic: true),
      chart("tokens per second", \.speed, isFromZero: true),
      chart("memory (GiB)", \.memory, isFromZero: true),
    ].compactMap { $0 }
  }

  private func chart(
    _ title: String, _ curve: (RecordedRun) -> Curve, isFromZero: Bool = false,
    mayBeLogarithmic: Bool = false
  ) -> LineChart? {
    let series = runs.enumerated().flatMap { index, run -> [LineChart.Series] in
      let curve = curve(run)
      guard !curve.isEmpty else { return [] }
      let raw = LineChart.Series(points: curve.points, look: .raw, colour: colour(index))
      return [raw, .init(points: curve.smoothed, colour: colour(index))]
    }
    return LineChart(
      title, series, isFromZero: isFromZero, mayBeLogarithmic: mayBeLogarithmic)
  }

  private func colour(_ index: Int) -> Int { index % LineChart.colours }
}
