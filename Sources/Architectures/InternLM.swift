import Blueprint

/// InternLM 1: Llama's block without groups, with biases on all of attention's projections or none.
///
/// Reference: modeling_internlm.py of the models' own repositories.
public enum InternLM: Architecture {
  public static let names = ["InternLMForCausalLM"]
  public static let note = "InternLM 7B, 20B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("bias", default: true)
    var attention = try config.attention(
      width: width, positions: 2048, inputBias: bias, outputBias: bias)
    guard attention.groups == attention.heads else {
      throw .contradiction("num_key_value_heads is not num_attention_heads, as this class has it")
    }
    if let rotary = try rotary(config, of: attention) { attention.rotary = rotary }
    let mlp = try config.mlp(width: width)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }

  /// The rotation where the file describes it under the later code's key; the first files do not.
  private static func rotary(
    _ config: Config, of attention: Attention
  ) throws(ConfigError) -> Rotary? {
    guard let object = try config.object("rotary") else { return nil }
    try object.require("type", "origin", "dynamic", because: "the class knows no other")
    let kind: String = try object("type", default: "dynamic")
    let factor = try object.positive("scaling_factor", default: 1)
    return Rotary(
      theta: try object.positive("base", default: 10_000), dimensions: attention.headSize,
      scaling: kind == "origin"
        ? .none
        : .dynamic(
          factor: factor, original: try config.size("max_position_embeddings", default: 2048)))
  }
}
