import Data
import Engine

/// The batches of one update, made of samples in their order, and where the next begins.
struct Update: Sendable {
  /// One behind the other; their gradients add up.
  var batches: [Batch]
  /// The samples, or packs.
  var samples: Int
  /// Where the next update begins.
  var position: DataPosition
  /// Whether the next one is of another epoch, or there is none.
  var endsEpoch = false

  var labels: Int { batches.reduce(0) { $0 + $1.trained } }
}

/// Makes update after update, from any position.
struct UpdateSource: Sendable {
  private enum Kind: Sendable {
    case items(SampleItems, SampleWalk)
    case indexed(PretrainingData, BatchOrder)
  }

  let settings: BatchSettings
  /// Epochs that are gone through; `nil` for any number.
  let epochs: Int?
  private var kind: Kind

  /// Samples, or packs, from a position on.
  ///
  /// - Throws: `DataError` for a position that is none of these; `RunningError.tooFewSamples`.
  init(
    _ items: SampleItems, _ settings: BatchSettings, epochs: Int? = nil,
    from position: DataPosition = DataPosition()
  ) throws {
    self.settings = settings
    self.epochs = epochs
    guard items.count > 0, !settings.dropsLast || items.count >= settings.global else {
      throw RunningError.tooFewSamples(
        count: items.count, update: settings.global, origin: items.origin)
    }
    kind = .items(
      items, try SampleWalk(count: items.count, order: settings.order, from: position))
  }

  /// Windows of running text, behind so many that are gone.
  ///
  /// - Throws: `IndexedError`, `RunningError.splitPositions`.
  init(
    _ data: PretrainingData, _ order: BatchOrder.Kind, _ settings: BatchSettings, consumed: Int = 0
  ) throws {
    self.settings = settings
    epochs = nil
    guard data.count >= settings.global else {
      throw RunningError.tooFewSamples(
        count: data.count, update: settings.global,
        origin: "the \(data.split.name) split of the indexed data")
    }
    for ends in data.datasets.map(\.ends) where ends.resetsPositions != ends.resetsAttention {
      throw RunningError.splitPositions
    }
    kind = .indexed(
      data,
      try BatchOrder(order, total: data.count, consumed: consumed, microBatch: settings.micro))
  }

  /// The next update with something to learn; `nil` at the end.
  ///
  /// Samples of which nothing is learned are gone through and leave no update by themselves.
  ///
  /// - Throws: `DataError`, `IndexedError`; `RunningError.nothingToLearn` where a whole epoch has nothing.
  mutating func next() throws -> Update? {
    var gone = 0
    while let update = try made() {
      if update.labels > 0 { return update }
      gone += update.samples
      if gone >= count { throw RunningError.nothingToLearn(origin: origin, samples: gone) }
    }
    return nil
  }

  /// The samples, or packs, there are.
  var count: Int {
    switch kind {
    case .items(let items, _): items.count
    case .indexed(let data, _): data.count
    }
  }

  private var origin: String {
    switch kind {
    case .items(let items, _): items.origin
    case .indexed(let data, _): "the \(data.split.name) split of the indexed data"
    }
  }

  private mutating func made() throws -> Update? {
    switch kind {
    case .items(let items, var walk):
      guard let indices = group(&walk) else { return nil }
      kind = .items(items, walk)
      let batches = try parts(indices).map { part in
        Batch(try part.flatMap { try items.samples($0) })
      }
      var ahead = walk
      let isLast = group(&ahead) == nil || ahead.position.epoch != walk.position.epoch
      return Update(
        batches: batches, samples: indices.count, position: walk.position, endsEpoch: isLast)
    case .indexed(let data, var order):
      guard let indices = group(&order) else { return nil }
      kind = .indexed(data, order)
      let batches = try parts(indices).map { part in Batch(try part.map { try data.window($0) }) }
      return Update(
        batches: batches, samples: indices.count, position: DataPosition(index: order.consumed))
    }
  }

  /// Those that go through the model together.
  private func parts(_ indices: [Int]) -> [ArraySlice<Int>] {
    stride(from: 0, to: indices.count, by: settings.micro).map { start in
      indices[start..<min(indices.count, start + settings.micro)]
    }
  }

  /// The next samples of one epoch, as many as an update takes.
  private func group(_ walk: inout SampleWalk) -> [Int]? {
    while true {
      var group: [Int] = []
      var epoch: Int?
      while group.count < settings.global {
        var ahead = walk
        guard let index = ahead.next() else { break }
        if let epoch, ahead.position.epoch != epoch { break }
        if let epochs, ahead.position.epoch >= epochs { break }
        epoch = ahead.position.epoch
        group.append(index)
        walk = ahead
      }
      if group.isEmpty { return nil }
      if group.count == settings.global || !settings.dropsLast { return group }
    }
  }

  /// As many micro-batches as an update takes; what does not fill one is left.
  private func group(_ order: inout BatchOrder) -> [Int]? {
    var group: [Int] = []
    while group.count < settings.global {
      guard let next = order.nextBatch() else { return nil }
      group += next.filter { $0 >= 0 }
    }
    return group
  }
}

extension Batch {
  /// Windows of running text, one behind the other.
  init(_ windows: [TokenWindow]) {
    var batch = Batch(tokens: [], labels: [], starts: [])
    for window in windows {
      batch.starts += window.starts.map { $0 + batch.tokens.count }
      batch.tokens += window.inputs
      batch.labels += zip(window.labels, window.counted).map { $1 ? $0 : -1 }
    }
    batch.starts.append(batch.tokens.count)
    self = batch
  }
}
