import Blueprint

/// OLMo 2: Llama's layers with the norms on their outputs, and norms over all queries and all keys.
///
/// Reference: transformers/models/olmo2/modeling_olmo2.py
public enum Olmo2: Architecture {
  public static let names = ["Olmo2ForCausalLM"]
  public static let note = "OLMo 2 1B, 7B, 13B, 32B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let (heads, groups, headSize) = try config.heads(width: width)
    let rotary = try config.rotary(headSize: headSize, positions: 2048)
    let attention = try attention(
      config, width, heads: heads, groups: groups, headSize: headSize, rotary)
    return try blueprint(config, width: width) { _ in attention }
  }

  /// Attention as OLMo 2 and 3 have it.
  static func attention(
    _ config: Config, _ width: Int, heads: Int, groups: Int, headSize: Int, _ rotary: Rotary
  ) throws(ConfigError) -> Attention {
    let bias: Bool = try config("attention_bias", default: false)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize, rotary: rotary, inputBias: bias,
      outputBias: bias)
    attention.headNorms = HeadNorms(
      eps: try config.positive("rms_norm_eps", default: 1e-5), reach: .allHeads)
    return attention
  }

  /// The blocks of OLMo 2 and 3 around their attention.
  static func blueprint(
    _ config: Config, width: Int, attention: (Int) -> Attention
  ) throws(ConfigError) -> Blueprint {
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let mlp = try config.mlp(width: width)
    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { index in
      Residual(
        nil, attention(index), after: Norm(width, eps: eps, "post_attention_layernorm"))
      Residual(nil, mlp, after: Norm(width, eps: eps, "post_feedforward_layernorm"))
    }
  }
}
