import Blueprint

/// Llama 4, text: chunked layers that turn queries and keys in pairs and norm them without weights,
/// every fourth layer open and not turned, and experts that one token in one passes.
///
/// The router's weight multiplies the expert's input. Experts are stored together and turned.
/// Reference: transformers/models/llama4/modeling_llama4.py
public enum Llama4: Architecture {
  public static let names = ["Llama4ForCausalLM"]
  public static let note = "Llama 4 text models, MobileLLM-R1"
  public static let origin = NameOrigin.nemo

  public static func blueprint(_ config: Config) throws(ConfigError) -> Blueprint {
    let width = try config.size("hidden_size")
    let depth = try config.depth()
    let eps = try config.positive("rms_norm_eps", default: 1e-5)
    let turning = try config.turningLayers(depth: depth)
    let chunked = try chunkedLayers(config, depth: depth) ?? turning
    let chunk: Int? = try config.nullable("attention_chunk_size", default: 8192)
    if let chunk { try config.check("attention_chunk_size", chunk, in: 1...Int.max) }
    var (turned, open) = try attentions(config, width: width, eps: eps)
    turned.chunk = chunk
    let (mlp, experts) = try feedForward(config, width: width)
    let sparse = try sparseLayers(config, depth: depth)

    return Blueprint(try config.frame(), final: Norm(width, eps: eps, "model.norm")) {
      [turned, open] index in
      Residual(
        Norm(width, eps: eps, "input_layernorm"),
        (turning[index] ? turned : open).chunked(chunked[index] ? chunk : nil))
      Residual(
        Norm(width, eps: eps, "post_attention_layernorm"),
        sparse.contains(index) ? experts : mlp)
    }
  }

  /// The attention of layers that turn queries and keys, and that of those that do not.
  private static func attentions(
    _ config: Config, width: Int, eps: Double
  ) throws(ConfigError) -> (turned: Attention, open: Attention) {
    let bias: Bool = try config("attention_bias", default: false)
    var turned = try config.attention(
      width: width, groupsDefault: 8, headSizeDefault: 128, theta: 500_000, positions: 131_072,
      isInterleaved: true, inputBias: bias, outputBias: bias)
    var open = turned.withoutRotation
    if try config("use_qk_norm", default: true) {
      turned.headNorms = HeadNorms(eps: eps, .rmsWithoutWeight, followsRotation: true)
    }
    let slope: Double = try config("attn_scale", default: 0.1)
    let period = try config.positive("floor_scale", default: 8192)
    if try config("attn_temperature_tuning", default: true) {
      open.temperature = QueryTemperature(slope: slope, period: period, first: 1)
    }
    return (turned, open)
  }

  private static func feedForward(
    _ config: Config, width: Int
  ) throws(ConfigError) -> (MLP, Experts) {
    let activation = try config.activation("hidden_act", default: .silu)
    let inner = try config.size("intermediate_size", default: 8192)
    func mlp(_ inner: Int, _ prefix: String) -> MLP {
      MLP(
        width, inner: inner, activation,
        input: .gated(gate: prefix + ".gate_proj", up: prefix + ".up_proj"),
        down: prefix + ".down_proj")
    }
    let (count, perToken) = try config.experts(
      "num_local_experts", default: 16, perTokenDefault: 1)
    var router = Router(
      "feed_forward.router", .sigmoid, perToken: perToken, isNormalized: false,
      balance: try config("router_aux_loss_coef", default: 0.001))
    router.scalesInput = true
    // How another program wants the experts' modules built, not what they compute.
    config.ignore("for_llm_compressor")
    return (
      mlp(try config.size("intermediate_size_mlp", default: 16_384), "feed_forward"),
      Experts(
        width, count: count, inner: inner, activation, router: router,
        storage: .stacked(
          input: "feed_forward.experts.gate_up_proj", down: "feed_forward.experts.down_proj",
          isTransposed: true), shared: mlp(inner, "feed_forward.shared_expert"))
    )
  }

  /// The layers with experts, listed or every so many.
  private static func sparseLayers(
    _ config: Config, depth: Int
  ) throws(ConfigError) -> Set<Int> {
    let step = try config.size("interleave_moe_layer_step", default: 1)
    if let listed: [Int] = try config.optional("moe_layers") {
      for layer in listed { try config.check("moe_layers", layer, in: 0...depth - 1) }
      return Set(listed)
    }
    return Set(stride(from: step - 1, to: depth, by: step))
  }

  /// Which layers see their own chunk only, where the configuration lists kinds.
  private static func chunkedLayers(
    _ config: Config, depth: Int
  ) throws(ConfigError) -> [Bool]? {
    guard let kinds: [String] = try config.optional("layer_types") else { return nil }
    guard kinds.count == depth else {
      throw .contradiction("layer_types has \(kinds.count) entries for \(depth) layers")
    }
    let known = ["chunked_attention", "full_attention"]
    if let unknown = kinds.first(where: { !known.contains($0) }) {
      throw .unsupported(
        key: "layer_types", value: "\"\(unknown)\"",
        reason: "the kinds known here are chunked_attention and full_attention")
    }
    return kinds.map { $0 == "chunked_attention" }
  }
}
