import Blueprint

/// StarCoder and SantaCoder: GPT-2's block with learned positions and one key head, or one for each.
///
/// Queries, keys and values are one tensor, by group. Reference:
/// transformers/models/gpt_bigcode/modeling_gpt_bigcode.py
public enum GPTBigCode: Architecture {
  public static let names = ["GPTBigCodeForCausalLM"]
  public static let note = "StarCoder, StarCoderBase, StarCoderPlus, SantaCoder"
  public static let origin = NameOrigin.nemo

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("n_embd", "hidden_size", default: 768)
    let heads = try config.size("n_head", "num_attention_heads", default: 12, limit: 1 << 14)
    let headSize = try config.headSize(of: width, heads: heads)
    let eps = try config.positive("layer_norm_epsilon", default: 1e-5)
    let isMultiQuery: Bool = try config("multi_query", default: true)
    let isScaled: Bool = try config("scale_attn_weights", default: true)
    try config.require(
      "add_cross_attention", false, because: "a decoder alone has nothing to look across at")
    // The precision and the order of a product, and how the first code was served.
    config.ignore(
      "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "inference_runner",
      "validate_runner_input", "pre_allocate_kv_cache", "pad_key_length", "max_batch_size",
      "max_sequence_length")
    // The class derives it.
    config.ignore("num_key_value_heads")

    var attention = Attention(
      width, heads: heads, groups: isMultiQuery ? 1 : heads, headSize: headSize, rotary: nil,
      inputBias: true, outputBias: true, projection: .grouped("attn.c_attn"),
      output: "attn.c_proj", buffers: ["attn.bias", "attn.masked_bias"])
    if !isScaled { attention.scale = 1 }
    let mlp = MLP(
      width, inner: try config.optionalSize("n_inner") ?? 4 * width,
      try config.activation("activation_function", default: .geluTanh), input: .plain("mlp.c_fc"),
      down: "mlp.c_proj", bias: true)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    let frame = Frame(
      vocabulary: try config.size("vocab_size", default: 50_257), width: width,
      depth: try config.size("n_layer", "num_hidden_layers", default: 12, limit: 4096),
      isTied: try config("tie_word_embeddings", default: true),
      positions: try config.size("n_positions", "max_position_embeddings", default: 1024),
      initialDeviation: try config("initializer_range", default: 0.02),
      names: Frame.Names(
        embedding: "transformer.wte.weight", blocks: "transformer.h",
        positions: "transformer.wpe.weight"))
    return Blueprint(frame, final: norm("transformer.ln_f")) { [attention] _ in
      Residual(norm("ln_1"), attention)
      Residual(norm("ln_2"), mlp)
    }
  }
}
