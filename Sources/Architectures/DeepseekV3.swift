import Blueprint

/// DeepSeek V3, R1 and relatives: latent attention, dense layers first, then grouped sigmoid experts.
///
/// May be followed by blocks that predict further tokens, numbered on after the others.
/// Reference: transformers/models/deepseek_v3/modeling_deepseek_v3.py; DeepSeek-V3 report, §2.
public enum DeepseekV3: Architecture {
  public static let names = ["DeepseekV3ForCausalLM"]
  public static let note = "DeepSeek V3, V3.1, R1; Moonlight, Kimi K2"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let attention = try attention(config, width: width)
    let activation = try config.activation("hidden_act", default: .silu)
    let mlp = MLP(width, inner: try config.size("intermediate_size"), activation)
    let experts = try experts(config, width: width, activation)
    let dense: Int = try config("first_k_dense_replace", default: 3)
    try config.check("first_k_dense_replace", dense, in: 0...depth)
    try config.require("moe_layer_freq", 1, because: "the class puts experts in every later layer")
    // The configuration class assumes one; but files say so where they have one.
    let predictors: Int = try config("num_nextn_predict_layers", default: 0)
    try config.check("num_nextn_predict_layers", predictors, in: 0...64)

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      index in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"), index < dense ? mlp : experts)
    }
    blueprint.numbersLayers = true
    for index in depth..<depth + predictors {
      let prefix = "model.layers.\(index)."
      blueprint.predictors.append(
        Predictor(
          prefix: prefix,
          layers: [
            Residual(Norm(width, eps: eps, "input_layernorm"), attention),
            Residual(Norm(width, eps: eps, "post_attention_layernorm"), experts),
          ],
          embeddingNorm: Norm(width, eps: eps, "enorm"), hiddenNorm: Norm(width, eps: eps, "hnorm"),
          merge: "eh_proj", final: Norm(width, eps: eps, "shared_head.norm")))
      let names = blueprint.frame.names
      blueprint.duplicates[prefix + "embed_tokens.weight"] = names.embedding
      blueprint.duplicates[prefix + "shared_head.head.weight"] =
        blueprint.frame.isTied ? names.embedding : names.head
    }
    return blueprint
  }

  private static func attention(_ config: Config, width: Int) throws(ConfigError) -> LatentAttention
  {
    try config.require("attention_bias", false, because: "latent attention here has no biases")
    let heads = try config.size("num_attention_heads", limit: 1 << 14)
    let keys: Int = try config("num_key_value_heads", default: heads)
    guard keys == heads else {
      throw .contradiction(
        "num_key_value_heads \(keys) is not num_attention_heads \(heads), as latent attention has it"
      )
    }
    let plain = try config.size("qk_nope_head_dim", default: 128, limit: 1 << 14)
    let turning = try config.size("qk_rope_head_dim", default: 64, limit: 1 << 14)
    let total: Int = try config("qk_head_dim", default: plain + turning)
    guard total == plain + turning else {
      throw .contradiction("qk_head_dim \(total) is not \(plain) + \(turning)")
    }
    // The class sets it to qk_rope_head_dim, whatever the file says.
    config.ignore("head_dim")
    let rotary = try config.rotary(
      headSize: turning, positions: 4096,
      isInterleaved: try config("rope_interleave", default: true))
    var scale: Double?
    if case .yarn(let yarn) = rotary.scaling, let mscale = yarn.mscaleAllDimensions {
      let magnitude = yarn.magnitude(mscale)
      scale = magnitude * magnitude / Double(total).squareRoot()
    }
    let queryRank: Int? = try config.nullable("q_lora_rank", default: 1536)
    if let queryRank { try config.check("q_lora_rank", queryRank, in: 1...1 << 20) }
    return LatentAttention(
      width, heads: heads, queryRank: queryRank,
      keyValueRank: try config.size("kv_lora_rank", default: 512), plainSize: plain,
      rotary: rotary, valueSize: try config.size("v_head_dim", default: 128, limit: 1 << 14),
      // The norms on latents take their class's default, not rms_norm_eps.
      eps: 1e-6, scale: scale)
  }

  private static func experts(
    _ config: Config, width: Int, _ activation: Activation
  ) throws(ConfigError) -> Experts {
    try config.require("scoring_func", "sigmoid", because: "the class scores by sigmoid")
    try config.require(
      "topk_method", "noaux_tc", because: "the class chooses by corrected scores in groups")
    let (count, perToken) = try config.experts(
      "n_routed_experts", "num_local_experts", default: 256, perTokenDefault: 8)
    let inner = try config.size("moe_intermediate_size", default: 2048)
    let shared = try config.size("n_shared_experts", default: 1, limit: 64)
    let router = Router(
      "mlp.gate", .sigmoid, perToken: perToken,
      isNormalized: try config("norm_topk_prob", default: true),
      scale: try config("routed_scaling_factor", default: 2.5),
      correction: "mlp.gate.e_score_correction_bias",
      groups: try config.routerGroups(
        countDefault: 8, keptDefault: 4, experts: count, perToken: perToken),
      balance: try config("aux_loss_alpha", default: 0.0001))
    return Experts(
      width, count: count, inner: inner, activation, router: router,
      shared: MLP(
        width, inner: shared * inner, activation,
        input: .gated(gate: "mlp.shared_experts.gate_proj", up: "mlp.shared_experts.up_proj"),
        down: "mlp.shared_experts.down_proj"))
  }
}
