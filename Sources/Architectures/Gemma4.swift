import Blueprint

/// Gemma 4, text: Gemma 3's block with plain norms, wider heads where layers see all, normed values.
///
/// Small models tell each block of the token by a table of its own, and their last blocks use the keys
/// and values of earlier ones; others have experts beside the MLP. The sizes of heads that see all
/// stand in `global_head_dim`, or as transformers 5 writes them in `per_layer_config`. Released files
/// hold towers for pictures and sound as well, which are passed by.
/// Reference: transformers/models/gemma4/modeling_gemma4.py
public enum Gemma4: Architecture {
  public static let names = ["Gemma4ForCausalLM", "Gemma4ForConditionalGeneration"]
  public static let note = "Gemma 4 E2B–31B; the language model, other towers are kept beside it"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    guard config.has("text_config") else { return try text(config) }
    return try config.languageModel(
      names: ["model.": "model.language_model."],
      bystanders: [
        "model.vision_tower.", "model.audio_tower.", "model.embed_vision.", "model.embed_audio.",
      ], isTied: true, text)
  }

  private static func text(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    // Its other value makes the model see pictures' tokens at once.
    try config.require(
      "use_bidirectional_attention", "vision", because: "a decoder sees only what came before")
    var slides = try config.slidingLayers(depth: depth) ?? (1...depth).map { $0 % 6 != 0 }
    // The class makes the last layer see all, whatever the file says.
    slides[depth - 1] = false
    let attentions = try attentions(config, width: width, eps: eps, slides)
    let size: Int = try config("hidden_size_per_layer_input", default: 256)
    try config.check("hidden_size_per_layer_input", size, in: 0...1 << 16)
    let activation = try config.activation("hidden_activation", default: .geluTanh)
    let inner = try config.size("intermediate_size")
    let isDoubled: Bool = try config("use_double_wide_mlp", default: false)
    let experts = try experts(config, width: width, eps: eps, activation)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name) }

    var blueprint = Blueprint(try config.frame(isTied: true), final: norm("model.norm")) { index in
      let attention = attentions[index]
      let (before, after) = (norm("pre_feedforward_layernorm"), norm("post_feedforward_layernorm"))
      let mlp = MLP(
        width, inner: isDoubled && attention.keySource.isElsewhere ? 2 * inner : inner, activation)
      Residual(
        norm("input_layernorm"), attention, after: norm("post_attention_layernorm"))
      if let experts {
        ParallelResidual(
          Residual(before, mlp, after: norm("post_feedforward_layernorm_1")),
          Residual(
            norm("pre_feedforward_layernorm_2"), experts,
            after: norm("post_feedforward_layernorm_2")),
          after: after)
      } else {
        Residual(before, mlp, after: after)
      }
      if size > 0 {
        Residual(
          nil,
          LayerInput(
            width, size: size, activation, gate: "per_layer_input_gate",
            output: "per_layer_projection"),
          after: norm("post_per_layer_input_norm"))
      }
      Scalar("layer_scalar")
    }
    blueprint.embeddingScale = Double(width).squareRoot()
    blueprint.logitSoftCap = try config.optional("final_logit_softcapping")
    blueprint.separatesNorms = experts == nil
    let vocabulary = try config.size("vocab_size_per_layer_input", default: 262_144)
    if size > 0 {
      blueprint.layerInputs = LayerInputs(
        vocabulary: vocabulary, size: size, table: "model.embed_tokens_per_layer",
        projection: "model.per_layer_model_projection",
        norm: Norm(size, eps: eps, "model.per_layer_projection_norm"))
    }
    return blueprint
  }

  /// The attention of each layer.
  private static func attentions(
    _ config: Config, width: Int, eps: Double, _ slides: [Bool]
  ) throws(ConfigError) -> [Attention] {
    let (heads, groups, headSize) = try config.heads(
      width: width, headsDefault: 8, groupsDefault: 4, headSizeDefault: 256)
    let isShared: Bool = try config("attention_k_eq_v", default: false)
    let wideSize = try config.size("global_head_dim", default: 512, limit: 1 << 14)
    let stated = try config.optionalSize("num_global_key_value_heads", limit: 1 << 14)
    let wideGroups = (isShared ? stated : nil) ?? groups
    let window = try config.window(default: 512)
    let bias: Bool = try config("attention_bias", default: false)
    var attentions: [Attention] = []
    for (index, isSliding) in slides.enumerated() {
      let own = try config.layerHeads(
        index, heads: heads, groups: isSliding ? groups : wideGroups,
        headSize: isSliding ? headSize : wideSize)
      let rotaries = try config.rotaries(headSize: own.headSize, positions: 131_072)
      var attention = Attention(
        width, heads: heads, groups: own.groups, headSize: own.headSize,
        rotary: isSliding ? rotaries.sliding : rotaries.full, inputBias: bias, outputBias: bias)
      attention.headNorms = HeadNorms(eps: eps)
      attention.valueEps = eps
      attention.scale = 1
      if isSliding {
        attention.window = window
      } else {
        if isShared { attention.keySource = .sameProjection }
        if !config.has("rope_parameters") { attention.rotary?.pairs = own.headSize / 8 }
      }
      attentions.append(attention)
    }
    let reusing: Int = try config("num_kv_shared_layers", default: 0)
    try config.check("num_kv_shared_layers", reusing, in: 0...slides.count - 1)
    return try attentions.reusingKeys(last: reusing)
  }

  private static func experts(
    _ config: Config, width: Int, eps: Double, _ activation: Activation
  ) throws(ConfigError) -> Experts? {
    guard try config("enable_moe_block", default: false) else {
      config.ignore("num_experts", "top_k_experts", "moe_intermediate_size")
      return nil
    }
    let count = try config.size("num_experts", limit: 4096)
    let perToken = try config.size("top_k_experts", limit: count)
    var router = Router("router.proj", .softmax, perToken: perToken, isNormalized: true)
    router.input = Router.Input(scale: "router.scale", eps: eps)
    router.expertScale = "router.per_expert_scale"
    return Experts(
      width, count: count, inner: try config.size("moe_intermediate_size"), activation,
      router: router,
      storage: .stacked(input: "experts.gate_up_proj", down: "experts.down_proj"))
  }
}
