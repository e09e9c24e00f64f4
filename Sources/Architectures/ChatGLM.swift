import Blueprint

/// ChatGLM2, ChatGLM3 and the first GLM-4: Llama's block with fused projections, half of each head turning.
///
/// Neighbouring dimensions turn; queries, keys and values have biases. Reference: the models' own
/// modeling_chatglm.py and configuration_chatglm.py (not those of the first ChatGLM).
public enum ChatGLM: Architecture {
  public static let names = ["ChatGLMModel", "ChatGLMForConditionalGeneration"]
  public static let note = "ChatGLM2, ChatGLM3, GLM-4 9B (its first files)"
  public static let origin = NameOrigin.nemo

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size", default: 4096)
    let eps = try config.positive("layernorm_epsilon", default: 1e-5)
    for key in ["post_layer_norm", "original_rope"] {
      try config.require(key, true, because: "no published model is without")
    }
    for key in ["apply_residual_connection_post_layernorm", "tie_word_embeddings"] {
      try config.require(key, false, because: "no published model has it so")
    }
    try config.require("quantization_bit", 0, because: "the weights are quantised")
    guard try config.optionalSize("pre_seq_len") == nil else {
      throw .unsupported(
        key: "pre_seq_len", value: "…", reason: "a learned prefix is no part of these models")
    }
    // The precision and the order of products, and the learned prefix that is not there.
    config.ignore(
      "apply_query_key_layer_scaling", "attention_softmax_in_fp32", "bias_dropout_fusion",
      "prefix_projection")
    let bias: Bool = try config("add_bias_linear", default: false)
    let attention = try attention(config, width: width, bias: bias)
    let mlp = MLP(
      width, inner: try config.size("ffn_hidden_size", default: 13_696), .silu,
      input: .stacked("mlp.dense_h_to_4h"), down: "mlp.dense_4h_to_h", bias: bias)
    let kind: Norm.Kind = try config("rmsnorm", default: true) ? .rms : .layer(bias: true)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, kind) }

    let frame = Frame(
      vocabulary: try config.size("padded_vocab_size", "vocab_size", default: 65_024),
      width: width,
      depth: try config.size("num_layers", "num_hidden_layers", default: 28, limit: 4096),
      isTied: false,
      positions: try config.size("seq_length", default: 2048, limit: 1 << 32),
      names: Frame.Names(
        embedding: "transformer.embedding.word_embeddings.weight",
        head: "transformer.output_layer.weight", blocks: "transformer.encoder.layers",
        buffers: ["transformer.rotary_pos_emb.inv_freq"]))
    var blueprint = Blueprint(frame, final: norm("transformer.encoder.final_layernorm")) { _ in
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), mlp)
    }
    blueprint.keepsResidualFloat32 = try config("fp32_residual_connection", default: false)
    return blueprint
  }

  private static func attention(
    _ config: Config, width: Int, bias: Bool
  ) throws(ConfigError) -> Attention {
    let heads = try config.size("num_attention_heads", default: 32, limit: 1 << 14)
    let headSize = try config.size("kv_channels", default: 128, limit: 1 << 14)
    guard headSize % 4 == 0 else {
      throw .contradiction("half of kv_channels \(headSize) are no pairs")
    }
    let stated = try config.size("multi_query_group_num", default: 1, limit: heads)
    let isGrouped: Bool = try config("multi_query_attention", default: false)
    guard heads % stated == 0 else {
      throw .contradiction(
        "num_attention_heads \(heads) is not a multiple of multi_query_group_num \(stated)")
    }
    let hasInputBias: Bool = try config("add_qkv_bias", default: false)
    let name = "self_attention.query_key_value"
    return Attention(
      width, heads: heads, groups: isGrouped ? stated : heads, headSize: headSize,
      rotary: Rotary(
        theta: 10_000 * (try config.positive("rope_ratio", default: 1)), dimensions: headSize / 2,
        isInterleaved: true),
      inputBias: bias || hasInputBias, outputBias: bias,
      // Without groups the tensor's rows go by head.
      projection: isGrouped ? .stacked(name) : .grouped(name), output: "self_attention.dense",
      buffers: [])
  }
}
