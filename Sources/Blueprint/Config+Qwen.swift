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
    let shared = MLP(
      width, inner: try size("shared_expert_intermediate_size", default: 512), .silu,
      input: .gated(gate: "mlp.shared_expert.gate_proj", up: "mlp.shared_expert.up_proj"),
      down: "mlp.shared_expert.down_proj")
    return Experts(
      width, count: count, inner: try size("moe_intermediate_size", default: 512), .silu,
      router: router, storage: storage, shared: shared, sharedGate: "mlp.shared_expert_gate.weight")
  }
}

extension Blueprint {
  /// Adds the predictor these models store beside the decoder, below `mtp`.
  public mutating func addMergedPredictor(
    isStated: Bool, @BlockBuilder layers: () -> [any Layer]
  ) {
    func norm(_ name: String) -> Norm { Norm(frame.width, eps: final.eps, name, final.kind) }
    var predictor = Predictor(
      prefix: "mtp.", block: "mtp.layers.0.", layers: layers(),
      embeddingNorm: norm("pre_fc_norm_embedding"), hiddenNorm: norm("pre_fc_norm_hidden"),
      merge: "fc", final: norm("norm"))
    predictor.isStated = isStated
    predictors.append(predictor)
  }
}
