import Engine

/// The mean loss over labels that are not learned from; it changes nothing of the model.
public struct HeldOutLoss: Sendable {
  /// Summed over labels, in nats.
  public private(set) var sum = 0.0
  public private(set) var labels = 0
  public private(set) var tokens = 0

  public init() {}

  public var mean: Double { labels > 0 ? sum / Double(labels) : 0 }

  /// Adds the loss of a model on a batch; one without labels adds nothing.
  public mutating func add(_ batch: Batch, of model: Model) throws(EngineError) {
    let count = batch.trained
    guard count > 0 else { return }
    let pass = Pass(model, Tape(model.numbers, isRecording: false), batch)
    guard let last = try model.hidden(pass).last else { throw .emptyBatch }
    sum += try model.loss(last, pass) * Double(count)
    labels += count
    tokens += batch.count
  }
}
