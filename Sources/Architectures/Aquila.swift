import Blueprint

/// Aquila 1 and 2: Llama's block under other names, without biases.
///
/// Reference: modeling_aquila.py of the models' own repositories (as in flagai 1.8.4).
public enum Aquila: Architecture {
  public static let names = ["AquilaForCausalLM", "AquilaModel"]
  public static let note = "Aquila 7B, Aquila2 7B, 34B, 70B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    for key in ["attention_bias", "mlp_bias"] {
      try config.require(key, false, because: "this class has no biases")
    }
    return try Llama.blueprint(config)
  }
}
