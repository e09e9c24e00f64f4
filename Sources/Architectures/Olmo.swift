import Blueprint

/// OLMo 1: Llama's block with norms that have nothing to learn; some clip queries, keys and values.
///
/// Files of its own program have other keys and fused projections, the gate behind what it gates.
/// References: transformers/models/olmo/modeling_olmo.py; olmo/model.py and olmo/config.py.
public enum Olmo: Architecture {
  public static let names = ["OlmoForCausalLM", "OLMoForCausalLM"]
  public static let note = "OLMo 1B, 7B, 7B of April and July 2024, with code of their own or not"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    if config.has("d_model") { return try original(config) }
    let width = try config.size("hidden_size")
    let bias: Bool = try config("attention_bias", default: false)
    var attention = try config.attention(
      width: width, positions: 2048, inputBias: bias, outputBias: bias)
    attention.clip = try config.optional("clip_qkv")
    let mlp = try config.mlp(width: width)
    // The norm's eps is the class's, whatever the file says.
    config.ignore("rms_norm_eps")
    let norm = Norm(width, eps: 1e-5, "norm", .layerWithoutWeight)

    return Blueprint(try config.frame(), final: norm) { [attention] _ in
      Residual(norm, attention)
      Residual(norm, mlp)
    }
  }

  /// In the keys and names of the models' own program.
  private static func original(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("d_model")
    let heads = try config.size("n_heads", limit: 1 << 14)
    guard width % heads == 0 else {
      throw .contradiction("d_model \(width) is not a multiple of n_heads \(heads)")
    }
    try requirePublished(config)
    let isMultiQuery: Bool = try config("multi_query_attention", default: false)
    let groups = try config.size("n_kv_heads", default: isMultiQuery ? 1 : heads, limit: heads)
    guard heads % groups == 0 else {
      throw .contradiction("n_heads \(heads) is not a multiple of n_kv_heads \(groups)")
    }
    let positions = try config.size("max_sequence_length", default: 1024, limit: 1 << 32)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: width / heads,
      rotary: try config.rotary(headSize: width / heads, positions: positions),
      projection: .stacked("att_proj"), output: "attn_out", buffers: [])
    attention.clip = try config.optional("clip_qkv")
    let ratio = try config.size("mlp_ratio", default: 4)
    let rows = try config.size("mlp_hidden_size", default: ratio * width)
    guard rows % 2 == 0 else {
      throw .contradiction("mlp_hidden_size \(rows) is no pair of halves")
    }
    let mlp = MLP(width, inner: rows / 2, .silu, input: .stackedUpFirst("ff_proj"), down: "ff_out")
    let norm = Norm(width, eps: 1e-5, "norm", .layerWithoutWeight)

    let vocabulary = try config.size("vocab_size")
    let frame = Frame(
      // The table may have more rows than there are tokens.
      vocabulary: try config.optionalSize("embedding_size") ?? vocabulary, width: width,
      depth: try config.size("n_layers", limit: 4096),
      isTied: try config("weight_tying", default: true), positions: positions,
      initialDeviation: try config("init_std", default: 0.02),
      names: Frame.Names(
        embedding: "model.transformer.wte.weight", head: "model.transformer.ff_out.weight",
        blocks: "model.transformer.blocks"))
    return Blueprint(frame, final: norm) { [attention] _ in
      Residual(norm, attention)
      Residual(norm, mlp)
    }
  }

  /// Refuses what the program can do and no published model does.
  private static func requirePublished(_ config: Config) throws(ConfigError) {
    try config.require("activation_type", "swiglu", because: "every published model gates by SiLU")
    try config.require(
      "layer_norm_type", "default", "low_precision",
      because: "every published model norms without weights")
    try config.require("rope", true, because: "every published model turns queries and keys")
    try config.require(
      "block_type", "sequential", because: "every published model has plain blocks")
    for key in [
      "alibi", "attention_layer_norm", "include_bias", "layer_norm_with_affine",
      "attention_layer_norm_with_affine", "bias_for_layer_norm", "scale_logits",
    ] {
      try config.require(key, false, because: "no published model has it")
    }
    // Precision, speed, initialisation and what training dropped.
    config.ignore(
      "flash_attention", "rope_full_precision", "init_device", "init_fn", "init_cutoff_factor",
      "precision", "block_group_size", "mlp_ratio", "attention_dropout", "embedding_dropout",
      "residual_dropout", "alibi_bias_max")
  }
}
