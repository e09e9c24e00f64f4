import Blueprint

/// Granite 3, dense: Llama's block with factors on embedding, scores, residuals and logits.
///
/// Reference: transformers/models/granite/modeling_granite.py
public enum Granite: Architecture {
  public static let names = ["GraniteForCausalLM"]
  public static let note = "Granite 3.0–3.3 2B and 8B; PowerLM"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let mlp = try config.mlp(
      width: try config.size("hidden_size"), bias: try config("mlp_bias", default: false))
    return try blueprint(config, feedForward: mlp)
  }

  /// The blueprint around the feed-forward layers.
  static func blueprint(
    _ config: Config, feedForward: any Layer
  ) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let factors = try config.multipliers()
    let attention = try attention(config, width: width, factors)

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention, scale: factors.residual)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), feedForward, scale: factors.residual)
    }
    blueprint.multiply(factors)
    return blueprint
  }

  /// Llama's attention with a factor of its own on the scores.
  static func attention(
    _ config: Config, width: Int, _ factors: Multipliers
  ) throws(ConfigError) -> Attention {
    let bias: Bool = try config("attention_bias", default: false)
    var attention = try config.attention(
      width: width, positions: 2048, inputBias: bias, outputBias: bias)
    attention.scale = factors.scores
    return attention
  }
}
