import Blueprint

/// Qwen3.5 with experts: as Qwen3.5, every block with routed experts and a gated one beside them.
///
/// Reference: transformers/models/qwen3_5_moe/modeling_qwen3_5_moe.py
public enum Qwen35Moe: Architecture {
  public static let names = ["Qwen3_5MoeForCausalLM", "Qwen3_5MoeForConditionalGeneration"]
  public static let note =
    "Qwen3.5 35B-A3B–397B-A17B; the language model, a vision tower is kept beside it"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    try Qwen35.blueprint(config, groupsDefault: 2) { text, width, prefix throws(ConfigError) in
      try text.require("norm_topk_prob", true, because: "the class always normalises")
      // Released files stack the experts; those that transformers saves list them.
      let isListed = text.stores(prefix + "mlp.experts.0.gate_proj.weight") ?? false
      return try text.gatedExperts(
        width: width, countDefault: 256, perTokenDefault: 8, isNormalized: true,
        storage: isListed
          ? .listed(
            prefix: "mlp.experts", .gated(gate: "gate_proj", up: "up_proj"), down: "down_proj")
          : .stacked(input: "mlp.experts.gate_up_proj", down: "mlp.experts.down_proj"))
    }
  }
}
