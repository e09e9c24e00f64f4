import Blueprint

/// ERNIE 4.5, dense: Llama's block, but neighbouring dimensions of a head turn together.
///
/// Reference: transformers/models/ernie4_5/modeling_ernie4_5.py
public enum Ernie4_5: Architecture {
  public static let names = ["Ernie4_5ForCausalLM"]
  public static let note = "ERNIE 4.5 0.3B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let bias: Bool = try config("use_bias", default: false)
    let attention = try config.attention(
      width: width, groupsDefault: 2, headSizeDefault: 128, theta: 500_000, positions: 131_072,
      isInterleaved: true, inputBias: bias, outputBias: bias)
    let mlp = try config.mlp(width: width, bias: bias)

    return Blueprint(try config.frame(isTied: true), final: Norm(width, eps: eps, "model.norm")) {
      _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
  }
}
