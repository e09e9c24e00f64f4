import Data
import MegatronFormat
import Tensors

/// The states of the random generators that Megatron-Bridge keeps in a checkpoint (FORMATS.md B.9).
///
/// The engine's random numbers follow from the seed and their place alone, so there is no state to keep. A run of
/// Megatron's that goes on wants one all the same: it gets those that follow from the run's seed.
struct RandomStates {
  let seed: UInt64

  /// The key of the object where the model is not cut for ranks.
  static let key = "rng_state/shard_0.0_1.1"

  /// The bytes of the object.
  ///
  /// - Throws: `MegatronError.torchFile`, never in practice.
  func encoded() throws(MegatronError) -> [UInt8] {
    var tensors: [[UInt8]] = []
    func tensor(_ bytes: [UInt8]) throws(MegatronError) -> PickleValue {
      tensors.append(bytes)
      do throws(TorchFileError) {
        return try .tensor(key: "\(tensors.count - 1)", dtype: .uint8, shape: [bytes.count])
      } catch { throw .torchFile(error) }
    }
    let small = UInt32(truncatingIfNeeded: seed)
    // The names and seeds of Megatron-Core's `model_parallel_cuda_manual_seed` on rank 0.
    let tracker = PickleDictionary([
      (.string("data-parallel-rng"), try tensor(Self.cuda(seed))),
      (.string("model-parallel-rng"), try tensor(Self.cuda(seed &+ 2718))),
      (.string("expert-parallel-rng"), try tensor(Self.cuda(seed &+ 1024))),
    ])
    let states = PickleDictionary([
      (.string("random_rng_state"), Self.python(small)),
      (.string("np_rng_state"), Self.numPy(small)),
      (.string("torch_rng_state"), try tensor(Self.torch(seed))),
      (.string("cuda_rng_state"), try tensor(Self.cuda(seed))),
      (.string("rng_tracker_states"), .dictionary(tracker)),
    ])
    let list = PickleValue.list(PickleList([.dictionary(states)]))
    return TorchZip.archive(of: .list(PickleList([list])), tensors: tensors)
  }

  /// `random.getstate()` after `random.seed(seed)`.
  private static func python(_ seed: UInt32) -> PickleValue {
    let generator = MersenneTwister(seeds: [seed])
    let words = generator.words.map { PickleValue.integer(Int($0)) }
    return .tuple([.integer(3), .tuple(words + [.integer(generator.position)]), .none])
  }

  /// `numpy.random.get_state()` after `numpy.random.seed(seed)`.
  private static func numPy(_ seed: UInt32) -> PickleValue {
    let generator = MersenneTwister(seed: seed)
    let arrays = "numpy.core.multiarray"
    let array = PickleObject(
      module: arrays, name: "_reconstruct",
      arguments: [
        .global(module: "numpy", name: "ndarray"), .tuple([.integer(0)]), bytes([98]),
      ])
    let type = PickleObject(
      module: "numpy", name: "dtype", arguments: [.string("u4"), .bool(false), .bool(true)],
      state: .tuple([
        .integer(3), .string("<"), .none, .none, .none, .integer(-1), .integer(-1), .integer(0),
      ]))
    array.state = .tuple([
      .integer(1), .tuple([.integer(generator.words.count)]), .object(type), .bool(false),
      bytes(generator.words.flatMap { little(UInt64($0), 4) }),
    ])
    return .tuple([
      .string("MT19937"), .object(array), .integer(generator.position), .integer(0), .float(0),
    ])
  }

  /// Bytes as Python pickles them at protocol 2: a text of as many characters, encoded as Latin-1.
  private static func bytes(_ bytes: [UInt8]) -> PickleValue {
    let text = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    return .object(
      PickleObject(
        module: "_codecs", name: "encode", arguments: [.string(text), .string("latin1")]))
  }

  /// `torch.get_rng_state()` after `torch.manual_seed(seed)`: the seed, how many words are left and whether there
  /// are any, the place of the next, the words, and what normal numbers are left over (CPUGeneratorImplState).
  private static func torch(_ seed: UInt64) -> [UInt8] {
    let words = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed)).words
    let head = little(seed, 8) + little(1, 4) + little(1, 4) + little(0, 8)
    return head + words.flatMap { little(UInt64($0), 8) } + [UInt8](repeating: 0, count: 40)
  }

  /// `torch.cuda.get_rng_state()` after `torch.cuda.manual_seed(seed)`: the seed and how much was drawn.
  private static func cuda(_ seed: UInt64) -> [UInt8] { little(seed, 8) + little(0, 8) }

  private static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }
}
