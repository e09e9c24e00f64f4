import Blueprint

/// EXAONE 3.0, 3.5 and Deep: Llama's block under names of its own.
///
/// Its norms are RMS norms, whatever the keys call them. Reference: modeling_exaone.py of the models'
/// own repositories.
public enum Exaone: Architecture {
  public static let names = ["ExaoneForCausalLM"]
  public static let note = "EXAONE 3.0, 3.5, Deep"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    // The class's default changed between versions; every published file says it.
    let eps = try config.positive("layer_norm_epsilon")
    var attention = try config.attention(width: width, positions: 2048)
    attention.projection = .separate(
      query: "attn.attention.q_proj", key: "attn.attention.k_proj", value: "attn.attention.v_proj")
    attention.output = "attn.attention.out_proj"
    attention.buffers = ["attn.attention.rotary.inv_freq"]
    let inner: Int? = try config.optionalSize("intermediate_size")
    let mlp = MLP(
      width, inner: inner ?? 4 * width,
      try config.activation("activation_function", default: .silu),
      input: .gated(gate: "mlp.c_fc_0", up: "mlp.c_fc_1"), down: "mlp.c_proj")

    let frame = try config.frame(
      isTied: true, depth: config.depth("num_layers"),
      names: Frame.Names(embedding: "transformer.wte.weight", blocks: "transformer.h"))
    return Blueprint(frame, final: Norm(width, eps: eps, "transformer.ln_f")) { [attention] _ in
      Residual(Norm(width, eps: eps, "ln_1"), attention)
      Residual(Norm(width, eps: eps, "ln_2"), mlp)
    }
  }
}
