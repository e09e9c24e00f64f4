import Blueprint

/// Seed-OSS: Llama's block, biases on queries, keys and values by one switch, on the output by another.
///
/// Reference: transformers/models/seed_oss/modeling_seed_oss.py
public enum SeedOss: Architecture {
  public static let names = ["SeedOssForCausalLM"]
  public static let note = "Seed-OSS 36B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let attention = try config.attention(
      width: width, groupsDefault: 8, headSizeDefault: 128, positions: 524_288,
      inputBias: config("attention_bias", default: true),
      outputBias: config("attention_out_bias", default: false))
    let mlp = try config.mlp(width: width, bias: config("mlp_bias", default: false))

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
