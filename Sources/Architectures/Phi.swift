import Blueprint

/// Phi-1, Phi-1.5 and Phi-2: attention and MLP side by side on one LayerNorm, biases throughout.
///
/// Part of each head turns; the logits have a bias too. Reference:
/// transformers/models/phi/modeling_phi.py
public enum Phi: Architecture {
  public static let names = ["PhiForCausalLM"]
  public static let note = "Phi-1, Phi-1.5, Phi-2"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("layer_norm_eps", default: 1e-5)
    var attention = try config.attention(
      width: width, partial: 0.5, positions: 2048, inputBias: true, outputBias: true)
    attention.output = "self_attn.dense"
    if try config("qk_layernorm", default: false) {
      attention.headNorms = HeadNorms(
        "self_attn.q_layernorm", "self_attn.k_layernorm", eps: eps, .layer(bias: true))
    }
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .geluTanh), input: .plain("mlp.fc1"),
      down: "mlp.fc2", bias: true)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    let frame = try config.frame(names: Frame.Names(headBias: "lm_head.bias"))
    return Blueprint(frame, final: norm("model.final_layernorm")) { [attention] _ in
      ParallelResidual(shared: norm("input_layernorm"), attention, mlp)
    }
  }
}
