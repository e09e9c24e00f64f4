import Data
import Dispatch
import Synchronization

/// What is counted when a batch is made: samples, or packs of samples.
public struct SampleItems: Sendable {
  public let count: Int
  /// Where they come from, for people.
  public let origin: String
  /// What the user should know: samples that were left out.
  public let notes: [String]
  private let make: @Sendable (Int) throws(DataError) -> [Sample]

  /// - Throws: `DataError`, `PackingError` where samples do not fit the packs that are wanted.
  public init(_ source: SampleSource) throws {
    var dataset = source.dataset
    if let size = source.configuration.packedSize, source.configuration.cutsLong {
      dataset = Dataset(try Self.pieces(dataset, size: size), origin: dataset.origin)
    }
    if let packs = source.packs {
      self.init(dataset, packs.map(Array.init), [])
    } else if let size = source.configuration.packedSize {
      let (packs, notes) = try Self.packed(dataset, size: size, source.configuration)
      self.init(dataset, packs, notes)
    } else {
      self.init(dataset)
    }
  }

  /// Each sample by itself.
  public init(_ dataset: Dataset) {
    count = dataset.count
    origin = dataset.origin
    notes = []
    make = { index throws(DataError) in [try dataset.sample(index)] }
  }

  private init(_ dataset: Dataset, _ packs: [[Int]], _ notes: [String]) {
    count = packs.count
    origin = "\(dataset.origin), in \(packs.count) packs"
    self.notes = notes
    make = { index throws(DataError) in
      var samples: [Sample] = []
      for sample in packs[index] { samples.append(try dataset.sample(sample)) }
      return samples
    }
  }

  /// The samples of one item.
  public func samples(_ index: Int) throws(DataError) -> [Sample] {
    precondition(index >= 0 && index < count)
    return try make(index)
  }

  // MARK: Packing

  /// The samples, long ones in pieces: the last token of one, which is predicted there, is the first of the next.
  private static func pieces(_ dataset: Dataset, size: Int) throws(DataError) -> [Sample] {
    var pieces: [Sample] = []
    for index in 0..<dataset.count {
      let sample = try dataset.sample(index)
      for start in stride(from: 0, to: max(1, sample.count - 1), by: size) {
        let range = start..<min(sample.count, start + size + 1)
        pieces.append(
          Sample(tokens: Array(sample.tokens[range]), trained: Array(sample.trained[range])))
      }
    }
    return pieces
  }

  /// Which samples make each pack.
  private static func packed(
    _ dataset: Dataset, size: Int, _ configuration: DataSettings
  ) throws -> (packs: [[Int]], notes: [String]) {
    let counts = try counts(dataset)
    let fitting = counts.indices.filter { counts[$0] > 1 && counts[$0] - 1 <= size }
    let long = counts.count { $0 - 1 > size }
    if long > 0, !configuration.dropsLong, let first = counts.firstIndex(where: { $0 - 1 > size }) {
      throw PackingError.tooLong(sample: first, tokens: counts[first], size: size)
    }
    guard !fitting.isEmpty else { throw PackingError.nothing }
    let notes = long == 0 ? [] : ["\(long) samples are longer than \(size) tokens, and left out"]
    let packs = try configuration.packing.packs(fitting.map { counts[$0] }, size: size)
    return (packs.map { $0.map { fitting[$0] } }, notes)
  }

  /// The tokens of each sample; several are made at once.
  private static func counts(_ dataset: Dataset) throws -> [Int] {
    let chunk = 256
    let chunks = (dataset.count + chunk - 1) / chunk
    let found = Mutex<[Int: Result<[Int], DataError>]>([:])
    DispatchQueue.concurrentPerform(iterations: chunks) { index in
      let range = index * chunk..<min(dataset.count, (index + 1) * chunk)
      var counts: [Int] = []
      var result: Result<[Int], DataError>?
      do throws(DataError) {
        for sample in range { counts.append(try dataset.sample(sample).count) }
      } catch { result = .failure(error) }
      let kept = result ?? .success(counts)
      found.withLock { $0[index] = kept }
    }
    let parts = found.withLock { $0 }
    var all: [Int] = []
    for index in 0..<chunks { all += try parts[index]?.get() ?? [] }
    return all
  }
}
