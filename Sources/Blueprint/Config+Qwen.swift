// What the Qwen models since Qwen3-Next have in common.

extension Config {
  /// Attention with a gate on its output and norms of each head, whose weights are about zero.
  public func gatedAttention(
    width: Int, eps: Double, groupsDefault: Int
  ) throws(ConfigError) -> Attention {
    let (heads, groups, headSize) = try heads(
      width: width, groupsDefault: groupsDefault, headSizeDefault: 256)
    let bias: Bool = try self("attention_bias", default: false)
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try rotary(headSize: headSize, partial: 0.25, positions: 32_768), inputBias: bias,
      outputBias: bias)
    attention.isGated = true
    attention.headNorms = HeadNorms(eps: eps, .rmsUnitOffset)
    return attention
  }

  /// Routed experts by a softmax, and a gated expert beside them.
  public func gatedExperts(
    width: Int, countDefault: Int, perTokenDefault: Int, isNormalized: Bool,
    storage: Experts.Storage
  ) throws(ConfigError) -> Experts {
    let (count, perToken) = try experts(
      "num_experts", default: countDefault, perTokenDefault: perTokenDefault)
    let router = Router(
      "mlp.gate", .softmax, perToken: perToken, isNormalized: isNormalized,
      balance: try self("router_aux_loss_coef", default: 0.001))
    let shared = MLP.shared(
      width, inner: try size("shared_expert_intermediate_size", default: 512), .silu,
      prefix: "mlp.shared_expert")
    return Experts(
      width, count: count, inner: try size("moe_intermediate_size", default: 512), .silu,
      router: router, storage: storage, shared: shared, sharedGate: "mlp.shared_expert_gate.weight")
  }
}
