import Blueprint

/// SmolLM3: Llama's block, where every fourth layer does not turn queries and keys.
///
/// Windows, where they are switched on, are those of the layers without rotation.
/// Reference: transformers/models/smollm3/modeling_smollm3.py
public enum SmolLM3: Architecture {
  public static let names = ["SmolLM3ForCausalLM"]
  public static let note = "SmolLM3 3B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("attention_bias", default: false)
    let attention = try config.attention(
      width: width, groupsDefault: 4, theta: 2_000_000, positions: 32_768, inputBias: bias,
      outputBias: bias)
    let mlp = try config.mlp(width: width, bias: config("mlp_bias", default: false))
    let turning = try config.turningLayers(depth: depth)
    // The class does not look at it; which layers slide follows from the rotation.
    config.ignore("max_window_layers")
    let isWindowed: Bool = try config("use_sliding_window", default: false)
    let stated = try config.window(default: nil)
    let window = isWindowed ? stated : nil
    let sliding = try config.slidingLayers(depth: depth) ?? turning.map { !$0 }

    return Blueprint(
      try config.frame(isTied: true), final: Norm(width, eps: eps, "model.norm")
    ) { index in
      let seeing = attention.windowed(sliding[index] ? window : nil)
      Residual(
        Norm(width, eps: eps, "input_layernorm"),
        turning[index] ? seeing : seeing.withoutRotation)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
