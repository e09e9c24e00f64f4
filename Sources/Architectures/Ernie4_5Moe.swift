import Blueprint

/// ERNIE 4.5 with experts: ERNIE's attention, and in a range of layers experts by softmax, chosen with a
/// learned correction and weighed without it.
///
/// Predictors of further tokens end in the model's own last norm, which Megatron's cannot.
/// Reference: transformers/models/ernie4_5_moe/modeling_ernie4_5_moe.py; the models' own code.
public enum Ernie4_5Moe: Architecture {
  public static let names = ["Ernie4_5_MoeForCausalLM"]
  public static let note =
    "ERNIE 4.5 21B-A3B and 300B-A47B; predictors are kept beside the checkpoint"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let bias: Bool = try config("use_bias", default: false)
    let attention = try config.attention(
      width: width, groupsDefault: 4, theta: 500_000, positions: 131_072, isInterleaved: true,
      inputBias: bias, outputBias: bias)
    let mlp = try config.mlp(width: width, bias: bias)
    let experts = try experts(config, width: width, mlp.activation, bias: bias)
    let sparse = try sparseLayers(config, depth: depth)
    let predictors = try config.predictors(limit: depth)

    @BlockBuilder func layers(_ index: Int) -> [any Layer] {
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), sparse[index] ? experts : mlp)
    }
    let frame = try config.frame(
      isTied: true, names: Frame.Names(headBias: bias ? "lm_head.bias" : nil))
    var blueprint = Blueprint(
      frame, final: Norm(width, eps: eps, "model.norm"), block: layers)
    blueprint.numbersLayers = true
    for index in 0..<predictors {
      blueprint.predictors.append(
        Predictor(
          // Its block is built as the layer of its number.
          prefix: "model.", block: "model.mtp_block.\(index).", layers: layers(index),
          embeddingNorm: Norm(width, eps: eps, "mtp_emb_norm.\(index)"),
          hiddenNorm: Norm(width, eps: eps, "mtp_hidden_norm.\(index)"),
          merge: "mtp_linear_proj.\(index)", final: nil))
    }
    return blueprint
  }

  private static func experts(
    _ config: Config, width: Int, _ activation: Activation, bias: Bool
  ) throws(ConfigError) -> Experts {
    let (count, perToken) = try config.experts(
      anyOf: ["moe_num_experts", "num_experts"], default: 64, perToken: "moe_k",
      perTokenDefault: 6)
    let inner = try config.size("moe_intermediate_size", default: 1536)
    var router = Router(
      "mlp.gate", .softmax, perToken: perToken, isNormalized: true,
      correction: "mlp.moe_statics.e_score_correction_bias",
      balance: try config("router_aux_loss_coef", default: 0.001))
    router.correctionIsRow = true
    router.normMinimum = try config.positive("moe_norm_min", default: 1e-12)
    try config.require("moe_gate", "topk", because: "the class chooses the best experts")
    try config.require("moe_use_aux_free", true, because: "the class always corrects its choice")
    // How many tokens an expert takes while training.
    config.ignore("moe_capacity")
    let shared: Int = try config("moe_num_shared_experts", default: 2)
    try config.check("moe_num_shared_experts", shared, in: 0...64)
    return Experts(
      width, count: count, inner: inner, activation, router: router,
      shared: shared == 0 ? nil : .shared(width, inner: shared * inner, activation, bias: bias))
  }

  /// Every so many layers of a range have experts.
  private static func sparseLayers(_ config: Config, depth: Int) throws(ConfigError) -> [Bool] {
    let interval = try config.size("moe_layer_interval", default: 1)
    let first: Int = try config("moe_layer_start_index", default: 1)
    let stated: Int = try config("moe_layer_end_index", default: -1)
    try config.check("moe_layer_start_index", first, in: 0...depth)
    try config.check("moe_layer_end_index", stated, in: -1...4096)
    let last = stated == -1 ? depth - 1 : stated
    return (0..<depth).map { ($0 + 1) % interval == 0 && $0 >= first && $0 <= last }
  }
}
