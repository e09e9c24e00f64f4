import Blueprint

/// MiniCPM: Llama with fixed scales on the embedding, on what layers add, and on the logits.
///
/// One model has experts where others have an MLP. Reference: the models' own modeling_minicpm.py.
public enum MiniCPM: Architecture {
  public static let names = ["MiniCPMForCausalLM"]
  public static let note = "MiniCPM 1B, 2B, MoE 8x2B; MiniCPM4 without its sparse attention"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    let attention = try config.attention(
      width: width, positions: 2048, inputBias: bias, outputBias: bias)
    // Copies of the configuration class disagree on what these are where they are absent.
    for key in ["scale_emb", "scale_depth", "dim_model_base"] where !config.has(key) {
      throw .missing(key: key)
    }
    // Of a smaller model that guesses ahead.
    config.ignore("mup_denominator")
    let scales = try Scales(config, width: width)
    let feedForward = try feedForward(config, width: width)

    // Copies disagree on the default of this key too; an output layer of its own is found out.
    var blueprint = Blueprint(
      try config.frame(isTied: true, deviation: 0.1), final: Norm(width, eps: eps, "model.norm")
    ) { _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention, scale: scales.residual)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), feedForward, scale: scales.residual)
    }
    scales.apply(to: &blueprint)
    return blueprint
  }

  private static func feedForward(
    _ config: Config, width: Int
  ) throws(ConfigError) -> any Layer {
    let mlp = try config.mlp(width: width)
    let count: Int = try config("num_experts", default: 0)
    guard count != 0 else {
      config.ignore("num_experts_per_tok")
      return mlp
    }
    let (experts, perToken) = try config.experts("num_experts", perTokenDefault: 2)
    return Experts(
      width, count: experts, inner: mlp.inner, mlp.activation,
      router: Router("mlp.gate", .softmax, perToken: perToken, isNormalized: true),
      input: .gated(gate: "w1", up: "w3"), down: "w2")
  }

  /// The fixed scales of the family.
  struct Scales {
    var embedding: Double
    /// scale_depth / √depth.
    var residual: Double
    /// dim_model_base / width: the class divides what the output layer reads.
    var logits: Double

    init(_ config: Config, width: Int) throws(ConfigError) {
      let depth = Double(try config.depth())
      let stated: Double? = try config.nullable("scale_depth", default: 1.4)
      let base: Double? = try config.nullable("dim_model_base", default: 256)
      embedding = try config.positive("scale_emb", default: 12)
      residual = stated.map { $0 / depth.squareRoot() } ?? 1
      logits = base.map { $0 / Double(width) } ?? 1
    }

    func apply(to blueprint: inout Blueprint) {
      if embedding != 1 { blueprint.embeddingScale = embedding }
      if logits != 1 { blueprint.logitScale = logits }
    }
  }
}
