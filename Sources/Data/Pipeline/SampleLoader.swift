/// Takes the samples of a data set batch by batch, from any position.
///
/// A batch is so many samples, or as many in a row as fit into a pack. Training goes on where it stopped from
/// `position`, which says how many samples have been given away.
public struct SampleLoader: Sendable {
  public let dataset: Dataset
  public let size: Size
  private var walk: SampleWalk

  public enum Size: Sendable, Equatable {
    case samples(Int)
    /// So many tokens to predict from; a sample takes one less than it has.
    case tokens(Int)
  }

  /// - Throws: `DataError.wish` for a size below 1, an empty data set, or a position that is none of it.
  public init(
    _ dataset: Dataset, size: Size, order: SampleOrder = .stored,
    from position: DataPosition = DataPosition()
  ) throws(DataError) {
    let number =
      switch size {
      case .samples(let number), .tokens(let number): number
      }
    guard number > 0 else {
      throw .wish("A batch must hold something; its size is given as \(number).")
    }
    self.dataset = dataset
    self.size = size
    walk = try SampleWalk(count: dataset.count, order: order, from: position)
  }

  /// Where the next batch begins.
  public var position: DataPosition { walk.position }

  /// The next batch; `nil` when all samples that were wanted have been given away.
  ///
  /// A batch does not reach over the end of an epoch. A sample too long for a pack is one of its own, which the caller
  /// may refuse.
  public mutating func next() throws(DataError) -> [Sample]? {
    var batch: [Sample] = []
    var tokens = 0
    // The position of a walk that has ended an epoch is still in it.
    var epoch: Int?
    while true {
      var ahead = walk
      guard let index = ahead.next() else { break }
      if let epoch, ahead.position.epoch != epoch { break }
      epoch = ahead.position.epoch
      let sample = try dataset.sample(index)
      if case .tokens(let limit) = size {
        let room = max(0, sample.count - 1)
        if !batch.isEmpty, tokens + room > limit { break }
        tokens += room
      }
      batch.append(sample)
      walk = ahead
      if case .samples(let limit) = size, batch.count == limit { break }
    }
    return batch.isEmpty ? nil : batch
  }
}
