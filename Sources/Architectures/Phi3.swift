import Blueprint

/// Phi-3, Phi-3.5 and Phi-4 (not the small and mixture models): Llama's block with fused projections.
///
/// Queries, keys and values are one tensor, gate and up another; long contexts use LongRoPE.
/// Reference: transformers/models/phi3/modeling_phi3.py
public enum Phi3: Architecture {
  public static let names = ["Phi3ForCausalLM"]
  public static let note = "Phi-3 mini and medium, Phi-3.5 mini, Phi-4, Phi-4-mini"
  public static let origin = NameOrigin.nemo

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let (heads, groups, headSize) = try config.heads(width: width)
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    for key in ["attention_bias", "mlp_bias", "lm_head_bias"] {
      try config.require(key, false, because: "this class has no biases")
    }
    for key in ["full_attn_mod", "interpolate_factor"] {
      try config.require(key, 1, because: "the class's code knows no other value")
    }
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 4096),
      projection: .stacked("self_attn.qkv_proj"))
    attention.window = try config.window(default: nil)
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu), input: .stacked("mlp.gate_up_proj"))

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
