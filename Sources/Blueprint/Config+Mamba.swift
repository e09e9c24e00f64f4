/// What a family calls the sizes of its Mamba-2 layers, with its configuration class's defaults.
public struct MambaKeys: Sendable {
  var heads: String
  var headSize: String
  /// How many times the width all heads together are.
  var factor: String
  /// The width of all heads together, where that has a key of its own.
  var inner: String?
  var groups: [String]
  var state: String
  var kernel: [String]
  var chunk: [String]
  var convolutionBias: [String]
  /// Of the projections.
  var bias: String
  var activation: String
  var headSizeDefault: Int?
  var groupsDefault: Int
  var stateDefault: Int
  var chunkDefault: Int
  /// Whether the class holds heads · headSize against the factor.
  var isChecked: Bool

  /// Nemotron-H's; its class takes sizes from the heads alone.
  public static let nemotron = MambaKeys(
    heads: "mamba_num_heads", headSize: "mamba_head_dim", factor: "expand",
    groups: ["n_groups", "mamba_n_groups"], state: "ssm_state_size",
    kernel: ["conv_kernel", "mamba_d_conv"], chunk: ["chunk_size", "mamba_chunk_size"],
    convolutionBias: ["use_conv_bias", "mamba_conv_bias"], bias: "mamba_proj_bias",
    activation: "mamba_hidden_act", headSizeDefault: 64, groupsDefault: 8, stateDefault: 128,
    chunkDefault: 128, isChecked: false)

  /// Those of the pure Mamba-2 models.
  public static let pure = MambaKeys(
    heads: "num_heads", headSize: "head_dim", factor: "expand", groups: ["n_groups"],
    state: "state_size", kernel: ["conv_kernel"], chunk: ["chunk_size"],
    convolutionBias: ["use_conv_bias"], bias: "use_bias", activation: "hidden_act",
    headSizeDefault: 64, groupsDefault: 8, stateDefault: 128, chunkDefault: 256, isChecked: true)

  /// Bamba's and Granite's.
  public static let bamba = MambaKeys(
    heads: "mamba_n_heads", headSize: "mamba_d_head", factor: "mamba_expand",
    groups: ["mamba_n_groups"], state: "mamba_d_state", kernel: ["mamba_d_conv"],
    chunk: ["mamba_chunk_size"], convolutionBias: ["mamba_conv_bias"], bias: "mamba_proj_bias",
    activation: "hidden_act", headSizeDefault: nil, groupsDefault: 1, stateDefault: 256,
    chunkDefault: 256, isChecked: true)

  /// Falcon-H1's: Bamba's, with a key for the inner width.
  public static let falcon: MambaKeys = {
    var keys = bamba
    keys.inner = "mamba_d_ssm"
    return keys
  }()
}

extension Config {
  /// A Mamba-2 layer; both projections have biases where the keys' `bias` says so.
  ///
  /// - Throws: `ConfigError.contradiction` where sizes do not fit each other.
  public func mamba(
    width: Int, eps: Double, _ keys: MambaKeys, prefix: String = "mixer"
  ) throws(ConfigError) -> Mamba {
    try require(keys.activation, "silu", "swish", because: "Mamba-2 gates by SiLU")
    let heads = try size(keys.heads, default: 128, limit: 1 << 14)
    let groups = try optionalSize(anyOf: keys.groups, limit: heads) ?? keys.groupsDefault
    guard heads % groups == 0 else {
      throw .contradiction(
        "\(keys.heads) \(heads) is not a multiple of \(keys.groups[0]) \(groups)")
    }
    let limits: [Double] =
      try optional(anyOf: ["time_step_limit", "mamba_dt_limit"]) ?? [0, .infinity]
    guard limits.count == 2, limits[0] <= limits[1] else {
      throw .outOfRange(
        key: "time_step_limit", expected: "a lower and an upper bound", found: "\(limits)")
    }
    var mamba = Mamba(
      width, heads: heads, headSize: try headSize(width: width, heads: heads, keys),
      groups: groups, state: try size(keys.state, default: keys.stateDefault, limit: 1 << 16),
      kernel: try optionalSize(anyOf: keys.kernel, limit: 1 << 10) ?? 4,
      chunk: try optionalSize(anyOf: keys.chunk) ?? keys.chunkDefault,
      convolutionBias: try optional(anyOf: keys.convolutionBias) ?? true,
      eps: eps, stepLimit: (limits[0], limits[1]), prefix: prefix)
    mamba.hasInputBias = try self(keys.bias, default: false)
    mamba.hasOutputBias = mamba.hasInputBias
    return mamba
  }

  /// Passes over the keys of Mamba layers, for a model without any.
  public func ignoreMamba(_ keys: MambaKeys) {
    for key in [keys.heads, keys.headSize, keys.factor, keys.state, keys.bias] { ignore(key) }
    for key in keys.groups + keys.kernel + keys.chunk + keys.convolutionBias { ignore(key) }
    ignore("time_step_limit", "mamba_dt_limit")
  }

  /// The head size as it is stated, or "auto": what the inner width leaves each head.
  private func headSize(
    width: Int, heads: Int, _ keys: MambaKeys
  ) throws(ConfigError) -> Int {
    guard keys.isChecked else {
      ignore(keys.factor, "mamba_expand")
      return try size(keys.headSize, default: keys.headSizeDefault, limit: 1 << 14)
    }
    // A class with a key for the inner width looks at the factor only where that is null.
    let factor = try size(keys.factor, default: 2, limit: 64)
    let stated: Int? = if let key = keys.inner { try nullable(key, default: 1024) } else { nil }
    let inner = stated ?? factor * width
    try check(keys.inner ?? keys.factor, inner, in: 1...1 << 20)
    let isAutomatic = (try? optional(keys.headSize) as String?) == "auto"
    let size =
      isAutomatic
      ? inner / heads : try optionalSize(keys.headSize) ?? keys.headSizeDefault ?? inner / heads
    guard size * heads == inner else {
      throw .contradiction(
        "\(keys.heads) \(heads) of \(keys.headSize) \(size) are not the inner width \(inner)")
    }
    return size
  }
}
