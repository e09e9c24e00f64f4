extension Config {
  /// An attention in the keys most families share.
  ///
  /// - Parameters:
  ///   - groupsDefault: the groups where the key is absent; the heads where it is `nil`.
  ///   - headSizeDefault: the head size where the key is absent; width / heads where it is `nil`.
  ///   - theta, partial, positions: of the rotation, where the configuration does not say.
  public func attention(
    width: Int, groupsDefault: Int? = nil, headSizeDefault: Int? = nil, theta: Double = 10_000,
    partial: Double = 1, positions: Int, isInterleaved: Bool = false, inputBias: Bool = false,
    outputBias: Bool = false
  ) throws(ConfigError) -> Attention {
    let (heads, groups, headSize) = try heads(
      width: width, groupsDefault: groupsDefault, headSizeDefault: headSizeDefault)
    let rotary = try rotary(
      headSize: headSize, theta: theta, partial: partial, positions: positions,
      isInterleaved: isInterleaved)
    return Attention(
      width, heads: heads, groups: groups, headSize: headSize, rotary: rotary,
      inputBias: inputBias, outputBias: outputBias)
  }

  /// The key heads and the head size of one layer, where transformers 5 says them in `per_layer_config`.
  ///
  /// - Parameters:
  ///   - heads: of queries, which the key heads must divide.
  ///   - groups, headSize: what holds where it does not say.
  public func layerHeads(
    _ index: Int, heads: Int, groups: Int, headSize: Int
  ) throws(ConfigError) -> (groups: Int, headSize: Int) {
    let layer = try object("per_layer_config")?.object("\(index)")
    let own = try layer?.optionalSize("num_key_value_heads", limit: heads) ?? groups
    guard heads % own == 0 else {
      throw .contradiction(
        "the \(heads) heads of layer \(index) are no multiple of \(own) key heads")
    }
    return (own, try layer?.optionalSize("head_dim", limit: 1 << 14) ?? headSize)
  }

  /// A feed-forward layer in the keys most families share.
  public func mlp(
    width: Int, _ activation: Activation = .silu,
    input: MLP.Input = .gated(gate: "mlp.gate_proj", up: "mlp.up_proj"), bias: Bool = false
  ) throws(ConfigError) -> MLP {
    MLP(
      width, inner: try size("intermediate_size"),
      try self.activation("hidden_act", default: activation), input: input, bias: bias)
  }

  /// Whether each layer slides, from `layer_types` or else from `sliding_window_pattern`.
  ///
  /// The pattern is a number n (every n-th layer sees all) or letters that repeat (L slides, G sees all).
  public func slidingPattern(
    depth: Int, default fallback: Int
  ) throws(ConfigError) -> [Bool] {
    let key = "sliding_window_pattern"
    // What the class notes for itself after it made the list.
    ignore("_" + key)
    let letters: String? = try? optional(key)
    let listed = try slidingLayers(depth: depth)
    if let letters {
      guard !letters.isEmpty, letters.allSatisfy({ "LG".contains($0) }) else {
        throw .unsupported(
          key: key, value: "\"\(letters)\"", reason: "the letters known are L and G")
      }
      let kinds = Array(letters)
      return listed ?? (0..<depth).map { kinds[$0 % kinds.count] == "L" }
    }
    // transformers 5 writes the number with a line in front.
    let period: Int = try optional(anyOf: [key, "_" + key]) ?? fallback
    if let listed { return listed }
    try check(key, period, in: 1...Int.max)
    return (1...depth).map { $0 % period != 0 }
  }

  /// Which layers turn queries and keys: in `no_rope_layers` those with a 1.
  public func turningLayers(depth: Int) throws(ConfigError) -> [Bool] {
    let interval = try size("no_rope_layer_interval", default: 4)
    guard let listed: [Int] = try optional("no_rope_layers"), !listed.isEmpty else {
      return (1...depth).map { $0 % interval != 0 }
    }
    guard listed.count >= depth else {
      throw .contradiction("no_rope_layers has \(listed.count) entries for \(depth) layers")
    }
    return listed.prefix(depth).map { $0 != 0 }
  }
}
