import Blueprint

/// EXAONE 4: norms only on the layers' outputs, queries and keys normed per head.
///
/// Where there is a window, the layers that slide turn queries and keys, and those that see all do not.
/// Reference: transformers/models/exaone4/modeling_exaone4.py
public enum Exaone4: Architecture {
  public static let names = ["Exaone4ForCausalLM"]
  public static let note = "EXAONE 4.0 1.2B and 32B, 4.0.1"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    var attention = try config.attention(width: width, groupsDefault: 32, positions: 2048)
    attention.headNorms = HeadNorms(eps: eps)
    let mlp = try config.mlp(width: width)
    let window = try config.window(default: 4096)
    let sliding = try config.slidingPattern(depth: depth, default: 4)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [attention] index in
      let isOpen = window != nil && !sliding[index]
      Residual(
        nil, isOpen ? attention.withoutRotation : attention.windowed(sliding[index] ? window : nil),
        after: Norm(width, eps: eps, "post_attention_layernorm"))
      Residual(nil, mlp, after: Norm(width, eps: eps, "post_feedforward_layernorm"))
    }
  }
}
