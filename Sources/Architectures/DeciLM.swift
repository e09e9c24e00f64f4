import Blueprint

/// Nemotron Super and Ultra of Llama's line, and DeciLM-7B: Llama whose blocks differ.
///
/// The first lack attention or MLP in some blocks or have one matrix instead, and MLPs of several
/// sizes (`block_configs`); the second has key heads of its own number in each block. Reference: the
/// models' own modeling_decilm.py and block_config.py.
public enum DeciLM: Architecture {
  public static let names = ["DeciLMForCausalLM"]
  public static let note = "Llama Nemotron 51B, Super 49B, Ultra 253B; DeciLM-7B"
  public static let origin = NameOrigin.bridge

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let eps = try config.positive("rms_norm_eps", default: 1e-6)
    let depth = try config.depth()
    for key in ["attention_bias", "mlp_bias"] {
      try config.require(key, false, because: "no published model of the family has such biases")
    }
    let attention = try config.attention(width: width, positions: 2048)
    let activation = try config.activation("hidden_act", default: .silu)
    var halves: [(attention: (any Layer)?, mlp: (any Layer)?)] = []
    if let blocks = try config.objects("block_configs") {
      // The blocks' own sizes replace it.
      config.ignore("intermediate_size")
      for block in blocks {
        guard let first = try block.object("attention"), let second = try block.object("ffn")
        else { throw .missing(key: "block_configs[\(halves.count)].attention or .ffn") }
        halves.append(
          (try Self.attention(first, attention), try mlp(second, width, activation)))
      }
    } else {
      let mlp = try config.mlp(width: width)
      let groups: [Int] = try config("num_key_value_heads_per_layer")
      for count in groups { halves.append((try Self.attention(attention, groups: count), mlp)) }
    }
    guard halves.count == depth else {
      throw .contradiction("\(halves.count) blocks are described, num_hidden_layers is \(depth)")
    }

    var blueprint = Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [halves] index in
      if let attention = halves[index].attention {
        Residual(Norm(width, eps: eps, "input_layernorm"), attention)
      }
      if let mlp = halves[index].mlp {
        Residual(Norm(width, eps: eps, "post_attention_layernorm"), mlp)
      }
    }
    // Megatron-Core numbers such blocks even where all happen to be alike.
    blueprint.numbersLayers = true
    return blueprint
  }

  private static func attention(
    _ attention: Attention, groups: Int
  ) throws(ConfigError) -> Attention {
    guard groups > 0, attention.heads % groups == 0 else {
      throw .contradiction("\(attention.heads) heads do not divide into \(groups) groups")
    }
    var copy = attention
    copy.groups = groups
    return copy
  }

  /// Nothing, one matrix, or attention with its own number of key heads.
  private static func attention(
    _ half: Config, _ common: Attention
  ) throws(ConfigError) -> (any Layer)? {
    for key in ["unshifted_sink", "use_prefill_window_in_sink_attention"] {
      try half.require(key, false, because: "no published model keeps tokens in view so")
    }
    for key in ["num_sink_tokens", "window_length", "sparsify"] where half.has(key) {
      throw .unsupported(
        key: key, value: "…", reason: "no published model leaves out positions or weights")
    }
    half.ignore("n_heads_in_group")
    let isMatrix: Bool = try half("replace_with_linear", default: false)
    if try half("no_op", default: false) { return nil }
    if isMatrix { return LinearMap(common.width, .attention, "self_attn.linear_attn") }
    let perGroup = try half.size("n_heads_in_group", limit: common.heads)
    guard common.heads % perGroup == 0 else {
      throw .contradiction("n_heads_in_group \(perGroup) does not divide \(common.heads) heads")
    }
    return try attention(common, groups: common.heads / perGroup)
  }

  /// Nothing, one matrix, or an MLP of ⌊2 · ffn_mult · width / 3⌋, up to a multiple of 256.
  private static func mlp(
    _ half: Config, _ width: Int, _ activation: Activation
  ) throws(ConfigError) -> (any Layer)? {
    guard !half.has("sparsify") else {
      throw .unsupported(
        key: "sparsify", value: "…", reason: "no published model leaves out weights")
    }
    let isMatrix: Bool = try half("replace_with_linear", default: false)
    half.ignore("ffn_mult")
    if try half("no_op", default: false) { return nil }
    if isMatrix { return LinearMap(width, .mlp, "mlp.linear_mlp") }
    let factor = try half.positive("ffn_mult")
    guard factor < 256 else {
      throw .outOfRange(key: "ffn_mult", expected: "below 256", found: "\(factor)")
    }
    let inner = (Int(2 * factor * Double(width) / 3) + 255) / 256 * 256
    return MLP(width, inner: inner, activation)
  }
}
