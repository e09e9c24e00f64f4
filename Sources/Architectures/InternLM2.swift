import Blueprint

/// InternLM 2 and 2.5: Llama's block under names of its own, queries, keys and values in one tensor.
///
/// That tensor is in groups already: query heads, their key, their value.
/// Reference: modeling_internlm2.py of the models' own repositories.
public enum InternLM2: Architecture {
  public static let names = ["InternLM2ForCausalLM"]
  public static let note = "InternLM 2 and 2.5, 1.8B–20B"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let bias: Bool = try config("bias", default: true)
    var attention = try config.attention(
      width: width, positions: 2048, inputBias: bias, outputBias: bias)
    attention.projection = .grouped("attention.wqkv")
    attention.output = "attention.wo"
    attention.buffers = ["attention.rotary_emb.inv_freq"]
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .silu),
      input: .gated(gate: "feed_forward.w1", up: "feed_forward.w3"), down: "feed_forward.w2")

    let frame = try config.frame(
      names: Frame.Names(embedding: "model.tok_embeddings.weight", head: "output.weight"))
    return Blueprint(frame, final: Norm(width, eps: eps, "model.norm")) { [attention] _ in
      Residual(Norm(width, eps: eps, "attention_norm"), attention)
      Residual(Norm(width, eps: eps, "ffn_norm"), mlp)
    }
  }
}
