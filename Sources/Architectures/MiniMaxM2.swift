import Blueprint

/// MiniMax-M2: queries and keys normed over all heads together, then experts chosen by corrected sigmoid
/// scores in every layer.
///
/// Part of each head turns. Published configurations name multi-token predictors and much that MiniMax-01
/// had, but files hold none of it. Reference: transformers/models/minimax_m2/modeling_minimax_m2.py
public enum MiniMaxM2: Architecture {
  public static let names = ["MiniMaxM2ForCausalLM"]
  public static let note = "MiniMax-M2, M2.1, M2.5; without predictors of further tokens"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let attention = try attention(config, width: width, eps: eps)
    try requireWhatThePublishedModelsHave(config, depth: depth)

    let (count, perToken) = try config.experts(
      "num_local_experts", "num_experts", default: 256, perTokenDefault: 8)
    let router = Router(
      "block_sparse_moe.gate", .sigmoid, perToken: perToken, isNormalized: true,
      correction: "block_sparse_moe.e_score_correction_bias",
      balance: try config("router_aux_loss_coef", default: 0.001))
    let experts = Experts(
      width, count: count, inner: try config.size("intermediate_size", default: 1536),
      try config.activation("hidden_act", default: .silu), router: router,
      input: .gated(gate: "w1", up: "w3"), down: "w2", prefix: "block_sparse_moe.experts")

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) { _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), experts)
    }
  }

  private static func attention(
    _ config: Config, width: Int, eps: Double
  ) throws(ConfigError) -> Attention {
    let (heads, groups, headSize) = try config.heads(
      width: width, groupsDefault: 8, headSizeDefault: 128)
    let turning = try config.optionalSize("rotary_dim", limit: headSize) ?? headSize
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(
        headSize: headSize, theta: 5_000_000, partial: Double(turning) / Double(headSize),
        positions: 196_608))
    attention.headNorms = HeadNorms(eps: eps, reach: .allHeads)
    return attention
  }

  private static func requireWhatThePublishedModelsHave(
    _ config: Config, depth: Int
  ) throws(ConfigError) {
    try config.require("scoring_func", "sigmoid", because: "the class scores by sigmoid")
    try config.require(
      "attn_type_list", Array(repeating: 1, count: depth),
      because: "the class has no layers of linear attention")
    for key in ["use_qk_norm", "use_routing_bias"] {
      try config.require(key, true, because: "the class always has it")
    }
    try config.require(
      "qk_norm_type", "per_layer", because: "the class norms all heads of a layer together")
    for kind in ["full_attention", "linear_attention", "mlp"] {
      for factor in ["alpha", "beta"] {
        try config.require(
          "layernorm_\(kind)_\(factor)", 1.0, because: "the class does not scale its residuals")
      }
    }
    try config.require(
      "shared_intermediate_size", 0, because: "the class has no expert for every token")
    // Layers and predictors that the class does not build; tensors for them would be refused.
    config.ignore(
      "mlp_intermediate_size", "shared_moe_mode", "use_mtp", "num_mtp_modules",
      "mtp_transformer_layers")
  }
}
