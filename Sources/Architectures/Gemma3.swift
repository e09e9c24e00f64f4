import Blueprint

/// Gemma 3, text: Gemma 2's block with normed queries and keys in place of capped scores.
///
/// Five layers in six slide, and turn queries and keys faster than those that see all. The larger
/// sizes are released with a vision tower, which is passed by; their files leave most of the text's
/// keys to the class's defaults.
/// Reference: transformers/models/gemma3/modeling_gemma3.py
public enum Gemma3: Architecture {
  public static let names = ["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"]
  public static let note = "Gemma 3 270M–27B; the language model, a vision tower is kept beside it"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    guard config.has("text_config") else { return try text(config) }
    return try config.languageModel(
      names: ["model.": "language_model.model.", "lm_head.": "language_model.lm_head."],
      bystanders: ["vision_tower.", "multi_modal_projector."], isTied: true, text)
  }

  private static func text(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size", default: 2304)
    let depth = try config.size("num_hidden_layers", default: 26, limit: 4096)
    let (heads, groups, headSize) = try config.heads(
      width: width, headsDefault: 8, groupsDefault: 4, headSizeDefault: 256)
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    try config.require(
      "use_bidirectional_attention", false, because: "a decoder sees only what came before")
    let rotaries = try config.rotaries(headSize: headSize, positions: 131_072)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize, rotary: rotaries.full,
      inputBias: bias, outputBias: bias)
    attention.headNorms = HeadNorms(eps: eps, .rmsUnitOffset)
    attention.scale = 1 / (try config.positive("query_pre_attn_scalar", default: 256)).squareRoot()
    attention.softCap = try config.optional("attn_logit_softcapping")
    var sliding = attention.windowed(try config.window(default: 4096))
    sliding.rotary = rotaries.sliding
    let slides = try config.slidingPattern(depth: depth, default: 6)
    // The class reads only the first of the two spellings.
    config.ignore("hidden_act")
    let mlp = MLP(
      width, inner: try config.size("intermediate_size", default: 9216),
      try config.activation("hidden_activation", default: .geluTanh))
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .rmsUnitOffset) }

    let frame = try config.frame(isTied: true, vocabulary: 262_208, depth: depth, width: width)
    var blueprint = Blueprint(frame, final: norm("model.norm")) {
      [attention, sliding] index in
      Residual(
        norm("input_layernorm"), slides[index] ? sliding : attention,
        after: norm("post_attention_layernorm"))
      Residual(
        norm("pre_feedforward_layernorm"), mlp, after: norm("post_feedforward_layernorm"))
    }
    if frame.positions == nil { blueprint.frame.positions = 131_072 }
    blueprint.embeddingScale = Double(width).squareRoot()
    blueprint.logitSoftCap = try config.optional("final_logit_softcapping")
    return blueprint
  }
}
