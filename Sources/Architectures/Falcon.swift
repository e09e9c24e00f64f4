import Blueprint

/// Falcon 1 and 2: attention and MLP side by side on one norm or two, or in turn with ALiBi.
///
/// Queries, keys and values are one tensor in groups: of one key (7B), of several (40B, 11B), of one
/// head each (rw). Reference: transformers/models/falcon/modeling_falcon.py; the older spellings of
/// keys are those of the models' own first code (RWForCausalLM).
public enum Falcon: Architecture {
  public static let names = ["FalconForCausalLM", "RWForCausalLM"]
  public static let note = "Falcon 7B, 40B, 180B, Falcon 2 11B, Falcon-RW"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size", "n_embed")
    let eps = try config.positive("layer_norm_epsilon", default: 1e-5)
    let bias: Bool = try config("bias", default: false)
    try config.require(
      "apply_residual_connection_post_layernorm", false,
      because: "the residual of every published model bypasses the norm")
    // The first 40B configuration says so only by naming its key heads.
    let isGrouped: Bool = try config(
      "new_decoder_architecture", default: config.has("n_head_kv"))
    let attention = try attention(config, width: width, isGrouped: isGrouped, bias: bias)
    let mlp = MLP(
      width, inner: try inner(config, width: width),
      try config.activation("activation", default: .gelu), input: .plain("mlp.dense_h_to_4h"),
      down: "mlp.dense_4h_to_h", bias: bias)
    let runsParallel: Bool = try config("parallel_attn", default: true)
    let isParallel = isGrouped || runsParallel
    let norms: Int = try config("num_ln_in_parallel_attn", default: isGrouped ? 2 : 1)
    try config.check("num_ln_in_parallel_attn", norms, in: 1...(isGrouped ? 2 : 1))
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    let frame = try config.frame(
      isTied: true, depth: config.size("num_hidden_layers", "n_layer", limit: 4096), width: width,
      names: Frame.Names(embedding: "transformer.word_embeddings.weight", blocks: "transformer.h"))
    return Blueprint(frame, final: norm("transformer.ln_f")) { _ in
      if isParallel, norms == 2 {
        ParallelResidual(
          Residual(norm("ln_attn"), attention), Residual(norm("ln_mlp"), mlp))
      } else if isParallel {
        ParallelResidual(shared: norm("input_layernorm"), attention, mlp)
      } else {
        Residual(norm("input_layernorm"), attention)
        Residual(norm("post_attention_layernorm"), mlp)
      }
    }
  }

  private static func attention(
    _ config: Config, width: Int, isGrouped: Bool, bias: Bool
  ) throws(ConfigError) -> Attention {
    let heads = try config.size("num_attention_heads", "n_head", limit: 1 << 14)
    guard width % heads == 0 else {
      throw .contradiction(
        "hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
    let stated = try config.optionalSize("num_kv_heads", "n_head_kv", limit: heads)
    let isMultiQuery: Bool = try config("multi_query", default: true)
    let groups = isGrouped ? stated ?? heads : isMultiQuery ? 1 : heads
    guard heads % groups == 0 else {
      throw .contradiction(
        "num_attention_heads \(heads) is not a multiple of num_kv_heads \(groups)")
    }
    let rotary = try config.rotary(headSize: width / heads, positions: 2048)
    let hasALiBi: Bool = try config("alibi", default: false)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: width / heads,
      rotary: hasALiBi ? nil : rotary, inputBias: bias, outputBias: bias,
      projection: .grouped("self_attention.query_key_value"), output: "self_attention.dense",
      buffers: ["self_attention.rotary_emb.inv_freq"])
    if hasALiBi { attention.alibi = ALiBi(isScaled: true, isRounded: true) }
    return attention
  }

  private static func inner(_ config: Config, width: Int) throws(ConfigError) -> Int {
    let factor = try config.optionalSize("ff_factor", limit: 64)
    let stated = try config.optionalSize("ffn_hidden_size")
    if let factor, let stated, stated != factor * width {
      throw .contradiction(
        "ffn_hidden_size \(stated) is not ff_factor \(factor) times hidden_size \(width)")
    }
    return stated ?? (factor ?? 4) * width
  }
}
