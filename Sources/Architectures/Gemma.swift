import Blueprint

/// Gemma 1 and CodeGemma: Llama's block, weights of norms about one, a scaled embedding, wide heads.
///
/// Reference: transformers/models/gemma/modeling_gemma.py
public enum Gemma: Architecture {
  public static let names = ["GemmaForCausalLM"]
  public static let note = "Gemma 2B, 7B, CodeGemma"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    try config.require(
      "use_bidirectional_attention", false, because: "a decoder sees only what came before")
    let attention = try config.attention(
      width: width, groupsDefault: 16, headSizeDefault: 256, positions: 8192, inputBias: bias,
      outputBias: bias)
    // The first files say "gelu" and mean its approximation.
    for key in ["hidden_act", "hidden_activation"] {
      try config.require(
        key, "gelu", "gelu_pytorch_tanh",
        because: "every model of this class takes the tanh of gelu")
    }
    let mlp = MLP(width, inner: try config.size("intermediate_size"), .geluTanh)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .rmsUnitOffset) }

    var blueprint = Blueprint(try config.frame(isTied: true), final: norm("model.norm")) { _ in
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), mlp)
    }
    blueprint.embeddingScale = Double(width).squareRoot()
    return blueprint
  }
}
