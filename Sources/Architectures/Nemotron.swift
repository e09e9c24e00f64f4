import Blueprint

/// Nemotron 3 and 4, Minitron: LayerNorms with weights about one, half of each head turning, squared ReLU.
///
/// Reference: transformers/models/nemotron/modeling_nemotron.py
public enum Nemotron: Architecture {
  public static let names = ["NemotronForCausalLM"]
  public static let note = "Nemotron-3 8B, Nemotron-4 15B and 340B, Minitron 4B and 8B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("norm_eps", default: 1e-5)
    let bias: Bool = try config("attention_bias", default: false)
    let attention = try config.attention(
      width: width, partial: 0.5, positions: 4096, inputBias: bias, outputBias: bias)
    let mlp = try config.mlp(
      width: width, .squaredReLU, input: .plain("mlp.up_proj"),
      bias: config("mlp_bias", default: false))
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layerUnitOffset) }

    return Blueprint(try config.frame(deviation: 0.0134), final: norm("model.norm")) { _ in
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), mlp)
    }
  }
}
