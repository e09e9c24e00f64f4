extension Config {
  /// Latent attention in the keys of DeepSeek's families.
  ///
  /// - Parameters:
  ///   - positions: the longest context where the configuration is silent.
  ///   - isInterleaved: whether neighbouring dimensions turn together.
  public func latentAttention(
    width: Int, positions: Int, isInterleaved: Bool
  ) throws(ConfigError) -> LatentAttention {
    try require("attention_bias", false, because: "latent attention here has no biases")
    let heads = try size("num_attention_heads", limit: 1 << 14)
    let keys: Int = try self("num_key_value_heads", default: heads)
    guard keys == heads else {
      throw .contradiction(
        "num_key_value_heads \(keys) is not num_attention_heads \(heads), as latent attention has it"
      )
    }
    let plain = try size("qk_nope_head_dim", default: 128, limit: 1 << 14)
    let turning = try size("qk_rope_head_dim", default: 64, limit: 1 << 14)
    let total: Int = try self("qk_head_dim", default: plain + turning)
    guard total == plain + turning else {
      throw .contradiction("qk_head_dim \(total) is not \(plain) + \(turning)")
    }
    // The classes set it to qk_rope_head_dim, whatever the file says.
    ignore("head_dim")
    let rotary = try rotary(
      headSize: turning, positions: positions, isInterleaved: isInterleaved)
    var scale: Double?
    if case .yarn(let yarn) = rotary.scaling, let mscale = yarn.mscaleAllDimensions {
      let magnitude = yarn.magnitude(mscale)
      scale = magnitude * magnitude / Double(total).squareRoot()
    }
    let queryRank: Int? = try nullable("q_lora_rank", default: 1536)
    if let queryRank { try check("q_lora_rank", queryRank, in: 1...1 << 20) }
    return LatentAttention(
      width, heads: heads, queryRank: queryRank,
      keyValueRank: try size("kv_lora_rank", default: 512), plainSize: plain,
      rotary: rotary, valueSize: try size("v_head_dim", default: 128, limit: 1 << 14),
      // The norms on latents take their class's default, not rms_norm_eps.
      eps: 1e-6, scale: scale)
  }
}
