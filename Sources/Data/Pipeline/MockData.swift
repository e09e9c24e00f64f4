import Glibc

/// Made-up tokens, the same as the peers make up.
public enum MockData {
  /// Megatron's documents: 1, 2, 3 … and an end, of random lengths (`MockGPTLowLevelDataset`).
  public struct Documents: Sendable {
    /// The length of each document, its end included.
    public let lengths: [Int]
    private let vocabulary: Int
    private let end: Int32

    public init(vocabulary: Int, end: Int32) {
      precondition(vocabulary > 0)
      var random = NumPyGenerator(seed: 0)
      lengths = (0..<100_000).map { _ in 1 + Int(random.number(below: 4095)) }
      self.vocabulary = vocabulary
      self.end = end
    }

    public func tokens(_ index: Int) -> [Int32] {
      (1..<lengths[index]).map { Int32($0 % vocabulary) } + [end]
    }
  }

  /// Automodel's `MockIterableDataset`: uniform tokens, every one learnt, drawn with `torch.randint` after
  /// `torch.manual_seed`.
  public static func uniform(
    vocabulary: Int, length: Int, count: Int, seed: UInt64
  ) -> Dataset {
    precondition(vocabulary > 0 && length > 0)
    var random = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
    let samples = (0..<count).map { _ in
      let tokens = (0..<length).map { _ in Int32(random.next() % UInt32(vocabulary)) }
      return Sample(tokens: tokens, trained: tokens.map { _ in true })
    }
    return Dataset(samples, origin: "mock data: \(count) samples of \(length) uniform tokens")
  }

  /// Automodel's `build_unpacked_dataset`: sentences of random words of random length, with an end (token 1), drawn
  /// with Python's `random`.
  public static func sentences(
    count: Int = 10, mean: Double = 20, deviation: Double = 6, vocabulary: Int = 100,
    longest: Int = 64, seed: UInt32 = 0
  ) -> Dataset {
    precondition(vocabulary > 2)
    var random = PythonRandom(seed: seed)
    let samples = (0..<count).map { _ in
      let length = max(1, min(longest, Int(random.gauss(mean, deviation))))
      let tokens = (0..<length).map { _ in 2 + Int32(random.fraction() * Double(vocabulary - 2)) }
      return Sample(tokens: tokens + [1], trained: Array(repeating: true, count: length + 1))
    }
    return Dataset(samples, origin: "mock data: \(count) sentences")
  }
}

/// Python's `random`, as far as it is drawn from here: MT19937, seeded with an array of one number.
private struct PythonRandom {
  private var random: NumPyRandom
  private var spare: Double?

  init(seed: UInt32) { random = NumPyRandom(seeds: [seed]) }

  mutating func fraction() -> Double { random.fraction() }

  /// `gauss(mu, sigma)`: of two numbers made at once the second is kept.
  mutating func gauss(_ mean: Double, _ deviation: Double) -> Double {
    if let kept = spare {
      spare = nil
      return mean + kept * deviation
    }
    let angle = fraction() * 2 * Double.pi
    let radius = (-2 * log(1 - fraction())).squareRoot()
    spare = sin(angle) * radius
    return mean + cos(angle) * radius * deviation
  }
}
