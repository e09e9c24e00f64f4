import Blueprint

/// JAIS 13B, 30B and the later family: GPT-2's block and transposed matrices, ALiBi and a gated MLP.
///
/// The gate is `c_fc2`. Older files name the factors plainly, later ones `mup_…`; reference: the
/// models' own modeling_jais.py.
public enum Jais: Architecture {
  public static let names = ["JAISLMHeadModel"]
  public static let note = "JAIS 13B and 30B, JAIS family"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("n_embd", "hidden_size")
    let eps = try config.positive("layer_norm_epsilon", default: 1e-5)
    let positions = try config.size("n_positions", default: 1024, limit: 1 << 32)
    let kind: String = try config("position_embedding_type", default: "learned")
    guard ["alibi", "learned"].contains(kind) else {
      throw .unsupported(
        key: "position_embedding_type", value: "\"\(kind)\"",
        reason: "the kinds known here are alibi and learned")
    }
    if config.has("alibi_scaling") {
      throw .unsupported(
        key: "alibi_scaling", value: "…", reason: "stretched ALiBi is not written down")
    }
    let attention = try attention(config, width: width, hasALiBi: kind == "alibi")
    let mlp = try mlp(config, width: width)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    var frame = try config.frame(
      isTied: true, depth: config.size("n_layer", "num_hidden_layers", limit: 4096), width: width,
      names: Frame.Names(
        embedding: "transformer.wte.weight", blocks: "transformer.h",
        positions: kind == "learned" ? "transformer.wpe.weight" : nil,
        buffers: ["transformer.relative_pe.slopes"]))
    frame.positions = positions
    var blueprint = Blueprint(frame, final: norm("transformer.ln_f")) { _ in
      Residual(norm("ln_1"), attention)
      Residual(norm("ln_2"), mlp)
    }
    blueprint.embeddingScale = try config.optional(
      anyOf: ["mup_embeddings_scale", "embeddings_scale"])
    let alpha: Double = try config("mup_output_alpha", default: 1)
    let scale: Double? = try config.optional(anyOf: ["mup_width_scale", "width_scale"])
    blueprint.logitScale = scale.map { $0 * alpha } ?? (alpha == 1 ? nil : alpha)
    return blueprint
  }

  private static func attention(
    _ config: Config, width: Int, hasALiBi: Bool
  ) throws(ConfigError) -> Attention {
    let heads = try config.size("n_head", "num_attention_heads", limit: 1 << 14)
    guard width % heads == 0 else {
      throw .contradiction("n_embd \(width) is not a multiple of n_head \(heads)")
    }
    try config.require(
      "scale_attn_weights", true, because: "scores are divided in every published model")
    try config.require(
      "scale_attn_by_inverse_layer_idx", false, because: "no published model of the family does it")
    // The order of one product; no change of the result.
    config.ignore("reorder_and_upcast_attn")
    var attention = Attention(
      width, heads: heads, groups: heads, headSize: width / heads, rotary: nil, inputBias: true,
      outputBias: true, projection: .stacked("attn.c_attn"), output: "attn.c_proj",
      buffers: ["attn.bias", "attn.masked_bias"])
    attention.isTransposed = true
    if hasALiBi { attention.alibi = ALiBi(isScaled: false) }
    let dividesBySize: Bool =
      try config.optional(anyOf: ["mup_scale_qk_dot_by_d", "scale_qk_dot_by_d"]) ?? false
    if dividesBySize { attention.scale = 1 / Double(width / heads) }
    return attention
  }

  private static func mlp(_ config: Config, width: Int) throws(ConfigError) -> MLP {
    let inner = try config.optionalSize("n_inner", "intermediate_size") ?? 4 * width
    let name: String = try config("activation_function", default: "gelu")
    var mlp =
      name == "swiglu"
      ? MLP(
        width, inner: inner, .silu, input: .gated(gate: "mlp.c_fc2", up: "mlp.c_fc"),
        down: "mlp.c_proj", bias: true)
      : MLP(
        width, inner: inner, try config.activation("activation_function", default: .gelu),
        input: .plain("mlp.c_fc"), down: "mlp.c_proj", bias: true)
    mlp.isTransposed = true
    return mlp
  }
}
