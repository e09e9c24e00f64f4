/// Samples that can be had at any place; each is made when it is asked for.
public struct Dataset: Sendable {
  public let count: Int
  /// Where the samples come from, for people.
  public let origin: String
  private let make: @Sendable (Int) throws(DataError) -> Sample

  /// - Parameter make: the sample at a place below `count`; called from several threads.
  public init(
    count: Int, origin: String, make: @escaping @Sendable (Int) throws(DataError) -> Sample
  ) {
    self.count = count
    self.origin = origin
    self.make = make
  }

  /// The samples of rows.
  public init(_ rows: Rows, _ maker: SampleMaker) {
    self.init(
      count: rows.count, origin: "\(rows.paths.joined(separator: ", ")): \(rows.kind)"
    ) { index throws(DataError) in try maker.sample(rows, index) }
  }

  /// Samples that lie in memory.
  public init(_ samples: [Sample], origin: String) {
    self.init(count: samples.count, origin: origin) { index throws(DataError) in samples[index] }
  }

  public func sample(_ index: Int) throws(DataError) -> Sample {
    precondition(index >= 0 && index < count)
    return try make(index)
  }

  /// Some of the samples, in the order given.
  public func selecting(_ indices: [Int]) -> Dataset {
    let make = make
    precondition(indices.allSatisfy { $0 >= 0 && $0 < count })
    return Dataset(count: indices.count, origin: origin) { index throws(DataError) in
      try make(indices[index])
    }
  }

  /// A run of the samples.
  public func selecting(_ range: Range<Int>) -> Dataset {
    let make = make
    let range = range.clamped(to: 0..<count)
    return Dataset(count: range.count, origin: origin) { index throws(DataError) in
      try make(range.lowerBound + index)
    }
  }

  /// The first samples, as `limit_dataset_samples` takes them.
  public func first(_ limit: Int?) -> Dataset {
    limit.map { selecting(0..<max(0, min(count, $0))) } ?? self
  }
}
