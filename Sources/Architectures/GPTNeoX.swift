import Blueprint

/// GPT-NeoX, Pythia and relatives: LayerNorms with biases, attention and MLP side by side or in turn.
///
/// Queries, keys and values are one tensor, interleaved by head; part of each head is rotated.
/// Reference: transformers/models/gpt_neox/modeling_gpt_neox.py
public enum GPTNeoX: Architecture {
  public static let names = ["GPTNeoXForCausalLM"]
  public static let note = "GPT-NeoX-20B, Pythia, Dolly v2, RedPajama-INCITE, StableLM-alpha"

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let heads = try config.size("num_attention_heads", limit: 1 << 14)
    guard width % heads == 0 else {
      throw .contradiction(
        "hidden_size \(width) is not a multiple of num_attention_heads \(heads)")
    }
    let eps = try config.positive("layer_norm_eps", default: 1e-5)
    let bias: Bool = try config("attention_bias", default: true)
    let attention = Attention(
      width, heads: heads, groups: heads, headSize: width / heads,
      rotary: try config.rotary(
        headSize: width / heads, partial: 0.25, positions: 2048,
        thetaKeys: ["rope_theta", "rotary_emb_base"],
        partialKeys: ["partial_rotary_factor", "rotary_pct"]),
      inputBias: bias, outputBias: bias, projection: .grouped("attention.query_key_value"),
      output: "attention.dense",
      buffers: ["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"])
    let mlp = MLP(
      width, inner: try config.size("intermediate_size"),
      try config.activation("hidden_act", default: .gelu), input: .plain("mlp.dense_h_to_4h"),
      down: "mlp.dense_4h_to_h", bias: true)
    let isParallel: Bool = try config("use_parallel_residual", default: true)
    func norm(_ name: String) -> Norm { Norm(width, eps: eps, name, .layer(bias: true)) }

    let frame = try config.frame(
      names: Frame.Names(
        embedding: "gpt_neox.embed_in.weight", head: "embed_out.weight",
        blocks: "gpt_neox.layers"))
    return Blueprint(frame, final: norm("gpt_neox.final_layer_norm")) { _ in
      let first = Residual(norm("input_layernorm"), attention)
      let second = Residual(norm("post_attention_layernorm"), mlp)
      if isParallel {
        ParallelResidual(first, second)
      } else {
        first
        second
      }
    }
  }
}
