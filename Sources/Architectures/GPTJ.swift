import Blueprint

/// GPT-J: attention without biases and MLP with them side by side on one LayerNorm, a bias on the logits.
///
/// Neighbouring dimensions of part of each head turn. Reference:
/// transformers/models/gptj/modeling_gptj.py
public enum GPTJ: Architecture {
  public static let names = ["GPTJForCausalLM"]
  public static let note = "GPT-J 6B, GPT4All-J"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("n_embd", "hidden_size", default: 4096)
    let heads = try config.size("n_head", "num_attention_heads", default: 16, limit: 1 << 14)
    let headSize = try config.headSize(of: width, heads: heads)
    let eps = try config.positive("layer_norm_epsilon", default: 1e-5)
    try config.require("rotary", true, because: "the class knows no other positions")
    try config.require("scale_attn_weights", true, because: "the class always scales")
    let turning = try config.size("rotary_dim", default: 64)
    guard turning <= headSize, turning % 2 == 0 else {
      throw .contradiction("rotary_dim \(turning) are no pairs within a head of \(headSize)")
    }
    let attention = Attention(
      width, heads: heads, groups: heads, headSize: headSize,
      rotary: Rotary(theta: 10_000, dimensions: turning, isInterleaved: true),
      projection: .separate(query: "attn.q_proj", key: "attn.k_proj", value: "attn.v_proj"),
      output: "attn.out_proj", buffers: ["attn.bias", "attn.masked_bias"])
    let mlp = MLP(
      width, inner: try config.optionalSize("n_inner") ?? 4 * width,
      try config.activation("activation_function", default: .geluTanh), input: .plain("mlp.fc_in"),
      down: "mlp.fc_out", bias: true)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    let frame = Frame(
      vocabulary: try config.size("vocab_size", default: 50_400), width: width,
      depth: try config.size("n_layer", "num_hidden_layers", default: 28, limit: 4096),
      isTied: try config("tie_word_embeddings", default: false),
      positions: try config.size("n_positions", "max_position_embeddings", default: 2048),
      initialDeviation: try config("initializer_range", default: 0.02),
      names: Frame.Names(
        embedding: "transformer.wte.weight", blocks: "transformer.h", headBias: "lm_head.bias"))
    return Blueprint(frame, final: norm("transformer.ln_f")) { _ in
      ParallelResidual(shared: norm("ln_1"), attention, mlp)
    }
  }
}
