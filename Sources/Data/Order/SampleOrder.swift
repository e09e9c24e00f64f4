/// In which order the samples of a data set come, epoch by epoch.
public enum SampleOrder: Sendable, Equatable {
  /// As they lie.
  case stored
  /// PyTorch's `DistributedSampler`, which Automodel's loaders use: `randperm` seeded with seed + epoch.
  case torch(seed: UInt64)
  /// Megatron's loader `cyclic`: `randperm` seeded with the epoch alone.
  case cyclic
  /// The sample mapping of Megatron-Bridge's GPTSFTDataset for so many samples in all: blocks of a million, drawn
  /// with NumPy's RandomState; the last block may be short, and stands anywhere.
  case blocks(samples: Int, seed: UInt32)

  /// The samples of one epoch, of so many there are.
  public func indices(epoch: Int, count: Int) -> [Int] {
    switch self {
    case .stored: return Array(0..<count)
    case .torch(let seed):
      var random = TorchRandom(seed: seed &+ UInt64(epoch))
      return random.permutation(count)
    case .cyclic:
      var random = TorchRandom(seed: UInt64(epoch))
      return random.permutation(count)
    case .blocks(let samples, let seed):
      return SampleBlocks(count: count, samples: samples, seed: seed).block(epoch)
    }
  }

  /// How many epochs there are; `nil` for any number.
  func epochs(count: Int) -> Int? {
    guard case .blocks(let samples, let seed) = self else { return nil }
    return SampleBlocks(count: count, samples: samples, seed: seed).count
  }
}

/// Megatron-Bridge's `_OnlineSampleMapping`: the samples wanted, in blocks that are shuffled, each shuffled inside.
struct SampleBlocks {
  private let total: Int
  private let size: Int
  private let seed: UInt32
  /// The blocks in their order, and the size of each.
  private let blocks: [Int]
  private let sizes: [Int]

  private static let largest = 1_000_000

  /// - Parameters:
  ///   - count: the samples there are, at least one.
  ///   - samples: the samples wanted.
  init(count: Int, samples: Int, seed: UInt32) {
    precondition(count > 0)
    let required = max(samples, count)
    total = count
    size = min(Self.largest, count)
    self.seed = seed
    let number = (required + size - 1) / size
    var sizes = [Int](repeating: size, count: number)
    if required % size != 0 { sizes[number - 1] = required % size }
    var random = NumPyRandom(seed: seed)
    blocks = random.permutation(number)
    self.sizes = blocks.map { sizes[$0] }
  }

  var count: Int { blocks.count }

  /// The samples of one block, in the order of blocks.
  func block(_ index: Int) -> [Int] {
    var random = NumPyRandom(seed: seed &+ UInt32(truncatingIfNeeded: index))
    let start = blocks[index] * size
    return random.permutation(sizes[index]).map { (start + $0) % total }
  }
}

/// How far a data set has been gone through; what a checkpoint must keep to go on.
public struct DataPosition: Sendable, Equatable {
  public var epoch: Int
  /// The samples already taken in this epoch.
  public var index: Int

  public init(epoch: Int = 0, index: Int = 0) {
    self.epoch = epoch
    self.index = index
  }
}

/// Goes through a data set's samples in an order, from any position.
public struct SampleWalk: Sendable, IteratorProtocol, Sequence {
  public let count: Int
  public let order: SampleOrder
  public private(set) var position: DataPosition
  private var indices: [Int]
  /// How many samples come in all; `nil` for no end.
  private let limit: Int?
  private var taken: Int

  /// - Parameter count: the samples there are, at least one.
  /// - Throws: `DataError.wish` if the position is none of this data set.
  public init(
    count: Int, order: SampleOrder, from position: DataPosition = DataPosition()
  ) throws(DataError) {
    guard count > 0 else { throw .wish("There are no samples to go through.") }
    self.count = count
    self.order = order
    self.position = position
    if case .blocks(let samples, _) = order { limit = samples } else { limit = nil }
    let epochs = order.epochs(count: count)
    guard position.epoch >= 0, position.epoch < epochs ?? Int.max else {
      throw .wish("The position is in epoch \(position.epoch), which there is not.")
    }
    indices = order.indices(epoch: position.epoch, count: count)
    guard position.index >= 0, position.index <= indices.count else {
      throw .wish(
        "The position is behind sample \(position.index) of \(indices.count); "
          + "it belongs to another data set.")
    }
    taken = position.index
    if limit != nil {
      for epoch in 0..<position.epoch {
        taken += order.indices(epoch: epoch, count: count).count
      }
    }
  }

  /// The next sample's index; `nil` when all that were wanted have come.
  public mutating func next() -> Int? {
    if let limit, taken >= limit { return nil }
    if position.index == indices.count {
      position = DataPosition(epoch: position.epoch + 1)
      indices = order.indices(epoch: position.epoch, count: count)
    }
    defer {
      position.index += 1
      taken += 1
    }
    return indices[position.index]
  }
}

/// Takes a part of a data set's rows for validation.
public enum Holdout {
  /// `datasets.Dataset.train_test_split(test_size=share, seed=seed)`: NeMo's 5 % with seed 1234, Bridge's 10 % with
  /// seed 5678.
  ///
  /// - Returns: the rows to train on and those held out, in the order they come in.
  public static func split(
    count: Int, share: Double, seed: UInt64
  ) -> (train: [Int], held: [Int]) {
    let held = min(count, max(0, Int((share * Double(count)).rounded(.up))))
    var random = NumPyGenerator(seed: seed)
    let order = random.permutation(count)
    return (Array(order[held...]), Array(order[..<held]))
  }
}
