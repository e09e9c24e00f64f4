import Blueprint

/// Gemma 2: norms before and after each layer, weights of norms about one, capped scores and logits.
///
/// Every second layer looks back through a window; the embedding is scaled by the root of the width.
/// Reference: transformers/models/gemma2/modeling_gemma2.py
public enum Gemma2: Architecture {
  public static let names = ["Gemma2ForCausalLM"]
  public static let note = "Gemma 2 2B, 9B, 27B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let (heads, groups, headSize) = try config.heads(
      width: width, groupsDefault: 4, headSizeDefault: 256)
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    try config.require(
      "use_bidirectional_attention", false, because: "a decoder sees only what came before")
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, positions: 8192), inputBias: bias,
      outputBias: bias)
    attention.scale = 1 / (try config.positive("query_pre_attn_scalar", default: 256)).squareRoot()
    attention.softCap = try config.nullable("attn_logit_softcapping", default: 50)
    let window = try config.window(default: 4096)
    let sliding = try config.slidingLayers(depth: depth) ?? (0..<depth).map { $0 % 2 == 0 }
    // The class reads only the first of the two spellings.
    config.ignore("hidden_act")
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_activation", default: .geluTanh))
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .rmsUnitOffset) }

    var blueprint = Blueprint(try config.frame(isTied: true), final: norm("model.norm")) {
      [attention] index in
      Residual(
        norm("input_layernorm"), attention.windowed(sliding[index] ? window : nil),
        after: norm("post_attention_layernorm"))
      Residual(
        norm("pre_feedforward_layernorm"), mlp, after: norm("post_feedforward_layernorm"))
    }
    blueprint.embeddingScale = Double(width).squareRoot()
    blueprint.logitSoftCap = try config.nullable("final_logit_softcapping", default: 30)
    return blueprint
  }
}
