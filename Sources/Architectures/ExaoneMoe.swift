import Blueprint

/// K-EXAONE: windows on most layers, which alone turn queries and keys, normed heads, then DeepSeek-V3's
/// experts.
///
/// A predictor of further tokens is dense and looks everywhere. Unlike EXAONE 4, norms stand before the
/// layers. Reference: transformers/models/exaone_moe/modeling_exaone_moe.py
public enum ExaoneMoe: Architecture {
  public static let names = ["ExaoneMoEForCausalLM", "ExaoneMoeForCausalLM"]
  public static let note = "K-EXAONE 236B-A23B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    var attention = try config.attention(width: width, groupsDefault: 32, positions: 2048)
    attention.headNorms = HeadNorms(eps: eps)
    let window = try config.window(default: 4096)
    let sliding = try config.slidingPattern(depth: depth, default: 4)

    let activation = try config.activation("hidden_act", default: .silu)
    let mlp = MLP(width, inner: try config.size("intermediate_size", default: 16_384), activation)
    let experts = try config.correctedExperts(
      width: width, activation,
      CorrectedExperts(
        count: 64, inner: 1024, scale: 2.5, balance: 0, countKeys: ["num_experts"],
        sharedKey: "num_shared_experts", correction: "mlp.e_score_correction_bias"))
    let sparse = try config.sparseLayers(depth: depth, denseDefault: 1)
    // Files have one block for all of them.
    let predictors = try config.predictors(limit: 1)

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] index in
      let isOpen = window != nil && !sliding[index]
      Residual(
        Norm(width, eps: eps, "input_layernorm"),
        isOpen ? attention.withoutRotation : attention.windowed(window))
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), sparse[index] ? experts : mlp)
    }
    blueprint.numbersLayers = true
    if predictors > 0 {
      blueprint.addMergedPredictor(isStated: true) {
        Residual(Norm(width, eps: eps, "input_layernorm"), attention.withoutRotation)
        Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
      }
    }
    return blueprint
  }
}
