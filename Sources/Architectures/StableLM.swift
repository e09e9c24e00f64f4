import Blueprint

/// StableLM 3B and StableLM 2: Llama's block with LayerNorms, a quarter of each head turning.
///
/// The 12B model has attention and MLP side by side and a norm of its own for each head. Reference:
/// transformers/models/stablelm/modeling_stablelm.py; the older spellings of keys are those of the
/// models' own first code (StableLMEpochForCausalLM).
public enum StableLM: Architecture {
  public static let names = ["StableLmForCausalLM", "StableLMEpochForCausalLM", "StableLmEpoch"]
  public static let note = "StableLM 3B (4E1T, Zephyr), StableLM 2 1.6B and 12B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let (heads, groups, headSize) = try config.heads(width: width, groupsDefault: 32)
    // The first files count the heads twice.
    try config.require("num_heads", heads, because: "num_attention_heads is \(heads)")
    try config.require("rotary_scaling_factor", 1, because: "the class stretches no positions so")
    guard headSize * heads == width else {
      throw .contradiction("head_dim \(headSize) times num_attention_heads is not hidden_size")
    }
    let eps: Double = try config.optional(anyOf: ["layer_norm_eps", "norm_eps"]) ?? 1e-5
    var attention = Attention(
      width, heads: heads, groups: groups, headSize: headSize,
      rotary: try config.rotary(
        headSize: headSize, partial: 0.25, positions: 4096,
        partialKeys: ["partial_rotary_factor", "rope_pct"]),
      inputBias: try config("use_qkv_bias", default: false))
    if try config("qk_layernorm", default: false) {
      attention.headNorms = HeadNorms(
        "self_attn.q_layernorm", "self_attn.k_layernorm", eps: eps, .layer(bias: false),
        reach: .listedHeads)
    }
    let mlp = try config.mlp(width: width)
    let isParallel: Bool = try config("use_parallel_residual", default: false)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    return Blueprint(try config.frame(), final: norm("model.norm")) { [attention] _ in
      if isParallel {
        ParallelResidual(shared: norm("input_layernorm"), attention, mlp)
      } else {
        Residual(norm("input_layernorm"), attention)
        Residual(norm("post_attention_layernorm"), mlp)
      }
    }
  }
}
