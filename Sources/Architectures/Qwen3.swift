import Blueprint

/// Qwen3, dense: Llama's block, queries and keys RMS-normed per head, a head size of its own.
///
/// Reference: transformers/models/qwen3/modeling_qwen3.py
public enum Qwen3: Architecture {
  public static let names = ["Qwen3ForCausalLM"]
  public static let note = "Qwen3 0.6B–32B, dense"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let (heads, groups, headSize) = try config.heads(
      width: width, groupsDefault: 32, headSizeDefault: 128)
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    let windows = try config.switchedWindows(depth: depth)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 32_768), inputBias: bias,
      outputBias: bias)
    attention.headNorms = HeadNorms(eps: eps)
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu))

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention.windowed(windows[index]))
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
