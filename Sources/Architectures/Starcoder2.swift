import Blueprint

/// StarCoder2: LayerNorms and biases throughout, grouped queries, an MLP without a gate, a window.
///
/// Reference: transformers/models/starcoder2/modeling_starcoder2.py
public enum Starcoder2: Architecture {
  public static let names = ["Starcoder2ForCausalLM"]
  public static let note = "StarCoder2 3B, 7B, 15B"
  public static let origin = NameOrigin.nemo

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("norm_epsilon", default: 1e-5)
    let bias: Bool = try config("use_bias", default: true)
    try config.require("norm_type", "layer_norm", because: "the class has LayerNorms")
    try config.require("mlp_type", "default", because: "the class's MLP has no gate")
    config.ignore("residual_dropout", "embedding_dropout")
    var attention = try config.attention(
      width: width, groupsDefault: 2, positions: 4096, inputBias: bias, outputBias: bias)
    attention.window = try config.window(default: nil)
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .geluTanh), input: .plain("mlp.c_fc"),
      down: "mlp.c_proj", bias: bias)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    return Blueprint(try config.frame(isTied: true, deviation: 0.018042), final: norm("model.norm"))
    { [attention] _ in
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), mlp)
    }
  }
}
