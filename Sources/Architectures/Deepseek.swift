import Blueprint

/// DeepSeek's first mixture: Llama's attention, dense layers first, then experts beside one for every
/// token.
///
/// A layer from the first sparse one on has experts if its number is a multiple of `moe_layer_freq`.
/// DeepSeek-LLM is Llama. Reference: the model's own modeling_deepseek.py; arXiv 2401.06066.
public enum Deepseek: Architecture {
  public static let names = ["DeepseekForCausalLM"]
  public static let note = "DeepSeek-MoE 16B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    let attention = try config.attention(
      width: width, positions: 2048, inputBias: bias, outputBias: bias)

    let mlp = try config.mlp(width: width)
    let experts = try config.softmaxExperts(width: width, mlp.activation)
    let dense: Int = try config("first_k_dense_replace", default: 0)
    try config.check("first_k_dense_replace", dense, in: 0...depth)
    let step = try config.size("moe_layer_freq", default: 1)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"),
        index >= dense && index % step == 0 ? experts : mlp)
    }
  }
}
