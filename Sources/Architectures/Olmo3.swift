import Blueprint

/// OLMo 3: OLMo 2 with a window in three of four layers, whose positions are never stretched.
///
/// Reference: transformers/models/olmo3/modeling_olmo3.py
public enum Olmo3: Architecture {
  public static let names = ["Olmo3ForCausalLM"]
  public static let note = "OLMo 3 7B, 32B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let (heads, groups, headSize) = try config.heads(width: width)
    // transformers 5.23 forgets an outer rope_theta in layers that slide; no published one differs.
    let theta = try config.positive("rope_theta", default: 500_000)
    let rotaries = try config.rotaries(
      headSize: headSize, theta: theta, slidingTheta: theta, positions: 2048)
    let full = try Olmo2.attention(
      config, width, heads: heads, groups: groups, headSize: headSize, rotaries.full)
    var sliding = full.windowed(try config.window(default: 4096))
    sliding.rotary = rotaries.sliding
    let slides = try config.slidingLayers(depth: depth) ?? (1...depth).map { $0 % 4 != 0 }
    return try Olmo2.blueprint(config, width: width) { [sliding] index in
      slides[index] ? sliding : full
    }
  }
}
