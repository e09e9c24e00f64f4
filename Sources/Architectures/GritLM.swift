import Blueprint

/// GritLM: Mistral, or where there are experts Mixtral, used as a causal model.
///
/// As a model of embeddings it would see all tokens, which changes no tensor.
/// Reference: github.com/ContextualAI/gritlm.
public enum GritLM: Architecture {
  public static let names = ["GritLM"]
  public static let note = "GritLM 7B and 8x7B, where the file names their own class"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let hasExperts = config.has("num_local_experts")
    return try hasExperts ? Mixtral.blueprint(config) : Mistral.blueprint(config)
  }
}
