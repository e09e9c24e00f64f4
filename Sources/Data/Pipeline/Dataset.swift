/// Samples that can be had at any place; each is made when it is asked for.
public struct Dataset: Sendable {
  public let count: Int
  /// Where the samples come from, for people.
  public let origin: String
  private let make: @Sendable (Int) throws(DataError) -> Sample
  private let ask: Ask?

  private typealias Ask = @Sendable (Int) throws(DataError) -> AskedQuestion

  /// - Parameter make: the sample at a place below `count`; called from several threads.
  public init(
    count: Int, origin: String, make: @escaping @Sendable (Int) throws(DataError) -> Sample
  ) {
    self.init(count: count, origin: origin, make: make, ask: nil)
  }

  private init(
    count: Int, origin: String, make: @escaping @Sendable (Int) throws(DataError) -> Sample,
    ask: Ask?
  ) {
    self.count = count
    self.origin = origin
    self.make = make
    self.ask = ask
  }

  /// The samples of rows.
  public init(_ rows: Rows, _ maker: SampleMaker) {
    let ask: Ask = { index throws(DataError) in try maker.asked(rows, index) }
    self.init(
      count: rows.count, origin: "\(rows.paths.joined(separator: ", ")): \(rows.kind)",
      make: { index throws(DataError) in try maker.sample(rows, index) },
      ask: rows.kind == .question ? ask : nil)
  }

  /// Samples that lie in memory.
  public init(_ samples: [Sample], origin: String) {
    self.init(count: samples.count, origin: origin) { index throws(DataError) in samples[index] }
  }

  public func sample(_ index: Int) throws(DataError) -> Sample {
    precondition(index >= 0 && index < count)
    return try make(index)
  }

  /// Whether the samples are questions with answers to compare.
  public var isAsked: Bool { ask != nil }

  /// The question that a sample answers; `nil` where samples are no questions.
  public func question(_ index: Int) throws(DataError) -> AskedQuestion? {
    precondition(index >= 0 && index < count)
    return try ask?(index)
  }

  /// Some of the samples, in the order given.
  public func selecting(_ indices: [Int]) -> Dataset {
    precondition(indices.allSatisfy { $0 >= 0 && $0 < count })
    return selecting(indices.count) { indices[$0] }
  }

  /// - Parameter place: of each of the samples that are left.
  private func selecting(_ count: Int, _ place: @escaping @Sendable (Int) -> Int) -> Dataset {
    let make = make
    var chosen: Ask?
    if let ask { chosen = { index throws(DataError) in try ask(place(index)) } }
    return Dataset(
      count: count, origin: origin,
      make: { index throws(DataError) in try make(place(index)) }, ask: chosen)
  }

  /// A run of the samples.
  public func selecting(_ range: Range<Int>) -> Dataset {
    let range = range.clamped(to: 0..<count)
    return selecting(range.count) { range.lowerBound + $0 }
  }

  /// The first samples, as `limit_dataset_samples` takes them.
  public func first(_ limit: Int?) -> Dataset {
    limit.map { selecting(0..<max(0, min(count, $0))) } ?? self
  }
}
