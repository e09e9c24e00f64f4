import Blueprint

/// Ministral 3, text: Mistral's block, queries scaled up by their position beyond the first training.
///
/// Reference: transformers/models/ministral3/modeling_ministral3.py
public enum Ministral3: Architecture {
  public static let names = ["Ministral3ForCausalLM"]
  public static let note = "Ministral 3 3B, 8B, 14B, as text models"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
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
