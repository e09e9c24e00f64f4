extension Config {
  /// The rotary embedding of a configuration, in transformers' older and newer spelling.
  ///
  /// Older: `rope_theta`, `rope_scaling: {type or rope_type, …}`, `partial_rotary_factor`; newer:
  /// all in `rope_parameters`. Source: transformers/modeling_rope_utils.py.
  ///
  /// - Parameters:
  ///   - headSize: the dimensions of a head that could turn.
  ///   - partial: the share of them that turns where the configuration does not say.
  ///   - positions: the longest context where the configuration does not say.
  ///   - knowsAlpha: whether the family's "dynamic" scaling takes a fixed `alpha`.
  /// - Throws: `ConfigError` for a kind of scaling that is not known.
  public func rotary(
    headSize: Int, theta defaultTheta: Double = 10_000, partial: Double = 1,
    positions defaultPositions: Int? = nil,
    thetaKeys: [String] = ["rope_theta"], partialKeys: [String] = ["partial_rotary_factor"],
    isInterleaved: Bool = false, knowsAlpha: Bool = false
  ) throws(ConfigError) -> Rotary {
    let lengths = try contextLengths(default: defaultPositions)
    var theta: Double? = try optional(anyOf: thetaKeys)
    var share: Double? = try optional(anyOf: partialKeys)
    var scaling = Rotary.Scaling.none
    // Where both are there, transformers takes the older.
    for key in ["rope_parameters", "rope_scaling"] {
      guard let inner = try object(key), !inner.isEmpty else { continue }
      let innerTheta: Double? = try inner.optional("rope_theta")
      let innerShare: Double? = try inner.optional("partial_rotary_factor")
      theta = innerTheta ?? theta
      share = innerShare ?? share
      scaling = try inner.scaling(lengths, knowsAlpha: knowsAlpha)
    }
    let base = theta ?? defaultTheta
    guard base > 0, base.isFinite else {
      throw .outOfRange(
        key: thetaKeys.first(where: has) ?? thetaKeys[0], expected: "a number above 0",
        found: "\(base)")
    }
    let turning = share ?? partial
    guard turning > 0, turning <= 1 else {
      throw .outOfRange(
        key: partialKeys.first(where: has) ?? partialKeys[0],
        expected: "above 0 and at most 1", found: "\(turning)")
    }
    let dimensions = Int(Double(headSize) * turning)
    try checkRotary(dimensions: dimensions, of: headSize, scaling)
    return Rotary(
      theta: base, dimensions: dimensions, isInterleaved: isInterleaved, scaling: scaling)
  }

  /// The rotary embeddings of the layers that see all and of those that slide, where they differ.
  ///
  /// Older: `rope_theta` and `rope_scaling` are those of the first, `rope_local_base_freq` of the
  /// second; newer: `rope_parameters` holds an object for each kind.
  ///
  public func rotaries(
    headSize: Int, theta: Double = 1_000_000, slidingTheta: Double = 10_000, positions: Int? = nil
  ) throws(ConfigError) -> (full: Rotary, sliding: Rotary) {
    let lengths = try contextLengths(default: positions)
    let outerTheta: Double? = try optional("rope_theta")
    let outerSliding: Double? = try optional("rope_local_base_freq")
    let kinds = try object("rope_parameters")
    var full = Rotary(theta: outerTheta ?? theta, dimensions: headSize)
    try kinds?.object("full_attention")?.change(&full, lengths)
    try object("rope_scaling")?.change(&full, lengths)
    var sliding = Rotary(theta: outerSliding ?? slidingTheta, dimensions: headSize)
    try kinds?.object("sliding_attention")?.change(&sliding, lengths)
    return (full, sliding)
  }

  /// Changes a rotary embedding as an object for one kind of layer says.
  private func change(_ rotary: inout Rotary, _ lengths: ContextLengths) throws(ConfigError) {
    guard !isEmpty else { return }
    rotary.theta = try positive("rope_theta", default: rotary.theta)
    let kind: String? = try optional("rope_type")
    if kind == "proportional" {
      let share = try positive("partial_rotary_factor", default: 1)
      let factor = try positive("factor", default: 1)
      guard share <= 1 else {
        throw .outOfRange(
          key: "partial_rotary_factor", expected: "above 0 and at most 1", found: "\(share)")
      }
      rotary.pairs = Int(share * Double(rotary.dimensions) / 2)
      rotary.scaling = factor == 1 ? .none : .linear(factor: factor)
    } else {
      rotary.scaling = try scaling(lengths)
    }
    try checkRotary(dimensions: rotary.dimensions, of: rotary.dimensions, rotary.scaling)
  }

  /// The longest context, and the one before a stretching where it stands outside of it.
  private typealias ContextLengths = (longest: Int?, original: Int?)

  private func contextLengths(default fallback: Int?) throws(ConfigError) -> ContextLengths {
    let longest = try optionalSize("max_position_embeddings", limit: 1 << 32) ?? fallback
    return (longest, try optionalSize("original_max_position_embeddings", limit: 1 << 32))
  }

  private func checkRotary(
    dimensions: Int, of headSize: Int, _ scaling: Rotary.Scaling
  ) throws(ConfigError) {
    guard dimensions > 0, dimensions % 2 == 0 else {
      throw .contradiction(
        "\(dimensions) of a head's \(headSize) dimensions would turn, which are no pairs")
    }
    if case .long(let long) = scaling {
      for (name, list) in [("short_factor", long.short), ("long_factor", long.long)]
      where list.count != dimensions / 2 {
        throw .contradiction(
          "rope_scaling.\(name) has \(list.count) factors for \(dimensions / 2) pairs of dimensions"
        )
      }
    }
  }

  private func scaling(
    _ lengths: ContextLengths, knowsAlpha: Bool = false
  ) throws(ConfigError) -> Rotary.Scaling {
    let kind: String = try optional(anyOf: ["rope_type", "type"]) ?? "default"
    func original() throws(ConfigError) -> Int {
      let inner = try optionalSize("original_max_position_embeddings", limit: 1 << 32)
      guard let value = inner ?? lengths.original ?? lengths.longest else {
        throw .missing(key: "original_max_position_embeddings")
      }
      return value
    }
    switch kind {
    case "default", "none":
      return .none
    case "linear":
      return .linear(factor: try positive("factor"))
    case "dynamic" where knowsAlpha && has("alpha"):
      // Published files carry them, and the class looks at none.
      ignore("factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim")
      return .stretchedBase(alpha: try positive("alpha"))
    case "dynamic":
      return .dynamic(factor: try positive("factor"), original: try original())
    case "llama3":
      return .llama3(
        factor: try positive("factor"), low: try positive("low_freq_factor"),
        high: try positive("high_freq_factor"), original: try original())
    case "longrope", "su":
      return .long(try longRope(original: try original(), positions: lengths.longest))
    case "yarn" where has("short_factor"):
      // Phi-3's first files call LongRoPE so.
      return .long(try longRope(original: try original(), positions: lengths.longest))
    case "yarn":
      ignore("finetuned")
      return .yarn(
        Rotary.Yarn(
          factor: try positive("factor"), original: try original(),
          betaFast: try positive("beta_fast", default: 32),
          betaSlow: try positive("beta_slow", default: 1),
          attentionFactor: try optional("attention_factor"), mscale: try optional("mscale"),
          mscaleAllDimensions: try optional("mscale_all_dim"),
          truncates: try self("truncate", default: true)))
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
