import Blueprint

/// DeepSeek V3, R1 and relatives: latent attention, dense layers first, then grouped sigmoid experts.
///
/// May be followed by blocks that predict further tokens, numbered on after the others.
/// Reference: transformers/models/deepseek_v3/modeling_deepseek_v3.py; DeepSeek-V3 report, §2.
public enum DeepseekV3: Architecture {
  public static let names = ["DeepseekV3ForCausalLM"]
  public static let note = "DeepSeek V3, V3.1, R1; Moonlight, Kimi K2"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let attention = try config.latentAttention(
      width: width, positions: 4096,
      isInterleaved: try config("rope_interleave", default: true))
    return try blueprint(config, attention)
  }

  /// The blueprint around the attention.
  static func blueprint(
    _ config: Config, _ attention: LatentAttention
  ) throws(ConfigError) -> Blueprint {
    let width = attention.width
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    try config.require("mlp_bias", false, because: "the layers have no biases")
    let mlp = try config.mlp(width: width)
    let experts = try config.correctedExperts(
      width: width, mlp.activation,
      CorrectedExperts(
        count: 256, inner: 2048, scale: 2.5, groups: 8, keptGroups: 4, balance: 0.0001))
    try config.require("moe_layer_freq", 1, because: "the class puts experts in every later layer")
    let sparse = try config.sparseLayers(depth: depth, denseDefault: 3)
    let predictors = try config.predictors()

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), sparse[index] ? experts : mlp)
    }
    blueprint.numbersLayers = true
    blueprint.addNumberedPredictors(predictors, eps: eps) {
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), experts)
    }
    return blueprint
  }
}
