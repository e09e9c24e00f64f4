import JSON

/// Which samples share a pack, so that little of it stays empty.
///
/// A sample takes one token less than it has, because its last token is only predicted.
public struct Packing: Sendable, Equatable {
  /// The samples of each pack, in order.
  public var packs: [[Int]]
  public var metadata: PackingMetadata

  public enum Method: String, CaseIterable, Sendable {
    /// Long samples first, each into the first pack with room for it.
    case firstFitDecreasing = "first_fit_decreasing"
    /// Samples in random order, each into the first pack with room for it.
    case firstFitShuffle = "first_fit_shuffle"
    /// Long samples first, each into the fullest pack with room for it.
    case bestFit = "best_fit"
  }

  /// Packs samples.
  ///
  /// The first two methods give, pack for pack, what Megatron-Bridge and NeMo do with NumPy's global
  /// generator in the same state; which of several samples of one length goes where is drawn from it too.
  /// Source: megatron/bridge/data/datasets/packing_utils.py. They search packs from the first on, which
  /// takes time with the square of the number of samples; here it takes n log n.
  ///
  /// - Parameters:
  ///   - counts: the tokens of each sample.
  ///   - size: the most tokens of a pack.
  public init(
    counts: [Int], size: Int, method: Method, random: inout NumPyRandom
  ) throws(PackingError) {
    guard size > 0 else { throw .wrongSize(size, multiple: 1) }
    guard !counts.isEmpty else { throw .nothing }
    var ofLength: [[Int]] = Array(repeating: [], count: size + 1)
    for (sample, count) in counts.enumerated() {
      guard count > 0 else { throw .empty(sample: sample) }
      guard count - 1 <= size else { throw .tooLong(sample: sample, tokens: count, size: size) }
      ofLength[count - 1].append(sample)
    }
    var lengths = ofLength.enumerated().flatMap {
      Array(repeating: $0.offset, count: $0.element.count)
    }
    switch method {
    case .firstFitShuffle: random.shuffle(&lengths)
    case .firstFitDecreasing, .bestFit: lengths.reverse()
    }
    let packed =
      method == .bestFit
      ? Self.bestFit(lengths, size: size) : Self.firstFit(lengths, size: size)
    // Samples of one length are dealt out in random order, from the end.
    for length in ofLength.indices where !ofLength[length].isEmpty {
      let samples = ofLength[length]
      ofLength[length] = random.permutation(samples.count).map { samples[$0] }
    }
    packs = packed.map { lengths in lengths.compactMap { ofLength[$0].popLast() } }
    metadata = PackingMetadata(packed, size: size)
  }

  private static func firstFit(_ lengths: [Int], size: Int) -> [[Int]] {
    var rooms = PackRooms()
    var packs: [[Int]] = []
    for length in lengths {
      if let pack = rooms.first(with: length) {
        packs[pack].append(length)
        rooms.take(length, from: pack)
      } else {
        packs.append([length])
        rooms.append(size - length)
      }
    }
    return packs
  }

  private static func bestFit(_ lengths: [Int], size: Int) -> [[Int]] {
    var shelves = PackShelves(size: size)
    var packs: [[Int]] = []
    for length in lengths {
      if let (pack, room) = shelves.takeFullest(with: length) {
        packs[pack].append(length)
        shelves.put(pack, room: room - length)
      } else {
        shelves.put(packs.count, room: size - length)
        packs.append([length])
      }
    }
    return packs
  }
}

/// How well samples are packed, in the words of the file that NeMo and Megatron-Bridge keep.
public struct PackingMetadata: Sendable, Equatable {
  /// The longest sample.
  public var longest: Int
  /// The most samples of a pack.
  public var mostSamples: Int
  /// Samples to a pack, to two digits.
  public var factor: Double
  /// How full packs are, in percent, to two digits.
  public var efficiency: Double
  public var size: Int
  /// The tokens of the emptiest pack.
  public var emptiest: Int

  /// - Parameter packs: the lengths in each pack, of which there must be one.
  init(_ packs: [[Int]], size: Int) {
    let totals = packs.map { $0.reduce(0, +) }
    let samples = packs.reduce(0) { $0 + $1.count }
    longest = packs.lazy.joined().max() ?? 0
    mostSamples = packs.map(\.count).max() ?? 0
    factor = Self.rounded(Double(samples) / Double(packs.count))
    efficiency = Self.rounded(
      Double(totals.reduce(0, +)) / Double(packs.count) / Double(size) * 100)
    self.size = size
    emptiest = totals.min() ?? 0
  }

  /// Python's `round(x, 2)`: by the exact value, which may lie beside a tie that its hundredfold hits.
  private static func rounded(_ value: Double) -> Double {
    let scaled = value * 100
    let error = (-scaled).addingProduct(value, 100)
    var whole = scaled.rounded(.down)
    let rest = scaled - whole
    let isOdd = whole.truncatingRemainder(dividingBy: 2) != 0
    if rest > 0.5 || (rest == 0.5 && (error > 0 || (error == 0 && isOdd))) { whole += 1 }
    return whole / 100
  }

  public var json: JSON {
    .object([
      "dataset_max_seqlen": .integer(longest), "max_samples_per_bin": .integer(mostSamples),
      "packing_factor": .number(factor), "packing_efficiency": .number(efficiency),
      "pack_size": .integer(size), "min_packed_seqlen": .integer(emptiest),
    ])
  }

  /// - Throws: `PackingError.metadata`.
  init(_ json: JSON, file: String) throws(PackingError) {
    guard let object = json.object else {
      throw .metadata(file: file, problem: "an entry is no object")
    }
    func number(_ key: String) throws(PackingError) -> Double {
      guard let number = object[key]?.double, number.magnitude < 1e15 else {
        throw .metadata(file: file, problem: "\(key) is missing or no number")
      }
      return number
    }
    longest = Int(try number("dataset_max_seqlen"))
    mostSamples = Int(try number("max_samples_per_bin"))
    factor = try number("packing_factor")
    efficiency = try number("packing_efficiency")
    size = Int(try number("pack_size"))
    emptiest = Int(try number("min_packed_seqlen"))
  }
}
