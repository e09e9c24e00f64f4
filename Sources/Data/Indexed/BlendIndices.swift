/// From which data set each sample of a blend comes, and which of its samples that is.
///
/// Source: `build_blending_indices` and `build_exhaustive_blending_indices` in
/// megatron/core/datasets/helpers.cpp.
public struct BlendIndices: Sendable {
  public var datasets: IndexNumbers
  public var samples: IndexNumbers

  public var count: Int { datasets.count }

  init(datasets: IndexNumbers, samples: IndexNumbers) {
    self.datasets = datasets
    self.samples = samples
  }

  /// So many samples, each from the data set that lags most behind its weight; the first of equals.
  ///
  /// - Parameter weights: sum to one.
  public init(weights: [Double], count: Int) {
    self.init(weights, count: count, sizes: nil)
  }

  /// Every sample of every data set once, mixed in proportion.
  ///
  /// - Parameter sizes: the samples of each.
  public init(exhausting sizes: [Int]) {
    let total = sizes.reduce(0, +)
    self.init(sizes.map { Double($0) / Double(total) }, count: total, sizes: sizes)
  }

  /// - Parameter sizes: how many samples each data set has to give, where that is bounded.
  private init(_ weights: [Double], count: Int, sizes: [Int]?) {
    var taken = [Int](repeating: 0, count: weights.count)
    var datasets: [Int16] = []
    var samples: [Int64] = []
    datasets.reserveCapacity(count)
    samples.reserveCapacity(count)
    for index in 0..<count {
      let place = Double(max(index, 1))
      var best = 0
      var most = -Double.infinity
      for (dataset, weight) in weights.enumerated() {
        if let sizes, taken[dataset] >= sizes[dataset] { continue }
        let lag = weight * place - Double(taken[dataset])
        if lag > most { (best, most) = (dataset, lag) }
      }
      datasets.append(Int16(truncatingIfNeeded: best))
      samples.append(Int64(taken[best]))
      taken[best] += 1
    }
    self.datasets = .int16(datasets)
    self.samples = .int64(samples)
  }
}
