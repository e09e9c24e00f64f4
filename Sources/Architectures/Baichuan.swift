import Blueprint

/// Baichuan 1 and 2: Llama's block with one tensor for queries, keys and values.
///
/// The 7B models turn queries and keys; those of 13B have ALiBi and no `max_position_embeddings`.
/// Baichuan 2 scales the output layer's rows to length one: it is told by its vocabulary or by a
/// training setting that only its files have. Reference: the models' own modeling_baichuan.py.
public enum Baichuan: Architecture {
  public static let names = ["BaichuanForCausalLM", "BaiChuanForCausalLM"]
  public static let note = "Baichuan 7B, 13B, Baichuan 2 7B, 13B"
  public static let origin = NameOrigin.nemo

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let heads = try config.size("num_attention_heads", limit: 1 << 14)
    let headSize = try config.headSize(of: width, heads: heads)
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let length = try config.optionalSize("model_max_length", limit: 1 << 32)
    // Of training: the weight of a term that keeps logits small.
    config.ignore("z_loss_weight")
    let turns = config.has("max_position_embeddings")
    var attention = Attention(
      width, heads: heads, groups: heads, headSize: headSize,
      rotary: turns ? Rotary(theta: 10_000, dimensions: headSize) : nil,
      projection: .stacked("self_attn.W_pack"))
    if !turns { attention.alibi = ALiBi(isScaled: false) }
    let mlp = try config.mlp(width: width)

    var frame = try config.frame()
    if !turns { frame.positions = length }
    var blueprint = Blueprint(frame, final: Norm(width, eps: eps, "model.norm")) {
      [attention] _ in
      Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
    }
    blueprint.normalizesHead = frame.vocabulary == 125_696 || config.has("z_loss_weight")
    return blueprint
  }
}
