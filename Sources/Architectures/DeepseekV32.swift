import Blueprint

/// DeepSeek V3.2: V3 whose attention looks only at the keys that an indexer picks.
///
/// The indexer turns halves where the attention turns neighbours. Its exact arithmetic is meant: the
/// original also rotates by a Hadamard matrix, which changes no score, and rounds to eight bits.
/// Reference: transformers/models/deepseek_v32/modeling_deepseek_v32.py
public enum DeepseekV32: Architecture {
  public static let names = ["DeepseekV32ForCausalLM"]
  public static let note = "DeepSeek V3.2 and V3.2-Exp"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    var attention = try config.latentAttention(
      width: width, positions: 163_840, isInterleaved: true)
    guard attention.queryRank != nil else {
      throw .unsupported(
        key: "q_lora_rank", value: "null", reason: "the indexer reads the latent of the queries")
    }
    var rotary = attention.rotary
    rotary.isInterleaved = false
    let headSize = try config.size("index_head_dim", default: 128, limit: 1 << 14)
    guard rotary.dimensions <= headSize else {
      throw .contradiction(
        "qk_rope_head_dim \(rotary.dimensions) is more than index_head_dim \(headSize)")
    }
    attention.indexer = Indexer(
      heads: try config.size("index_n_heads", default: 64, limit: 1 << 14), headSize: headSize,
      kept: try config.size("index_topk", default: 2048, limit: 1 << 32), rotary: rotary)
    try config.require(
      "layer_types",
      Array(repeating: "indexed_attention", count: try config.depth()),
      because: "every layer of the class has an indexer")
    return try DeepseekV3.blueprint(config, attention)
  }
}
