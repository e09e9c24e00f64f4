import JSON

/// The samples of one split: of one data set, or of several by turns.
public struct PretrainingData: Sendable {
  public let split: Split
  public let datasets: [GPTDataset]
  /// From which data set each sample comes; `nil` where there is only one.
  public let blend: BlendIndices?

  public var count: Int { blend?.count ?? datasets[0].count }

  /// Which data set a sample comes from, and which of its samples it is.
  public func source(of index: Int) throws(IndexedError) -> (dataset: Int, sample: Int) {
    guard index >= 0, index < count else { throw .noSuchSample(index: index, count: count) }
    guard let blend else { return (0, index) }
    let dataset = blend.datasets[index]
    guard datasets.indices.contains(dataset) else {
      throw .noSuchSample(index: dataset, count: datasets.count)
    }
    return (dataset, blend.samples[index])
  }

  /// A sample, ready to learn from.
  public func window(_ index: Int) throws(IndexedError) -> TokenWindow {
    let source = try source(of: index)
    return try datasets[source.dataset].window(source.sample)
  }
}

/// How the samples of all splits are made, as megatron-core's `BlendedMegatronDatasetBuilder` does.
///
/// Source: megatron/core/datasets/blended_megatron_dataset_builder.py and blended_dataset.py.
public struct PretrainingPlan: Sendable {
  public enum Source: Sendable {
    /// The same data sets for all splits, each cut by shares.
    case shared(Blend, SplitShares)
    /// Data sets of their own for each split; `nil` for one without.
    case perSplit([Blend?])
    /// Made-up documents, shared out evenly.
    case mock(MockDocuments)
  }

  public var source: Source
  /// Tokens of a sample.
  public var length: Int
  public var seed: UInt32
  /// The samples wanted of each split; `nil`: all there are, once.
  public var samples: [Int?]
  public var ends = DocumentEnds()
  public var padding: Int32 = -1
  public var hasExtraToken = true
  /// Whether the last samples of the `valid` split must be full.
  public var dropsLastPartialValidation = true
  /// The share of samples made of each data set beyond those that are planned.
  public var surplus = 0.005
  /// Where indices are kept; nowhere if `nil`.
  public var cache: IndexCache?
  /// What tells the tokenizer from others in the names of kept indices (`unique_identifiers`).
  public var tokenizer: JSON = .null
  /// Stands before the prefixes where their files are looked for, and not in the names of kept indices.
  var folder = ""

  public init(
    _ source: Source, length: Int, seed: UInt32 = 1234, samples: [Int?] = [nil, nil, nil]
  ) {
    precondition(samples.count == 3, "there are three splits")
    self.source = source
    self.length = length
    self.seed = seed
    self.samples = samples
  }

  /// The samples of the three splits; `nil` for one without data.
  public func build() throws(IndexedError) -> [PretrainingData?] {
    guard length > 0 else {
      throw .wrongBatch(problem: "A sample must have at least one token, not \(length).")
    }
    switch source {
    case .shared(let blend, let shares):
      let datasets = try open(blend)
      let isAlone = blend.prefixes.count == 1 && blend.weights == nil
      var result: [PretrainingData?] = []
      for split in Split.allCases {
        guard shares.matrix[split.rawValue] != nil else {
          result.append(nil)
          continue
        }
        result.append(try data(split, blend, datasets, shares, isAlone: isAlone))
      }
      return result
    case .mock(let documents):
      var result: [PretrainingData?] = []
      for split in Split.allCases {
        let data = try dataset(
          (nil, documents), split, samples[split.rawValue], try SplitShares("1,1,1"))
        result.append(PretrainingData(split: split, datasets: [data], blend: nil))
      }
      return result
    case .perSplit(let blends):
      var result: [PretrainingData?] = []
      for (split, blend) in zip(Split.allCases, blends) {
        guard let blend else {
          result.append(nil)
          continue
        }
        let isAlone = blend.prefixes.count == 1
        result.append(try data(split, blend, try open(blend), nil, isAlone: isAlone))
      }
      return result
    }
  }

  private func open(_ blend: Blend) throws(IndexedError) -> [(String, any TokenSequences)] {
    var datasets: [(String, any TokenSequences)] = []
    for prefix in blend.prefixes { datasets.append((prefix, try IndexedDataset(folder + prefix))) }
    return datasets
  }

  // MARK: One split

  private func data(
    _ split: Split, _ blend: Blend, _ datasets: [(String, any TokenSequences)],
    _ shares: SplitShares?,
    isAlone: Bool
  ) throws(IndexedError) -> PretrainingData {
    let wanted = samples[split.rawValue]
    if isAlone {
      let dataset = try dataset((datasets[0].0, datasets[0].1), split, wanted, shares)
      return PretrainingData(split: split, datasets: [dataset], blend: nil)
    }
    guard datasets.count < 32767 else {
      throw .malformedBlend(blend.prefixes, problem: "has more data sets than can be counted")
    }
    guard let weights = blend.weights.map(normalized) else {
      return try unweighted(split, blend, datasets, shares, wanted)
    }
    guard let wanted else {
      throw .malformedBlend(
        blend.prefixes, problem: "has weights, so the number of samples must be said")
    }
    let planned = weights.map { (Double(wanted) * $0).rounded(.up) }
    guard planned.allSatisfy({ $0 < 1e15 }) else {
      throw .tooManySamples(prefix: blend.prefixes[0], samples: wanted, length: length)
    }
    var built: [GPTDataset] = []
    for (pair, planned) in zip(datasets, planned) {
      let count = Int((planned * (1 + surplus)).rounded(.up))
      built.append(try dataset((pair.0, pair.1), split, count, shares))
    }
    return try blended(
      split, datasets.map(\.0), built, weights: weights.map { .number($0) },
      count: Int(planned.reduce(0, +)), shares)
  }

