import Blueprint

/// Mistral 7B, Nemo, Small and Large: Llama's block with a window on attention and no biases.
///
/// Reference: transformers/models/mistral/modeling_mistral.py
public enum Mistral: Architecture {
  public static let names = ["MistralForCausalLM"]
  public static let note = "Mistral 7B, Nemo, Small, Large; GritLM 7B, Zephyr, …"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 8)
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    for key in ["attention_bias", "mlp_bias"] {
      try config.require(key, false, because: "this class has no biases")
    }
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 131_072))
    attention.window = try config.window(default: 4096)
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu))

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
