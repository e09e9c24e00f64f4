import Blueprint

/// Solar Pro: Llama, where what enters some blocks is mixed into what enters later ones.
///
/// Two memories, four lists of blocks: `bskcn_1` and `bskcn_2` say where each is filled, `bskcn_3` and
/// `bskcn_4` where it is mixed in. Reference: SolarConfig and the loops of vLLM and sglang; the
/// models' own code was not seen.
public enum Solar: Architecture {
  public static let names = ["SolarForCausalLM"]
  public static let note = "Solar Pro preview 22B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    var attention = try config.attention(
      width: width, positions: 2048, inputBias: bias, outputBias: bias)
    // As vLLM takes it; sglang has no window, and no reference reaches so far back.
    attention.window = try config.window(default: 2047)
    let mlp = try config.mlp(width: width, bias: try config("mlp_bias", default: false))

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
    blueprint.skips = try skips(config, depth: blueprint.frame.depth)
    return blueprint
  }

  private static func skips(_ config: Config, depth: Int) throws(ConfigError) -> [BlockSkip] {
    let shares: [Double] = try config("bskcn_tv")
    guard shares.count == 2, shares.allSatisfy({ (0...1).contains($0) }) else {
      throw .outOfRange(
        key: "bskcn_tv", expected: "two numbers from 0 to 1, for training and for use",
        found: "\(shares)")
    }
    var skips: [BlockSkip] = []
    let memories = [("bskcn_1", "bskcn_3"), ("bskcn_2", "bskcn_4")]
    for (filled, mixed) in memories {
      let sources: [Int] = try config(filled)
      let targets: [Int] = try config(mixed)
      for index in sources { try config.check(filled, index, in: 0...depth - 1) }
      for index in targets {
        try config.check(mixed, index, in: 0...depth - 1)
        // A memory is filled anew each time.
        guard let source = sources.filter({ $0 <= index }).max() else {
          throw .contradiction("\(mixed) has block \(index), but \(filled) none up to there")
        }
        skips.append(
          BlockSkip(from: source, to: index, share: shares[1], trainingShare: shares[0]))
      }
    }
    return skips
  }
}
