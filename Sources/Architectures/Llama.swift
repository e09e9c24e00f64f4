import Blueprint

/// Llama 1 to 3.3 and everything published under its class: RMS norms, rotary, grouped queries, gated MLP.
///
/// Reference: transformers/models/llama/modeling_llama.py
public enum Llama: Architecture {
  public static let names = ["LlamaForCausalLM"]
  public static let note = "Llama 1–3.3 and its many relatives (Yi, Vicuna, DeepSeek-LLM, …)"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let (heads, groups, headSize) = try config.heads(width: width)
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    let attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 2048), inputBias: bias,
      outputBias: bias)
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu),
      bias: try config("mlp_bias", default: false))

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
