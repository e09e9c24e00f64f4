import Blueprint

/// Command R7B and Command A: Command R's blocks, three with a window and positions, one without either.
///
/// Reference: transformers/models/cohere2/modeling_cohere2.py
public enum Cohere2: Architecture {
  public static let names = ["Cohere2ForCausalLM"]
  public static let note = "Command R7B, Command A"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    for key in [
      "use_embedding_sharing", "use_gated_activation", "use_parallel_block",
      "use_parallel_embedding",
    ] { try config.require(key, true, because: "the class knows nothing else") }
    try config.require(
      "position_embedding_type", "rope_gptj", because: "the class turns neighbouring dimensions")
    try config.require("rotary_pct", 1.0, because: "the class turns all of a head")
    try config.require("use_qk_norm", false, because: "the class has no such norms")

    let bias: Bool = try config("attention_bias", default: false)
    let attention = try config.attention(
      width: width, positions: 8192, isInterleaved: true, inputBias: bias, outputBias: bias)
    guard attention.heads * attention.headSize == width else {
      throw .contradiction("head_dim \(attention.headSize) times the heads is not \(width)")
    }
    let sliding = try slidingLayers(config, depth: depth)
    let window = try config.window(default: 4096)
    return try Cohere.blueprint(config, width: width) { index in
      // The class asks for a window when it decides whether queries and keys turn.
      guard sliding[index], let window else { return attention.withoutRotation }
      return attention.windowed(window)
    }
  }

  private static func slidingLayers(
    _ config: Config, depth: Int
  ) throws(ConfigError) -> [Bool] {
    try config.require(
      "order_of_interleaved_layers", "local_attn_first",
      because: "the class has the layers with a window first")
    let sliding = try config.slidingPattern(depth: depth, default: 4)
    // The models' first code spelled the pattern so; transformers does not read it.
    if let older = try config.optionalSize("layer_switch"),
      sliding != (1...depth).map({ $0 % older != 0 })
    {
      throw .contradiction("layer_switch \(older) is not what the other keys say of windows")
    }
    return sliding
  }
}
