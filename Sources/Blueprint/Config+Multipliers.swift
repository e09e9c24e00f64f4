/// Granite's factors.
public struct Multipliers: Hashable, Sendable {
  /// On the embedding's output.
  public var embedding: Double
  /// On attention's scores, in place of 1 / √headSize.
  public var scores: Double
  /// On what a layer adds to the residual.
  public var residual: Double
  /// What the logits are divided by.
  public var logits: Double
}

extension Config {
  /// The factors of Granite's families; each is 1 where the configuration is silent.
  public func multipliers() throws(ConfigError) -> Multipliers {
    Multipliers(
      embedding: try positive("embedding_multiplier", default: 1),
      scores: try positive("attention_multiplier", default: 1),
      residual: try positive("residual_multiplier", default: 1),
      logits: try positive("logits_scaling", default: 1))
  }
}

extension Blueprint {
  /// Sets the factors on embedding and logits; those inside the blocks are the layers'.
  public mutating func multiply(_ factors: Multipliers) {
    embeddingScale = factors.embedding == 1 ? nil : factors.embedding
    logitScale = factors.logits == 1 ? nil : 1 / factors.logits
  }
}
