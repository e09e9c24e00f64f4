import Data

/// What a run's configuration says of its data: which files, which tokenizer, how rows become samples and packs.
public struct DataSettings: Sendable {
  /// The files, folders or patterns; empty if nothing names them.
  public var files: [String] = []
  /// The entry of a dataset_info.json.
  public var dataset: String?
  public var split = DataSplit("train")
  public var tokenizer: String?
  /// How a bare tiktoken file's text is cut into words.
  public var pattern: String?
  /// A template, or the path of one, in place of the tokenizer's.
  public var chatTemplate: String?
  /// Whether conversations go through a chat template even where rows say who is masked.
  public var usesTemplate = false
  public var format = FormatOptions(.automodel)
  public var columns: ColumnMap?
  /// How many samples are taken at most.
  public var limit: Int?
  /// How many samples Megatron-Bridge's mapping draws (`max_train_samples`), more than there are if need be.
  public var drawn: Int?
  /// A part of the rows that is kept from training; `nil` for none.
  public var held: Held?
  /// The tokens of a pack; `nil` for no packing.
  public var packedSize: Int?
  public var packing = PackingMethod.sequential
  /// Whether samples longer than a pack are left out instead of refused.
  public var dropsLong = false
  /// Whether they are cut into pieces that fit, as texts are that a model learns to write.
  public var cutsLong = false
  /// Made-up data in place of files.
  public var mock: Mock?
  /// What was read and has no effect here.
  public var notes: [String] = []

  /// A share of the rows, drawn as `datasets.Dataset.train_test_split` draws it.
  public struct Held: Hashable, Sendable {
    public var share: Double
    public var seed: UInt64
    /// Whether these settings mean the rows that are kept, rather than the others.
    public var isMeant: Bool

    public init(share: Double, seed: UInt64, isMeant: Bool) {
      self.share = share
      self.seed = seed
      self.isMeant = isMeant
    }

    func samples(of count: Int) -> [Int] {
      let (train, held) = Holdout.split(count: count, share: share, seed: seed)
      return isMeant ? held : train
    }
  }

  public enum Mock: Sendable {
    case uniform(vocabulary: Int, length: Int, count: Int)
    case sentences(
      count: Int, mean: Double, deviation: Double, vocabulary: Int, longest: Int, seed: Int)
  }

  public init() {}
}
