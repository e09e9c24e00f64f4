import Blueprint

/// Mixtral 8x7B and 8x22B: Mistral's block with a mixture of gated experts in place of the MLP.
///
/// Reference: transformers/models/mixtral/modeling_mixtral.py
public enum Mixtral: Architecture {
  public static let names = ["MixtralForCausalLM"]
  public static let note = "Mixtral 8x7B and 8x22B; GritLM 8x7B"
  public static let origin = NameOrigin.nemo

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 8)
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    try config.require("attention_bias", false, because: "this class has no biases")
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(headSize: headSize, theta: 1_000_000, positions: 131_072))
    attention.window = try config.window(default: nil)

    let (count, perToken) = try config.experts(
      "num_local_experts", "num_experts", default: 8, perTokenDefault: 2)
    let router = Router(
      "block_sparse_moe.gate", .softmax, perToken: perToken, isNormalized: true,
      balance: try config("router_aux_loss_coef", default: 0.001))
    let experts = Experts(
      width, count: count, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu), router: router,
      input: .gated(gate: "w1", up: "w3"), down: "w2", prefix: "block_sparse_moe.experts")

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), experts)
    }
  }
}
