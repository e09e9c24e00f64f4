import Blueprint

/// Bamba: each block a Mamba-2 layer, in a few blocks attention, and an MLP.
///
/// To Megatron the two are layers of a hybrid stack: block i is its layers 2i and 2i + 1.
/// Reference: transformers/models/bamba/modeling_bamba.py
public enum Bamba: Architecture {
  public static let names = ["BambaForCausalLM"]
  public static let note = "Bamba 9B v1, v2"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    config.ignore("z_loss_coefficient")
    let mamba = try config.mamba(width: width, eps: eps, .bamba, prefix: "mamba")
    let attention = try attention(config, width: width)
    let attended = Set(try config("attn_layer_indices", default: [Int]()))
    for index in attended { try config.check("attn_layer_indices", index, in: 0...depth - 1) }
    let mlp = MLP(
      width, inner: try config.size("intermediate_size", default: 14_336),
      try config.activation("hidden_act", default: .silu),
      input: .gated(gate: "feed_forward.gate_proj", up: "feed_forward.up_proj"),
      down: "feed_forward.down_proj", bias: try config("mlp_bias", default: false))

    let final = Norm(width, eps: eps, "model.final_layernorm")
    return Blueprint(try config.frame(), final: final) { index in
      Residual(
        Norm(width, eps: eps, "input_layernorm"), attended.contains(index) ? attention : mamba)
      Residual(Norm(width, eps: eps, "pre_ff_layernorm"), mlp)
    }
  }

  private static func attention(_ config: Config, width: Int) throws(ConfigError) -> Attention {
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 8)
    let bias: Bool = try config("attention_bias", default: false)
    // The class turns half of each head, whatever the file says.
    try config.require("partial_rotary_factor", 0.5, because: "half of each head turns")
    try config.require("attn_rotary_emb", headSize / 2, because: "half of each head turns")
    return Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, partial: 0.5, positions: 262_144),
      inputBias: bias, outputBias: bias)
  }
}
