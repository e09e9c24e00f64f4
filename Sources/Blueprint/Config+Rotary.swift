extension Config {
  /// The rotary embedding of a configuration, in transformers' older and newer spelling.
  ///
  /// Older: `rope_theta`, `rope_scaling: {type or rope_type, …}`, `partial_rotary_factor`; newer:
  /// all in `rope_parameters`. Source: transformers/modeling_rope_utils.py.
  ///
  /// - Parameters:
  ///   - headSize: the dimensions of a head that could turn.
  ///   - partial: the share of them that turns where the configuration does not say.
  /// - Throws: `ConfigError` for a kind of scaling that is not known.
  public func rotary(
    headSize: Int, theta defaultTheta: Double = 10_000, partial: Double = 1,
    thetaKeys: [String] = ["rope_theta"], partialKeys: [String] = ["partial_rotary_factor"],
    isInterleaved: Bool = false
  ) throws(ConfigError) -> Rotary {
    let positions: Int? = try optional("max_position_embeddings")
    let outerOriginal: Int? = try optional("original_max_position_embeddings")
    var theta: Double? = try optional(anyOf: thetaKeys)
    var share: Double? = try optional(anyOf: partialKeys)
    var scaling = Rotary.Scaling.none
    for key in ["rope_scaling", "rope_parameters"] {
      guard let inner = try object(key) else { continue }
      let innerTheta: Double? = try inner.optional("rope_theta")
      let innerShare: Double? = try inner.optional("partial_rotary_factor")
      theta = innerTheta ?? theta
      share = innerShare ?? share
      scaling = try inner.scaling(positions: positions, outerOriginal: outerOriginal)
    }
    return Rotary(
      theta: theta ?? defaultTheta, dimensions: Int(Double(headSize) * (share ?? partial)),
      isInterleaved: isInterleaved, scaling: scaling)
  }

  private func scaling(
    positions: Int?, outerOriginal: Int?
  ) throws(ConfigError) -> Rotary.Scaling {
    let kind: String = try optional(anyOf: ["rope_type", "type"]) ?? "default"
    func original() throws(ConfigError) -> Int {
      let inner: Int? = try optional("original_max_position_embeddings")
      guard let value = inner ?? outerOriginal ?? positions else {
        throw .missing(key: "original_max_position_embeddings")
      }
      return value
    }
    switch kind {
    case "default", "none":
      return .none
    case "linear":
      return .linear(factor: try self("factor"))
    case "dynamic":
      return .dynamic(factor: try self("factor"), original: try original())
    case "llama3":
      return .llama3(
        factor: try self("factor"), low: try self("low_freq_factor"),
        high: try self("high_freq_factor"), original: try original())
    case "yarn":
      return .yarn(
        Rotary.Yarn(
          factor: try self("factor"), original: try original(),
          betaFast: try self("beta_fast", default: 32), betaSlow: try self("beta_slow", default: 1),
          attentionFactor: try optional("attention_factor"), mscale: try optional("mscale"),
          mscaleAllDimensions: try optional("mscale_all_dim"),
          truncates: try self("truncate", default: true)))
    case "longrope", "su":
      return .long(try longRope(original: try original(), positions: positions))
    default:
      throw .unsupported(
        key: "rope_scaling.type", value: "\"\(kind)\"",
        reason: "the kinds known are default, linear, dynamic, llama3, yarn and longrope")
    }
  }

  private func longRope(original: Int, positions: Int?) throws(ConfigError) -> Rotary.LongRope {
    let stated: Double? = try optional("factor")
    return Rotary.LongRope(
      short: try self("short_factor"), long: try self("long_factor"), original: original,
      attentionFactor: try optional("attention_factor"),
      shortAttentionFactor: try optional("short_mscale"),
      longAttentionFactor: try optional("long_mscale"),
      factor: stated ?? Double(positions ?? original) / Double(original))
  }
}
