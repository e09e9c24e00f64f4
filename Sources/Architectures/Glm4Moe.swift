import Blueprint

/// GLM-4.5 to 4.7: Llama's attention turning half of each head, dense layers first, then DeepSeek-V3's
/// experts.
///
/// Queries, keys and values may have biases and norms; the output has no bias. Unlike GLM-4, halves turn
/// together. Reference: transformers/models/glm4_moe/modeling_glm4_moe.py
public enum Glm4Moe: Architecture {
  public static let names = ["Glm4MoeForCausalLM"]
  public static let note = "GLM-4.5, 4.5-Air, 4.6, 4.7"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    var attention = try config.attention(
      width: width, groupsDefault: 8, partial: 0.5, positions: 131_072,
      inputBias: try config("attention_bias", default: false))
    if try config("use_qk_norm", default: false) { attention.headNorms = HeadNorms(eps: eps) }

    let activation = try config.activation("hidden_act", default: .silu)
    let mlp = MLP(width, inner: try config.size("intermediate_size", default: 10_944), activation)
    let experts = try config.correctedExperts(
      width: width, activation,
      CorrectedExperts(count: 128, inner: 1408, scale: 1, balance: 0.001))
    let sparse = try config.sparseLayers(depth: depth, denseDefault: 1)
    let predictors = try config.predictors()

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] index in
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
