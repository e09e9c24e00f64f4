import Blueprint

/// LFM2: gated short convolutions in attention's place in most blocks; norms on queries and keys.
///
/// The names of its convolutions in Megatron are our own. Reference:
/// transformers/models/lfm2/modeling_lfm2.py
public enum Lfm2: Architecture {
  public static let names = ["Lfm2ForCausalLM"]
  public static let note = "LFM2 350M–2.6B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("norm_eps", default: 1e-5)
    try ignoreFirstCodesKeys(config, width: width)
    let convolution = ShortConvolution(
      width, kernel: try config.size("conv_L_cache", default: 3, limit: 1 << 10),
      bias: try config("conv_bias", default: false))
    let attention = try attention(config, width: width, eps: eps)
    let attended: [Int]? = try config.optional("full_attn_idxs")
    for index in attended ?? [] { try config.check("full_attn_idxs", index, in: 0...depth - 1) }
    let isAttention =
      try config.attentionLayers(depth: depth, others: ["conv"])
      ?? (0..<depth).map { attended?.contains($0) ?? true }
    let mlp = MLP(
      width, inner: try inner(config), .silu,
      input: .gated(gate: "feed_forward.w1", up: "feed_forward.w3"), down: "feed_forward.w2")

    let isTied: Bool? = try config.optional("tie_embedding")
    var frame = try config.frame(isTied: true)
    frame.isTied = isTied ?? frame.isTied
    return Blueprint(frame, final: Norm(width, eps: eps, "model.embedding_norm")) { index in
      Residual(
        Norm(width, eps: eps, "operator_norm"), isAttention[index] ? attention : convolution)
      Residual(Norm(width, eps: eps, "ffn_norm"), mlp)
    }
  }

  private static func attention(
    _ config: Config, width: Int, eps: Double
  ) throws(ConfigError) -> Attention {
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 8)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, theta: 1_000_000, positions: 128_000),
      output: "self_attn.out_proj")
    attention.headNorms = HeadNorms("self_attn.q_layernorm", "self_attn.k_layernorm", eps: eps)
    return attention
  }

  /// The feed-forward layers' inner width: two thirds of what is stated, rounded up, unless that is off.
  private static func inner(_ config: Config) throws(ConfigError) -> Int {
    let stated = try config.size("block_ff_dim", "intermediate_size", default: 12_288)
    let unit = try config.size("block_multiple_of", default: 256)
    let factor: Double? = try config.nullable("block_ffn_dim_multiplier", default: 1)
    guard try config("block_auto_adjust_ff_dim", default: true) else { return stated }
    let adjusted = Int(Double(2 * stated) / 3)
    guard let factor else { return adjusted }
    guard factor > 0, factor < 64 else {
      throw .outOfRange(
        key: "block_ffn_dim_multiplier", expected: "above 0, below 64", found: "\(factor)")
    }
    return (Int(factor * Double(adjusted)) + unit - 1) / unit * unit
  }

  /// Keys of the code the models were trained with, which this class does not read.
  private static func ignoreFirstCodesKeys(_ config: Config, width: Int) throws(ConfigError) {
    for key in ["block_dim", "conv_dim", "conv_dim_out"] {
      try config.require(key, width, because: "all layers have the model's width")
    }
    for key in ["block_use_swiglu", "use_pos_enc"] {
      try config.require(key, true, because: "the class knows nothing else")
    }
    config.ignore("block_norm_eps", "num_heads")
    // How fresh weights are drawn.
    config.ignore(
      "block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init",
      "conv_use_xavier_init")
  }
}
