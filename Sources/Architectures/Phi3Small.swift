import Blueprint

/// Phi-3-small: every second layer sees blocks near by and stripes far off, the gate and its half are cut.
///
/// LayerNorms and biases throughout, fixed scales on embedding, scores and logits. Reference: the
/// models' own modeling_phi3_small.py and configuration_phi3_small.py; REMOTE_ARCHITECTURES.md says
/// what of them was seen.
public enum Phi3Small: Architecture {
  public static let names = ["Phi3SmallForCausalLM"]
  public static let note = "Phi-3-small 8k and 128k"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size", default: 4096)
    let eps = try config.positive("layer_norm_epsilon", default: 1e-5)
    try config.require("hidden_act", "gegelu", because: "the class knows no other activation")
    var mlp = MLP(
      width, inner: try inner(config, width: width), .quickGelu, input: .alternating("mlp.up_proj"),
      down: "mlp.down_proj", bias: true)
    mlp.limit = try config.nullable("gegelu_limit", default: 20)
    mlp.offset = 1
    let (dense, sparse) = try attentions(config, width: width)
    let period: Int? = try config.nullable("dense_attention_every_n_layers", default: 2)
    if let period { try config.check("dense_attention_every_n_layers", period, in: 0...4096) }
    // Dropout, kernels' sizes, and a key of other classes: these biases are always there.
    config.ignore(
      "embedding_dropout_prob", "attention_dropout_prob", "ffn_dropout_prob",
      "reorder_and_upcast_attn",
      "blocksparse_triton_kernel_block_size", "pad_sequence_to_multiple_of_64", "attention_bias")
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    var blueprint = Blueprint(try config.frame(isTied: true), final: norm("model.final_layernorm"))
    { [mlp] index in
      let isDense = period.map { $0 > 0 && (index + 1) % $0 == 0 } ?? false
      Residual(norm("input_layernorm"), isDense ? dense : sparse)
      Residual(norm("post_attention_layernorm"), mlp)
    }
    blueprint.embeddingScale = try config.nullable("mup_embedding_multiplier", default: 10)
    let divisor: Double? = try config.nullable("mup_width_multiplier", default: 8)
    if divisor != nil {
      blueprint.logitScale = 1 / (try config.positive("mup_width_multiplier", default: 8))
    }
    blueprint.silencedTokens = try config("dummy_token_indices", default: [])
    return blueprint
  }

  private static func attentions(
    _ config: Config, width: Int
  ) throws(ConfigError) -> (dense: Attention, sparse: Attention) {
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 8)
    try config.require(
      "rope_position_scale", 1.0, because: "the programs that know it disagree on what it means")
    var dense = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(
        headSize: headSize, theta: 1e6, positions: 8192, thetaKeys: ["rope_embedding_base"]),
      inputBias: true, outputBias: true, projection: .grouped("self_attn.query_key_value"),
      output: "self_attn.dense")
    let multiplier = try config.positive("mup_attn_multiplier", default: 1)
    if try config("mup_use_scaling", default: true) {
      dense.scale = multiplier / Double(headSize)
    }
    let stride = try config.size("blocksparse_vert_stride", default: 8)
    // Whether all heads have the same stripes; else each has them one step before its neighbour.
    let isUniform: Bool = try config("blocksparse_homo_head_pattern", default: false)
    var sparse = dense
    sparse.sparsity = BlockSparsity(
      size: try config.size("blocksparse_block_size", default: 64),
      local: try config.size("blocksparse_num_local_blocks", default: 16), stride: stride,
      step: isUniform ? 0 : max(1, stride / heads))
    return (dense, sparse)
  }

  private static func inner(_ config: Config, width: Int) throws(ConfigError) -> Int {
    let isPadded: Bool = try config("gegelu_pad_to_256", default: true)
    guard let factor = try config.optionalSize("ff_dim_multiplier", limit: 64) else {
      return try config.size("ff_intermediate_size", default: 14_336)
    }
    guard !config.has("ff_intermediate_size") else {
      throw .contradiction("both ff_dim_multiplier and ff_intermediate_size are given")
    }
    config.ignore("ff_intermediate_size")
    let size = factor * (width / 3) * 2
    return isPadded ? (size + 255) / 256 * 256 : size
  }
}
