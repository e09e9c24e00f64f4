import Blueprint

/// InternLM 3: Llama's block, biases on queries, keys and values by one switch and on the rest by another.
///
/// Reference: modeling_internlm3.py of the models' own repositories.
public enum InternLM3: Architecture {
  public static let names = ["InternLM3ForCausalLM"]
  public static let note = "InternLM3 8B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    // transformers 5 loads the class as a Llama and writes the switches under its names as well.
    let inputBias: Bool = try config.optional(anyOf: ["qkv_bias", "attention_bias"]) ?? false
    let bias: Bool = try config.optional(anyOf: ["bias", "mlp_bias"]) ?? false
    let attention = try config.attention(
      width: width, groupsDefault: 32, positions: 32_768, inputBias: inputBias, outputBias: bias)
    let mlp = try config.mlp(width: width, bias: bias)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
