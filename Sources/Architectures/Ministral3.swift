import Blueprint

/// Ministral 3, text: Mistral's block, queries scaled up by their position beyond the first training.
///
/// Released files hold a vision tower as well, which is passed by; Mistral Small 3.1 is such a whole
/// model too, around Mistral's own class.
/// Reference: transformers/models/ministral3/modeling_ministral3.py and mistral3
public enum Ministral3: Architecture {
  public static let names = ["Ministral3ForCausalLM", "Mistral3ForConditionalGeneration"]
  public static let note =
    "Ministral 3, Mistral Small 3.1 and 3.2; the language model, a vision tower is kept beside it"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    guard config.has("text_config") else { return try text(config) }
    return try config.languageModel(
      names: ["model.": "language_model.model.", "lm_head.": "language_model.lm_head."],
      bystanders: ["vision_tower.", "multi_modal_projector."], isTied: false
    ) { config throws(ConfigError) in
      let kind: String = try config("model_type", default: "mistral")
      switch kind {
      case "mistral": return try Mistral.blueprint(config)
      case "ministral3": return try text(config)
      default:
        throw .unsupported(
          key: "text_config.model_type", value: "\"\(kind)\"",
          reason: "the language models known beside this tower are mistral and ministral3")
      }
    }
  }

  private static func text(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    var attention = try config.attention(
      width: width, groupsDefault: 8, headSizeDefault: 128, positions: 262_144)
    attention.window = try config.window(default: nil)
    guard let rope = try config.object("rope_parameters") else {
      throw .missing(key: "rope_parameters")
    }
    attention.temperature = QueryTemperature(
      slope: try rope("llama_4_scaling_beta"),
      period: Double(try rope.size("original_max_position_embeddings", limit: 1 << 32)), first: 0)
    // A copy of what stands outside.
    rope.ignore("max_position_embeddings")
    let mlp = try config.mlp(width: width)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
