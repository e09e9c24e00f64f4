import Engine
import Glibc

/// How well a model predicts labels: sums, to which batches are added one after the other.
///
/// The way batches are cut changes nothing but the rounding of sums: every label counts once.
public struct LossFigures: Equatable, Sendable {
  /// The cross entropy of all labels together.
  public private(set) var nats = 0.0
  public private(set) var labels = 0
  /// The tokens that went through the model.
  public private(set) var tokens = 0
  /// The sequences that have labels.
  public private(set) var samples = 0
  /// The sum of the samples' own mean losses.
  private var means = 0.0

  public init() {}

  /// What one sequence adds.
  public struct SampleLoss: Equatable, Sendable {
    /// The cross entropy of its labels together.
    public var nats: Double
    public var labels: Int
    public var tokens: Int

    /// The mean over its labels; 0 where there are none.
    public var loss: Double { labels == 0 ? 0 : nats / Double(labels) }
  }

  /// The mean over all labels, in nats: what training calls the loss.
  public var loss: Double { labels == 0 ? 0 : nats / Double(labels) }
  /// The mean over samples of each one's mean: long ones count no more than short ones.
  public var sampleLoss: Double { samples == 0 ? 0 : means / Double(samples) }
  /// e to the loss.
  public var perplexity: Double { exp(loss) }

  /// Sends a batch through a model, which learns nothing from it.
  ///
  /// - Returns: the loss of each of its sequences.
  /// - Throws: `EngineError`.
  @discardableResult
  public mutating func add(_ batch: Batch, by model: Model) throws(EngineError) -> [SampleLoss] {
    var losses = try model.losses(batch)[...]
    var found: [SampleLoss] = []
    for rows in batch.sequences {
      let count = rows.count { batch.labels[$0] >= 0 }
      let sample = SampleLoss(
        nats: losses.prefix(count).reduce(0, +), labels: count, tokens: rows.count)
      losses = losses.dropFirst(count)
      add(sample)
      found.append(sample)
    }
    return found
  }

  private mutating func add(_ sample: SampleLoss) {
    nats += sample.nats
    labels += sample.labels
    tokens += sample.tokens
    guard sample.labels > 0 else { return }
    samples += 1
    means += sample.loss
  }
}
