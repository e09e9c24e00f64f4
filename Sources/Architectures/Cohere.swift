import Blueprint

/// Command R, Command R+ and Aya: attention and MLP side by side on one LayerNorm without bias.
///
/// Neighbouring dimensions turn; the tied output's logits are scaled; Command R+ normalises queries
/// and keys with weights for each head. Reference: transformers/models/cohere/modeling_cohere.py
public enum Cohere: Architecture {
  public static let names = ["CohereForCausalLM"]
  public static let note = "Command R, Command R+, Aya 23, Aya Expanse"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let bias: Bool = try config("attention_bias", default: false)
    var attention = try config.attention(
      width: width, theta: 500_000, positions: 8192, isInterleaved: true, inputBias: bias,
      outputBias: bias)
    if try config("use_qk_norm", default: false) {
      attention.headNorms = HeadNorms(
        eps: try config.positive("layer_norm_eps", default: 1e-5), .layer(bias: false),
        reach: .ownHead)
    }
    return try blueprint(config, width: width) { [attention] _ in attention }
  }

  /// The blocks of Command R and its successors around their attention.
  static func blueprint(
    _ config: Config, width: Int, attention: (Int) -> Attention
  ) throws(ConfigError) -> Blueprint {
    let eps = try config.positive("layer_norm_eps", default: 1e-5)
    let mlp = try config.mlp(width: width)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: false)) }

    var blueprint = Blueprint(try config.frame(isTied: true), final: norm("model.norm")) { index in
      ParallelResidual(shared: norm("input_layernorm"), attention(index), mlp)
    }
    blueprint.logitScale = try config.positive("logit_scale", default: 0.0625)
    return blueprint
  }
}
