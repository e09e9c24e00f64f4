import Blueprint

/// MiniCPM3: MiniCPM's scales around latent attention, whose turning dimensions are halves.
///
/// Reference: transformers/models/minicpm3/modeling_minicpm3.py
public enum MiniCPM3: Architecture {
  public static let names = ["MiniCPM3ForCausalLM"]
  public static let note = "MiniCPM3 4B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    for key in ["attention_bias", "mlp_bias"] {
      try config.require(key, false, because: "no published model of the family has such biases")
    }
    let attention = try attention(config, width: width)
    let mlp = try config.mlp(width: width)
    let scales = try MiniCPM.Scales(config, width: width)

    var blueprint = Blueprint(
      try config.frame(isTied: true, deviation: 0.1), final: Norm(width, eps: eps, "model.norm")
    ) { _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention, scale: scales.residual)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp, scale: scales.residual)
    }
    scales.apply(to: &blueprint)
    return blueprint
  }

  private static func attention(_ config: Config, width: Int) throws(ConfigError) -> LatentAttention
  {
    let heads = try config.size("num_attention_heads", limit: 1 << 14)
    let keys: Int = try config("num_key_value_heads", default: heads)
    guard keys == heads else {
      throw .contradiction(
        "num_key_value_heads \(keys) is not num_attention_heads \(heads), as latent attention has it"
      )
    }
    let turning = try config.size("qk_rope_head_dim", default: 32, limit: 1 << 14)
    let stated = try config.optionalSize("v_head_dim", limit: 1 << 14)
    let shared = stated == nil ? try config.headSize(of: width, heads: heads) : nil
    // The class sets it to qk_rope_head_dim, whatever the file says.
    config.ignore("head_dim")
    let queryRank: Int? = try config.nullable("q_lora_rank", default: 768)
    if let queryRank { try config.check("q_lora_rank", queryRank, in: 1...1 << 20) }
    return LatentAttention(
      width, heads: heads, queryRank: queryRank,
      keyValueRank: try config.size("kv_lora_rank", default: 256),
      plainSize: try config.size("qk_nope_head_dim", default: 64, limit: 1 << 14),
      rotary: try config.rotary(headSize: turning, positions: 32_768),
      valueSize: stated ?? shared ?? turning,
      // The norms on latents take their class's default, not rms_norm_eps.
      eps: 1e-6)
  }
}
