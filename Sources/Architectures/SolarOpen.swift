import Blueprint

/// Solar Open: GLM-4.5's block, but heads turn whole and every layer has experts.
///
/// Reference: transformers/models/solar_open/modeling_solar_open.py
public enum SolarOpen: Architecture {
  public static let names = ["SolarOpenForCausalLM"]
  public static let note = "Solar Open 100B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    try config.require("partial_rotary_factor", 1.0, because: "the class turns whole heads")
    try config.require("use_qk_norm", false, because: "the class has no such norms")
    try config.require("first_k_dense_replace", 0, because: "the class has no dense layers")
    // The size of dense layers.
    config.ignore("intermediate_size")
    let attention = try config.attention(
      width: width, groupsDefault: 8, headSizeDefault: 128, theta: 1_000_000, positions: 131_072,
      inputBias: try config("attention_bias", default: false))
    let experts = try config.correctedExperts(
      width: width, try config.activation("hidden_act", default: .silu),
      CorrectedExperts(count: 128, inner: 1280, scale: 1, balance: 0.001))

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), experts)
    }
  }
}
