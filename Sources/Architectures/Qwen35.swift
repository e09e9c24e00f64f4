import Blueprint

/// Qwen3.5's language model: Qwen3-Next's blocks with plain MLPs, the delta net's projections apart.
///
/// Released files hold a vision tower as well, which is passed by, and say `model.language_model.`.
/// Reference: transformers/models/qwen3_5/modeling_qwen3_5.py
public enum Qwen35: Architecture {
  public static let names = ["Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration"]
  public static let note = "Qwen3.5 0.8B–27B; the language model, a vision tower is kept beside it"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    try blueprint(config, groupsDefault: 4) { text, width, _ throws(ConfigError) in
      MLP(width, inner: try text.size("intermediate_size", default: 12_288), .silu)
    }
  }

  /// The blueprint around the feed-forward layers, which are asked for with a block's prefix.
  static func blueprint(
    _ config: Config, groupsDefault: Int,
    feedForward: (Config, _ width: Int, _ prefix: String) throws(ConfigError) -> any Layer
  ) throws(ConfigError) -> Blueprint {
    let text = try config.model("text_config") ?? config
    let width = try text.size("hidden_size")
    let depth = try text.depth()
    let eps = try text.positive("rms_norm_eps", default: 1e-6)
    try text.require("attn_output_gate", true, because: "the class always gates attention")
    // In text a token's three positions are one; and states are float32 in any case.
    try text.object("rope_parameters")?.ignore("mrope_interleaved", "mrope_section")
    text.ignore("mamba_ssm_dtype")
    let delta = try text.deltaNet(
      width: width, eps: eps,
      .flat(
        queryKeyValue: "in_proj_qkv", gate: "in_proj_z", beta: "in_proj_b", decay: "in_proj_a"))
    let attention = try text.gatedAttention(width: width, eps: eps, groupsDefault: groupsDefault)
    let isFull = try text.intervalLayers(depth: depth)

    let prefix = try prefix(config)
    let layer = try feedForward(text, width, prefix + "layers.0.")
    var frame = try text.frame(
      names: Frame.Names(embedding: prefix + "embed_tokens.weight", blocks: prefix + "layers"))
    frame.isTied = try config("tie_word_embeddings", default: frame.isTied)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .rmsUnitOffset) }
    var blueprint = Blueprint(frame, final: norm(prefix + "norm")) { index in
      Residual(norm("input_layernorm"), isFull[index] ? attention : delta)
      Residual(norm("post_attention_layernorm"), layer)
    }
    blueprint.bystanders = ["model.visual."]

    // Files may hold a predictor even where config.json says nothing.
    let predictors: Int? = try text.optional("mtp_num_hidden_layers")
    try text.check("mtp_num_hidden_layers", predictors ?? 1, in: 0...1)
    try text.require(
      "mtp_use_dedicated_embeddings", false, because: "predictors use the model's embedding")
    if predictors != 0 {
      let predicted = try feedForward(text, width, "mtp.layers.0.")
      blueprint.addMergedPredictor(isStated: predictors != nil) {
        Residual(norm("input_layernorm"), attention)
        Residual(norm("post_attention_layernorm"), predicted)
      }
    }
    return blueprint
  }

  /// What stands before the decoder's names: files of the whole model and of this part differ.
  private static func prefix(_ config: Config) throws(ConfigError) -> String {
    let (plain, nested) = ("model.", "model.language_model.")
    let isWhole = config.has("text_config")
    // The other parts of the whole model.
    config.ignore(
      "vision_config", "image_token_id", "video_token_id", "vision_start_token_id",
      "vision_end_token_id", "language_model_only")
    for prefix in [plain, nested] where config.stores(prefix + "embed_tokens.weight") == true {
      return prefix
    }
    return isWhole ? nested : plain
  }
}
