extension Config {
  /// A gated delta net in the keys of Qwen's models, with their configuration classes' defaults.
  public func deltaNet(
    width: Int, eps: Double, _ storage: DeltaNet.Storage
  ) throws(ConfigError) -> DeltaNet {
    try require("hidden_act", "silu", "swish", because: "the layer's convolution and gate are SiLU")
    let keyHeads = try size("linear_num_key_heads", default: 16, limit: 1 << 14)
    let valueHeads = try size("linear_num_value_heads", default: 32, limit: 1 << 14)
    guard valueHeads % keyHeads == 0 else {
      throw .contradiction(
        "linear_num_value_heads \(valueHeads) is not a multiple of linear_num_key_heads \(keyHeads)"
      )
    }
    return DeltaNet(
      width, keyHeads: keyHeads, valueHeads: valueHeads,
      keySize: try size("linear_key_head_dim", default: 128, limit: 1 << 14),
      valueSize: try size("linear_value_head_dim", default: 128, limit: 1 << 14),
      kernel: try size("linear_conv_kernel_dim", default: 4, limit: 1 << 10), eps: eps,
      storage: storage)
  }

  /// Which blocks have attention, where others have something else in its place.
  ///
  /// - Parameters:
  ///   - full: what attention is called in `layer_types`.
  ///   - others: what the others are.
  /// - Returns: `nil` where the configuration has no such list.
  public func attentionLayers(
    depth: Int, key: String = "layer_types", full: [String] = ["full_attention"],
    others: [String]
  ) throws(ConfigError) -> [Bool]? {
    guard let kinds: [String] = try optional(key) else { return nil }
    guard kinds.count == depth else {
      throw .contradiction("\(key) has \(kinds.count) entries for \(depth) layers")
    }
    if let unknown = kinds.first(where: { !full.contains($0) && !others.contains($0) }) {
      throw .unsupported(
        key: key, value: "\"\(unknown)\"",
        reason: "the kinds known here are " + (full + others).joined(separator: ", "))
    }
    return kinds.map(full.contains)
  }

  /// Which blocks have attention, by a list of kinds or else every so many blocks (Qwen).
  public func intervalLayers(depth: Int) throws(ConfigError) -> [Bool] {
    let interval = try size("full_attention_interval", default: 4)
    return try attentionLayers(depth: depth, others: ["linear_attention"])
      ?? (1...depth).map { $0 % interval == 0 }
  }
}
