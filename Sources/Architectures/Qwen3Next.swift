import Blueprint

/// Qwen3-Next: three blocks of four with a gated delta net in attention's place, experts in all.
///
/// Attention is gated, turns a quarter of each head, norms' weights are about zero. Files may hold a
/// predictor of further tokens, which config.json does not mention.
/// Reference: transformers/models/qwen3_next/modeling_qwen3_next.py
public enum Qwen3Next: Architecture {
  public static let names = ["Qwen3NextForCausalLM"]
  public static let note = "Qwen3-Next 80B-A3B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    // Keys of other Qwens that the class does not read.
    config.ignore("use_sliding_window")
    let delta = try config.deltaNet(
      width: width, eps: eps,
      .grouped(queryKeyValueGate: "in_proj_qkvz", betaDecay: "in_proj_ba"))
    let attention = try config.gatedAttention(width: width, eps: eps, groupsDefault: 2)
    let isFull = try config.intervalLayers(depth: depth)
    let mlp = MLP(width, inner: try config.size("intermediate_size", default: 5632), .silu)
    let experts = try config.gatedExperts(
      width: width, countDefault: 512, perTokenDefault: 10,
      isNormalized: try config("norm_topk_prob", default: true),
      storage: .listed(
        prefix: "mlp.experts", .gated(gate: "gate_proj", up: "up_proj"), down: "down_proj"))
    let sparse = try config.steppedSparseLayers(depth: depth)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .rmsUnitOffset) }

    var blueprint = Blueprint(try config.frame(), final: norm("model.norm")) { index in
      Residual(norm("input_layernorm"), isFull[index] ? attention : delta)
      Residual(norm("post_attention_layernorm"), sparse[index] ? experts : mlp)
    }
    blueprint.addMergedPredictor(isStated: false) {
      Residual(norm("input_layernorm"), attention)
      Residual(norm("post_attention_layernorm"), experts)
    }
    return blueprint
  }
}
