import Blueprint

/// Hunyuan's dense models: Llama's block, queries and keys normed per head after they have turned.
///
/// The base of the rotation is stretched for good, whatever the length; published files call that
/// "dynamic". Reference: transformers/models/hunyuan_v1_dense/modeling_hunyuan_v1_dense.py
public enum HunYuanDense: Architecture {
  public static let names = ["HunYuanDenseV1ForCausalLM"]
  public static let note = "Hunyuan 0.5B–7B, Hunyuan-MT 7B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    try requireWhatTheClassDoes(config)
    let (heads, groups, headSize) = try config.heads(width: width)
    let other: Int = try config("attention_head_dim", default: headSize)
    guard other == headSize else {
      throw .contradiction("attention_head_dim \(other) is not head_dim \(headSize)")
    }
    let bias: Bool = try config("attention_bias", default: false)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 2048, knowsAlpha: true),
      inputBias: bias, outputBias: bias)
    attention.headNorms = HeadNorms(
      "self_attn.query_layernorm", "self_attn.key_layernorm", eps: eps, followsRotation: true)
    let mlp = try config.mlp(width: width)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }

  /// Published files carry switches of relatives with experts, other attentions and images.
  private static func requireWhatTheClassDoes(_ config: Config) throws(ConfigError) {
    try config.require("norm_type", "rms", because: "the class has RMS norms")
    for key in ["use_qk_norm", "use_rotary_pos_emb"] {
      try config.require(key, true, because: "the class always does")
    }
    for key in ["use_cla", "use_mla", "mlp_bias", "position_embedding_xdrope"] {
      try config.require(key, false, because: "the class has none of it")
    }
    try config.require("num_experts", 1, because: "this is the class without experts")
    config.ignore(
      "cla_share_factor", "add_classification_head", "class_num", "dense_list", "pool_type",
      "skip_cls_token", "org_vocab_size", "mask_init_id", "eod_token_id", "pad_id", "sep_id",
      "im_start_id", "im_end_id", "im_newline_id", "text_start_id", "text_end_id",
      "image_token_id", "video_start_id", "video_end_id")
  }
}