  /// A blend in proportion to what there is.
  private func unweighted(
    _ split: Split, _ blend: Blend, _ datasets: [(String, any TokenSequences)],
    _ shares: SplitShares?,
    _ wanted: Int?
  ) throws(IndexedError) -> PretrainingData {
    var built: [GPTDataset] = []
    for pair in datasets { built.append(try dataset((pair.0, pair.1), split, nil, shares)) }
    let sizes = built.map(\.count)
    if let empty = sizes.firstIndex(of: 0) {
      throw .noTokens(prefix: datasets[empty].0, split: split)
    }
    return try blended(
      split, datasets.map(\.0), built, weights: sizes.map { .integer($0) },
      count: wanted.map { min($0, sizes.reduce(0, +)) }, shares)
  }

  /// Mixes data sets; without a count, all of each.
  private func blended(
    _ split: Split, _ prefixes: [String], _ datasets: [GPTDataset], weights: [JSON], count: Int?,
    _ shares: SplitShares?
  ) throws(IndexedError) -> PretrainingData {
    let values = weights.compactMap(\.double)
    let shared = count == nil ? weights : normalized(values).map { .number($0) }
    let description = JSON.object([
      "class": .string("BlendedDataset"),
      "datasets": .array(
        zip(prefixes, datasets).map { identity($0, $1.request, shares) }),
      "split": .string(split.name), "weights": .array(shared),
      "size": count.map { .integer($0) } ?? .null,
    ]).serialized(.indented(4), asciiOnly: true)
    let indices: BlendIndices
    if let kept = try cache?.blend(description, split) {
      indices = kept
    } else {
      indices =
        count.map { BlendIndices(weights: normalized(values), count: $0) }
        ?? BlendIndices(exhausting: datasets.map(\.count))
      try check(indices, prefixes, datasets, split)
      try cache?.keep(indices, description, split)
    }
    return PretrainingData(split: split, datasets: datasets, blend: indices)
  }

  private func check(
    _ indices: BlendIndices, _ prefixes: [String], _ datasets: [GPTDataset], _ split: Split
  ) throws(IndexedError) {
    var drawn = [Int](repeating: 0, count: datasets.count)
    for index in 0..<indices.count { drawn[indices.datasets[index]] += 1 }
    for (index, drawn) in drawn.enumerated() where drawn > datasets[index].count {
      throw .oversampled(
        prefix: prefixes[index], split: split, wanted: drawn, size: datasets[index].count)
    }
  }

  // MARK: One data set

  private func dataset(
    _ pair: (prefix: String?, dataset: any TokenSequences), _ split: Split, _ count: Int?,
    _ shares: SplitShares?
  ) throws(IndexedError) -> GPTDataset {
    let all = pair.dataset.lengthArray.count
    var request = SampleIndices.Request(
      prefix: pair.prefix ?? pair.dataset.prefix,
      sequences: shares?.range(of: split, in: all) ?? 0..<all, split: split,
      samples: count, length: length, seed: seed)
    request.hasExtraToken = hasExtraToken
    request.dropsRest = split != .valid || dropsLastPartialValidation
    var dataset: GPTDataset
    let description = identity(pair.prefix ?? "", request, shares)
      .serialized(.indented(4), asciiOnly: true)
    if let kept = try kept(pair.prefix, description, request) {
      dataset = GPTDataset(pair.dataset, request, kept)
    } else {
      dataset = try GPTDataset(pair.dataset, request)
      if pair.prefix != nil { try cache?.keep(dataset.indices, description, request) }
    }
    dataset.ends = ends
    dataset.padding = padding
    return dataset
  }

  /// Indices of a data set on disk from the cache; those of made-up documents are not kept.
  private func kept(
    _ prefix: String?, _ description: String, _ request: SampleIndices.Request
  ) throws(IndexedError) -> SampleIndices? {
    prefix == nil ? nil : try cache?.samples(description, request)
  }

  /// What a data set's indices are made from, in megatron-core's words and order.
  private func identity(
    _ prefix: String, _ request: SampleIndices.Request, _ shares: SplitShares?
  ) -> JSON {
    .object([
      "class": .string("GPTDataset"), "dataset_path": .string(prefix),
      "num_samples": request.samples.map { .integer($0) } ?? .null,
      "index_split": .string(request.split.name), "random_seed": .integer(Int(seed)),
      "sequence_length": .integer(length), "split": shares.map { .string($0.text) } ?? .null,
      "split_matrix": shares?.json ?? .null, "tokenizer": tokenizer,
    ])
  }
}

extension SplitShares {
  /// As Python writes the matrix: its first number is the integer 0.
  fileprivate var json: JSON {
    .array(
      matrix.enumerated().map { index, share in
        guard let share else { return .null }
        return .array([index == 0 ? .integer(0) : .number(share.start), .number(share.end)])
      })
  }
}
