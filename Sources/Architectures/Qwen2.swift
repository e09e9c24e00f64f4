import Blueprint

/// Qwen 1.5, 2 and 2.5: Llama's block with biases on queries, keys and values, and windows on some layers.
///
/// Reference: transformers/models/qwen2/modeling_qwen2.py
public enum Qwen2: Architecture {
  public static let names = ["Qwen2ForCausalLM"]
  public static let note = "Qwen 1.5, 2, 2.5, QwQ; DeepSeek-R1-Distill-Qwen, …"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 32)
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    try config.require("use_mrope", false, because: "positions here are one number a token")
    let windows = try config.switchedWindows(depth: depth)
    let attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 32_768), inputBias: true)
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu))

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention.windowed(windows[index]))
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
